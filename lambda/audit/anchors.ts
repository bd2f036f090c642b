import type { KeyObject } from 'node:crypto';
import { digestOf } from './hashing';
import { Checkpoint, readStatement, Retention, Signed, Statement, statementDigest } from './statement';
import { nameOf, numberOf, StatementBucket, StoredStatement } from './statement-bucket';
import type { Anchors, DroppedRange, Finding, Progress } from './verify';

/** What was read of the bucket. */
export interface ReadAnchors extends Anchors {
  /** Checkpoints that were read, by number; and how many there are. */
  readonly checkpoints: readonly Checkpoint[];
  readonly known: number;
  /** Months that were dropped as signed, `YYYY_MM`. */
  readonly months: readonly string[];
}

/** Which checkpoints are read. */
export interface WhichCheckpoints {
  /** The last of each hundred alone, and the newest. */
  readonly fewer?: boolean;
  /** So many of the newest alone. */
  readonly newest?: number;
  /** In any case this one. */
  readonly named?: number | undefined;
}

/** Requests at a time. */
const AT_ONCE = 24;

/** Reads what signed statements say of a log. A statement that no key which counts signed is a finding, and says nothing. */
export async function readAnchors(bucket: StatementBucket, keys: readonly KeyObject[], log: string, { fewer = false, newest = Infinity, named }: WhichCheckpoints = {}): Promise<ReadAnchors> {
  const findings: Finding[] = [];
  const problem = (problem: Finding['problem'], entries: string, sentence: string): void => { findings.push({ problem, entries, decisionId: null, sentence }); };
  const [all, erasures, retentions] = await Promise.all([bucket.checkpoints(), bucket.erasures(), bucket.retentions()]);
  for (const { key } of [...all, ...erasures, ...retentions].filter(({ hidden }) => hidden)) problem('statement invalid', key, `${key} was deleted or written over; its first version is what counts`);
  all.forEach(({ key }, index) => {
    if (numberOf(key) !== index + 1) problem('statement invalid', key, `before checkpoint ${numberOf(key)} some are missing, or one is there twice`);
  });

  const read = async (stored: readonly StoredStatement[]): Promise<Statement[]> => {
    const statements: Statement[] = [];
    for (let at = 0; at < stored.length; at += AT_ONCE) {
      const files = await Promise.all(stored.slice(at, at + AT_ONCE).map(async (one) => [one.key, readStatement(await bucket.get(one), keys)] as const));
      for (const [key, file] of files) {
        if (!file) problem('statement invalid', key, `${key} is not signed by a key that counts`);
        else if (file.statement.log !== log) problem('statement invalid', key, `${key} is about another log`);
        else if (nameOf(file.statement) !== key) problem('statement invalid', key, `${key} holds ${nameOf(file.statement)}`);
        else statements.push(file.statement);
      }
    }
    return statements;
  };
  const chosen = all.filter(({ key }, index) => numberOf(key) === named || index === all.length - 1 || (index >= all.length - newest && (!fewer || numberOf(key) % 100 === 0)));
  const checkpoints = (await read(chosen)).filter((statement): statement is Checkpoint => statement.format === 'agent-controls/checkpoint/1');
  checkpoints.forEach((checkpoint, index) => {
    const before = checkpoints[index - 1];
    if (before?.number === checkpoint.number - 1 && statementDigest(before).toString('hex') !== checkpoint.previous) problem('statement invalid', String(checkpoint.number), `checkpoint ${checkpoint.number} does not follow checkpoint ${before.number}`);
    if (before && (checkpoint.databaseAt < before.databaseAt || checkpoint.at < before.at)) problem('statement invalid', String(checkpoint.number), `checkpoint ${checkpoint.number} is earlier than checkpoint ${before.number}: a clock went back`);
  });

  const seen = new Map<number, Map<bigint, { hash: string; checkpoint: number; at: string }>>();
  for (const { number, heads, databaseAt } of checkpoints) {
    for (const [head, seq, hash] of heads) {
      const chain = seen.get(head) ?? new Map<bigint, { hash: string; checkpoint: number; at: string }>();
      seen.set(head, chain);
      const known = chain.get(BigInt(seq));
      if (known && known.hash !== digestOf(hash)) problem('checkpoint contradicted', `${head}:${seq}`, `checkpoints ${known.checkpoint} and ${number} saw different entries at ${head}:${seq}`);
      // The last checkpoint that saw an entry as a chain's end is the latest time before what came next.
      chain.set(BigInt(seq), { hash: digestOf(hash), checkpoint: number, at: databaseAt });
    }
  }
  // A chain that a checkpoint did not have yet has no entry from before it.
  const begins = new Map<number, string>();
  for (let head = 0; head < 64; head += 1) {
    const first = checkpoints.findIndex(({ heads }) => heads.some(([known]) => known === head));
    const last = checkpoints[first === -1 ? checkpoints.length - 1 : first - 1];
    if (last) begins.set(head, last.databaseAt);
  }
  const erased = new Map<string, string>();
  for (const statement of await read(erasures)) if (statement.format === 'agent-controls/erasure/1') for (const place of statement.payloads) erased.set(place, `erasures/${statement.erasure}.json`);
  const dropped: DroppedRange[] = [];
  const months: string[] = [];
  for (const statement of await read(retentions)) {
    if (statement.format !== 'agent-controls/retention/1') continue;
    const fault = retentionFault(statement, await firstAfter(checkpoints, bucket, keys, all, monthEnd(statement.month)));
    if (fault !== undefined) {
      problem('statement invalid', `retention/${statement.month}.json`, `the month ${statement.month} ${fault}`);
      continue;
    }
    months.push(statement.month);
    for (const [head, from, to, hash] of statement.ranges) dropped.push({ head, from: BigInt(from), to: BigInt(to), hash: digestOf(hash), statement: `retention/${statement.month}.json` });
  }
  return { seen, begins, erased, dropped, findings, checkpoints, known: all.length, months };
}

/** First instant after a month, `YYYY_MM`. */
export function monthEnd(month: string): string {
  const [year = 0, of = 0] = month.split('_').map(Number);
  return new Date(Date.UTC(year, of, 1)).toISOString();
}

/**
 * Why a month may not be dropped, or was not to be: it is not old enough by the clock of who signs, or holds entries that the first checkpoint after
 * its end had not seen, which are of a later month.
 */
export function retentionFault({ month, keptMonths, at, ranges }: Pick<Retention, 'month' | 'keptMonths' | 'at' | 'ranges'>, after: Checkpoint | undefined): string | undefined {
  const end = new Date(monthEnd(month));
  if (new Date(Date.UTC(end.getUTCFullYear(), end.getUTCMonth() + keptMonths, 1)).getTime() > Date.parse(at)) return `was not kept for ${keptMonths} months`;
  if (!after) return 'was dropped, and no checkpoint came after it';
  const ends = new Map(after.heads.map(([head, seq]) => [head, seq]));
  const later = ranges.find(([head, , to]) => to > (ends.get(head) ?? 0));
  return later && `does not hold ${later[0]}:${later[2]}: checkpoint ${after.number}, the first after it, had not seen that`;
}

/** The first checkpoint at or after an instant. Numbers grow with time, so half of them are left out with each look. */
export async function firstAfter(read: readonly Checkpoint[], bucket: StatementBucket, keys: readonly KeyObject[], all: readonly StoredStatement[], instant: string): Promise<Checkpoint | undefined> {
  const known = new Map(read.map((checkpoint) => [checkpoint.number, checkpoint]));
  let low = 0;
  let high = all.length;
  let found: Checkpoint | undefined;
  while (low < high) {
    const middle = (low + high) >> 1;
    const stored = all[middle] as StoredStatement;
    const checkpoint = known.get(numberOf(stored.key)) ?? (demandStatement(await bucket.get(stored), keys, stored.key).statement as Checkpoint);
    if (checkpoint.databaseAt >= instant) {
      found = checkpoint;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return found;
}

/** Where a verification begins that trusts a checkpoint. */
export function startAt({ heads }: Checkpoint): Progress {
  return { chains: Object.fromEntries(heads.map(([head, seq, hash]) => [head, { seq: String(seq), hash }])), entries: 0, payloads: 0, erased: 0, findings: [], used: [], told: [] };
}

/** A statement of a file, or an error that names it. */
export function demandStatement(text: string, keys: readonly KeyObject[], key: string): Signed {
  const file = readStatement(text, keys);
  if (!file) throw new Error(`StatementInvalid: ${key} is not signed by a key that counts; somebody wrote to the bucket`);
  return file;
}
