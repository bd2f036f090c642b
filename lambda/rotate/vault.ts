import { CreateSecretCommand, DeleteSecretCommand, GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';

/** One version of a secret. */
export interface Version {
  readonly id: string;
  readonly value: string;
  readonly createdAt: Date;
}

const client = new SecretsManagerClient({});

const CURRENT = 'AWSCURRENT';
const PENDING = 'AWSPENDING';
const PREVIOUS = 'AWSPREVIOUS';

/** A version of a secret by its stage, and by its id where one is asked for; undefined when there is none. */
async function version(secretArn: string, stage: string, id?: string): Promise<Version | undefined> {
  try {
    const { VersionId = '', SecretString = '', CreatedDate } = await client.send(new GetSecretValueCommand({ SecretId: secretArn, VersionStage: stage, ...(id === undefined ? {} : { VersionId: id }) }));
    return { id: VersionId, value: SecretString, createdAt: CreatedDate ?? new Date(0) };
  } catch (error) {
    // AWS says InvalidRequest when the version of this id has another stage.
    if (error instanceof Error && (error.name === 'ResourceNotFoundException' || (id !== undefined && error.name === 'InvalidRequestException'))) return undefined;
    throw error;
  }
}

/** What every reader of the secret gets. */
export async function current(secretArn: string): Promise<Version> {
  const found = await version(secretArn, CURRENT);
  if (!found) throw new Error(`SecretEmpty: ${secretArn} has no current version; deploy its stack again`);
  return found;
}

/** What was current before. */
export const previous = (secretArn: string): Promise<Version | undefined> => version(secretArn, PREVIOUS);

/** What a rotation has made, and nobody reads yet. */
export const pending = (secretArn: string, token: string): Promise<Version | undefined> => version(secretArn, PENDING, token);

/** Keeps the next credential under the token of its rotation. */
export async function stage(secretArn: string, token: string, value: string): Promise<void> {
  await client.send(new PutSecretValueCommand({ SecretId: secretArn, ClientRequestToken: token, SecretString: value, VersionStages: [PENDING] }));
}

/** Makes a pending version the current one. Refused by AWS when `from` is not current any more. */
export async function makeCurrent(secretArn: string, token: string, from: string): Promise<void> {
  await client.send(new UpdateSecretVersionStageCommand({ SecretId: secretArn, VersionStage: CURRENT, MoveToVersionId: token, RemoveFromVersionId: from }));
}

/** Takes the stage from a version that is nothing any more: revoked, or left behind by a rotation that did not end. */
export async function unstage(secretArn: string, what: 'previous' | 'pending', id: string): Promise<void> {
  await client.send(new UpdateSecretVersionStageCommand({ SecretId: secretArn, VersionStage: what === 'previous' ? PREVIOUS : PENDING, RemoveFromVersionId: id }));
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
