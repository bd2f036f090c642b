import { randomUUID } from 'node:crypto';
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { required } from '../database/connection';

/** A key of KMS, as it encrypts and as it is kept: nobody reads what is sealed without asking KMS. */
interface DataKey {
  readonly plain: Uint8Array;
  readonly wrapped: string;
}

/** How long one key seals: KMS is asked once in a while, and not for every write. */
const SEALS_FOR_MS = 5 * 60_000;

let sealing: { readonly key: DataKey; readonly until: number } | undefined;
const opened = new Map<string, Uint8Array>();

/** What a text is for; one that was sealed for something else does not open. */
export type Use = 'before-image' | 'staged';

/** Of what the key is, where KMS is asked: nothing of another control plane opens. */
const context = (): Record<string, string> => ({ controls: required('CONTROLS_NAME') });

/** Seals a value to its decision, as JWE (RFC 7516): AES-256-GCM, the data key wrapped by KMS in the header. */
export async function seal(use: Use, decisionId: string, value: unknown): Promise<string> {
  const { CompactEncrypt } = await import('jose');
  if (!sealing || sealing.until < Date.now()) sealing = { key: await newKey(), until: Date.now() + SEALS_FOR_MS };
  return new CompactEncrypt(Buffer.from(JSON.stringify(value))).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', key: sealing.key.wrapped, use, decision: decisionId, jti: randomUUID() }).encrypt(sealing.key.plain);
}

/** Opens a value, or says that it is not of this decision. */
export async function open<T>(use: Use, decisionId: string, sealed: string): Promise<T> {
  const { compactDecrypt, decodeProtectedHeader } = await import('jose');
  const { key, decision, use: of } = decodeProtectedHeader(sealed) as { readonly key?: unknown; readonly decision?: unknown; readonly use?: unknown };
  if (decision !== decisionId || of !== use || typeof key !== 'string') throw new Error('SealForeign: it was sealed for another decision or use');
  const { plaintext } = await compactDecrypt(sealed, await openedKey(key));
  return JSON.parse(Buffer.from(plaintext).toString('utf8')) as T;
}

async function newKey(): Promise<DataKey> {
  const { Plaintext, CiphertextBlob } = await new KMSClient({}).send(new GenerateDataKeyCommand({ KeyId: `alias/${required('CONTROLS_NAME')}`, KeySpec: 'AES_256', EncryptionContext: context() }));
  return { plain: Plaintext as Uint8Array, wrapped: Buffer.from(CiphertextBlob as Uint8Array).toString('base64') };
}

async function openedKey(wrapped: string): Promise<Uint8Array> {
  const known = opened.get(wrapped);
  if (known) return known;
  const { Plaintext } = await new KMSClient({}).send(new DecryptCommand({ KeyId: `alias/${required('CONTROLS_NAME')}`, CiphertextBlob: Buffer.from(wrapped, 'base64'), EncryptionContext: context() }));
  if (opened.size >= 100) opened.clear();
  opened.set(wrapped, Plaintext as Uint8Array);
  return Plaintext as Uint8Array;
}
