import {
  CreateSecretCommand, DeleteSecretCommand, GetSecretValueCommand, ListSecretVersionIdsCommand, PutSecretValueCommand, SecretsManagerClient, SecretVersionsListEntry, UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';

/** One version of a secret. */
export interface Version {
  readonly id: string;
  readonly value: string;
  readonly createdAt: Date;
  readonly stages: readonly string[];
}

const client = new SecretsManagerClient({});

export const CURRENT = 'AWSCURRENT';
export const PENDING = 'AWSPENDING';
const PREVIOUS = 'AWSPREVIOUS';
/** Stage of a version whose credential somebody else's system takes for valid, until it was revoked: what has no stage is forgotten. */
const LIVE = 'LIVE-';

/** A version of a secret by its stage or its id; undefined when there is none, or none with a value. */
async function version(secretArn: string, by: { readonly VersionStage?: string; readonly VersionId?: string }): Promise<Version | undefined> {
  try {
    const { VersionId = '', SecretString = '', CreatedDate, VersionStages = [] } = await client.send(new GetSecretValueCommand({ SecretId: secretArn, ...by }));
    return { id: VersionId, value: SecretString, createdAt: CreatedDate ?? new Date(0), stages: VersionStages };
  } catch (error) {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined;
    throw error;
  }
}

/** What every reader of the secret gets. */
export async function current(secretArn: string): Promise<Version> {
  const found = await version(secretArn, { VersionStage: CURRENT });
  if (!found) throw new Error(`SecretEmpty: ${secretArn} has no current version; deploy its stack again`);
  return found;
}

/** What was current before. */
export const previous = (secretArn: string): Promise<Version | undefined> => version(secretArn, { VersionStage: PREVIOUS });

/** What a rotation has made; it may have lost its stage to another rotation. */
export const made = (secretArn: string, token: string): Promise<Version | undefined> => version(secretArn, { VersionId: token });

/** Keeps the next credential under the token of its rotation. */
export async function stage(secretArn: string, token: string, value: string, isLive: boolean): Promise<void> {
  await client.send(new PutSecretValueCommand({ SecretId: secretArn, ClientRequestToken: token, SecretString: value, VersionStages: [PENDING, ...(isLive ? [`${LIVE}${token}`] : [])] }));
}

/** Makes a pending version the current one. Refused by AWS when `from` is not current any more. */
export async function makeCurrent(secretArn: string, token: string, from: string): Promise<void> {
  await client.send(new UpdateSecretVersionStageCommand({ SecretId: secretArn, VersionStage: CURRENT, MoveToVersionId: token, RemoveFromVersionId: from }));
}

/** Takes a stage from a version that has it. */
export async function unstage(secretArn: string, VersionStage: string, id: string): Promise<void> {
  await client.send(new UpdateSecretVersionStageCommand({ SecretId: secretArn, VersionStage, RemoveFromVersionId: id }));
}

/** Versions that have a stage. */
export async function staged(secretArn: string): Promise<SecretVersionsListEntry[]> {
  return (await client.send(new ListSecretVersionIdsCommand({ SecretId: secretArn }))).Versions ?? [];
}

/** Versions whose credential was never revoked; the current one is among them from now on. */
export async function live(secretArn: string): Promise<Version[]> {
  const now = await current(secretArn);
  if (!now.stages.some((name) => name.startsWith(LIVE))) await client.send(new UpdateSecretVersionStageCommand({ SecretId: secretArn, VersionStage: `${LIVE}${now.id}`, MoveToVersionId: now.id }));
  const ids = (await staged(secretArn)).filter(({ VersionStages = [] }) => VersionStages.some((name) => name.startsWith(LIVE) || name === CURRENT)).map(({ VersionId = '' }) => VersionId);
  return (await Promise.all(ids.map((VersionId) => version(secretArn, { VersionId })))).filter((found) => found !== undefined);
}

/** Forgets a version whose credential is dead. */
export async function forget(secretArn: string, { id, stages }: Version): Promise<void> {
  for (const name of stages) if (name.startsWith(LIVE) || name === PREVIOUS) await unstage(secretArn, name, id);
}

/** Runs `work` with a secret that is there for no longer: the Data API takes the name of a secret and no stage, so a pending version cannot be tried with it. */
export async function withProbeSecret<T>(controlsName: string, name: string, value: string, work: (arn: string) => Promise<T>): Promise<T> {
  const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: `${probePrefix(controlsName)}${name}`, KmsKeyId: `alias/${controlsName}`, SecretString: value, Description: 'Tries a new credential; swept when left behind' }));
  try {
    return await work(ARN);
  } finally {
    await removeProbe(ARN);
  }
}

/** Names of secrets that only try a credential. */
export const probePrefix = (controlsName: string): string => `${controlsName}/probe/`;

export async function removeProbe(secretArn: string): Promise<void> {
  try {
    await client.send(new DeleteSecretCommand({ SecretId: secretArn, ForceDeleteWithoutRecovery: true }));
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ResourceNotFoundException')) throw error; // somebody else was faster
  }
}
