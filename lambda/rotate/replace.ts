import { randomUUID } from 'node:crypto';
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { required } from '../database/connection';
import { arg, callFunction } from '../database/connection';
import { Credential, credentialOf, Dead, declared } from './credential';
import { recordFailure, RotationRefused, Step, step, STEPS } from './steps';
import { current, previous, unstage, Version } from './vault';

/** For how long a credential could be used by whoever had it. */
export interface Exposure {
  readonly credential: 'current' | 'previous';
  readonly since: string;
  readonly until: string;
  readonly seconds: number;
}

/** What replacing a credential came to. */
export interface Replaced {
  readonly credential: string;
  readonly version: string;
  readonly leaked: boolean;
  readonly outcome: 'replaced' | 'proven' | 'propagating';
  readonly exposures: readonly Exposure[];
  readonly dead: readonly Dead[];
}

/** Finds a credential by what people call it: an agent's name, `duty/NAME`, or the name of another secret. */
export async function named(name: string): Promise<Credential | undefined> {
  const controls = required('CONTROLS_NAME');
  const other = declared().find((credential) => credential.name === name);
  if (other) return credentialOf(other.arn);
  const path = /^[a-z][a-z0-9-]{0,23}$/.test(name) ? `agent/${name}` : /^(agent|duty)\/[a-z][a-z0-9-]{0,23}$/.test(name) ? name : undefined;
  if (path === undefined) return undefined;
  try {
    const { ARN = '' } = await new SecretsManagerClient({}).send(new DescribeSecretCommand({ SecretId: `${controls}/${path}` }));
    return credentialOf(ARN);
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

/**
 * Replaces a credential now. After a leak the one before is ended, too, and whatever was opened with either; for how long each was exposed is
 * recorded, counted from when it came to be, since nobody knows when it was taken.
 *
 * @throws RotationRefused
 */
export async function replace(of: Credential, leaked: boolean, person: string, reason: string): Promise<Replaced> {
  const token = randomUUID();
  const before: { credential: Exposure['credential']; version: Version }[] = [{ credential: 'current', version: await current(of.secretArn) }];
  const older = leaked ? await previous(of.secretArn) : undefined;
  if (older) before.push({ credential: 'previous', version: older });
  for (const name of STEPS) await recorded(of, token, name, leaked);
  if (!leaked) return { credential: of.name, version: token, leaked, outcome: 'replaced', exposures: [], dead: [] };
  const told = await callFunction<{ refused?: string; now: string }>('controls.revoke_previous', { name: arg.text(of.name), token: arg.text(token) });
  if (told.refused !== undefined) throw new RotationRefused(told.refused, of.name);
  const dead = await of.kind.revoke(before.map(({ version }) => version.value), (await current(of.secretArn)).value);
  await unstage(of.secretArn, 'previous', before[0]?.version.id ?? '').catch((error: unknown) => { if (!(error instanceof Error && error.name === 'InvalidParameterException')) throw error; }); // another rotation has taken the stage
  const exposures = before.map(({ credential, version: { createdAt } }) => ({ credential, since: createdAt.toISOString(), until: told.now, seconds: Math.max(0, Math.round((Date.parse(told.now) - createdAt.getTime()) / 1_000)) }));
  const outcome = dead.every(({ state }) => state === 'proven') ? 'proven' : 'propagating';
  await callFunction('controls.record_leak', { name: arg.text(of.name), token: arg.text(token), person: arg.text(person), reason: arg.text(reason), report: arg.text(JSON.stringify({ outcome, exposures, dead })) });
  return { credential: of.name, version: token, leaked, outcome, exposures, dead };
}

/** A step whose failure is recorded, where the database can be reached. */
export async function recorded(of: Credential, token: string, name: Step, leaked = false): Promise<void> {
  try {
    await step(of, token, name, leaked);
  } catch (error) {
    await recordFailure(of, token, name, error).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}
