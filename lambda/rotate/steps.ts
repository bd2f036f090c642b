import { arg, callFunction } from '../database/connection';
import type { Credential } from './credential';
import { CURRENT, current, made, makeCurrent, PENDING, stage, unstage } from './vault';

/** The four steps of a rotation, by the names that Secrets Manager calls them. */
export const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type Step = (typeof STEPS)[number];

const SENTENCES: Readonly<Record<string, string>> = {
  RotationInProgress: 'another rotation is at it; ask again in two minutes', RotationOvertaken: 'another rotation has taken over', StepSkipped: 'a step before it has not been done',
  LoginUnknown: 'no login of this name is registered; deploy first', LoginCurrent: 'the login is in use; only the other one gets a new password', RotationLate: 'a rotation hangs, failed or is late',
};

/** A step that came out of order, or too late: another rotation has taken over, or is at it. */
export class RotationRefused extends Error {
  public constructor(public readonly code: string, name: string) {
    super(`${code}: ${SENTENCES[code] ?? 'refused'} (${name})`);
    this.name = code;
  }
}

/** How far a rotation has come. */
interface Told { readonly refused?: string; readonly state?: string; readonly stopped?: boolean; readonly leaked?: boolean; readonly previous?: string; readonly now?: string; readonly left?: number }

async function ask(sql: string, of: Credential, token: string, more: Parameters<typeof callFunction>[1] = {}): Promise<Told> {
  const told = await callFunction<Told>(sql, { name: arg.text(of.name), token: arg.text(token), ...more });
  if (told.refused !== undefined) throw new RotationRefused(told.refused, of.name);
  return told;
}

/**
 * One step of the rotation `token` of a credential. Any of them may come twice, and after a process died in the middle of it; the version that is
 * current works before and after each. The last one of a leak leaves the credential taken: whoever answers the leak ends it.
 *
 * @param leaked whether whoever has the credential from before is to be locked out, at the cost of what is running with it.
 * @returns sessions of credentials from before that were still open when they had to be gone.
 * @throws RotationRefused
 */
export async function step(of: Credential, token: string, name: Step, leaked = false): Promise<number> {
  const now = await current(of.secretArn);
  if (now.id === token) return name === 'finishSecret' ? changed(of, token) : 0; // it is current already; what may be missing is that it was recorded
  switch (name) {
    case 'createSecret': await create(of, token, now, leaked); return 0;
    case 'setSecret': return set(of, token, now.value);
    case 'testSecret': await test(of, token, now.value); return 0;
    case 'finishSecret': {
      const { previous = '' } = await advance(of, token, 'finishing');
      await makeCurrent(of.secretArn, token, previous);
      return changed(of, token);
    }
  }
}

/** Records that the version has become current, and then takes the stage that says that it has not: left behind it would look like a rotation that hangs. */
async function changed(of: Credential, token: string): Promise<number> {
  const { leaked } = await advance(of, token, 'finishing');
  const { left = 0 } = await advance(of, token, leaked ? 'revoking' : 'finished');
  const version = await made(of.secretArn, token);
  if (version?.stages.includes(PENDING)) await unstage(of.secretArn, PENDING, token);
  return left;
}

/** Ends the answer to a leak. */
export async function finishLeak(of: Credential, token: string): Promise<string> { return (await advance(of, token, 'finished')).now ?? ''; }

async function create(of: Credential, token: string, { id, value }: { readonly id: string; readonly value: string }, leaked: boolean): Promise<void> {
  const before = await made(of.secretArn, token);
  // It lost its stage to another rotation: made once more it would be a second credential under one name.
  if (before && !before.stages.includes(PENDING)) throw new RotationRefused('RotationOvertaken', of.name);
  await ask('controls.claim_rotation', of, token, { previous: arg.text(id), login: arg.text(of.kind.login?.(value)), leaked: arg.boolean(leaked) });
  // What is current was read before the claim, and may have been replaced until then.
  if ((await current(of.secretArn)).id !== id) throw new RotationRefused('RotationInProgress', of.name);
  if (!before) await stage(of.secretArn, token, await of.kind.create(value, token), of.kind.isLive);
}

async function set(of: Credential, token: string, value: string): Promise<number> {
  const next = await pending(of, token);
  if (of.kind.login && (JSON.parse(next) as { username?: string }).username !== of.kind.login(value)) throw new RotationRefused('RotationOvertaken', of.name);
  return (await ask('controls.set_rotated', of, token, { verifier: arg.text(of.kind.verifier?.(next)) })).left ?? 0;
}

async function test(of: Credential, token: string, value: string): Promise<void> {
  const next = await pending(of, token);
  if (next === value) return of.kind.test(next); // how Secrets Manager tries a schedule when it is deployed: with a copy of what is current
  const { state, stopped } = await ask('controls.look_rotation', of, token);
  if (state === 'claimed') throw new RotationRefused('StepSkipped', of.name);
  if (!stopped) await of.kind.test(next);
  await advance(of, token, 'tested', stopped ? { notTried: 'the agent is stopped, and none of its logins can log in' } : undefined);
}

async function pending(of: Credential, token: string): Promise<string> {
  const version = await made(of.secretArn, token);
  if (!version) throw new RotationRefused('StepSkipped', of.name);
  if (!version.stages.includes(PENDING) && !version.stages.includes(CURRENT)) throw new RotationRefused('RotationOvertaken', of.name);
  return version.value;
}

/** How often a login that answers with its own old connection is asked again. */
const ATTEMPTS = 5;

async function advance(of: Credential, token: string, state: 'tested' | 'finishing' | 'revoking' | 'finished', facts?: object): Promise<Told> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask('controls.advance_rotation', of, token, { state: arg.text(state), facts: arg.text(facts && JSON.stringify(facts)) });
    } catch (error) {
      // The rotation's own login was replaced, and the connection is still that of the one before.
      if (attempt === ATTEMPTS || !(error instanceof Error) || !error.message.includes('LoginInUse')) throw error;
      await new Promise((later) => setTimeout(later, 1_000));
    }
  }
}

/** Records that a step failed, by the name of its error: a sentence may quote what must not be in the log. */
export async function recordFailure(of: Credential, token: string, name: string, error: unknown): Promise<void> {
  await callFunction('controls.record_failure', { name: arg.text(of.name), token: arg.text(token), step: arg.text(name), error: arg.text(error instanceof Error ? error.name : 'unknown') });
}
