import { Client } from 'pg';
import { to } from 'pg-copy-streams';
import { HEADS, LOG_ROWS, ORPHANS } from '../../lambda/audit/queries';
import { LogRow, Verification, Verifier } from '../../lambda/audit/verify';

/** Verifies the log over one Postgres connection: rows stream through COPY, and one is kept at a time. */
export async function verifyByCopy(client: Client, progress: (entries: number) => void = () => undefined): Promise<Verification> {
  const verifier = new Verifier();
  // One snapshot for rows, heads and orphans: what is appended meanwhile is not half seen.
  await client.query('begin isolation level repeatable read read only');
  try {
    let told = 0;
    for await (const row of copyRows(client)) {
      verifier.add(row);
      if (verifier.count - told >= 5_000) progress((told = verifier.count));
    }
    const heads = (await client.query<{ head: number; seq: string; hash: string }>(HEADS)).rows.map(({ head, seq, hash }) => ({ head, seq: BigInt(seq), hash }));
    const orphans = (await client.query<{ place: string }>(ORPHANS)).rows.map(({ place }) => place);
    return verifier.finish(heads, orphans);
  } finally {
    await client.query('commit');
  }
}

const NEWLINE = 0x0a;

async function* copyRows(client: Client): AsyncGenerator<LogRow> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of client.query(to(`copy (${LOG_ROWS}) to stdout`)) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(NEWLINE);
    if (end < 0) {
      rest = bytes;
      continue;
    }
    rest = bytes.subarray(end + 1);
    for (const line of bytes.toString('utf8', 0, end).split('\n')) yield parse(line);
  }
}

function parse(line: string): LogRow {
  const [place, head, seq, at, kind, login, agent, run, decision, facts, inputsDigest, outputDigest, hash, part, salt, body] = line.split('\t') as [string, string, string, string, string, string, string, string, string, string, string, string, string, string, string, string];
  return {
    place, head: Number(head), seq: BigInt(seq), at: BigInt(at), kind: text(kind) ?? '', login: text(login) ?? '', agent: text(agent), run: text(run), decision: text(decision), facts: text(facts) ?? '',
    inputsDigest: text(inputsDigest), outputDigest: text(outputDigest), hash, part: text(part) as LogRow['part'], salt: text(salt), body: text(body),
  };
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' };

/** A cell of COPY's text format. */
function text(cell: string): string | null {
  if (!cell.includes('\\')) return cell;
  if (cell === '\\N') return null;
  return cell.replaceAll(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
}
