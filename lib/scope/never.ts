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
  const table = column.slice(0, column.lastIndexOf('.'));
  return (list ?? []).some((entry) => entry === column || entry === `${table}.*`);
}
