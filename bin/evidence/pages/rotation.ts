import { code, table, text } from '../../../lib/scope/markdown';
import { entriesOf, Entry, newest, said, when } from '../entries';
import type { PageMaker } from '../page';

interface Exposure { readonly credential: string; readonly since: string; readonly until: string; readonly seconds: number }
interface Rotation { readonly credential: string; readonly version: string; readonly began: string; readonly ended: string | null; readonly state: string; readonly leaked: boolean }

/** Control 4: every replacement of a credential, and for how long one could be used. */
export const rotation: PageMaker = {
  name: '05-rotation',
  async make({ log, period }) {
    const steps = await entriesOf(log, ['credential.rotation'], period);
    const leaks = await entriesOf(log, ['credential.leaked'], period);
    const rotations = together(steps);
    const lastOf = [...new Map(rotations.filter(({ state }) => state === 'finished').reverse().map((each) => [each.credential, each])).values()];
    const exposures = leaks.flatMap(({ time, facts, outcome }) => ((facts.report as { exposures?: Exposure[] } | undefined)?.exposures ?? []).map((of) => ({ ...of, told: time, which: of.credential, credential: said(facts.credential), outcome, person: said(facts.person) })));
    return {
      title: 'Rotation',
      shows: 'Every credential that was replaced, step by step; after a leak, for how long it was exposed and what shows that it is dead.',
      markdown: [
        '## Credentials, and when each was last replaced', '',
        ...table(['credential', 'replaced', 'version', 'took'], lastOf.map(({ credential, began, ended, version }) => [code(credential), when(ended ?? ''), code(version.slice(0, 8)), ended === null ? '' : `${Math.round((Date.parse(ended) - Date.parse(began)) / 1_000)} s`])), '',
        '## Leaks, and the window in which a credential could be used', '',
        ...table(['told', 'credential', 'which', 'exposed from', 'until', 'for', 'came to', 'told by'], exposures.map((each) => [when(each.told), code(each.credential), each.which, when(each.since), when(each.until), lasted(each.seconds), text(each.outcome ?? ''), text(each.person)])), '',
        '## All rotations of the period', '',
        ...table(['credential', 'began', 'ended', 'state', 'after a leak'], rotations.map(({ credential, began, ended, state, leaked }) => [code(credential), when(began), ended === null ? '' : when(ended), state === 'finished' ? state : `**${state}**`, leaked ? 'yes' : 'no'])), ...newest(steps),
      ],
      data: { rotations, leaks },
      hides: ['When a leaked credential was taken: the window counts from when it came to be.', 'Credentials that nobody declared to the control plane; synth warns of providers whose key no issuer replaces.'],
    };
  },
};

/** How long something lasted, in the unit that says it. */
function lasted(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}

/** Steps of one version of one credential are one rotation. */
function together(steps: readonly Entry[]): Rotation[] {
  const all = new Map<string, Rotation>();
  for (const { time, facts, outcome } of [...steps].reverse()) {
    const key = `${said(facts.credential)} ${said(facts.version)}`;
    const before = all.get(key);
    all.set(key, { credential: said(facts.credential), version: said(facts.version), began: before?.began ?? time, ended: outcome === 'finished' ? time : before?.ended ?? null, state: outcome ?? 'unknown', leaked: facts.leaked === true || (before?.leaked ?? false) });
  }
  return [...all.values()].reverse();
}
