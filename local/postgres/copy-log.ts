import { Client } from 'pg';
import { to } from 'pg-copy-streams';
import { HEADS, LOG_ROWS, ORPHANS } from '../../lambda/audit/queries';
import { Digest, LogRow, uuid, Verification, Verifier } from '../../lambda/audit/verify';

/** Verifies the log over one Postgres connection: rows stream through COPY, and one is kept at a time. */
export async function verifyByCopy(client: Client, progress: (entries: number) => void = () => undefined): Promise<Verification> {
  const verifier = new Verifier();
  // One snapshot for rows, heads and orphans: what is appended meanwhile is not half seen.
  await client.query('begin isolation level repeatable read read only');
  try {
    let told = 0;
    await eachRow(client, (row) => {
      verifier.add(row);
      if (verifier.count - told >= 5_000) progress((told = verifier.count));
    });
    const heads = (await client.query<{ head: number; seq: string; hash: string }>(HEADS)).rows.map(({ head, seq, hash }) => ({ head, seq: BigInt(seq), hash }));
    const orphans = (await client.query<{ place: string }>(ORPHANS)).rows.map(({ place }) => place);
    return verifier.finish(heads, orphans);
  } finally {
    await client.query('commit');
  }
}

/** `PGCOPY`, flags and an extension length of zero. */
const HEADER_BYTES = 19;
const COLUMNS = 17;

/**
 * Rows of COPY in binary form. Each value comes as its length and its bytes, which is how the audit format encodes a field: what
 * is hashed of an entry is one slice of the stream, and nothing is decoded that is not looked at.
 */
async function eachRow(client: Client, take: (row: LogRow) => void): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  for await (const chunk of client.query(to(`copy (${LOG_ROWS}) to stdout (format binary)`)) as AsyncIterable<Buffer>) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (!started) {
      if (bytes.length < HEADER_BYTES) { rest = bytes; continue; }
      bytes = bytes.subarray(HEADER_BYTES);
      started = true;
    }
    let at = 0;
    for (let row = parse(bytes, at); row; row = parse(bytes, at)) {
      at = row.end;
      take(row);
    }
    rest = bytes.subarray(at);
  }
}

/** One row from `at`; nothing where the stream has not come that far, or has ended. */
function parse(bytes: Buffer, at: number): CopyRow | undefined {
  if (at + 2 > bytes.length || bytes.readInt16BE(at) !== COLUMNS) return undefined;
  const starts = new Int32Array(COLUMNS);
  let end = at + 2;
  for (let column = 0; column < COLUMNS; column += 1) {
    if (end + 4 > bytes.length) return undefined;
    starts[column] = end;
    const length = bytes.readInt32BE(end);
    end += length > 0 ? 4 + length : 4;
  }
  return end > bytes.length ? undefined : new CopyRow(bytes, starts, end);
}

/** A row of the stream. A class and no closures: there are two hundred thousand of them a second and more. */
class CopyRow implements LogRow {
  public readonly place: string;
  public readonly head: number;
  public readonly seq: bigint;
  public readonly hash: Digest;
  public readonly content: Buffer;
  public readonly inputsDigest: Digest | null;
  public readonly outputDigest: Digest | null;
  public readonly part: 'inputs' | 'output' | null;
  public readonly salt: Buffer | null;
  public readonly body: Buffer | null;

  public constructor(private readonly bytes: Buffer, private readonly starts: Int32Array, public readonly end: number) {
    this.place = bytes.toString('latin1', starts[0], starts[2]);
    this.head = bytes.readInt16BE((starts[2] as number) + 4);
    this.seq = bytes.readBigInt64BE((starts[3] as number) + 4);
    this.hash = this.digest(4) ?? '';
    this.content = bytes.subarray((starts[5] as number) + 4, starts[14]);
    this.inputsDigest = this.digest(12);
    this.outputDigest = this.digest(13);
    const part = this.digest(14);
    this.part = part === 'inputs' || part === 'output' ? part : null;
    this.salt = this.value(15);
    this.body = this.value(16);
  }

  public describe(): { readonly kind: string; readonly decisionId: string | null } {
    const decision = this.value(10);
    return { kind: this.value(6)?.toString() ?? '', decisionId: decision ? uuid(decision.toString('hex')) : null };
  }

  private value(column: number): Buffer | null {
    const start = this.starts[column] as number;
    const length = this.bytes.readInt32BE(start);
    return length < 0 ? null : this.bytes.subarray(start + 4, start + 4 + length);
  }

  private digest(column: number): Digest | null {
    const start = this.starts[column] as number;
    const length = this.bytes.readInt32BE(start);
    return length < 0 ? null : this.bytes.toString('latin1', start + 4, start + 4 + length);
  }
}
