import * as crypto from 'node:crypto';

/** One row of the log as it is read for verification: an entry, with one chunk of its payload or none. */
export interface LogRow {
  /** The stored row: two rows with one place in the chain are two entries. */
  readonly place: string;
  readonly head: number;
  readonly seq: bigint;
  /** Microseconds since 1970. */
  readonly at: bigint;
  readonly kind: string;
  readonly login: string;
  readonly agent: string | null;
  readonly run: string | null;
  /** Hex without dashes. */
  readonly decision: string | null;
  readonly facts: string;
  /** Hex. */
  readonly inputsDigest: string | null;
  readonly outputDigest: string | null;
  readonly hash: string;
  readonly part: 'inputs' | 'output' | null;
  readonly salt: string | null;
  readonly body: string | null;
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

// `crypto.hash` spares an object per digest; Node 20.12 has it.
const sha256: (bytes: Buffer) => Buffer = typeof crypto.hash === 'function'
  ? (bytes) => crypto.hash('sha256', bytes, 'buffer')
  : (bytes) => crypto.createHash('sha256').update(bytes).digest();

/** Bytes that grow as needed and are used again for every row. */
class Scratch {
  private buffer = Buffer.allocUnsafe(64 * 1024);
  private length = 0;

  public start(prefix: Buffer): this {
    this.length = 0;
    return this.raw(prefix);
  }

  public raw(bytes: Buffer): this {
    this.room(bytes.length);
    this.length += bytes.copy(this.buffer, this.length);
    return this;
  }

  public int64(value: bigint): this {
    this.room(8);
    this.length = this.buffer.writeBigInt64BE(value, this.length);
    return this;
  }

  public int16(value: number): this {
    this.room(2);
    this.length = this.buffer.writeInt16BE(value, this.length);
    return this;
  }

  /** Length and text, or -1 for null. */
  public text(value: string | null): this {
    return this.field(value, 'utf8', value === null ? 0 : value.length * 3);
  }

  /** Length and bytes, given as hex. */
  public hex(value: string | null): this {
    return this.field(value, 'hex', value === null ? 0 : value.length / 2);
  }

  public plain(value: string): this {
    this.room(value.length * 3);
    this.length += this.buffer.write(value, this.length, 'utf8');
    return this;
  }

  public digest(): Buffer {
    return sha256(this.buffer.subarray(0, this.length));
  }

  private field(value: string | null, encoding: 'utf8' | 'hex', room: number): this {
    this.room(4 + room);
    if (value === null) {
      this.length = this.buffer.writeInt32BE(-1, this.length);
      return this;
    }
    const written = this.buffer.write(value, this.length + 4, encoding);
    this.buffer.writeInt32BE(written, this.length);
    this.length += 4 + written;
    return this;
  }

  private room(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + more));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

interface Chain {
  seq: bigint;
  hash: Buffer;
}

/**
 * Verifies the log from its rows alone: nothing that the database says of a digest is believed, each is computed again. Takes rows
 * in the order of head and seq, and keeps one at a time, so memory does not grow with the log.
 */
export class Verifier {
  private readonly chains = new Map<number, Chain>();
  private readonly findings: Finding[] = [];
  private readonly scratch = new Scratch();
  private entries = 0;
  private payloads = 0;
  private readonly pinned = new Map<number, HeadRow>();
  private open: { row: LogRow; parts: Map<string, { salt: string; body: string; mixed: boolean }> } | undefined;

  /** @param mostFindings after which finding no more are kept; the first ones name the damage. */
  public constructor(private readonly mostFindings = 100) {}

  /** Entries seen so far. */
  public get count(): number { return this.entries; }

  public add(row: LogRow): void {
    if (this.open && this.open.row.place !== row.place) this.close();
    this.open ??= { row, parts: new Map() };
    if (row.part !== null && row.salt !== null && row.body !== null) {
      const before = this.open.parts.get(row.part);
      this.open.parts.set(row.part, { salt: row.salt, body: before ? before.body + row.body : row.body, mixed: before !== undefined && (before.mixed || before.salt !== row.salt) });
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
      if (chain.seq !== seq || chain.hash.toString('hex') !== hash) {
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
    this.payload(row, 'inputs', row.inputsDigest, parts.get('inputs'));
    this.payload(row, 'output', row.outputDigest, parts.get('output'));
  }

  private link(row: LogRow): void {
    const chain = this.chain(row.head);
    const place = `${row.head}:${row.seq}`;
    if (row.seq <= chain.seq) {
      this.found('entry twice', place, row.decision, `${place} is there more than once, or out of order`);
      return;
    }
    const missing = row.seq > chain.seq + 1n;
    if (missing) this.found('entries missing', range(row.head, chain.seq + 1n, row.seq - 1n), null, `${range(row.head, chain.seq + 1n, row.seq - 1n)} is gone`);
    const leaf = this.leaf(row);
    const hash = this.scratch.start(chain.hash).int16(row.head).int64(row.seq).raw(leaf).digest();
    // After a gap nothing is known of what came before; the chain is taken up again from what is stored.
    if (!missing && hash.toString('hex') !== row.hash) {
      this.found('entry altered', place, row.decision, `${place} (${row.kind}) is not what was written: its hash does not follow from its columns and the entry before`);
    }
    chain.seq = row.seq;
    chain.hash = Buffer.from(row.hash, 'hex');
    const pinned = this.pinned.get(row.head);
    if (pinned?.seq === row.seq && pinned.hash !== row.hash) this.found('chain end differs', place, row.decision, `chain ${row.head} ended at ${row.seq} with another hash`);
  }

  private leaf(row: LogRow): Buffer {
    return this.scratch.start(ENTRY).int64(row.at).text(row.kind).text(row.login).text(row.agent).text(row.run).hex(row.decision).text(row.facts).hex(row.inputsDigest).hex(row.outputDigest).digest();
  }

  private payload(row: LogRow, part: 'inputs' | 'output', digest: string | null, payload: { salt: string; body: string; mixed: boolean } | undefined): void {
    const place = `${row.head}:${row.seq}`;
    if (digest === null) {
      if (payload) this.found('payload altered', place, row.decision, `${place} has ${part} that its entry does not cover`);
      return;
    }
    if (!payload) {
      this.found('payload missing', place, row.decision, `${part} of ${place} (${row.kind}) are gone, and no erasure entry says why`);
      return;
    }
    this.payloads += 1;
    if (payload.mixed || this.scratch.start(Buffer.from(payload.salt, 'hex')).plain(payload.body).digest().toString('hex') !== digest) {
      this.found('payload altered', place, row.decision, `${part} of ${place} (${row.kind}) are not what was written`);
    }
  }

  private chain(head: number): Chain {
    const known = this.chains.get(head);
    if (known) return known;
    const chain = { seq: 0n, hash: this.scratch.start(GENESIS).int16(head).digest() };
    this.chains.set(head, chain);
    return chain;
  }

  private found(problem: Finding['problem'], entries: string, decision: string | null, sentence: string): void {
    if (this.findings.length < this.mostFindings) this.findings.push({ problem, entries, decisionId: decision?.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5') ?? null, sentence });
  }
}

function range(head: number, from: bigint, to: bigint): string {
  return from === to ? `${head}:${from}` : `${head}:${from}-${to}`;
}
