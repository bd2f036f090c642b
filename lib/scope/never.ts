import { Card } from './card';
import { ControlsError, shown } from './controls-error';

/** `table.column` or `schema.table.column`, in its two parts. */
export function columnParts(column: string, field: string): readonly [table: string, column: string] {
  const cut = column.lastIndexOf('.');
  if (cut < 1) throw new ControlsError('ColumnUnnamed', `${field}: got ${shown(column)}, expected table.column; name the table too`);
  return [column.slice(0, cut), column.slice(cut + 1)];
}

/** Whether the card says that this column is never read. */
export function neverRead(card: Card, column: string): boolean {
  return covers(card.never?.read, column);
}

/** Whether the card says that this column is never written. */
export function neverWrite(card: Card, column: string): boolean {
  return covers(card.never?.write, column);
}

function covers(list: readonly string[] | undefined, column: string): boolean {
  const full = qualified(column);
  const table = full.slice(0, full.lastIndexOf('.'));
  return (list ?? []).map(qualified).some((entry) => entry === full || entry === `${table}.*`);
}

/** `leads.phone` and `public.leads.phone` are one column. */
function qualified(column: string): string {
  return column.split('.').length === 2 ? `public.${column}` : column;
}
