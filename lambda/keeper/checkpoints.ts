import { createPublicKey, KeyObject } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { demandStatement } from '../audit/anchors';
import { Checkpoint, Signed, signed, Statement, statementDigest } from '../audit/statement';
import { checkpointKey, nameOf, StatementBucket } from '../audit/statement-bucket';
import { arg, callFunction, required } from '../database/connection';
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

interface Heads {
  readonly log: string;
  readonly at: string;
  readonly heads: Checkpoint['heads'] | null;
  readonly changed: boolean;
}

/** What came of an attempt at a checkpoint. */
export interface Checkpointed {
  readonly number: number | null;
  readonly skipped?: 'nothing was appended' | 'another was first';
}

/**
 * Signs where every chain ends, if anything was appended since. A log that no longer goes through its last checkpoint is not signed:
 * that would give a rewound or forked log the look of a sound one.
 */
export async function checkpoint(): Promise<Checkpointed> {
  const { log, at, heads, changed } = await callFunction<Heads>('audit.heads', {});
  if (!changed || !heads) return { number: null, skipped: 'nothing was appended' };
  const latest = await bucket().latestCheckpoint();
  const before = latest ? await read<Checkpoint>(latest.key, latest.versionId) : undefined;
  if (before) {
    const contradicted = await callFunction<[number, number][]>('audit.contradicts', { heads: arg.text(JSON.stringify(before.heads)) });
    if (before.log !== log || contradicted.length > 0) {
      throw new HttpError(409, 'CheckpointRefused', `the log does not go through checkpoint ${before.number}${before.log === log ? ` at ${contradicted.map(([head, seq]) => `${head}:${seq}`).join(', ')}` : ', which is of another log'}; it was rewound or forked, run agent-controls audit verify`);
    }
  }
  const statement: Checkpoint = {
    format: 'agent-controls/checkpoint/1', log, ...place(), at, number: (before?.number ?? 0) + 1, previous: before ? statementDigest(before).toString('hex') : null, heads,
  };
  const key = checkpointKey(statement.number, at);
  if (!(await bucket().put(key, await sign(statement)))) return { number: null, skipped: 'another was first' };
  await callFunction('audit.record_checkpoint', {
    number: { cast: 'bigint', value: statement.number }, at: arg.text(at), key: arg.text(key), digest: arg.text(statementDigest(statement).toString('hex')),
    entries: arg.text(String(heads.reduce((sum, [, seq]) => sum + seq, 0))),
  });
  return { number: statement.number };
}
