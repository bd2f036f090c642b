import type { Credentials } from '../client/signed-api';
import { arg, callFunction, required } from '../database/connection';
import { deny, isDenied, isRefused, NOTHING, probeOf } from './sessions';

/** One way in which a stopped agent could still do something, and what shows that it cannot. */
export interface Lever {
  readonly lever: 'gate' | 'logins' | 'holds' | 'calls' | 'sessions';
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

interface Left { readonly enabled: boolean; readonly now: string; readonly logins: number; readonly backends: number; readonly holds: number; readonly running: number }

/** An agent that the database does not know. */
export class AgentUnknown extends Error {}

const settled = async <T>(work: Promise<T>): Promise<T | Error> => work.catch((error: unknown) => (error instanceof Error ? error : new Error('unknown')));
const said = (error: Error): string => `${error.name}${/^[A-Z]\w+(:|$)/.test(error.message) ? ` ${error.message.split(':')[0] ?? ''}` : ''}`;

/**
 * Stops an agent: every lever is pulled whatever becomes of the others, and then proved by looking again, for as long as `patienceMs`.
 *
 * @throws AgentUnknown
 */
export async function stop(agent: string, person: string, reason: string, patienceMs: number): Promise<StopReport> {
  const began = Date.now();
  // A session from before the deny, to see it refused; the stop does not wait for it long.
  const probing = settled(Promise.race([probeOf(agent), new Promise<never>((_, late) => { setTimeout(() => late(new Error('ProbeLate')), 3_000); })]));
  const pulled = await settled(callFunction<{ refused?: string; holds: string[] }>('controls.disable', { agent: arg.text(agent), person: arg.text(person), reason: arg.text(reason) }));
  if (!(pulled instanceof Error) && pulled.refused !== undefined) throw new AgentUnknown(agent);
  const probe = await probing;
  const [denying] = await Promise.all([settled(deny(agent, NOTHING)), settled(endSessions(agent, pulled)), settled(endClocks(pulled instanceof Error ? [] : pulled.holds))]);
  return prove(agent, { began, pulled, denying, probe, patienceMs });
}

/** Looks again at an agent that was stopped before. */
export async function look(agent: string, patienceMs: number): Promise<StopReport> {
  const probe = await settled(probeOf(agent));
  return prove(agent, { began: Date.now(), pulled: undefined, denying: undefined, probe, patienceMs });
}

async function prove(agent: string, { began, pulled, denying, probe, patienceMs }: { readonly began: number; readonly pulled: unknown; readonly denying: unknown; readonly probe: Credentials | Error; readonly patienceMs: number }): Promise<StopReport> {
  const proven = new Map<Lever['lever'], Lever>();
  const seconds = (): number => Math.round((Date.now() - began) / 10) / 100;
  let stoppedAt: string | null = null;
  const refusals = { since: 0 };
  for (;;) {
    const left = pulled instanceof Error ? pulled : await settled(callFunction<Left | null>('controls.left_of', { agent: arg.text(agent) }));
    const levers = [...ofDatabase(left), await ofSessions(agent, denying, probe, refusals)];
    for (const lever of levers) if (proven.get(lever.lever)?.state !== 'proven') proven.set(lever.lever, { ...lever, seconds: seconds() });
    const states = [...proven.values()].map(({ state }) => state);
    if (states.every((state) => state === 'proven') && left !== null && !(left instanceof Error)) stoppedAt = left.now;
    if (stoppedAt !== null || !states.includes('propagating') || Date.now() - began > patienceMs) break;
    await new Promise((later) => setTimeout(later, 250));
  }
  const levers = [...proven.values()];
  const outcome = levers.some(({ state }) => state === 'unproven') ? 'unproven' : levers.some(({ state }) => state === 'propagating') ? 'propagating' : 'proven';
  const report: StopReport = { agent, outcome, stoppedAt, stopSeconds: seconds(), levers };
  await settled(callFunction('controls.record_stop', { agent: arg.text(agent), report: arg.text(JSON.stringify(report)) }));
  return report;
}

type Look = Omit<Lever, 'seconds'>;

function ofDatabase(left: Left | null | Error): Look[] {
  const levers = ['gate', 'logins', 'holds', 'calls'] as const;
  if (left === null || left instanceof Error) return levers.map((lever) => ({ lever, state: 'unproven', evidence: left === null ? 'the database does not know the agent' : `the database did not answer: ${said(left)}` }));
  if (left.enabled) return levers.map((lever) => ({ lever, state: 'unproven', evidence: 'the agent is enabled' }));
  return [
    { lever: 'gate', state: 'proven', evidence: 'disabled in Postgres: the broker starts no run of it, the gate denies its calls, and no ticket of it is redeemed' },
    left.logins + left.backends > 0 ? { lever: 'logins', state: 'propagating', evidence: `${left.logins} logins can log in, ${left.backends} sessions are open` } : { lever: 'logins', state: 'proven', evidence: 'no login of it can log in, and none has a session' },
    left.holds > 0 ? { lever: 'holds', state: 'propagating', evidence: `${left.holds} holds wait` } : { lever: 'holds', state: 'proven', evidence: 'no hold of it waits' },
    left.running > 0 ? { lever: 'calls', state: 'propagating', evidence: `${left.running} calls that began before have not reported; an action has 5 minutes at most` } : { lever: 'calls', state: 'proven', evidence: 'every call that began before has ended' },
  ];
}

/** A policy arrives at one host after the other: one refusal may have met the first. */
const REFUSED_FOR_MS = 1_200;

async function ofSessions(agent: string, denying: unknown, probe: Credentials | Error, refusals: { since: number }): Promise<Look> {
  const lever = 'sessions';
  if (denying instanceof Error) return { lever, state: 'unproven', evidence: `the deny could not be put on its role: ${said(denying)}` };
  const there = await settled(isDenied(agent));
  if (there !== true) return { lever, state: 'unproven', evidence: there instanceof Error ? `IAM did not say that its role carries the deny: ${said(there)}` : 'its role carries another policy than the deny' };
  if (probe instanceof Error) return { lever, state: 'propagating', evidence: `its role carries the deny; no session to see it refused with: ${said(probe)}` };
  const refused = await settled(isRefused(probe));
  refusals.since = refused === true ? refusals.since || Date.now() : 0;
  return refused === true && Date.now() - refusals.since >= REFUSED_FOR_MS ? { lever, state: 'proven', evidence: 'its role carries the deny, and a session of it is refused, again and again' } : { lever, state: 'propagating', evidence: refused instanceof Error ? `its role carries the deny; the API did not answer: ${said(refused)}` : 'its role carries the deny; a session of it is not refused yet' };
}

async function endSessions(agent: string, pulled: unknown): Promise<void> {
  if (!(pulled instanceof Error)) await callFunction('controls.end_sessions', { agent: arg.text(agent) });
}

/** Ends the state machines of what waited. Postgres has cancelled it already: a clock that goes on finds nothing to do. */
async function endClocks(holds: readonly string[]): Promise<void> {
  const { SFNClient, StopExecutionCommand } = await import('@aws-sdk/client-sfn');
  const client = new SFNClient({});
  const machine = required('STATE_MACHINE_ARN').replace(':stateMachine:', ':execution:');
  await Promise.all(holds.map((hold) => settled(client.send(new StopExecutionCommand({ executionArn: `${machine}:${hold}`, error: 'AgentDisabled' })))));
}
