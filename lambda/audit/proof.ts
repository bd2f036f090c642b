import type { KeyObject } from 'node:crypto';
import * as v from 'valibot';
import { EntryRecord } from './entry-record';
import { digestOf, genesis, hex, link, payloadRecord, sha256 } from './hashing';
import { Checkpoint, readStatement, Signed } from './statement';
import { StatementBucket } from './statement-bucket';
import type { LogSource } from './verify-log';

/** Proof that one entry was in the log when a checkpoint was signed: bytes as base64, digests as hex. */
interface EntryProof {
  readonly head: number;
  readonly seq: number;
  /** The hashed columns in their binary form. */
  readonly record: string;
  /** Hash of the entry before. */
  readonly before: string;
  /** Leaves of the entries after it, up to the one that the checkpoint names. */
  readonly leaves: readonly string[];
  readonly checkpoint: Signed<Checkpoint>;
  /** Salt and text of what the entry covers; absent where it was erased. */
  readonly inputs?: { readonly salt: string; readonly text: string };
  readonly output?: { readonly salt: string; readonly text: string };
}

/** A file that needs no database: everything that the log has of one decision, each entry with its proof. */
export interface ProofFile {
  readonly format: 'agent-controls/proof/1';
  readonly decision: string;
  readonly entries: readonly EntryProof[];
}

const hexDigest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const place = v.pipe(v.number(), v.integer());
const payload = v.optional(v.object({ salt: v.string(), text: v.string() }));
/** A file may come from anybody. */
const Proof = v.object({
  format: v.literal('agent-controls/proof/1'), decision: v.string(),
  entries: v.pipe(v.array(v.object({ head: place, seq: place, record: v.string(), before: hexDigest, leaves: v.array(hexDigest), checkpoint: v.object({ statement: v.looseObject({}), signature: v.string() }), inputs: payload, output: payload })), v.minLength(1)),
});

/** One entry of a verified proof. */
export interface ProvenEntry {
  readonly at: string;
  readonly kind: string;
  readonly agent: string | null;
  readonly action: string | null;
  readonly outcome: string | null;
  readonly approver: string | null;
  /** Postgres login that appended it. */
  readonly login: string;
  /** Which log, and of which account. */
  readonly log: string;
  readonly checkpoint: { readonly number: number; readonly at: string };
  readonly inputs: string | null;
  readonly output: string | null;
  /** Whether the entry covers payload that the file does not have: it was erased, or left out. */
  readonly erased: boolean;
}

const ENTRIES = `select e.head, e.seq, encode(record_send(row('agent-controls/entry/1'::text, e.at, e.kind, e.login, e.agent, e.run_id, e.decision_id, e.action, e.reference, e.approver, e.outcome, e.facts, e.inputs_digest, e.output_digest)), 'base64') as record,
  (select encode(b.hash, 'hex') from audit.entry b where b.head = e.head and b.seq = e.seq - 1) as before from audit.entry e where e.decision_id = :decision::uuid order by e.at, e.head, e.seq`;
const LEAVES = `select encode(sha256(record_send(row('agent-controls/entry/1'::text, e.at, e.kind, e.login, e.agent, e.run_id, e.decision_id, e.action, e.reference, e.approver, e.outcome, e.facts, e.inputs_digest, e.output_digest))), 'hex') as leaf
  from audit.entry e where e.head = :head::smallint and e.seq > :seq::bigint and e.seq <= :until::bigint order by e.seq`;
const PAYLOAD = "select chunk, encode(inputs_salt, 'base64') as inputs_salt, inputs, encode(output_salt, 'base64') as output_salt, output from audit.payload where head = :head::smallint and seq = :seq::bigint order by chunk";

/**
 * Proves one decision.
 *
 * @throws when there is no such decision, or an entry of it that no checkpoint covers yet.
 */
export async function prove(source: LogSource, bucket: StatementBucket, keys: readonly KeyObject[], decision: string): Promise<ProofFile> {
  const rows = await source.rows(ENTRIES, { decision });
  if (rows.length === 0) throw new Error(`the log has no decision ${decision}; agent-controls audit search lists them`);
  const checkpoints = (await bucket.checkpoints()).map(({ key }) => key);
  const entries: EntryProof[] = [];
  for (const row of rows) {
    const [head, seq] = [Number(row.head), Number(row.seq)];
    const covering = await firstCovering(bucket, keys, checkpoints, head, seq);
    if (!covering) throw new Error(`${head}:${seq} of ${decision} is not covered by a checkpoint yet; ask for one with agent-controls audit checkpoint, or again in a few minutes`);
    const until = covering.statement.heads.find(([chain]) => chain === head)?.[1] ?? 0;
    const leaves = (await source.rows(LEAVES, { head, seq, until })).map(({ leaf }) => String(leaf));
    const payload = await source.rows(PAYLOAD, { head, seq });
    const part = (salt: string, text: string): { salt: string; text: string } | undefined => {
      const chunks = payload.filter((chunk) => typeof chunk[text] === 'string');
      return chunks.length === 0 ? undefined : { salt: String(chunks[0]?.[salt]).replaceAll(/\s/g, ''), text: chunks.map((chunk) => String(chunk[text])).join('') };
    };
    const [inputs, output] = [part('inputs_salt', 'inputs'), part('output_salt', 'output')];
    entries.push({
      head, seq, record: String(row.record).replaceAll(/\s/g, ''), before: seq === 1 ? hex(genesis(head)) : String(row.before), leaves, checkpoint: covering,
      ...(inputs ? { inputs } : {}), ...(output ? { output } : {}),
    });
  }
  return { format: 'agent-controls/proof/1', decision, entries };
}

/** The first checkpoint that saw this entry; a chain only grows, so half of them are left out with each look. */
async function firstCovering(bucket: StatementBucket, keys: readonly KeyObject[], names: readonly string[], head: number, seq: number): Promise<Signed<Checkpoint> | undefined> {
  let low = 0;
  let high = names.length;
  let found: Signed<Checkpoint> | undefined;
  while (low < high) {
    const middle = (low + high) >> 1;
    const key = names[middle] as string;
    const file = readStatement(await bucket.get({ key, versionId: undefined }), keys) as Signed<Checkpoint> | undefined;
    if (!file) throw new Error(`StatementInvalid: ${key} is not signed by a key that counts`);
    if ((file.statement.heads.find(([chain]) => chain === head)?.[1] ?? 0) >= seq) {
      found = file;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return found;
}

/**
 * Verifies a proof from its file and the public keys alone.
 *
 * @throws with what does not hold.
 */
export function verifyProof(file: ProofFile, keys: readonly KeyObject[]): ProvenEntry[] {
  const { success } = v.safeParse(Proof, file);
  if (!success) throw new Error('ProofInvalid: the file is no proof; agent-controls audit prove writes one');
  const places = file.entries.map(({ head, seq }) => `${head}:${seq}`);
  if (new Set(places).size !== places.length) throw new Error('ProofInvalid: an entry is there twice');
  const proven = file.entries.map((entry): ProvenEntry => {
    const place = `${entry.head}:${entry.seq}`;
    const signed = readStatement(JSON.stringify(entry.checkpoint), keys);
    if (signed?.statement.format !== 'agent-controls/checkpoint/1') throw new Error(`ProofInvalid: the checkpoint of ${place} is not signed by a key that counts`);
    const bytes = Buffer.from(entry.record, 'base64');
    let hash = link(digestOf(entry.before), entry.head, BigInt(entry.seq), sha256(bytes));
    entry.leaves.forEach((leaf, index) => { hash = link(hash, entry.head, BigInt(entry.seq + index + 1), digestOf(leaf)); });
    const [, seq, seen] = signed.statement.heads.find(([head]) => head === entry.head) ?? [];
    if (seq !== entry.seq + entry.leaves.length || seen !== hex(hash)) throw new Error(`ProofInvalid: ${place} does not lead to what checkpoint ${signed.statement.number} signed`);
    const record = new EntryRecord(bytes);
    if (record.decision !== file.decision) throw new Error(`ProofInvalid: ${place} is of another decision`);
    for (const [part, digest] of [['inputs', 'inputsDigest'], ['output', 'outputDigest']] as const) {
      const payload = entry[part];
      if (payload && record.bytesOf(digest)?.toString('latin1') !== sha256(payloadRecord(Buffer.from(payload.salt, 'base64'), Buffer.from(payload.text)))) throw new Error(`ProofInvalid: the ${part} of ${place} are not what was written`);
    }
    return {
      at: record.at, kind: record.text('kind') ?? '', agent: record.text('agent'), action: record.text('action'), outcome: record.text('outcome'), approver: record.text('approver'),
      login: record.text('login') ?? '', log: `${signed.statement.log} of account ${signed.statement.account}`, checkpoint: { number: signed.statement.number, at: signed.statement.at }, inputs: entry.inputs?.text ?? null, output: entry.output?.text ?? null,
      erased: (record.bytesOf('inputsDigest') !== null && !entry.inputs) || (record.bytesOf('outputDigest') !== null && !entry.output),
    };
  });
  if (new Set(proven.map(({ log }) => log)).size > 1) throw new Error('ProofInvalid: its entries are of several logs');
  if (!proven.some(({ kind }) => kind === 'call.intent')) throw new Error('ProofInvalid: the decision itself, its call.intent, is not among the entries');
  return proven.sort((a, b) => (a.at < b.at ? -1 : 1));
}
