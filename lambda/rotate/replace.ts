import { randomUUID } from 'node:crypto';
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { arg, callFunction, required } from '../database/connection';
import { Credential, credentialOf, Dead, declared } from './credential';
import { finishLeak, recordFailure, Step, step, STEPS } from './steps';
import { current, live, previous, Version } from './vault';

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

/** Finds a credential by what people call it: an agent's name, `duty/NAME`, or `secret/NAME` of another secret. */
export async function named(name: string): Promise<Credential | undefined> {
  const other = declared().find((credential) => `secret/${credential.name}` === name);
  if (other) return credentialOf(other.arn);
  const path = /^[a-z][a-z0-9-]{0,23}$/.test(name) ? `agent/${name}` : /^(agent|duty)\/[a-z][a-z0-9-]{0,23}$/.test(name) ? name : undefined;
  if (path === undefined) return undefined;
  try {
    const { ARN = '' } = await new SecretsManagerClient({}).send(new DescribeSecretCommand({ SecretId: `${required('CONTROLS_NAME')}/${path}` }));
    return credentialOf(ARN);
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

/**
 * Replaces a credential now. After a leak the ones before are ended, too, and whatever was opened with them; for how long each was exposed is
 * recorded, counted from when it came to be, since nobody knows when it was taken.
 *
 * @throws RotationRefused
 */
export async function replace(of: Credential, leaked: boolean, person: string, reason: string): Promise<Replaced> {
  const token = randomUUID();
  let before: Version[] = [];
  let left = 0;
  for (const name of STEPS) {
    left += await recorded(of, token, name, leaked);
    // Read once the credential is taken: nobody else makes another one current meanwhile.
    if (leaked && name === 'createSecret') before = await exposedNow(of, token);
  }
  if (!leaked) return { credential: of.name, version: token, leaked, outcome: 'replaced', exposures: [], dead: [] };
  const dead = await of.kind.revoke((await current(of.secretArn)).value, left);
  const until = new Date(await finishLeak(of, token)).toISOString();
  const exposures = before.map(({ stages, createdAt }): Exposure => ({ credential: stages.includes('AWSCURRENT') ? 'current' : 'previous', since: createdAt.toISOString(), until, seconds: Math.max(0, Math.round((Date.parse(until) - createdAt.getTime()) / 1_000)) }));
  const outcome = dead.every(({ state }) => state === 'proven') ? 'proven' : 'propagating';
  await callFunction('controls.record_leak', { name: arg.text(of.name), token: arg.text(token), person: arg.text(person), reason: arg.text(reason), report: arg.text(JSON.stringify({ outcome, exposures, dead })) });
  return { credential: of.name, version: token, leaked, outcome, exposures, dead };
}

/** Credentials that somebody may have: the current one, the one before, and whatever else was never revoked. */
async function exposedNow(of: Credential, token: string): Promise<Version[]> {
  const older = await previous(of.secretArn);
  const all = [await current(of.secretArn), ...(older ? [older] : []), ...(of.kind.isLive ? await live(of.secretArn) : [])].filter(({ id }) => id !== token);
  return all.filter(({ id }, index) => all.findIndex((other) => other.id === id) === index);
}

/** A step whose failure is recorded, where the database can be reached. */
export async function recorded(of: Credential, token: string, name: Step, leaked = false): Promise<number> {
  try {
    return await step(of, token, name, leaked);
  } catch (error) {
    await recordFailure(of, token, name, error).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}
