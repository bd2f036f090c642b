import { Client } from 'pg';
import { to } from 'pg-copy-streams';
import { HEADS, logRows, ORPHANS, STRAYS } from '../../lambda/audit/queries';
import { LogRow, Verification, Verifier } from '../../lambda/audit/verify';
import type { LogSource } from '../../lambda/audit/verify-log';

/** The log of a local runtime, over one Postgres connection as the auditor. */
export class PostgresLog implements LogSource {
  public constructor(private readonly client: Client) {}

  public verify(verifier: Verifier, progress: (entries: number) => void): Promise<Verification> { return verifyByCopy(this.client, verifier, progress); }

  public async rows(sql: string, values: Readonly<Record<string, string | number>> = {}): Promise<Record<string, unknown>[]> {
    const names = Object.keys(values);
    return (await this.client.query<Record<string, unknown>>(sql.replaceAll(/(?<!:):([a-z]+)/g, (_, name: string) => `$${names.indexOf(name) + 1}`), Object.values(values))).rows;
  }
}

/** Verifies the log over one Postgres connection: rows stream through COPY, and one is kept at a time. */
export async function verifyByCopy(client: Client, verifier = new Verifier(), progress: (entries: number) => void = () => undefined): Promise<Verification> {
  // One snapshot for rows, heads and orphans: what is appended meanwhile is not half seen.
  await client.query('begin isolation level repeatable read read only');
  await client.query(IN_ORDER);
  try {
    let told = 0;
    await eachRow(client, logRows(verifier.since, verifier.chainOnly), (row) => {
      verifier.add(row);
      if (verifier.count - told >= 5_000) progress((told = verifier.count));
    });
    const heads = (await client.query<{ head: number; seq: string; hash: string }>(HEADS)).rows.map(({ head, seq, hash }) => ({ head, seq: BigInt(seq), hash }));
    const places = async (sql: string): Promise<string[]> => (verifier.chainOnly ? [] : (await client.query<{ place: string }>(sql)).rows.map(({ place }) => place));
    return verifier.finish(heads, await places(ORPHANS), await places(STRAYS));
  } finally {
    await client.query('commit');
  }
}

/** Has rows read in the order of an index, as they stream: sorting them first would take the log's size in temporary files. */
export const IN_ORDER = 'set local max_parallel_workers_per_gather = 0; set local enable_hashjoin = off; set local enable_sort = off; set local statement_timeout = 0';

/** `PGCOPY`, flags and an extension length of zero. */
const HEADER_BYTES = 19;
const COLUMNS = 8;

/**
 * Rows of COPY in binary form. The hashed columns come as one value, whose bytes are what the audit format hashes: nothing is decoded
 * that is not looked at.
 */
async function eachRow(client: Client, rows: string, take: (row: LogRow) => void): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  for await (const chunk of client.query(to(`copy (${rows}) to stdout (format binary)`)) as AsyncIterable<Buffer>) {
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
  let end = at + 2;
  let hash = 0;
  let record = 0;
  let inputs = 0;
  let output = 0;
  for (let column = 0; column < COLUMNS; column += 1) {
    if (end + 4 > bytes.length) return undefined;
    if (column === 4) hash = end;
    else if (column === 5) record = end;
    else if (column === 6) inputs = end;
    else if (column === 7) output = end;
    end += 4 + bytes.readInt32BE(end); // none of them is ever null
  }
  return end > bytes.length ? undefined : new CopyRow(bytes, at + 2, hash, record, inputs, output, end);
}

/** A row of the stream. A class and no closures: there are a hundred thousand of them a second and more. */
class CopyRow implements LogRow {
  public readonly head: number;
  public readonly seq: bigint;
  public readonly hash: string;
  public readonly record: Buffer;
  public readonly inputs: Buffer;
  public readonly output: Buffer;

  public constructor(private readonly bytes: Buffer, private readonly start: number, hash: number, record: number, inputs: number, output: number, public readonly end: number) {
    this.head = bytes.readInt16BE(hash - 14);
    this.seq = bytes.readBigInt64BE(hash - 8);
    this.hash = bytes.toString('latin1', hash + 4, record);
    this.record = bytes.subarray(record + 4, inputs);
    this.inputs = bytes.subarray(inputs + 4, output);
    this.output = bytes.subarray(output + 4, end);
  }

  /** Table and place in it: the first two columns. */
  public get place(): string { return this.bytes.toString('latin1', this.start, this.start + 18); }
}
