/** What a result says, value by value, and who vouches for each. */
import type { ReturnedField } from '../../lib/scope/manifest';
import { contactsIn, wordsOf } from './free-text';
import { namedIn } from './named';
import { canonical } from './values';

/** One value that a run knows from a result: level 2 of a record that the request names, or that the run made; 1 of another trusted field; 0 otherwise. */
export interface KnownValue {
  readonly type: string;
  readonly value: string;
  readonly level: 0 | 1 | 2;
  readonly private?: true;
}

/** The call that a result is of. */
export interface CallOf {
  /** What was asked of the run, if that is trusted. */
  readonly request: string | null;
  /** Whether it made something. */
  readonly made: boolean;
  /** What it was called with: what only comes back is vouched for no better than before. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Registered values by type. */
  readonly registered: Readonly<Record<string, readonly string[]>>;
}

/** Words that anybody may have written, and that more was read than is kept. */
const PROSE = 'prose';
const CUT = 'cut';
/** A field whose objects are records as well; no other nesting makes one. */
const RECORDS = 'records';

/** Most values that are kept of one result, most characters of its prose, of one text that addresses are taken out of, and deepest nesting. */
const MOST_VALUES = 2_000;
const MOST_PROSE = 200_000;
const LONGEST_TEXT = 20_000;
const DEEPEST = 50;

/** Types that name no record: half of all rows have the same, or a stranger may have put it into a row of his own. */
const NAMELESS = new Set(['flag', 'one-of', 'integer', 'email', 'iban', 'url', 'phone']);

type Entry = { readonly field: ReturnedField; readonly value: unknown };

/**
 * Values of a result, by its declared fields. Records are the result itself, the objects of a list, and those under a field of type `records`;
 * whatever is nested otherwise is prose, since it is somebody's own structure.
 *
 * @returns the values, and as the last ones the words that anybody may have written.
 */
export function returnedValues(result: unknown, fields: Readonly<Record<string, ReturnedField>>, call: CallOf): KnownValue[] {
  const values = new Map<string, KnownValue>();
  let prose = ' ';
  let cut = false;
  const echoes = new Set(leavesOf(call.parameters).map((leaf) => leaf.toLowerCase()));
  const keep = (value: KnownValue): void => {
    const key = `${value.type} ${value.value}`;
    const before = values.get(key);
    if (!before && values.size >= MOST_VALUES) cut = true;
    else if (!before || before.level < value.level || value.private) values.set(key, { ...value, level: before && before.level > value.level ? before.level : value.level, ...(before?.private ? { private: true } : {}) });
  };
  const say = (node: unknown, depth: number): void => {
    if (typeof node === 'string') {
      if (prose.length > MOST_PROSE) cut = true;
      else prose += `${wordsOf(node.slice(0, MOST_PROSE)).join(' ')} \n `;
    } else if (typeof node === 'object' && node !== null) {
      if (depth > DEEPEST) cut = true;
      else for (const inner of Object.values(node)) say(inner, depth + 1);
    }
  };

  const records: Entry[][] = [];
  const collect = (node: unknown, depth: number): void => {
    if (typeof node !== 'object' || node === null || depth > DEEPEST) return say(node, depth);
    if (Array.isArray(node)) return node.forEach((each) => collect(each, depth + 1));
    const entries: Entry[] = [];
    for (const [name, value] of Object.entries(node)) {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (field?.type === RECORDS) collect(value, depth + 1);
      else {
        if (field) entries.push({ field, value });
        if (!field || !field.trusted || field.within || canonical(field.type, value) === undefined) say(value, depth + 1);
      }
    }
    if (entries.length > 0) records.push(entries);
  };
  collect(result, 0);

  const counts = new Map<string, number>();
  for (const entries of records) for (const key of new Set(entries.map(keyOf))) counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const entries of records) {
    const named = entries.some((entry) => names(entry, call, counts));
    for (const { field, value } of entries) {
      if (field.private) for (const leaf of leavesOf(value)) {
        if (leaf.length > 2_000) cut = true;
        else keep({ type: 'text', value: leaf, level: 0, private: true });
      }
      const level = !field.trusted ? 0 : named || (call.made && !NAMELESS.has(field.type)) ? 2 : 1;
      if (field.within && typeof value === 'string') {
        if (value.length > LONGEST_TEXT) cut = true;
        else for (const found of contactsIn(value)) if (found.type === field.type && !echoes.has(found.value.toLowerCase())) keep({ ...found, level });
      } else {
        const key = canonical(field.type, value);
        if (key !== undefined && !echoes.has(key.toLowerCase())) keep({ type: field.type, value: key, level, ...(field.private ? { private: true } : {}) });
      }
    }
  }
  cut ||= prose.length > MOST_PROSE;
  return [
    ...values.values(),
    ...(prose.trim() !== '' ? [{ type: PROSE, value: prose.slice(0, MOST_PROSE), level: 0 } as const] : []),
    ...(cut ? [{ type: CUT, value: '', level: 0 } as const] : []),
  ];
}

/** What is kept of a result that could not be read: that it was read. */
export const UNREADABLE: readonly KnownValue[] = [{ type: CUT, value: '', level: 0 }];

const keyOf = ({ field, value }: Entry): string => `${field.type} ${canonical(field.type, value) ?? ''}`;

/**
 * Whether the request names a record by one of its fields. An amount, a day, a title, a number and a plain word do so only where one record has
 * it: a stranger can bring a second one along.
 */
function names(entry: Entry, { request, registered }: CallOf, counts: ReadonlyMap<string, number>): boolean {
  const { field, value } = entry;
  if (!field.trusted || field.within || NAMELESS.has(field.type) || !namedIn(request, field.type, value)) return false;
  const key = canonical(field.type, value) ?? '';
  const weak = ['money', 'date', 'text'].includes(field.type) || /^\d+$/.test(key) || /^[\p{Ll}]+$/u.test(key);
  return !weak || (counts.get(keyOf(entry)) === 1 && (key.length > 3 || field.type === 'money' || /^\d+$/.test(key))) || (registered[field.type] ?? []).includes(key);
}

function leavesOf(node: unknown, depth = 0): string[] {
  if (typeof node === 'string') return node === '' ? [] : [node];
  if (typeof node === 'number' || typeof node === 'boolean') return [String(node)];
  if (typeof node !== 'object' || node === null || depth > DEEPEST) return [];
  return Object.values(node).flatMap((inner) => leavesOf(inner, depth + 1));
}
