import { ListSecretsCommand, ListSecretVersionIdsCommand, paginateListSecrets, RotateSecretCommand, SecretListEntry, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { required } from '../database/connection';
import { credentialOf, declared } from './credential';
import { recordFailure } from './steps';
import { current, previous, probePrefix, removeProbe, unstage } from './vault';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What a sweep found and did. */
export interface Swept {
  /** Secrets that only tried a credential, left behind by a process that died. */
  readonly probes: number;
  /** Rotations that had not ended after a day: begun anew. */
  readonly stuck: readonly string[];
  /** Credentials that were to be replaced more than a day ago. */
  readonly late: readonly string[];
  /** Credentials from before whose day was over. */
  readonly retired: readonly string[];
}

/**
 * Once a day: what rotations left behind is cleared, one that hangs begins anew, and one that is late is told. Asks Secrets Manager alone: the database
 * sleeps on, unless there is something to do.
 */
export async function sweep(at: Date): Promise<Swept> {
  const now = at.getTime();
  if (Number.isNaN(now)) throw new Error('TimeMissing: the event of a schedule carries its time');
  const client = new SecretsManagerClient({});
  const controls = required('CONTROLS_NAME');
  const swept = { probes: 0, stuck: [] as string[], late: [] as string[], retired: [] as string[] };
  const secrets: SecretListEntry[] = [];
  for (const value of [`${controls}/`, ...declared().map(({ name }) => name)]) {
    for await (const page of paginateListSecrets({ client }, { Filters: [{ Key: 'name', Values: [value] }] } satisfies ListSecretsCommand['input'])) secrets.push(...(page.SecretList ?? []));
  }
  for (const { ARN: arn = '', Name: name = '', RotationEnabled, CreatedDate, NextRotationDate } of secrets) {
    if (name.startsWith(probePrefix(controls))) {
      if ((CreatedDate?.getTime() ?? 0) < now - HOUR_MS) {
        await removeProbe(arn);
        swept.probes += 1;
      }
      continue;
    }
    if (RotationEnabled !== true) continue;
    const of = credentialOf(arn);
    if (await isStuck(client, arn, now)) {
      swept.stuck.push(of.name);
      await client.send(new RotateSecretCommand({ SecretId: arn }));
    }
    // In the past when every attempt of Secrets Manager has failed.
    if ((NextRotationDate?.getTime() ?? now) < now - DAY_MS) swept.late.push(of.name);
    const before = of.kind.retire ? await previous(arn) : undefined;
    const live = await current(arn);
    if (before && of.kind.retire && live.createdAt.getTime() < now - DAY_MS) {
      await of.kind.retire(before.value, live.value);
      await unstage(arn, 'previous', before.id);
      swept.retired.push(of.name);
    }
  }
  return swept;
}

/** Whether a version has been pending for a day: Secrets Manager would rotate no more until somebody takes its stage. Takes it. */
async function isStuck(client: SecretsManagerClient, arn: string, now: number): Promise<boolean> {
  const { Versions = [] } = await client.send(new ListSecretVersionIdsCommand({ SecretId: arn }));
  const pending = Versions.find(({ VersionStages = [] }) => VersionStages.includes('AWSPENDING') && !VersionStages.includes('AWSCURRENT'));
  if (pending?.VersionId === undefined || (pending.CreatedDate?.getTime() ?? 0) > now - DAY_MS) return false;
  await recordFailure(credentialOf(arn), pending.VersionId, 'sweep', Object.assign(new Error(), { name: 'RotationStuck' }));
  await unstage(arn, 'pending', pending.VersionId);
  return true;
}
