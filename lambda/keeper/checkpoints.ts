import { createPublicKey, KeyObject } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { demandStatement, startAt } from '../audit/anchors';
import { DataApiLog } from '../audit/data-api-log';
import { Checkpoint, Signed, signed, Statement, statementDigest } from '../audit/statement';
import { checkpointKey, nameOf, StatementBucket } from '../audit/statement-bucket';
import { Verifier } from '../audit/verify';
import { arg, callFunction, dataApi, ownLogin, required } from '../database/connection';
import { HttpError } from '../http/http';

const kms = new KMSClient({});
const s3 = new S3Client({});

export const bucket = (): StatementBucket => new StatementBucket(s3, required('STATEMENT_BUCKET'), { mode: required('LOCK_MODE') as 'COMPLIANCE' | 'GOVERNANCE', days: Number(required('LOCK_DAYS')) });

/** What every statement says of where it was made. */
export const place = (): { account: string; region: string; key: string } => ({ account: required('ACCOUNT'), region: required('AWS_REGION'), key: required('SIGNING_KEY_ARN') });

/** Has KMS sign a statement; no process holds the key. */
export async function sign<T extends Statement>(statement: T): Promise<Signed<T>> {
  return signed(statement, async (digest) => {
    const { Signature } = await kms.send(new SignCommand({ KeyId: statement.key, Message: digest, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' }));
    return Signature as Uint8Array;
  });
}

/** Signs and stores a statement. One that is there already was made by an earlier attempt, and counts. */
export async function state<T extends Statement>(statement: T): Promise<{ name: string; statement: T; digest: string }> {
  const name = nameOf(statement);
  if (await bucket().put(name, await sign(statement))) return { name, statement, digest: statementDigest(statement).toString('hex') };
  const stored = await read<T>(name);
  return { name, statement: stored, digest: statementDigest(stored).toString('hex') };
}

/** A statement that is there already, or nothing. */
export async function stored<T extends Statement>(name: string): Promise<{ name: string; statement: T; digest: string } | undefined> {
  try {
    const statement = await read<T>(name);
    return { name, statement, digest: statementDigest(statement).toString('hex') };
  } catch (error) {
    if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
    throw error;
  }
}

async function read<T extends Statement>(key: string, versionId?: string): Promise<T> {
  return demandStatement(await bucket().get({ key, versionId }), [await ownKey()], key).statement as T;
}

let publicKey: KeyObject | undefined;

/** The public half of the key that signs here. */
export async function ownKey(): Promise<KeyObject> {
  if (!publicKey) {
    const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: required('SIGNING_KEY_ARN') }));
    publicKey = createPublicKey({ key: Buffer.from(PublicKey as Uint8Array), format: 'der', type: 'spki' });
  }
  return publicKey;
}

interface State {
  readonly log: string;
  readonly at: string;
  readonly changed: boolean;
}

/** What came of an attempt at a checkpoint. */
export interface Checkpointed {
  readonly number: number | null;
  readonly skipped?: 'nothing was appended' | 'another was first';
}

/** The log as its auditor reads it: the keeper's own login cannot. */
export const auditorsLog = (): DataApiLog => new DataApiLog(dataApi(), { ...ownLogin(), secretArn: required('AUDITOR_SECRET_ARN') });

/**
 * Signs where every chain ends, if anything was appended since. What is signed are the ends that follow, link by link, from the checkpoint before,
 * computed here: a log that was rewound or forked since does not get there, whatever its database says of itself.
 */
export async function checkpoint(): Promise<Checkpointed> {
  const { log, at, changed } = await callFunction<State>('audit.state', {});
  const latest = await bucket().latestCheckpoint();
  if (!changed && latest) return { number: null, skipped: 'nothing was appended' };
  const before = latest ? await read<Checkpoint>(latest.key, latest.versionId) : undefined;
  const verifier = new Verifier(undefined, { start: before && startAt(before), partial: true, chainOnly: true });
  const { ok, entries, findings } = await auditorsLog().verify(verifier);
  if (!ok || (before && before.log !== log)) {
    throw new HttpError(409, 'CheckpointRefused', `the log does not follow from ${before ? `checkpoint ${before.number}` : 'its beginning'}: ${findings[0]?.sentence ?? 'it is another log'}; run agent-controls audit verify`);
  }
  if (entries === 0) return { number: null, skipped: 'nothing was appended' };
  const heads = Object.entries(verifier.progress().chains).map(([head, { seq, hash }]) => [Number(head), Number(seq), hash] as const).filter(([, seq]) => seq > 0).sort(([a], [b]) => a - b);
  const now = new Date();
  if (before && now.toISOString() < before.at) throw new HttpError(409, 'CheckpointRefused', `the clock of the keeper says ${now.toISOString()}, and checkpoint ${before.number} was signed at ${before.at}`);
  const statement: Checkpoint = {
    format: 'agent-controls/checkpoint/1', log, ...place(), at: now.toISOString(), databaseAt: at, number: (before?.number ?? 0) + 1, previous: before ? statementDigest(before).toString('hex') : null, heads,
  };
  if (!(await bucket().put(checkpointKey(statement.number), await sign(statement)))) return { number: null, skipped: 'another was first' };
  await callFunction('audit.record_checkpoint', {
    number: { cast: 'bigint', value: statement.number }, at: arg.text(statement.at), digest: arg.text(statementDigest(statement).toString('hex')), entries: arg.text(String(heads.reduce((sum, [, seq]) => sum + seq, 0))),
  });
  return { number: statement.number };
}
