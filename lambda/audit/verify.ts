import { EntryRecord } from './entry-record';
import { Digest, digestOf, genesis, hex, link, payloadOf, payloadRecord, sha256 } from './hashing';

/** One row of the log as it is read for verification: an entry, with one chunk of its payload or none. */
export interface LogRow {
  /** The stored row: two rows with one place in the chain are two entries. */
  readonly place: string;
  readonly head: number;
  readonly seq: bigint;
  readonly hash: Digest;
  /** What is hashed: of the entry, and of each part of its payload. */
  readonly record: Buffer;
  readonly inputs: Buffer;
  readonly output: Buffer;
}

/** Where a chain ends, as the database says. */
export interface HeadRow {
  readonly head: number;
  readonly seq: bigint;
  readonly hash: string;
}

/** One thing that is not as it was written. */
export interface Finding {
  readonly problem:
    | 'entry altered' | 'entries missing' | 'entry twice' | 'chain end differs' | 'payload altered' | 'payload missing' | 'payload without entry'
    | 'time impossible' | 'entry out of place' | 'checkpoint contradicted' | 'log rewound' | 'statement invalid' | 'erasure not carried out' | 'not recorded' | 'book differs' | 'view differs' | 'schema altered';
  /** `head:seq`, or a range of it; what else it is about otherwise. */
  readonly entries: string;
  readonly decisionId: string | null;
  readonly sentence: string;
}

/** What verification came to. */
export interface Verification {
  readonly ok: boolean;
  readonly entries: number;
  readonly payloads: number;
  /** Payloads that were erased, with a signed statement that says so. */
  readonly erased: number;
  readonly findings: readonly Finding[];
}

/** A range of a chain that retention took away, as a signed statement says. */
export interface DroppedRange {
  readonly head: number;
  readonly from: bigint;
  readonly to: bigint;
  /** Hash of the last entry of the range, from which the chain goes on. */
  readonly hash: Digest;
  readonly statement: string;
}

/** What signed statements outside the database say of the log. */
export interface Anchors {
  /** Hashes that checkpoints saw, by head and number. */
  readonly seen: ReadonlyMap<number, ReadonlyMap<bigint, { readonly hash: Digest; readonly checkpoint: number; readonly at: string }>>;
  /** When the last checkpoint was signed that did not have a chain yet. */
  readonly begins: ReadonlyMap<number, string>;
  /** Erased payloads by `head:seq:inputs` and `head:seq:output`, with the id of the statement. */
  readonly erased: ReadonlyMap<string, string>;
  readonly dropped: readonly DroppedRange[];
  /** What was wrong with the statements themselves. */
  readonly findings: readonly Finding[];
}

/** How many findings of one problem are kept: the first ones name the damage, and a flood of one kind must not hide another. */
const MOST_OF_A_KIND = 50;

const NO_ANCHORS: Anchors = { seen: new Map(), begins: new Map(), erased: new Map(), dropped: [], findings: [] };

/** How far a verification came; text, so that it can be kept in a file. */
export interface Progress {
  readonly chains: Readonly<Record<string, { readonly seq: string; readonly hash: string }>>;
  readonly entries: number;
  readonly payloads: number;
  readonly erased: number;
  readonly findings: readonly Finding[];
  /** Statements that excused something, and those that an entry tells of. */
  readonly used: readonly string[];
  readonly told: readonly string[];
}

interface Chain {
  seq: bigint;
  hash: Digest;
  /** No later entry is earlier than this, in microseconds: a checkpoint was signed then. */
  floor: bigint;
  /** The latest entry since that checkpoint. */
  latest: bigint;
}

/** An entry whose chunks are still coming. */
interface Open {
  readonly row: LogRow;
  inputs: Buffer;
  output: Buffer;
}

/** Start of the time inside a record: after the count, the format, and its own header. */
const AT_AT = 4 + (8 + 22) + 8;
/** How long a transaction may hold an entry's time before it is chained, in microseconds. */
const SLACK = 600_000_000n;
/** Postgres counts from 2000-01-01. */
const microsecondsOf = (instant: string): bigint => BigInt(Date.parse(instant) - Date.UTC(2000, 0, 1)) * 1_000n;

/** Start of the text of `kind` inside a record: after the count, the format, `at`, and the header of `kind`. */
const KIND_AT = 4 + (8 + 22) + (8 + 8) + 8;
/** A part of a payload that is not there: both lengths are -1. */
const NOTHING_BYTES = 20;

/**
 * Verifies the log from its rows and from signed statements: nothing that the database says of a digest is believed, each is computed again.
 * Takes rows in the order of head and seq, and keeps one at a time, so memory does not grow with the log.
 */
export class Verifier {
  private readonly chains = new Map<number, Chain>();
  private readonly findings: Finding[] = [];
  private readonly pinned = new Map<number, HeadRow>();
  /** Statements that excused something, and those that an entry tells of. */
  private readonly used = new Set<string>();
  private readonly told = new Set<string>();
  private entries = 0;
  private payloads = 0;
  private erased = 0;
  private open: Open | undefined;

  /**
   * @param anchors what signed statements say.
   * @param options.start where to begin: at a checkpoint, or where an earlier verification was interrupted.
   * @param options.partial whether entries before `start` were never read: what they would tell is not asked.
   * @param options.chainOnly whether payload is left out.
   */
  public constructor(private readonly anchors: Anchors = NO_ANCHORS, private readonly options: { readonly start?: Progress | undefined; readonly partial?: boolean; readonly chainOnly?: boolean } = {}) {
    const { start } = options;
    this.findings.push(...anchors.findings.slice(0, MOST_OF_A_KIND));
    for (const finding of start?.findings ?? []) if (!this.findings.some(({ sentence }) => sentence === finding.sentence)) this.findings.push(finding);
    if (!start) return;
    for (const [head, { seq, hash }] of Object.entries(start.chains)) this.chains.set(Number(head), { seq: BigInt(seq), hash: digestOf(hash), floor: 0n, latest: 0n });
    for (const statement of start.used) this.used.add(statement);
    for (const statement of start.told) this.told.add(statement);
    [this.entries, this.payloads, this.erased] = [start.entries, start.payloads, start.erased];
  }

  /** Entries seen so far. */
  public get count(): number { return this.entries; }

  /** Whether payload need not be read. */
  public get chainOnly(): boolean { return this.options.chainOnly === true; }

  /** The places after which entries are to be read. */
  public get since(): Record<number, bigint> {
    return Object.fromEntries([...this.chains].map(([head, { seq }]) => [head, seq]));
  }

  /** How far it came. What was taken of an entry that is still open is taken again. */
  public progress(): Progress {
    return {
      chains: Object.fromEntries([...this.chains].map(([head, { seq, hash }]) => [head, { seq: String(seq), hash: hex(hash) }])),
      entries: this.entries, payloads: this.payloads, erased: this.erased, findings: this.findings, used: [...this.used], told: [...this.told],
    };
  }

  public add(row: LogRow): void {
    const { open } = this;
    if (open && open.row.seq === row.seq && open.row.head === row.head && open.row.place === row.place) {
      open.inputs = joined(open.inputs, row.inputs);
      open.output = joined(open.output, row.output);
      return;
    }
    if (open) this.close(open);
    this.open = { row, inputs: row.inputs, output: row.output };
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
   * @param strays entries and heads outside of the chains there are.
   */
  public finish(heads: readonly HeadRow[], orphans: readonly string[], strays: readonly string[]): Verification {
    if (this.open) this.close(this.open);
    for (const { head, seq, hash } of heads) {
      const chain = this.chain(head);
      this.skipDropped(head, chain, seq);
      const pinned = this.pinned.get(head);
      // With a pin, rows may end anywhere between the two ends; the pin itself was checked as it went by.
      if (pinned && chain.seq >= pinned.seq && chain.seq <= seq) continue;
      if (chain.seq !== seq || hex(chain.hash) !== hash) {
        this.found('chain end differs', chain.seq < seq ? range(head, chain.seq + 1n, seq) : `${head}:${seq}`, null, `chain ${head} ends at ${chain.seq}, and its head says ${seq}`);
      }
    }
    for (const head of this.chains.keys()) if (!heads.some((known) => known.head === head)) this.found('chain end differs', `${head}:*`, null, `chain ${head} has entries and no head`);
    for (const orphan of orphans) this.found('payload without entry', orphan, null, `payload of ${orphan} has no entry`);
    for (const stray of strays) this.found('entry out of place', stray, null, `${stray} is in no chain: chains are 0 to 63, and entries count from 1`);
    for (const [head, seen] of this.anchors.seen) this.rewound(head, seen);
    if (!this.options.partial) for (const statement of this.used) if (!this.told.has(statement)) this.found('not recorded', statement, null, `${statement} is signed, and no entry tells of it`);
    return { ok: this.findings.length === 0, entries: this.entries, payloads: this.payloads, erased: this.erased, findings: this.findings };
  }

  private close({ row, inputs, output }: Open): void {
    this.open = undefined;
    this.entries += 1;
    this.link(row);
    if (!this.options.chainOnly) {
      const digests = digestsAt(row.record);
      this.payload(row, 'inputs', digestAt(row.record, digests), inputs);
      this.payload(row, 'output', digestAt(row.record, digests + (row.record.readInt32BE(digests) < 0 ? 8 : 40)), output);
    }
    const initial = row.record[KIND_AT];
    if (initial === 101 || initial === 114) this.recorded(row); // erasure, retention
  }

  private link(row: LogRow): void {
    const chain = this.chain(row.head);
    if (row.seq <= chain.seq) {
      this.found('entry twice', `${row.head}:${row.seq}`, row, `${row.head}:${row.seq} is there more than once, or out of order`);
      return;
    }
    if (row.seq > chain.seq + 1n) this.skipDropped(row.head, chain, row.seq - 1n);
    const missing = row.seq > chain.seq + 1n;
    if (missing) this.found('entries missing', range(row.head, chain.seq + 1n, row.seq - 1n), null, `${range(row.head, chain.seq + 1n, row.seq - 1n)} is gone`);
    const hash = link(chain.hash, row.head, row.seq, sha256(row.record));
    // After a gap nothing is known of what came before; the chain is taken up again from what is stored.
    if (!missing && hash !== row.hash) {
      this.found('entry altered', `${row.head}:${row.seq}`, row, `${row.head}:${row.seq} (${kindOf(row)}) is not what was written: its hash does not follow from its columns and the entry before`);
    }
    chain.seq = row.seq;
    chain.hash = row.hash;
    const pinned = this.pinned.get(row.head);
    if (pinned?.seq === row.seq && pinned.hash !== hex(row.hash)) this.found('chain end differs', `${row.head}:${row.seq}`, row, `chain ${row.head} ended at ${row.seq} with another hash`);
    const at = row.record.readBigInt64BE(AT_AT);
    if (at < chain.floor) this.found('time impossible', `${row.head}:${row.seq}`, row, `${row.head}:${row.seq} (${kindOf(row)}) says it was appended before a checkpoint that had not seen it: its time was made up`);
    if (at > chain.latest) chain.latest = at;
    const seen = this.anchors.seen.get(row.head)?.get(row.seq);
    if (!seen) return;
    if (seen.hash !== row.hash) this.found('checkpoint contradicted', `${row.head}:${row.seq}`, row, `checkpoint ${seen.checkpoint} saw another entry at ${row.head}:${row.seq}: the log was forked at or before it`);
    const signed = microsecondsOf(seen.at);
    if (chain.latest > signed + SLACK) this.found('time impossible', `${row.head}:${row.seq}`, row, `an entry up to ${row.head}:${row.seq} says it was appended after checkpoint ${seen.checkpoint}, which saw it: its time was made up`);
    chain.floor = signed - SLACK;
    chain.latest = 0n;
  }

  /** Goes over what retention took away, up to `last`. */
  private skipDropped(head: number, chain: Chain, last: bigint): void {
    for (;;) {
      const next = this.anchors.dropped.find((dropped) => dropped.head === head && dropped.from <= chain.seq + 1n && dropped.to > chain.seq && dropped.to <= last);
      if (!next) return;
      chain.seq = next.to;
      chain.hash = next.hash;
      this.used.add(next.statement);
    }
  }

  /** A checkpoint that saw more of a chain than there is now. */
  private rewound(head: number, seen: ReadonlyMap<bigint, { readonly checkpoint: number }>): void {
    const { seq: end } = this.chain(head);
    const last = [...seen].reduce<readonly [bigint, { readonly checkpoint: number }] | undefined>((most, each) => (each[0] > (most?.[0] ?? end) ? each : most), undefined);
    if (last) this.found('log rewound', range(head, end + 1n, last[0]), null, `checkpoint ${last[1].checkpoint} saw ${head}:${last[0]}, and the chain ends at ${end}: what came after is gone`);
  }

  private payload(row: LogRow, part: 'inputs' | 'output', digest: Digest | null, record: Buffer): void {
    const there = record.length > NOTHING_BYTES;
    if (there && digest !== null && sha256(record) === digest && this.anchors.erased.size === 0) {
      this.payloads += 1;
      return;
    }
    if (!there && digest === null) return;
    const place = `${row.head}:${row.seq}`;
    const erased = this.anchors.erased.get(`${place}:${part}`);
    if (digest === null) {
      this.found('payload altered', place, row, `${place} has ${part} that its entry does not cover`);
    } else if (!there && erased === undefined) {
      this.found('payload missing', place, row, `${part} of ${place} (${kindOf(row)}) are gone, and no signed erasure says why`);
    } else if (!there && erased !== undefined) {
      this.erased += 1;
      this.used.add(erased);
    } else {
      this.payloads += 1;
      if (erased !== undefined) this.found('erasure not carried out', place, row, `${erased} says that ${part} of ${place} are erased, and they are there`);
      if (sha256(record) !== digest) this.found('payload altered', place, row, `${part} of ${place} (${kindOf(row)}) are not what was written: their digest is another`);
    }
  }

  private recorded(row: LogRow): void {
    const record = new EntryRecord(row.record);
    if (!/^(erasure|retention)\./.test(record.text('kind') ?? '')) return;
    try {
      const { statement } = JSON.parse(record.text('facts') ?? '{}') as { statement?: string };
      if (statement !== undefined) this.told.add(statement);
    } catch {
      this.found('entry out of place', `${row.head}:${row.seq}`, row, `${row.head}:${row.seq} (${record.text('kind') ?? ''}) has facts that are no JSON: nobody of ours wrote it`);
    }
  }

  private chain(head: number): Chain {
    const known = this.chains.get(head);
    if (known) return known;
    const begun = this.anchors.begins.get(head);
    const chain = { seq: 0n, hash: genesis(head), floor: begun === undefined ? 0n : microsecondsOf(begun) - SLACK, latest: 0n };
    this.chains.set(head, chain);
    return chain;
  }

  private found(problem: Finding['problem'], entries: string, row: LogRow | null, sentence: string): void {
    if (this.findings.filter((finding) => finding.problem === problem).length < MOST_OF_A_KIND) this.findings.push({ problem, entries, decisionId: row && new EntryRecord(row.record).decision, sentence });
  }
}

/** A payload from its chunks, which carry one salt. What does not fit together has no digest that anybody wrote. */
function joined(before: Buffer, chunk: Buffer): Buffer {
  const [first, next] = [payloadOf(before), payloadOf(chunk)];
  if (next.salt === null && next.body === null) return before;
  if (first.body === null || first.salt === null || next.body === null || !next.salt?.equals(first.salt)) return Buffer.concat([before, chunk]);
  return payloadRecord(first.salt, Buffer.concat([first.body, next.body]));
}

/** Where the lengths of the last two columns of a record begin. */
function digestsAt(record: Buffer): number {
  let at = 8;
  for (let column = 0; column < 12; column += 1) {
    const length = record.readInt32BE(at);
    at += length > 0 ? 8 + length : 8;
  }
  return at;
}

function digestAt(record: Buffer, at: number): Digest | null {
  const length = record.readInt32BE(at);
  return length < 0 ? null : record.toString('latin1', at + 4, at + 4 + length);
}

function kindOf(row: LogRow): string {
  return new EntryRecord(row.record).text('kind') ?? '';
}

/** `head:seq`, or `head:from-to`. */
export function range(head: number, from: bigint, to: bigint): string {
  return from === to ? `${head}:${from}` : `${head}:${from}-${to}`;
}
