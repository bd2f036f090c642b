import { arg, callFunction } from '../database/connection';
import type { Credential } from './credential';
import { current, makeCurrent, pending, stage, unstage } from './vault';

/** The four steps of a rotation, by the names that Secrets Manager calls them. */
export const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type Step = (typeof STEPS)[number];

/** A step that came out of order, or too late: another rotation has taken over, or is at it. */
export class RotationRefused extends Error {
  public constructor(public readonly code: string, name: string) {
    super(`${code}: ${{ RotationInProgress: 'another rotation is at it; ask again in two minutes', RotationOvertaken: 'another rotation has taken over', StepSkipped: 'a step before it has not been done', LoginUnknown: 'no login of this name is registered; deploy first' }[code] ?? 'refused'} (${name})`);
    this.name = code;
  }
}

interface Told { readonly refused?: string; readonly state?: string; readonly stopped?: boolean }

async function ask(sql: string, of: Credential, token: string, more: Parameters<typeof callFunction>[1] = {}): Promise<Told> {
  const told = await callFunction<Told>(sql, { name: arg.text(of.name), token: arg.text(token), ...more });
  if (told.refused !== undefined) throw new RotationRefused(told.refused, of.name);
  return told;
}

/**
 * One step of the rotation `token` of a credential. Any of them may come twice, and after a process died in the middle of it; the version that is
 * current works before and after each.
 *
 * @param leaked whether whoever has the credential from before is to be locked out, at the cost of what is running with it.
 * @throws RotationRefused
 */
export async function step(of: Credential, token: string, name: Step, leaked = false): Promise<void> {
  const now = await current(of.secretArn);
  if (now.id === token) {
    // It is current already; what may be missing is that it was recorded.
    if (name === 'finishSecret') await finished(of, token);
    return;
  }
  switch (name) {
    case 'createSecret': return create(of, token, now.value, leaked);
    case 'setSecret': return set(of, token, now.value);
    case 'testSecret': return test(of, token, now.value);
    case 'finishSecret':
      await advance(of, token, 'finishing');
      await makeCurrent(of.secretArn, token, now.id);
      await finished(of, token);
  }
}

async function finished(of: Credential, token: string): Promise<void> {
  // A stage that stays behind would look like a rotation that hangs as soon as something else becomes current.
  if (await pending(of.secretArn, token)) await unstage(of.secretArn, 'pending', token);
  await advance(of, token, 'finished');
}

async function create(of: Credential, token: string, value: string, leaked: boolean): Promise<void> {
  await ask('controls.claim_rotation', of, token, { login: arg.text(of.kind.login?.(value)), leaked: arg.boolean(leaked) });
  // What is current was read before the claim, and may have been replaced until then.
  if ((await current(of.secretArn)).value !== value) throw new RotationRefused('RotationInProgress', of.name);
  if (!await pending(of.secretArn, token)) await stage(of.secretArn, token, await of.kind.create(value, token));
}

async function set(of: Credential, token: string, value: string): Promise<void> {
  const next = await made(of, token);
  if (of.kind.login && (JSON.parse(next) as { username?: string }).username !== of.kind.login(value)) throw new RotationRefused('RotationOvertaken', of.name);
  await ask('controls.set_rotated', of, token, { verifier: arg.text(of.kind.verifier?.(next)) });
}

async function test(of: Credential, token: string, value: string): Promise<void> {
  const next = await made(of, token);
  if (next === value) return of.kind.test(next); // how Secrets Manager tries a schedule when it is deployed: with a copy of what is current
  const { state, stopped } = await ask('controls.look_rotation', of, token);
  if (state === 'claimed') throw new RotationRefused('StepSkipped', of.name);
  if (!stopped) await of.kind.test(next);
  await advance(of, token, 'tested', stopped ? { notTried: 'the agent is stopped, and none of its logins can log in' } : undefined);
}

async function made(of: Credential, token: string): Promise<string> {
  const version = await pending(of.secretArn, token);
  if (!version) throw new RotationRefused('StepSkipped', of.name);
  return version.value;
}

async function advance(of: Credential, token: string, state: 'tested' | 'finishing' | 'finished', facts?: object): Promise<void> {
  await ask('controls.advance_rotation', of, token, { state: arg.text(state), facts: arg.text(facts && JSON.stringify(facts)) });
}

/** Records that a step failed, by the name of its error: a sentence may quote what must not be in the log. */
export async function recordFailure(of: Credential, token: string, name: string, error: unknown): Promise<void> {
  await callFunction('controls.record_failure', { name: arg.text(of.name), token: arg.text(token), step: arg.text(name), error: arg.text(error instanceof Error ? error.name : 'unknown') });
}
