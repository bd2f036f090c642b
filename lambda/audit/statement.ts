import { createHash, createPublicKey, KeyObject, verify } from 'node:crypto';
import { canonicalJson } from '../../lib/scope/canonical-json';

/** What every statement says of itself. The account tells a local log from a deployed one. */
interface Stated {
  /** Id of the log, made with the database: statements of one log say nothing of another. */
  readonly log: string;
  readonly account: string;
  readonly region: string;
  /** ISO 8601, UTC, by the clock of who signs. */
  readonly at: string;
  /** Key that signed it. */
  readonly key: string;
}

/** Where every chain ended. */
export interface Checkpoint extends Stated {
  readonly format: 'agent-controls/checkpoint/1';
  readonly number: number;
  /** What the database's clock said. Entries before the checkpoint are not later, those after it not earlier. */
  readonly databaseAt: string;
  /** SHA-256 of the checkpoint before, in hex; null for the first. */
  readonly previous: string | null;
  /** Chain, number of its last entry, its hash in hex. */
  readonly heads: readonly (readonly [number, number, string])[];
}

/** What was erased, by whose order. */
export interface Erasure extends Stated {
  readonly format: 'agent-controls/erasure/1';
  readonly erasure: string;
  readonly orderedBy: string;
  readonly orderedAt: string;
  /** Ticket or request that asked for it. */
  readonly reference: string;
  /** Payloads that are gone, as `head:seq:inputs` or `head:seq:output`. */
  readonly payloads: readonly string[];
  readonly calls: number;
  readonly runs: number;
  /** After this day no backup of the database holds it either. */
  readonly backupsExpire: string;
}

/** A month that was dropped at the end of its retention. */
export interface Retention extends Stated {
  readonly format: 'agent-controls/retention/1';
  readonly month: string;
  readonly keptMonths: number;
  /** Chain, first and last number, hash of the last in hex. */
  readonly ranges: readonly (readonly [number, number, number, string])[];
}

/** A folder of evidence, by the digest of its manifest. */
export interface Evidence extends Stated {
  readonly format: 'agent-controls/evidence/1';
  /** SHA-256 of the manifest, which has the digest of every file, in hex. */
  readonly manifest: string;
  readonly files: number;
  /** Who made it, as the API saw it. */
  readonly by: string;
  /** The period it is of; null where it is open. */
  readonly from: string | null;
  readonly until: string | null;
  /** Number of the newest checkpoint when it was signed. */
  readonly checkpoint: number;
}

export type Statement = Checkpoint | Erasure | Retention | Evidence;

/** A statement and its signature, as its file has them. */
export interface Signed<T extends Statement = Statement> {
  readonly statement: T;
  /** ECDSA on P-256 with SHA-256 over the canonical text, DER, base64. */
  readonly signature: string;
}

/** SHA-256 of a statement's canonical text. */
export function statementDigest(statement: Statement): Buffer {
  return createHash('sha256').update(canonicalJson(statement), 'utf8').digest();
}

/** Signs with whatever holds the key. */
export async function signed<T extends Statement>(statement: T, sign: (digest: Buffer) => Promise<Uint8Array>): Promise<Signed<T>> {
  return { statement, signature: Buffer.from(await sign(statementDigest(statement))).toString('base64') };
}

/** Name of a public key: SHA-256 of its DER form, in hex. What people pin. */
export function keyFingerprint(key: KeyObject): string {
  return createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('hex');
}

/**
 * Public keys from PEM texts.
 *
 * @param from where they came from, for the error.
 */
export function publicKeys(pems: readonly string[], from = 'the key'): KeyObject[] {
  return pems.map((pem) => {
    const fault = `KeyInvalid: ${from}: a public key on P-256 is expected, as PEM; export it with agent-controls audit keys`;
    if (pem.includes('PRIVATE KEY')) throw new Error(`${fault}. This one is private: keep it to yourself`);
    let key: KeyObject;
    try {
      key = createPublicKey(pem);
    } catch {
      throw new Error(fault);
    }
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error(fault);
    return key;
  });
}

/** A statement from the text of its file, if one of the keys signed it. */
export function readStatement(text: string, keys: readonly KeyObject[]): Signed | undefined {
  let parsed: Signed;
  try {
    parsed = JSON.parse(text) as Signed;
  } catch {
    return undefined;
  }
  if (typeof parsed?.statement !== 'object' || parsed.statement === null || typeof parsed.signature !== 'string') return undefined;
  const bytes = Buffer.from(canonicalJson(parsed.statement), 'utf8');
  return keys.some((key) => verify('sha256', bytes, key, Buffer.from(parsed.signature, 'base64'))) ? parsed : undefined;
}
