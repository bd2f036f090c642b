import { ListSecretsCommand, paginateListSecrets, RotateSecretCommand, SecretListEntry, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { required } from '../database/connection';
import { Credential, credentialOf, declared } from './credential';
import { recordFailure } from './steps';
import { CURRENT, current, PENDING, probePrefix, removeProbe, staged, unstage } from './vault';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Whatever its schedule says: older than that no credential is on time. */
const LONGEST_DAYS = 62;

/** What a sweep found and did. */
export interface Swept {
  /** Secrets that only tried a credential, left behind by a process that died. */
  probes: number;
  /** Rotations that had not ended after a day: begun anew. */
  readonly stuck: string[];
  /** Credentials that were to be replaced more than a day ago. */
  readonly late: string[];
  /** Credentials from before whose day was over. */
  readonly retired: string[];
  /** What could not be seen to, by the name of its error. */
  readonly failed: string[];
}

/**
 * Once a day: what rotations left behind is cleared, one that hangs begins anew, and one that is late is told. Asks Secrets Manager alone: the database
 * sleeps on, unless there is something to do. One secret that cannot be seen to does not keep the others waiting.
 */
export async function sweep(at: Date): Promise<Swept> {
  const now = at.getTime();
  if (Number.isNaN(now)) throw new Error('TimeMissing: the event of a schedule carries its time');
  const controls = required('CONTROLS_NAME');
  const client = new SecretsManagerClient({});
  const swept: Swept = { probes: 0, stuck: [], late: [], retired: [], failed: [] };
  const secrets = new Map<string, SecretListEntry>();
  for (const value of [`${controls}/`, ...declared().map(({ name }) => name)]) {
    for await (const page of paginateListSecrets({ client }, { Filters: [{ Key: 'name', Values: [value] }] } satisfies ListSecretsCommand['input'])) for (const entry of page.SecretList ?? []) secrets.set(entry.ARN ?? '', entry);
  }
  for (const [arn, entry] of secrets) {
    const name = entry.Name ?? '';
    try {
      if (name.startsWith(probePrefix(controls))) {
        if ((entry.CreatedDate?.getTime() ?? 0) >= now - HOUR_MS) continue;
        await removeProbe(arn);
        swept.probes += 1;
        continue;
      }
      const of = credentialOf(arn); // a name that merely begins alike is somebody else's
      if (of && entry.RotationEnabled === true) await see(client, of, entry, now, swept);
    } catch (error) {
      swept.failed.push(`${name}: ${error instanceof Error ? error.name : 'unknown'}`);
    }
  }
  return swept;
}

async function see(client: SecretsManagerClient, of: Credential, { NextRotationDate }: SecretListEntry, now: number, swept: Swept): Promise<void> {
  // In the past when every attempt of Secrets Manager has failed; or when the answer to a leak overtook it, which has replaced the credential since.
  const due = NextRotationDate?.getTime() ?? now;
  const pending = (await staged(of.secretArn)).find(({ VersionStages = [] }) => VersionStages.includes(PENDING) && !VersionStages.includes(CURRENT));
  if (pending?.VersionId !== undefined && (pending.CreatedDate?.getTime() ?? 0) <= now - DAY_MS) {
    swept.stuck.push(of.name);
    await recordFailure(of, pending.VersionId, 'sweep', Object.assign(new Error(), { name: 'RotationStuck' }));
    await unstage(of.secretArn, PENDING, pending.VersionId); // Secrets Manager would rotate no more until somebody takes it
    await client.send(new RotateSecretCommand({ SecretId: of.secretArn }));
    return;
  }
  const live = await current(of.secretArn);
  if (due < now - DAY_MS && (live.createdAt.getTime() < due || live.createdAt.getTime() < now - LONGEST_DAYS * DAY_MS)) swept.late.push(of.name);
  if (of.kind.retire && live.createdAt.getTime() < now - DAY_MS && await of.kind.retire(live.value)) swept.retired.push(of.name);
}
