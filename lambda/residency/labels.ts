import { DIRECT_SQL, readActionName } from '../../lib/scope/compile';
import type { ReturnedField } from '../../lib/scope/manifest';
import { classOf, ResidencyPolicy, UNCLASSIFIED } from '../../lib/scope/residency';
import { canBeFound } from './finder';

/** What a run has read: its classes, values with theirs, and classes of which not every value is at hand. */
export interface Labels {
  readonly classes: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, ReadonlySet<string>>;
  /** What cannot be looked for cannot be taken out. */
  readonly unread: ReadonlySet<string>;
}

/** What calls of the run have touched, all of them: an action, and of a read each column that it gave or compared. */
export interface Touched { readonly action: string; readonly column: string | null }

/** One call whose result is at hand. */
export interface Read {
  readonly action: string;
  readonly columns: readonly string[] | null;
  readonly where: Readonly<Record<string, unknown>> | null;
  /** Rows, or what an action returned; undefined where it is not at hand. */
  readonly result: unknown;
}

/** Declared fields of actions, by name of the action. */
export type Returns = Readonly<Record<string, Readonly<Record<string, ReturnedField>> | null>>;

/** Classes of types that say by themselves what they are. */
const TYPES: ReadonlyMap<string, string> = new Map(Object.entries({ email: 'contact', phone: 'contact', name: 'contact', iban: 'payment', money: 'business', date: 'business', integer: 'business', flag: 'business', 'one-of': 'business' }));

/**
 * Labels of what a run has read: of columns by the policy, of declared fields by their type. Direct SQL may have read whatever the card lets it read. What
 * nobody knows is unclassified, and what is not at hand is unread.
 *
 * @param columns every `table.column` that the card names.
 * @param everyCall whether `reads` are all calls that returned something.
 */
export function labelsOf(policy: ResidencyPolicy, columns: readonly string[], returns: Returns, touched: readonly Touched[], reads: readonly Read[], everyCall: boolean): Labels {
  const tables = new Map(columns.map((column) => column.slice(0, column.lastIndexOf('.'))).map((table) => [readActionName(table), table]));
  const ofAction = (action: string): ReadonlyMap<string, string> => new Map(Object.entries(returns[action] ?? {}).map(([name, { type }]) => [name, fieldClass(policy, type)]));
  const classesOf = ({ action, column }: Touched): string[] => {
    if (action === DIRECT_SQL) return columns.map((each) => classOf(policy, each));
    const table = tables.get(action);
    if (table !== undefined && column !== null) return [classOf(policy, `${table}.${column}`)];
    return table === undefined && Object.hasOwn(returns, action) ? [...ofAction(action).values()] : [UNCLASSIFIED];
  };
  const classes = new Set(touched.flatMap(classesOf));
  const values = new Map<string, Set<string>>();
  const unread = new Set<string>();
  const label = (className: string, value: unknown): void => {
    for (const text of textsOf(value)) {
      // The agent was given what the record leaves out, and what is too short to be looked for.
      if (text.includes('[redacted: ') || !canBeFound(text)) unread.add(className);
      else values.set(text, (values.get(text) ?? new Set()).add(className));
    }
  };
  for (const { action, columns: asked, where, result } of reads) {
    if (action === DIRECT_SQL || result === undefined || result === null) continue;
    const table = tables.get(action);
    const fields = table === undefined ? ofAction(action) : new Map((asked ?? []).map((column) => [column, classOf(policy, `${table}.${column}`)]));
    const rows = [result].flat() as (Record<string, unknown> | null)[];
    for (const [name, className] of fields) {
      // A field that stands elsewhere than it is declared is one that nobody can look for.
      if (rows.length > 0 && !rows.some((row) => typeof row === 'object' && row !== null && Object.hasOwn(row, name))) unread.add(className);
      for (const row of rows) label(className, row?.[name]);
    }
    if (table !== undefined) for (const [column, value] of Object.entries(where ?? {})) label(classOf(policy, `${table}.${column}`), value);
  }
  const lost = everyCall ? reads.filter(({ action, result }) => result === undefined || action === DIRECT_SQL).flatMap(({ action, columns: asked, where }) => [...asked ?? [null], ...Object.keys(where ?? {})].map((column): Touched => ({ action, column }))) : touched;
  for (const className of lost.flatMap(classesOf)) unread.add(className);
  return { classes, values, unread };
}

/** The class of a field that an action declares: that of the column whose values it has, or of its type. */
const fieldClass = (policy: ResidencyPolicy, type: string): string => (type.includes('.') ? classOf(policy, type) : TYPES.get(type) ?? policy.prose);

/** Every text of a value, with names of its fields; yes and no are such that nobody finds. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.trim() === '' ? [] : [value];
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  return typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([name, inner]) => [name, ...textsOf(inner)]) : [];
}
