import { canonicalJson } from '../../lib/scope/canonical-json';
import { required } from '../database/connection';
import { errorCode } from './error-code';
import { Image, open } from './image';
import type { ActionContext } from './index';
import { lookAt } from './look';
import type { ReversalItem, ReversalRequest, ReversalResult } from './protocol';
import { Transaction } from './sql';

/** How the writes of one action are undone, as its declaration has it: one of the two. */
export interface Undoing {
  readonly look: (parameters: unknown, context: ActionContext) => Promise<unknown>;
  readonly restore?: ((image: Image, context: ActionContext) => Promise<boolean>) | undefined;
  readonly compensate?: ((image: Image, context: ActionContext) => Promise<void>) | undefined;
}

/**
 * Reverses writes of one action, in their order, as the login of reversals. Postgres is told what came of each in the transaction that
 * changes it: either both are there or neither.
 */
export class Reversal {
  private readonly writes = new Map<string, string[]>();
  private images: ReadonlyMap<string, string> = new Map();

  public constructor(private readonly request: ReversalRequest, private readonly undoing: Undoing, private readonly secret: ActionContext['secret']) {}

  public async run(): Promise<{ readonly results: readonly ReversalResult[] }> {
    const { items, look } = this.request;
    this.images = await this.readImages();
    if (look) return { results: await this.looked() };
    // Restores share a transaction. Where one of them breaks it nothing has happened, and they are done one by one.
    const together = this.undoing.restore && items.length > 1 ? await this.together().catch(() => undefined) : undefined;
    if (together) return { results: together };
    const results: ReversalResult[] = [];
    for (const item of items) results.push(await this.alone(item));
    return { results };
  }

  /** Compares what is there now with what each write left, and changes nothing. */
  private async looked(): Promise<ReversalResult[]> {
    const sql = this.transaction();
    try {
      const results: ReversalResult[] = [];
      for (const item of this.request.items) results.push(await this.standing(item, sql) ?? { reversal: item.reversal, status: 'reversed' });
      return results;
    } finally {
      await sql.rollback();
    }
  }

  private async together(): Promise<ReversalResult[]> {
    const sql = this.transaction();
    try {
      const results: ReversalResult[] = [];
      for (const item of this.request.items) results.push(await this.standing(item, sql) ?? await this.undo(item, sql));
      await this.mark(results, sql);
      await sql.commit();
      return results;
    } catch (error) {
      await sql.rollback().catch(() => undefined);
      throw error;
    }
  }

  private async alone(item: ReversalItem): Promise<ReversalResult> {
    const sql = this.transaction();
    let result: ReversalResult;
    try {
      const refused = await this.standing(item, sql);
      result = refused ?? await this.undo(item, sql);
      if (!refused) {
        await this.mark([result], sql);
        await sql.commit();
        return result;
      }
      await sql.rollback();
    } catch (error) {
      await sql.rollback().catch(() => undefined);
      // Whatever left this process is out: nobody marks it, and a person looks at it.
      if (this.writes.get(item.reversal)?.length) return { reversal: item.reversal, status: 'unknown', why: errorCode(error), writes: this.writes.get(item.reversal) ?? [] };
      const why = errorCode(error);
      result = { reversal: item.reversal, status: why === 'ChangedSince' ? 'conflict' : 'failed', why };
    }
    const marking = this.transaction();
    await this.mark([result], marking);
    await marking.commit();
    return result;
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
    const context = this.context(item, sql);
    const image = await this.image(item.decision);
    if (restore && !(await restore(image, context))) throw new Error('ChangedSince: somebody changed it between the look and the write');
    await compensate?.(image, context);
    return { reversal: item.reversal, status: 'reversed', writes: this.writes.get(item.reversal) ?? [] };
  }

  private async image(decision: string): Promise<Image> {
    const sealed = this.images.get(decision);
    if (sealed === undefined) throw new Error('ImageGone: there is no image of this decision any more');
    return open(decision, sealed);
  }

  private context({ reversal }: ReversalItem, sql: Transaction): ActionContext {
    return {
      idempotencyKey: reversal, sql, secret: this.secret,
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

  private transaction(): Transaction {
    return new Transaction({ resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn: this.request.loginSecretArn });
  }
}
