import { code, table, text } from '../../../lib/scope/markdown';
import { entriesOf, newest, said, when } from '../entries';
import type { PageMaker } from '../page';
import { manifestsOf } from './cards';

/** Control 6: how every write is undone, and what was undone. */
export const reverses: PageMaker = {
  name: '07-reverses',
  async make({ log, period }) {
    const manifests = await manifestsOf(log);
    const rollbacks = (await entriesOf(log, ['call.intent'], period, "e.action = 'rollback'"));
    const reversals = await entriesOf(log, ['call.outcome', 'reversal.resolved'], period, "e.run_id like 'rollback-%' and e.action <> 'rollback'");
    return {
      title: 'Reverses',
      shows: 'The register of how every write is undone, and every rollback that was asked for, with what came of it.',
      markdown: [
        '## The register', '',
        ...table(['action', 'effect', 'reaches', 'undone by', 'in words'], manifests.map(({ name, effect, reach, reverse, description }) => [code(name), effect, reach, reverse ? reverse.kind === 'impossible' ? '**nothing**' : reverse.kind : 'nothing to undo', text(reverse?.sentence ?? (reverse?.kind === 'restore' ? 'puts back what was there before, unless somebody has changed it since' : description))])), '',
        '## Rollbacks', '',
        ...table(['time', 'agent', 'reference', 'came to', 'undone', 'left alone', 'failed or unknown'], rollbacks.map(({ time, agent, reference, outcome, run }) => {
          const of = reversals.filter((each) => each.run === run);
          const count = (...outcomes: string[]): string => said(of.filter((each) => outcomes.includes(each.outcome ?? '')).length);
          return [when(time), text(agent ?? ''), text(reference ?? ''), text(outcome ?? ''), count('executed'), count('refused'), count('failed', 'unknown')];
        })), ...newest(reversals),
      ],
      data: { manifests, rollbacks, reversals },
      hides: ['That a reverse would work today: only one that was run has shown it.', 'Writes older than before-images are kept; those are undone by hand.'],
    };
  },
};
