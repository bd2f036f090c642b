import { ExecuteStatementCommand } from '@aws-sdk/client-rds-data';
import type { Erasure } from '../audit/statement';
import { arg, callFunction, dataApi, ownLogin, required } from '../database/connection';
import { place, state } from './checkpoints';

type Ordered = Pick<Erasure, 'log' | 'erasure' | 'orderedBy' | 'orderedAt' | 'reference' | 'payloads' | 'calls' | 'runs'>;

/** What the person who ordered an erasure gets: the signed statement, and where it lies. */
export interface Receipt {
  readonly statement: Erasure;
  readonly name: string;
  readonly digest: string;
}

/**
 * Carries out whatever was ordered and is not done: a signed statement first, then the erasure with its entry. A process that dies between
 * any two steps leaves an order that the next run finishes.
 */
export async function carryOutErasures(): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  for (const ordered of await callFunction<Ordered[]>('audit.ordered_erasures', {})) {
    const statement = await state<Erasure>({ format: 'agent-controls/erasure/1', ...ordered, ...place(), at: ordered.orderedAt, backupsExpire: backupsExpire(ordered.orderedAt) });
    await callFunction('audit.carry_out_erasure', { erasure: arg.uuid(ordered.erasure), statement: arg.text(statement.name), digest: arg.text(statement.digest) });
    await sweep(ordered.erasure);
    receipts.push(statement);
  }
  return receipts;
}

/** First day on which no backup holds what was erased. */
function backupsExpire(at: string): string {
  return new Date(Date.parse(at) + (Number(required('BACKUP_DAYS')) + 1) * 86_400_000).toISOString().slice(0, 10);
}

/** Takes dead rows and words of the search index away, where Postgres lets anyone but the owner do that (17 and later). */
async function sweep(erasure: string): Promise<void> {
  for (const table of await callFunction<string[]>('audit.swept_partitions', { erasure: arg.uuid(erasure) })) {
    // Names of partitions are ours: letters, digits, a dot and underscores.
    if (!/^audit\.payload_\w+$/.test(table)) throw new Error('PartitionInvalid: a partition has another name than the migrations give');
    for (const sql of [`vacuum ${table}`, `reindex index concurrently ${table}_words`]) {
      await dataApi().send(new ExecuteStatementCommand({ ...ownLogin(), sql, continueAfterTimeout: true }));
    }
  }
}
