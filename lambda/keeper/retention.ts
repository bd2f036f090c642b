import type { Retention } from '../audit/statement';
import { arg, callFunction, required } from '../database/connection';
import { place, state } from './checkpoints';

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
    const { name, statement, digest } = await state<Retention>({ format: 'agent-controls/retention/1', ...due, ...place(), at: new Date().toISOString() });
    const done = await callFunction<boolean>('audit.drop_month', { months: arg.int(months), statement: arg.text(JSON.stringify(statement)), name: arg.text(name), digest: arg.text(digest) });
    if (!done) throw new Error(`MonthNotDue: ${due.month} was to be dropped, and is not the oldest month that is due any more`);
    dropped.push(due.month);
  }
}
