import { ExecuteStatementCommand } from '@aws-sdk/client-rds-data';
import type { Erasure } from '../audit/statement';
import { erasureKey } from '../audit/statement-bucket';
import { arg, callFunction, dataApi, ownLogin, required } from '../database/connection';
import { HttpError } from '../http/http';
import { auditorsLog, place, state, stored } from './checkpoints';

/** What the person who ordered an erasure gets: the signed statement, and where it lies. */
export interface Receipt {
  readonly statement: Erasure;
  readonly name: string;
  readonly digest: string;
}

interface Page extends Pick<Erasure, 'log' | 'orderedAt' | 'calls' | 'runs'> {
  readonly places: readonly string[] | null;
}

/** Who asked for an erasure, of whom, and why: as the API authenticated it, and not as the database remembers it. */
export interface Order {
  readonly erasure: string;
  readonly subject: string;
  readonly orderedBy: string;
  readonly reference: string;
}

/**
 * Carries out an order: every payload is looked at, a statement signed, then text and salts go, with an entry. Nothing is signed away that does not
 * mention the subject, whatever the database says it does.
 */
export async function carryOut({ erasure, subject, orderedBy, reference }: Order): Promise<Receipt> {
  const payloads: string[] = [];
  let told: Page | undefined;
  for (;;) {
    const page: Page | null = await callFunction<Page | null>('audit.erasure_places', { erasure: arg.uuid(erasure), from: arg.int(payloads.length) });
    if (!page) throw new HttpError(409, 'ErasureElsewhere', `erasure ${erasure} is not open any more; its statement is ${erasureKey({ erasure })}`);
    told = page;
    if (!page.places?.length) break;
    payloads.push(...page.places);
  }
  for (const payload of payloads) await demandMention(payload, subject);
  const { log, orderedAt, calls, runs } = told;
  const statement = await state<Erasure>({ format: 'agent-controls/erasure/1', log, erasure, orderedBy, orderedAt, reference, payloads, calls, runs, ...place(), at: new Date().toISOString(), backupsExpire: backupsExpire() });
  await finish(statement);
  return statement;
}

/** Finishes orders whose statement was signed and whose deed was cut off. One that was never stated is nobody's, and stays undone. */
export async function finishErasures(): Promise<number> {
  let finished = 0;
  for (const erasure of await callFunction<string[]>('audit.ordered_erasures', {})) {
    const statement = await stored<Erasure>(erasureKey({ erasure }));
    if (!statement) continue;
    await finish(statement);
    finished += 1;
  }
  return finished;
}

async function finish({ statement, name, digest }: Receipt): Promise<void> {
  const { refused } = await callFunction<{ refused?: string }>('audit.carry_out_erasure', { erasure: arg.uuid(statement.erasure), places: arg.text(JSON.stringify(statement.payloads)), statement: arg.text(name), digest: arg.text(digest) });
  if (refused === 'LegalHold') throw new HttpError(409, 'LegalHold', 'a legal hold was placed meanwhile; the erasure waits until it is released');
  await sweep(statement.erasure);
}

const PART = 'select string_agg(case when :part = \'inputs\' then inputs else output end, \'\' order by chunk) as text from audit.payload where head = :head::smallint and seq = :seq::bigint';

async function demandMention(payload: string, subject: string): Promise<void> {
  const [head, seq, part = ''] = payload.split(':');
  const [{ text } = {}] = await auditorsLog().rows(PART, { part, head: Number(head), seq: Number(seq) });
  const folded = (of: string): string => of.normalize('NFKC').toLowerCase().replaceAll(/[\u00ad\u200b-\u200f\u2060\ufeff\\]/g, '').replaceAll(/\s+/g, ' ');
  const plain = typeof text === 'string' ? folded(text.replaceAll(/\\[nrt]/g, ' ')) : '';
  if (!plain.includes(folded(subject))) throw new HttpError(409, 'ErasureRefused', `${payload} was to be erased, and does not mention the subject; somebody altered the database, run agent-controls audit verify`);
}

/** First day on which no backup holds what is erased now. */
function backupsExpire(): string {
  return new Date(Date.now() + (Number(required('BACKUP_DAYS')) + 1) * 86_400_000).toISOString().slice(0, 10);
}

/** Takes dead rows and words of the search index away, where Postgres lets anyone but the owner do that (17 and later). What cannot be swept now is told. */
async function sweep(erasure: string): Promise<void> {
  for (const table of await callFunction<string[]>('audit.swept_partitions', { erasure: arg.uuid(erasure) })) {
    // Names of partitions are ours: letters, digits, a dot and underscores.
    if (!/^audit\.payload_\w+$/.test(table)) throw new Error('PartitionInvalid: a partition has another name than the migrations give');
    for (const sql of [`vacuum ${table}`, `reindex index concurrently ${table}_words`]) {
      await dataApi().send(new ExecuteStatementCommand({ ...ownLogin(), sql, continueAfterTimeout: true }))
        .catch((error: unknown) => console.error(JSON.stringify({ level: 'error', error: 'SweepFailed', table, cause: error instanceof Error ? error.name : 'unknown' })));
    }
  }
}
