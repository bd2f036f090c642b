import { useEffect, useState } from 'hono/jsx/dom';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { Countdown } from './countdown';
import { Decide } from './decide';
import { Changes, Facts, Saw, Section, Untrusted } from './facts';
import { ask, Refused } from './session';
import { at, plain, seen, worded } from './words';

/** One hold with everything around it, as the page's routes answer it. */
export interface Hold {
  readonly holdId: string;
  readonly decisionId: string;
  readonly you: { readonly name: string; readonly fresh: boolean };
  readonly agent: string; readonly runId: string; readonly action: string; readonly tier: string; readonly kind: string; readonly status: string; readonly outcome: string; readonly digest: string;
  readonly now: string; readonly holdUntil: string; readonly people: number;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly resolved?: unknown;
  readonly shown?: { readonly found?: unknown; readonly gone?: true };
  readonly request: string | null; readonly requestTrusted: boolean; readonly reference: string | null; readonly justification: string | null; readonly why: string | null;
  readonly description: string | null; readonly reach: string | null; readonly reverse: { readonly kind: string; readonly sentence?: string } | null;
  /** Columns that the action changes, by names that mean nothing else among those it reads. */
  readonly writes: readonly string[];
  readonly scope: string | null; readonly reasons: readonly string[] | null; readonly environment: string; readonly purpose: string; readonly owners: Readonly<Record<string, string>>; readonly cardDigest: string; readonly cardApprovedBy: string | null; readonly model: string | null;
  readonly dataClasses: readonly string[] | null;
  readonly changes: { readonly decisionId: string; readonly name: string; readonly parameters: string } | null;
  readonly sawMore: number;
  readonly verdicts: readonly { readonly name: string; readonly verdict: string; readonly reason: string; readonly at: string }[];
  readonly opinion: { readonly verdict: string; readonly version: string | null } | null;
  readonly earlier: readonly { readonly decisionId: string; readonly action: string; readonly verdict: string; readonly status: string; readonly at: string }[];
  readonly saw: readonly { readonly decisionId: string; readonly action: string; readonly parameters: string }[];
  readonly reverses: readonly { readonly decision: string; readonly action: string; readonly at: string; readonly kind: string; readonly sentence: string | null; readonly parameters: string }[] | null;
}

const ENDS: Readonly<Record<string, string>> = { approved: 'Approved', rejected: 'Rejected: it will not run', expired: 'Nobody answered in time: cancelled', cancelled: 'Cancelled' };
const CAME: Readonly<Record<string, string>> = { executed: ' and executed', failed: '; it failed', unknown: '; what came of it is not known' };

/** What an approver is shown of one call, and where it is decided. */
export function HoldView({ holdId, back, open, failed }: { readonly holdId: string; readonly back: () => void; readonly open: (holdId: string) => void; readonly failed: (error: Refused) => void }): JSX.Element {
  const [hold, setHold] = useState<{ readonly of: Hold; readonly since: number } | undefined>(undefined);
  const [fault, setFault] = useState('');
  const load = async (patience = 0): Promise<void> => {
    try {
      setHold({ of: await ask<Hold>('GET', `/holds/${encodeURIComponent(holdId)}`), since: performance.now() });
      setFault('');
    } catch (error) {
      if (error instanceof Refused && error.status === 401) failed(error);
      else if (error instanceof Refused && error.status === 404 && patience > 0) setTimeout(() => void load(patience - 1), 700); // what it would do is being fixed
      else setFault(error instanceof Error ? error.message : 'it could not be loaded');
    }
  };
  useEffect(() => { void load(10); }, [holdId]);
  const [looks, setLooks] = useState(0);
  const running = hold?.of.status === 'approved' && CAME[hold.of.outcome] === undefined && looks < 40;
  useEffect(() => {
    if (!running) return undefined;
    const timer = setTimeout(() => { setLooks(looks + 1); void load(); }, 1_500);
    return (): void => clearTimeout(timer);
  }, [running, hold]);

  const queue = <p><a href="/approve" onClick={(event: Event) => { event.preventDefault(); back(); }}>← All that waits</a></p>;
  if (fault) return <>{queue}<p role="alert" class="fault">{fault}</p></>;
  if (!hold) return <>{queue}<p role="status">Loading…</p></>;
  const { of, since } = hold;
  const pending = of.status === 'pending';
  const approvals = of.verdicts.filter(({ verdict }) => verdict === 'approve').length;
  const secondsLeft = (Date.parse(of.holdUntil) - Date.parse(of.now)) / 1_000;
  return <>
    {queue}
    <div class="title">
      <h2>{plain(of.action)}</h2>
      <p class="by">{`proposed by ${of.agent}, which ${seen(of.purpose).replace(/^(\w)/, (first) => first.toLowerCase())}`}</p>
      <p role="status" class={`state ${of.status}`}>{pending ? <>Waits for {of.people > 1 ? `${of.people - approvals} more of ${of.people} people` : 'a person'}, <Countdown seconds={secondsLeft} since={since} /> left; then it is cancelled</> : `${ENDS[of.status] ?? of.status}${of.status === 'approved' ? running ? '; running…' : CAME[of.outcome] ?? '' : ''}`}</p>
    </div>
    <Section title="What it will do">
      {of.description && <p>{of.description}</p>}
      <Changes parameters={of.parameters} shown={of.shown} writes={of.writes} />
      {of.resolved !== undefined && <><h4>Exactly this will run</h4><pre class="bytes">{worded(of.resolved)}</pre></>}
      {of.reverses && <><p>{`Undoes these, newest first${of.reverses.length === 50 ? ' (the newest 50)' : ''}:`}</p><ul>{of.reverses.map((reversal) => <li key={reversal.decision}>{`${plain(reversal.action)} of ${at(reversal.at)}: ${reversal.sentence ?? reversal.kind} `}<code>{seen(reversal.parameters)}</code></li>)}</ul></>}
      {of.changes && <><p>{seen(of.changes.name)} changed the parameters of another call into these, and cannot approve them. They were:</p><pre class="bytes">{seen(of.changes.parameters)}</pre></>}
    </Section>
    <Section title="Why">
      {of.why && <Untrusted label={of.changes ? `${seen(of.changes.name)} says of the change` : 'The agent says'} text={of.why} />}
      {of.justification && <Untrusted label={of.changes ? "The agent's justification of what it was" : 'Its justification'} text={of.justification} />}
      {of.request && (of.requestTrusted ? <figure class="asked"><figcaption>Asked of this run</figcaption><blockquote>{seen(of.request)}</blockquote></figure> : <Untrusted label="The agent's program says it was asked" text={of.request} />)}
      <Facts facts={{ reference: of.reference, scope: of.scope, tier: of.tier, 'held because': of.reasons, verifier: of.opinion && `${of.opinion.verdict}${of.opinion.version === null ? '' : ` (${of.opinion.version})`}` }} />
    </Section>
    <Section title="How it is undone">
      <p>{of.reverse === null ? 'It is a reversal itself, or only reads.' : of.reverse.kind === 'impossible' ? `It cannot be undone. ${of.reverse.sentence ?? ''}` : of.reverse.kind === 'restore' ? 'By command: what was there before is put back, unless somebody changed it since.' : `By a correction: ${of.reverse.sentence ?? ''}`}</p>
    </Section>
    <Section title="What the agent saw">
      {of.saw.length === 0 ? <p>It read nothing in this run.</p> : of.saw.map((read) => <Saw key={read.decisionId} holdId={of.holdId} read={read} />)}
      {of.sawMore > 0 && <p>{`And ${of.sawMore} reads before these.`}</p>}
    </Section>
    <Section title="The agent and this run">
      <Facts facts={{ environment: of.environment, 'data classes': of.dataClasses, 'reaches': of.reach, owners: Object.entries(of.owners).map(([duty, name]) => `${plain(duty)}: ${name}`), 'card approved by': of.cardApprovedBy ?? 'nobody; its data is synthetic', model: of.model, run: of.runId, decision: of.decisionId, 'digest of what is shown': of.digest }} />
      {of.earlier.length > 0 && <div class="wide"><table><caption>Earlier in this run</caption><thead><tr><th scope="col">When</th><th scope="col">Call</th><th scope="col">Came to</th></tr></thead>
        <tbody>{of.earlier.map((one) => <tr key={one.decisionId}><td>{at(one.at)}</td><td>{plain(one.action)}</td><td>{`${one.verdict}, ${one.status}`}</td></tr>)}</tbody></table></div>}
    </Section>
    {of.verdicts.length > 0 && <Section title="Said so far"><ul>{of.verdicts.map((one) => <li key={one.at}>{`${seen(one.name)}: ${one.verdict}, ${at(one.at)}. “${seen(one.reason)}”`}</li>)}</ul></Section>}
    {pending && <Decide hold={of} reload={() => load()} open={open} failed={failed} />}
  </>;
}
