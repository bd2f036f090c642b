import * as crypto from 'node:crypto';

/** One row of the log as it is read for verification: an entry, with one chunk of its payload or none. */
export interface LogRow {
  /** The stored row: two rows with one place in the chain are two entries. */
  readonly place: string;
  readonly head: number;
  readonly seq: bigint;
  readonly hash: Digest;
  /** What is hashed: time, then the fields, each with its length. */
  readonly content: Buffer;
  /** For what is told of a finding. */
  describe(): { readonly kind: string; readonly decisionId: string | null };
  readonly inputsDigest: Digest | null;
  readonly outputDigest: Digest | null;
  readonly part: 'inputs' | 'output' | null;
  readonly salt: Buffer | null;
  readonly body: Buffer | null;
}

/** Where a chain ends, as the database says. */
export interface HeadRow {
  readonly head: number;
  readonly seq: bigint;
  readonly hash: string;
}

/** One thing that is not as it was written. */
export interface Finding {
  readonly problem: 'entry altered' | 'entries missing' | 'entry twice' | 'payload altered' | 'payload missing' | 'payload without entry' | 'chain end differs';
  /** `head:seq`, or a range of it. */
  readonly entries: string;
  readonly decisionId: string | null;
  readonly sentence: string;
}

/** What verification came to. */
export interface Verification {
  readonly ok: boolean;
  readonly entries: number;
  readonly payloads: number;
  readonly findings: readonly Finding[];
}

const GENESIS = Buffer.from('agent-controls/head/1');
const ENTRY = Buffer.from('agent-controls/entry/1');

/** 32 bytes as text, one character a byte: three times as fast to make as a `Buffer`, and compared at once. */
export type Digest = string;

/** The digest in hex, as people and other languages write it. */
export const hex = (digest: Digest): string => Buffer.from(digest, 'latin1').toString('hex');

// `crypto.hash` spares an object per digest; Node 20.12 has it.
const sha256: (bytes: Buffer) => Digest = typeof crypto.hash === 'function'
  ? (bytes) => crypto.hash('sha256', bytes, 'binary')
  : (bytes) => crypto.createHash('sha256').update(bytes).digest('binary');

/** Digest of a few pieces of bytes, joined in a buffer that is used again and again. */
class Digester {
  private buffer = Buffer.allocUnsafe(64 * 1024);

  public of(...pieces: readonly (Buffer | Digest)[]): Digest {
    let length = 0;
    for (const piece of pieces) length += piece.length;
    if (length > this.buffer.length) this.buffer = Buffer.allocUnsafe(length * 2);
    let at = 0;
    for (const piece of pieces) {
      if (typeof piece === 'string') this.buffer.write(piece, at, 'latin1');
      else this.buffer.set(piece, at);
      at += piece.length;
    }
    return sha256(this.buffer.subarray(0, length));
  }
}

interface Chain {
  seq: bigint;
  hash: Digest;
}

interface Payload {
  readonly salt: Buffer;
  readonly body: Buffer;
  /** Whether its chunks carry different salts. */
  readonly mixed: boolean;
}

/**
 * Verifies the log from its rows alone: nothing that the database says of a digest is believed, each is computed again. Takes rows
 * in the order of head and seq, and keeps one at a time, so memory does not grow with the log.
 */
export class Verifier {
  private readonly chains = new Map<number, Chain>();
  private readonly findings: Finding[] = [];
  private readonly digest = new Digester();
  private readonly number = Buffer.allocUnsafe(10);
  private entries = 0;
  private payloads = 0;
  private readonly pinned = new Map<number, HeadRow>();
  private open: { row: LogRow; parts: { inputs?: Payload; output?: Payload } } | undefined;

  /** @param mostFindings after which finding no more are kept; the first ones name the damage. */
  public constructor(private readonly mostFindings = 100) {}

  /** Entries seen so far. */
  public get count(): number { return this.entries; }

  public add(row: LogRow): void {
    if (this.open && this.open.row.place !== row.place) this.close();
    this.open ??= { row, parts: {} };
    if (row.part !== null && row.salt !== null && row.body !== null) {
      const before = this.open.parts[row.part];
      this.open.parts[row.part] = before ? { salt: row.salt, body: Buffer.concat([before.body, row.body]), mixed: before.mixed || !before.salt.equals(row.salt) } : { salt: row.salt, body: row.body, mixed: false };
    }
  }

  /**
   * Says where the chains ended before rows were read, for a reader without one snapshot: what is appended meanwhile is verified as
   * well, and each chain must have come through its earlier end.
   */
  public pin(heads: readonly HeadRow[]): void {
    for (const head of heads) this.pinned.set(head.head, head);
  }

  /**
   * @param heads where the chains end now.
   * @param orphans payload rows whose entry is gone, as `head:seq`.
   */
  public finish(heads: readonly HeadRow[], orphans: readonly string[]): Verification {
    this.close();
    for (const { head, seq, hash } of heads) {
      const chain = this.chain(head);
      const pinned = this.pinned.get(head);
      // With a pin, rows may end anywhere between the two ends; the pin itself was checked as it went by.
      if (pinned && chain.seq >= pinned.seq && chain.seq <= seq) continue;
      if (chain.seq !== seq || hex(chain.hash) !== hash) {
        this.found('chain end differs', chain.seq < seq ? range(head, chain.seq + 1n, seq) : `${head}:${seq}`, null, `chain ${head} ends at ${chain.seq}, and its head says ${seq}`);
      }
    }
    for (const head of this.chains.keys()) if (!heads.some((known) => known.head === head)) this.found('chain end differs', `${head}:*`, null, `chain ${head} has entries and no head`);
    for (const orphan of orphans) this.found('payload without entry', orphan, null, `payload of ${orphan} has no entry`);
    return { ok: this.findings.length === 0, entries: this.entries, payloads: this.payloads, findings: this.findings };
  }

  private close(): void {
    if (!this.open) return;
    const { row, parts } = this.open;
    this.open = undefined;
    this.entries += 1;
    this.link(row);
    this.payload(row, 'inputs', row.inputsDigest, parts.inputs);
    this.payload(row, 'output', row.outputDigest, parts.output);
  }

  private link(row: LogRow): void {
    const chain = this.chain(row.head);
    const place = `${row.head}:${row.seq}`;
    if (row.seq <= chain.seq) {
      this.found('entry twice', place, row, `${place} is there more than once, or out of order`);
      return;
    }
    const missing = row.seq > chain.seq + 1n;
    if (missing) this.found('entries missing', range(row.head, chain.seq + 1n, row.seq - 1n), null, `${range(row.head, chain.seq + 1n, row.seq - 1n)} is gone`);
    this.number.writeInt16BE(row.head, 0);
    this.number.writeBigInt64BE(row.seq, 2);
    const hash = this.digest.of(chain.hash, this.number, this.digest.of(ENTRY, row.content));
    // After a gap nothing is known of what came before; the chain is taken up again from what is stored.
    if (!missing && hash !== row.hash) {
      this.found('entry altered', place, row, `${place} (${row.describe().kind}) is not what was written: its hash does not follow from its columns and the entry before`);
    }
    chain.seq = row.seq;
    chain.hash = row.hash;
    const pinned = this.pinned.get(row.head);
    if (pinned?.seq === row.seq && pinned.hash !== hex(row.hash)) this.found('chain end differs', place, row, `chain ${row.head} ended at ${row.seq} with another hash`);
  }

  private payload(row: LogRow, part: 'inputs' | 'output', digest: Digest | null, payload: Payload | undefined): void {
    const place = `${row.head}:${row.seq}`;
    if (digest === null) {
      if (payload) this.found('payload altered', place, row, `${place} has ${part} that its entry does not cover`);
      return;
    }
    if (!payload) {
      this.found('payload missing', place, row, `${part} of ${place} (${row.describe().kind}) are gone, and no erasure entry says why`);
      return;
    }
    this.payloads += 1;
    if (payload.mixed || this.digest.of(payload.salt, payload.body) !== digest) this.found('payload altered', place, row, `${part} of ${place} (${row.describe().kind}) are not what was written`);
  }

  private chain(head: number): Chain {
    const known = this.chains.get(head);
    if (known) return known;
    const own = Buffer.allocUnsafe(2);
    own.writeInt16BE(head);
    const chain = { seq: 0n, hash: this.digest.of(GENESIS, own) };
    this.chains.set(head, chain);
    return chain;
  }

  private found(problem: Finding['problem'], entries: string, row: LogRow | null, sentence: string): void {
    if (this.findings.length < this.mostFindings) this.findings.push({ problem, entries, decisionId: row?.describe().decisionId ?? null, sentence });
  }
}

/** A UUID with its dashes, from 32 hex digits. */
export function uuid(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function range(head: number, from: bigint, to: bigint): string {
  return from === to ? `${head}:${from}` : `${head}:${from}-${to}`;
}
