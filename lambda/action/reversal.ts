import { createHash } from 'node:crypto';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { required } from '../database/connection';
import { errorCode } from '../errors/error-code';
import type { Image } from './image';
import { open } from './sealed';
import type { ActionContext } from './index';
import { lookAt } from './look';
import type { ReversalItem, ReversalRequest, ReversalResult } from './protocol';
import { Transaction } from './sql';

/** How the writes of one action are undone, as its declaration has it: one of the two. */
export interface Undoing {
  readonly look: (parameters: unknown, context: ActionContext) => Promise<unknown>;
  readonly restore?: ((image: Image, context: ActionContext) => Promise<boolean>) | undefined;
  readonly compensate?: ((image: Image, context: ActionContext) => Promise<void>) | undefined;
  /** The row that a write is about, where its action names just one: what is about another row need not wait. */
  readonly row?: ((parameters: unknown) => string) | undefined;
}

/** What tells of an edit between look and write: the reverse itself, or Postgres, which could not serialize. */
const CHANGED = ['ChangedSince', 'SqlState40001'];

/** How many transactions restore at a time. */
const LANES = 4;

/**
 * Reverses writes of one action, in their order, as the login of reversals. Postgres is told what came of each in the transaction that
 * changes it: either both are there or neither.
 */
export class Reversal {
  private readonly writes = new Map<string, string[]>();
  private images: ReadonlyMap<string, string> = new Map();
  private readonly opened = new Map<string, Promise<Image>>();

  public constructor(private readonly request: ReversalRequest, private readonly undoing: Undoing, private readonly secret: ActionContext['secret']) {}

  public async run(): Promise<{ readonly results: readonly ReversalResult[] }> {
    const { items, look } = this.request;
    this.images = await this.readImages();
    if (look) return { results: await this.looked() };
    // Restores share transactions. Where one of them breaks, nothing of it has happened; what is not reversed then is tried alone, in order: what
    // looked like a conflict may have been a newer write of this very rollback.
    const results = new Map<string, ReversalResult>();
    if (this.undoing.restore && items.length > 1) {
      for (const done of await Promise.all((await this.lanes()).map((lane) => this.together(lane).catch(() => [])))) for (const result of done) results.set(result.reversal, result);
    }
    for (const item of items) if (!results.has(item.reversal)) results.set(item.reversal, await this.alone(item));
    return { results: [...results.values()] };
  }

  /** Items that may be restored side by side: each lane has all that is about a row, in order. */
  private async lanes(): Promise<ReversalItem[][]> {
    const { row } = this.undoing;
    if (!row) return [[...this.request.items]];
    const lanes = new Map<number, ReversalItem[]>();
    for (const item of this.request.items) {
      const image = await this.image(item.decision).catch(() => undefined); // told when it is tried alone
      const lane = image ? createHash('sha256').update(row(image.parameters)).digest().readUInt32BE() % LANES : 0;
      lanes.set(lane, [...(lanes.get(lane) ?? []), item]);
    }
    return [...lanes.values()];
  }

  /** Compares what is there now with what each write left, and changes nothing. A look that breaks its transaction does not break the others. */
  private async looked(): Promise<ReversalResult[]> {
    const results: ReversalResult[] = [];
    let sql = this.transaction();
    for (const item of this.request.items) {
      try {
        results.push(await this.standing(item, sql) ?? { reversal: item.reversal, status: 'reversed' });
      } catch (error) {
        results.push({ reversal: item.reversal, status: 'failed', why: errorCode(error) });
        await sql.rollback().catch(() => undefined);
        sql = this.transaction();
      }
    }
    await sql.rollback();
    return results;
  }

  private async together(items: readonly ReversalItem[]): Promise<ReversalResult[]> {
    const sql = await this.snapshot();
    try {
      const results: ReversalResult[] = [];
      for (const item of items) if (!await this.standing(item, sql)) results.push(await this.undo(item, sql));
      await this.mark(results, sql);
      await sql.commit();
      return results;
    } catch (error) {
      await sql.rollback().catch(() => undefined);
      throw error;
    }
  }

  private async alone(item: ReversalItem): Promise<ReversalResult> {
    const { reversal } = item;
    const sql = await this.snapshot();
    let result: ReversalResult | undefined;
    let leaving = false;
    try {
      result = await this.standing(item, sql);
      if (!result) {
        if (this.undoing.compensate) await this.begins(item);
        leaving = this.undoing.compensate !== undefined;
        result = await this.undo(item, sql);
        await this.mark([result], sql);
        await sql.commit();
        return result;
      }
      await sql.rollback();
    } catch (error) {
      await sql.rollback().catch(() => undefined);
      const why = errorCode(error);
      // What a compensation did outside is out, whatever it threw: nobody marks it, and a person looks at it.
      if (leaving) return { reversal, status: 'unknown', why, writes: this.writes.get(reversal) ?? [] };
      result = { reversal, status: CHANGED.includes(why) ? 'conflict' : 'failed', why: CHANGED.includes(why) ? 'ChangedSince' : why };
    }
    const marking = this.transaction();
    await this.mark([result], marking);
    await marking.commit();
    return result;
  }

  /** Says so in a transaction of its own: whatever comes of the compensation, that it began is known. */
  private async begins({ reversal, decision }: ReversalItem): Promise<void> {
    const sql = this.transaction();
    await sql.many`select undo.begins(${reversal}::uuid, ${decision}::uuid)`;
    await sql.commit();
  }

  /** Why a write cannot be undone as things stand; nothing when it can. */
  private async standing({ reversal, decision }: ReversalItem, sql: Transaction): Promise<ReversalResult | undefined> {
    const image = await this.image(decision).catch((error: unknown) => errorCode(error));
    if (typeof image === 'string') return { reversal, status: 'failed', why: image };
    if (!this.undoing.restore) return undefined;
    const now = await lookAt(() => this.undoing.look(image.parameters, { ...this.context({ reversal, decision }, sql), idempotencyKey: decision }));
    if (canonicalJson(now) === canonicalJson(image.after)) return undefined;
    return { reversal, status: 'conflict', why: 'gone' in now ? 'RowMissing' : 'ChangedSince' };
  }

  private async undo(item: ReversalItem, sql: Transaction): Promise<ReversalResult> {
    const { restore, compensate } = this.undoing;
    this.writes.delete(item.reversal); // of an attempt that was rolled back
    const context = this.context(item, sql);
    const image = await this.image(item.decision);
    if (restore && !(await restore(image, context))) throw new Error('ChangedSince: somebody changed it between the look and the write');
    await compensate?.(image, context);
    return { reversal: item.reversal, status: 'reversed', writes: this.writes.get(item.reversal) ?? [] };
  }

  private async image(decision: string): Promise<Image> {
    const sealed = this.images.get(decision);
    if (sealed === undefined) throw new Error('ImageGone: there is no image of this decision any more');
    const image = this.opened.get(decision) ?? open<Image>('before-image', decision, sealed);
    this.opened.set(decision, image);
    return image;
  }

  private context({ reversal, decision }: ReversalItem, sql: Transaction): ActionContext {
    return {
      idempotencyKey: `reverse-${decision}`, // the same for every attempt to undo this decision
      sql, secret: this.secret,
      wrote: (kind, id) => { this.writes.set(reversal, [...(this.writes.get(reversal) ?? []), `${kind}:${id}`]); },
    };
  }

  private async mark(results: readonly ReversalResult[], sql: Transaction): Promise<void> {
    const decisions = new Map(this.request.items.map(({ reversal, decision }) => [reversal, decision]));
    await sql.many`select undo.mark(${JSON.stringify(results.map(({ reversal, status, why }) => ({ reversal, decision: decisions.get(reversal), status, why })))})`;
  }

  private async readImages(): Promise<Map<string, string>> {
    const sql = this.transaction();
    try {
      const images = new Map<string, string>();
      const rows = await sql.many<{ decision: string; sealed: string }>`select decision, sealed from undo.images(${JSON.stringify(this.request.items.map(({ decision }) => decision))})`;
      for (const { decision, sealed } of rows) images.set(decision, (images.get(decision) ?? '') + sealed);
      return images;
    } finally {
      await sql.rollback();
    }
  }

  /** A transaction that sees one state and writes over nothing that came later: an edit between look and write is an error of Postgres. */
  private async snapshot(): Promise<Transaction> {
    const sql = this.transaction();
    await sql.run`set transaction isolation level repeatable read`;
    return sql;
  }

  private transaction(): Transaction {
    return new Transaction({ resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn: this.request.loginSecretArn });
  }
}
