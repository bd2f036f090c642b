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

/** Words that anybody may have written, and that more was read than is kept. */
const PROSE = 'prose';
const CUT = 'cut';

/** Most values that are kept of one result, and most characters of its prose. */
const MOST_VALUES = 2_000;
const MOST_PROSE = 200_000;

/** Types that name no record: half of all rows have the same. */
const COMMON = new Set(['flag', 'one-of', 'integer']);

/**
 * Values of a result, by its declared fields. Every object in it is a record, at whatever depth.
 *
 * @param request what was asked of the run, if that is trusted.
 * @param made whether the run made what is returned: then it knows it as well as what it was asked for.
 * @returns the values, and as the last ones the words that anybody may have written.
 */
export function returnedValues(result: unknown, fields: Readonly<Record<string, ReturnedField>>, request: string | null, made: boolean): KnownValue[] {
  const values = new Map<string, KnownValue>();
  const prose: string[] = [];
  let cut = false;
  const keep = (value: KnownValue): void => {
    const key = `${value.type} ${value.value}`;
    const before = values.get(key);
    if (!before && values.size >= MOST_VALUES) cut = true;
    else if (!before || before.level < value.level || value.private) values.set(key, { ...value, level: before && before.level > value.level ? before.level : value.level, ...(before?.private ? { private: true } : {}) });
  };
  const record = (entries: readonly (readonly [string, unknown])[]): void => {
    const known = entries.flatMap(([name, value]) => (Object.hasOwn(fields, name) ? [{ field: fields[name] as ReturnedField, value }] : []));
    const level = made || known.some(({ field, value }) => field.trusted && !field.within && !COMMON.has(field.type) && namedIn(request, field.type, value)) ? 2 : 1;
    for (const { field, value } of known) {
      if (field.within && typeof value === 'string') {
        for (const found of contactsIn(value)) if (found.type === field.type) keep({ ...found, level: field.trusted ? level : 0 });
      } else {
        const key = canonical(field.type, value);
        if (key !== undefined) keep({ type: field.type, value: key, level: field.trusted ? level : 0, ...(field.private ? { private: true } : {}) });
      }
    }
  };
  const visit = (node: unknown, vouched: boolean): void => {
    if (typeof node === 'string') {
      if (!vouched) prose.push(...wordsOf(node), '\n');
      return;
    }
    if (typeof node !== 'object' || node === null) return;
    if (Array.isArray(node)) return node.forEach((each) => visit(each, vouched));
    const entries = Object.entries(node);
    record(entries);
    for (const [name, inner] of entries) visit(inner, Object.hasOwn(fields, name) && fields[name]?.trusted === true && !fields[name]?.within);
  };
  visit(result, false);
  const words = ` ${prose.join(' ')} `;
  cut ||= words.length > MOST_PROSE;
  return [
    ...values.values(),
    ...(prose.length > 0 ? [{ type: PROSE, value: words.slice(0, MOST_PROSE), level: 0 } as const] : []),
    ...(cut ? [{ type: CUT, value: '', level: 0 } as const] : []),
  ];
}
