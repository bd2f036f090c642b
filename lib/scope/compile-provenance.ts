/** What a card says of where values come from: columns that are vouched for or private, and registered counterparties. */
import type { Card, Read } from './card';
import { ControlsError, shown } from './controls-error';
import { sqlColumn, sqlTable } from './encode';
import type { ReturnedField } from './manifest';
import { columnParts } from './never';

/** Registered counterparties: values by type, and queries that answer whether `$1` is one of a type. */
export interface Counterparties {
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly queries: readonly { readonly type: string; readonly sql: string }[];
}

/** @throws `ColumnUnread` for a column that the read does not have. */
export function demandRead({ columns }: Read, name: string, field: string): void {
  if (!columns.includes(name)) throw new ControlsError('ColumnUnread', `${field}: got ${shown(name)}, which this read does not have among its columns; add the column, or take it out here`);
}

/** A column that two reads of one table tell different things about is what both tell. */
export function returnedColumns(reads: readonly Read[]): Record<string, ReturnedField> {
  const fields: Record<string, ReturnedField> = {};
  for (const { columns, trusted = {}, private: closed = [] } of reads) {
    for (const column of columns) {
      const type = trusted[column];
      if (type === undefined && !closed.includes(column)) continue;
      fields[column] = { type: type ?? fields[column]?.type ?? 'text', ...(type !== undefined || fields[column]?.trusted ? { trusted: true } : {}), ...(closed.includes(column) || fields[column]?.private ? { private: true } : {}) };
    }
  }
  return fields;
}

/** Registers of a card, compiled. */
export function counterparties(card: Card): Counterparties {
  const values: Record<string, string[]> = {};
  const queries: { type: string; sql: string }[] = [];
  (card.counterparties ?? []).forEach((party, index) => {
    if (party.values !== undefined) values[party.type] = [...(values[party.type] ?? []), ...party.values];
    else {
      const field = `counterparties[${index}].from`;
      const [table, column] = columnParts(party.from, field);
      queries.push({ type: party.type, sql: `select exists (select from ${sqlTable(table, field)} where ${sqlColumn(column, field)}::text = $1)` });
    }
  });
  return { values, queries };
}
