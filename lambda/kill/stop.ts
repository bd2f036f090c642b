import { SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import type { Credentials } from '../client/signed-api';
import { arg, callFunction, required } from '../database/connection';
import { deny, isDenied, isRefused, NOTHING, probeOf } from './sessions';

/** One way in which a stopped agent could still do something, and what shows that it cannot. */
export interface Lever {
  readonly lever: 'gate' | 'logins' | 'holds' | 'calls' | 'models' | 'sessions';
  /** `propagating`: it was pulled, and is not seen to work yet. `unproven`: nobody knows. */
  readonly state: 'proven' | 'propagating' | 'unproven';
  readonly evidence: string;
  /** Since the stop was asked for. */
  readonly seconds: number;
}

/** What a stop came to. */
export interface StopReport {
  readonly agent: string;
  readonly outcome: Lever['state'];
  /** By the database's clock: no effect is later, once everything is proven. */
  readonly stoppedAt: string | null;
  readonly stopSeconds: number;
  readonly levers: readonly Lever[];
}

interface Left { readonly enabled: boolean; readonly now: string; readonly logins: number; readonly backends: number; readonly holds: number; readonly running: number; readonly models: number }

/** An agent that the database does not know. */
export class AgentUnknown extends Error {}

const settled = async <T>(work: Promise<T>): Promise<T | Error> => work.catch((error: unknown) => (error instanceof Error ? error : new Error('unknown')));
const said = (error: Error): string => `${error.name}${/^[A-Z]\w+(:|$)/.test(error.message) ? ` ${error.message.split(':')[0] ?? ''}` : ''}`;

/** How long one question may take: whatever does not answer must not keep the others waiting. */
const within = <T>(ms: number, work: Promise<T>): Promise<T | Error> => settled(Promise.race([work, new Promise<never>((_, late) => { setTimeout(() => late(new Error('NoAnswerInTime')), ms).unref(); })]));
const ASKED_MS = 4_000;
/** How long the deny waits for a session to see refused. */
const PROBE_MS = 1_500;

const ask = <T>(name: string, agent: string, more: Parameters<typeof callFunction>[1] = {}): Promise<T | Error> => within(ASKED_MS, callFunction<T>(name, { agent: arg.text(agent), ...more }));

/** Tries again what another transaction was in the way of. */
async function pull<T>(name: string, agent: string): Promise<T | Error> {
  let last: T | Error = new Error('NotTried');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    last = await ask<T>(name, agent);
    if (!(last instanceof Error)) return last;
  }
  return last;
}

/** A session of the agent's role, and whether it was seen to open the gate's door before. */
interface Probe { readonly session: Credentials; readonly opened: boolean }

async function openProbe(agent: string): Promise<Probe> {
  const session = await probeOf(agent);
  return { session, opened: !await isRefused(session) };
}

/**
 * Stops an agent: every lever is pulled apart from the others and whatever becomes of them, and then proved by looking again, for as long as `patienceMs`.
 *
 * @throws AgentUnknown
 */
export async function stop(agent: string, person: string, reason: string, patienceMs: number): Promise<StopReport> {
  const began = Date.now();
  const probing = within(PROBE_MS, openProbe(agent));
  const [stopped, { probe, denying }] = await Promise.all([
    pull<{ refused?: string; before: boolean }>('controls.stop', agent),
    probing.then(async (probe) => ({ probe, denying: await within(ASKED_MS, deny(agent, NOTHING)) })),
  ]);
  if (!(stopped instanceof Error) && stopped.refused !== undefined) throw new AgentUnknown(agent);
  const report = await prove(agent, { began, denying, probe, patienceMs });
  await within(ASKED_MS, callFunction('controls.record_disabled', { agent: arg.text(agent), person: arg.text(person), reason: arg.text(reason), before: arg.boolean(stopped instanceof Error || stopped.before) }));
  await ask('controls.record_stop', agent, { report: arg.text(JSON.stringify(report)) });
  return report;
}

/** Looks again at an agent that was stopped before, and ends what has come up since. */
export async function look(agent: string, patienceMs: number): Promise<StopReport> {
  const probe = await within(PROBE_MS, openProbe(agent));
  return prove(agent, { began: Date.now(), denying: undefined, probe, patienceMs });
}

async function prove(agent: string, { began, denying, probe: first, patienceMs }: { readonly began: number; readonly denying: unknown; readonly probe: Probe | Error; readonly patienceMs: number }): Promise<StopReport> {
  const seconds = (): number => Math.round((Date.now() - began) / 10) / 100;
  const refusals = { since: 0 };
  let probe = first;
  let levers: Lever[] = [];
  for (;;) {
    await endWhatIsLeft(agent);
    // The stop did not wait for one that came late; the proof does.
    if (probe instanceof Error) probe = await within(ASKED_MS, openProbe(agent));
    const [left, sessions] = await Promise.all([ask<Left | null>('controls.left_of', agent), ofSessions(agent, denying, probe, refusals)]);
    // What counts is one look that finds nothing: what was proven a moment ago is asked again.
    levers = [...ofDatabase(left), sessions].map((lever) => ({ ...lever, seconds: levers.find((before) => before.lever === lever.lever && before.state === 'proven' && lever.state === 'proven')?.seconds ?? seconds() }));
    const states = levers.map(({ state }) => state);
    const outcome = states.includes('unproven') ? 'unproven' : states.includes('propagating') ? 'propagating' : 'proven';
    if (outcome === 'proven' || Date.now() - began > patienceMs || (outcome === 'unproven' && !states.includes('propagating'))) {
      return { agent, outcome, stoppedAt: outcome === 'proven' && left !== null && !(left instanceof Error) ? left.now : null, stopSeconds: seconds(), levers };
    }
    await new Promise((later) => setTimeout(later, 250));
  }
}

/** Ended once is not ended for good: a call that was on its way may have left a hold, a deploy a login. */
async function endWhatIsLeft(agent: string): Promise<void> {
  const [waiting] = await Promise.all([pull<{ holds: string[] }>('controls.end_waiting', agent), pull('controls.end_logins', agent)]);
  if (!(waiting instanceof Error)) await settled(endClocks(waiting.holds));
}

type Look = Omit<Lever, 'seconds'>;

function ofDatabase(left: Left | null | Error): Look[] {
  const levers = ['gate', 'logins', 'holds', 'calls', 'models'] as const;
  if (left === null || left instanceof Error) return levers.map((lever) => ({ lever, state: 'unproven', evidence: left === null ? 'the database does not know the agent' : `the database did not answer: ${said(left)}` }));
  if (left.enabled) return levers.map((lever) => ({ lever, state: 'unproven', evidence: 'the agent is enabled' }));
  return [
    { lever: 'gate', state: 'proven', evidence: 'disabled in Postgres: the broker starts no run of it, the gate denies its calls, and no ticket of it is redeemed' },
    left.logins + left.backends > 0 ? { lever: 'logins', state: 'propagating', evidence: `${left.logins} logins can log in or have rights, ${left.backends} sessions are open` } : { lever: 'logins', state: 'proven', evidence: 'no login of it can log in or has any right, and none has a session' },
    left.holds > 0 ? { lever: 'holds', state: 'propagating', evidence: `${left.holds} holds wait` } : { lever: 'holds', state: 'proven', evidence: 'no hold of it waits' },
    left.running > 0 ? { lever: 'calls', state: 'propagating', evidence: `${left.running} calls that began before have not reported; an action has 5 minutes at most` } : { lever: 'calls', state: 'proven', evidence: 'every call that began before has ended' },
    left.models > 0 ? { lever: 'models', state: 'propagating', evidence: `${left.models} answers of models that began before are not broken off yet` } : { lever: 'models', state: 'proven', evidence: 'the model gateway refuses it, and no model answers it any more' },
  ];
}

/** A policy arrives at one host after the other: one refusal may have met the first. */
const REFUSED_FOR_MS = 1_200;

async function ofSessions(agent: string, denying: unknown, probe: Probe | Error, refusals: { since: number }): Promise<Look> {
  const lever = 'sessions';
  if (denying instanceof Error) return { lever, state: 'unproven', evidence: `the deny could not be put on its role: ${said(denying)}` };
  const there = await within(ASKED_MS, isDenied(agent));
  if (there !== true) return { lever, state: 'unproven', evidence: there instanceof Error ? `IAM did not say that its role carries the deny: ${said(there)}` : 'its role carries another policy than the deny' };
  if (probe instanceof Error) return { lever, state: 'propagating', evidence: `its role carries the deny; no session to see it refused with: ${said(probe)}` };
  const refused = await within(ASKED_MS, isRefused(probe.session));
  refusals.since = refused === true ? refusals.since || Date.now() : 0;
  return refused === true && Date.now() - refusals.since >= REFUSED_FOR_MS ? { lever, state: 'proven', evidence: `its role carries the deny, and a session of it is refused, again and again${probe.opened ? '; the same session was let through before' : ''}` } : { lever, state: 'propagating', evidence: refused instanceof Error ? `its role carries the deny; the API did not answer: ${said(refused)}` : 'its role carries the deny; a session of it is not refused yet' };
}

/** Ends the state machines of what waited. Postgres has cancelled it already: a clock that goes on finds nothing to do. */
async function endClocks(holds: readonly string[]): Promise<void> {
  const client = new SFNClient({});
  const machine = required('STATE_MACHINE_ARN').replace(':stateMachine:', ':execution:');
  await Promise.all(holds.map((hold) => settled(client.send(new StopExecutionCommand({ executionArn: `${machine}:${hold}`, error: 'AgentDisabled' })))));
}
