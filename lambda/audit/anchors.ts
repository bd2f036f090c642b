import type { KeyObject } from 'node:crypto';
import { digestOf } from './hashing';
import { Checkpoint, readStatement, Signed, Statement, statementDigest } from './statement';
import { numberOf, StatementBucket, StoredStatement } from './statement-bucket';
import type { Anchors, DroppedRange, Finding, Progress } from './verify';

/** What was read of the bucket. */
export interface ReadAnchors extends Anchors {
  /** Checkpoints that were read, by number; of how many there are. */
  readonly checkpoints: readonly Checkpoint[];
  readonly known: number;
}

/** Requests at a time. */
const AT_ONCE = 24;

/**
 * Reads what signed statements say of a log: of checkpoints the last of every day and the newest, or all. A statement that no pinned key
 * signed is a finding, and says nothing.
 *
 * @param named number of a checkpoint that is read in any case.
 */
export async function readAnchors(bucket: StatementBucket, keys: readonly KeyObject[], log: string, everyCheckpoint = false, named?: number): Promise<ReadAnchors> {
  const findings: Finding[] = [];
  const problem = (problem: Finding['problem'], entries: string, sentence: string): void => { findings.push({ problem, entries, decisionId: null, sentence }); };
  const [all, erasures, retentions] = await Promise.all([bucket.checkpoints(), bucket.erasures(), bucket.retentions()]);
  for (const { key } of [...all, ...erasures, ...retentions].filter(({ hidden }) => hidden)) problem('statement invalid', key, `${key} was deleted or written over; its first version is what counts`);
  all.forEach(({ key }, index) => {
    const before = all[index - 1];
    if (before && numberOf(key) !== numberOf(before.key) + 1) problem('statement invalid', key, `between checkpoints ${numberOf(before.key)} and ${numberOf(key)} some are missing, or one is there twice`);
  });

  const read = async (stored: readonly StoredStatement[]): Promise<Statement[]> => {
    const statements: Statement[] = [];
    for (let at = 0; at < stored.length; at += AT_ONCE) {
      const files = await Promise.all(stored.slice(at, at + AT_ONCE).map(async (one) => [one.key, readStatement(await bucket.get(one), keys)] as const));
      for (const [key, file] of files) {
        if (!file) problem('statement invalid', key, `${key} is not signed by a key that counts`);
        else if (file.statement.log !== log) problem('statement invalid', key, `${key} is about another log`);
        else statements.push(file.statement);
      }
    }
    return statements;
  };
  const chosen = everyCheckpoint ? all : all.filter(({ key }, index) => numberOf(key) === named || key.slice(0, -18) !== all[index + 1]?.key.slice(0, -18));
  const checkpoints = (await read(chosen)).filter((statement): statement is Checkpoint => statement.format === 'agent-controls/checkpoint/1');
  checkpoints.forEach((checkpoint, index) => {
    const before = checkpoints[index - 1];
    if (before?.number === checkpoint.number - 1 && statementDigest(before).toString('hex') !== checkpoint.previous) problem('statement invalid', String(checkpoint.number), `checkpoint ${checkpoint.number} does not follow checkpoint ${before.number}`);
  });

  const seen = new Map<number, Map<bigint, { hash: string; checkpoint: number }>>();
  for (const { number, heads } of checkpoints) {
    for (const [head, seq, hash] of heads) {
      const chain = seen.get(head) ?? new Map<bigint, { hash: string; checkpoint: number }>();
      seen.set(head, chain);
      const known = chain.get(BigInt(seq));
      if (known && known.hash !== digestOf(hash)) problem('checkpoint contradicted', `${head}:${seq}`, `checkpoints ${known.checkpoint} and ${number} saw different entries at ${head}:${seq}`);
      chain.set(BigInt(seq), { hash: digestOf(hash), checkpoint: number });
    }
  }
  const erased = new Map<string, string>();
  for (const statement of await read(erasures)) if (statement.format === 'agent-controls/erasure/1') for (const place of statement.payloads) erased.set(place, `erasures/${statement.erasure}.json`);
  const dropped: DroppedRange[] = [];
  for (const statement of await read(retentions)) {
    if (statement.format !== 'agent-controls/retention/1') continue;
    for (const [head, from, to, hash] of statement.ranges) dropped.push({ head, from: BigInt(from), to: BigInt(to), hash: digestOf(hash), statement: `retention/${statement.month}.json` });
  }
  return { seen, erased, dropped, findings, checkpoints, known: all.length };
}

/** Where a verification begins that trusts a checkpoint. */
export function startAt({ heads }: Checkpoint): Progress {
  return { chains: Object.fromEntries(heads.map(([head, seq, hash]) => [head, { seq: String(seq), hash }])), entries: 0, payloads: 0, erased: 0, findings: [] };
}

/** A statement of a file, or an error that names it. */
export function demandStatement(text: string, keys: readonly KeyObject[], key: string): Signed {
  const file = readStatement(text, keys);
  if (!file) throw new Error(`StatementInvalid: ${key} is not signed by a key that counts; somebody wrote to the bucket`);
  return file;
}
