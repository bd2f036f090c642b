import type { Retention } from '../audit/statement';
import { arg, callFunction, required } from '../database/connection';
import { firstAfter, monthEnd, retentionFault } from '../audit/anchors';
import { bucket, ownKey, place, state } from './checkpoints';

interface Due extends Pick<Retention, 'log' | 'month' | 'keptMonths' | 'ranges'> {
  readonly refused?: 'LegalHold';
}

/** Drops the months that were kept long enough, oldest first: a signed statement, then the drop with its entry. */
export async function dropDueMonths(): Promise<{ dropped: string[]; heldBack: string | null }> {
  const months = Number(required('RETENTION_MONTHS'));
  const dropped: string[] = [];
  for (;;) {
    const due = await callFunction<Due | null>('audit.due_month', { months: arg.int(months) });
    if (!due || due.refused !== undefined) return { dropped, heldBack: due?.month ?? null };
    const at = new Date().toISOString();
    // The database says what is due; whether it is, the keeper's clock and the checkpoints of that time say.
    const all = await bucket().checkpoints();
    const fault = retentionFault({ ...due, at }, await firstAfter([], bucket(), [await ownKey()], all, monthEnd(due.month)));
    if (fault !== undefined) throw new Error(`MonthNotDue: the month ${due.month} ${fault}; run agent-controls audit verify`);
    const { name, statement, digest } = await state<Retention>({ format: 'agent-controls/retention/1', ...due, ...place(), at });
    const done = await callFunction<boolean>('audit.drop_month', { months: arg.int(months), statement: arg.text(JSON.stringify(statement)), name: arg.text(name), digest: arg.text(digest) });
    if (!done) throw new Error(`MonthNotDue: ${due.month} was to be dropped, and is not the oldest month that is due any more`);
    dropped.push(due.month);
  }
}
