import { Client } from 'pg';
import { to } from 'pg-copy-streams';
import { HEADS, LOG_ROWS, ORPHANS } from '../../lambda/audit/queries';
import { LogRow, uuid, Verification, Verifier } from '../../lambda/audit/verify';

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
function parse(bytes: Buffer, at: number): (LogRow & { readonly end: number }) | undefined {
  if (at + 2 > bytes.length || bytes.readInt16BE(at) !== COLUMNS) return undefined;
  const starts: number[] = [];
  let end = at + 2;
  for (let column = 0; column < COLUMNS; column += 1) {
    if (end + 4 > bytes.length) return undefined;
    starts.push(end);
    end += 4 + Math.max(bytes.readInt32BE(end), 0);
  }
  if (end > bytes.length) return undefined;
  const start = (column: number): number => starts[column] as number;
  const value = (column: number): Buffer | null => {
    const length = bytes.readInt32BE(start(column));
    return length < 0 ? null : bytes.subarray(start(column) + 4, start(column) + 4 + length);
  };
  const part = value(14);
  return {
    end,
    place: bytes.toString('latin1', start(0), start(2)),
    head: bytes.readInt16BE(start(2) + 4), seq: bytes.readBigInt64BE(start(3) + 4), hash: value(4) ?? Buffer.alloc(0),
    content: bytes.subarray(start(5) + 4, start(14)),
    describe: () => ({ kind: value(6)?.toString() ?? '', decisionId: value(10) ? uuid((value(10) as Buffer).toString('hex')) : null }),
    inputsDigest: value(12), outputDigest: value(13),
    part: part === null ? null : part.length === 6 && part[0] === 0x69 ? 'inputs' : 'output', salt: value(15), body: value(16),
  };
}
