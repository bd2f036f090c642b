import { CountryCode, isValidPhoneNumber } from 'libphonenumber-js/min';
import { classOf, ResidencyPolicy, UNCLASSIFIED } from '../../lib/scope/residency';
import type { ReturnedField } from '../../lib/scope/manifest';
import { isIban } from '../provenance/free-text';
import { isCard } from '../redaction/cards';
import { detect, Secret } from '../redaction/detect';
import type { Finder } from '../redaction/redact';

/** Countries whose numbers are known without a code of their country. */
const COUNTRIES: readonly CountryCode[] = ['US', 'GB', 'DE', 'FR', 'ES', 'IT', 'NL', 'SE', 'PL', 'IN', 'AU', 'BR', 'JP'];

const EMAIL = /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,9}\p{L}{2,63}(?![\p{L}\p{N}])/giu;
const ACCOUNT = /(?<![\p{L}\p{N}])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,9}(?![\p{L}\p{N}])/giu;
/** A social security number as it is written; without separators only beside its name. */
const SSN = /(?<![\d-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])/g;
const SSN_NAMED = /(?:\bssn\b|social[ -]security(?:[ -](?:number|no\.?|#))?)\D{0,12}((?!000|666|9\d\d)\d{3}(?!00)\d{2}(?!0000)\d{4})(?!\d)/gi;
/** Digits as people write a phone number: with a plus, a zero or a bracket before, or in groups. */
const PHONE = /(?<![\p{L}\p{N}.@/-])(?:\+\d|00[1-9]|\(?0\d|\(\d{3}\)|\d{3}[-. ]\d{3})[\d ()./-]{4,20}\d(?![\d.@-])/gu;
/** Figures that are none: days, amounts, versions. */
const DAY = /^\d{4}[-./]\d{2}[-./]\d{2}\b|^\d{1,2}[./]\d{1,2}[./]\d{2,4}\b/;

/** Classes of what detectors find, by the class that a policy names. */
async function classesIn(text: string): Promise<Secret[]> {
  const found: Secret[] = (await detect(text)).map(({ kind, start, end }) => ({ kind: kind === 'card-number' ? 'payment' : 'secret', start, end }));
  const add = (kind: string, start: number, length: number): void => { found.push({ kind, start, end: start + length }); };
  for (const match of text.matchAll(EMAIL)) add('contact', match.index, match[0].length);
  for (const match of text.matchAll(ACCOUNT)) if (isIban(match[0].replaceAll(/[ -]/g, '').toUpperCase())) add('payment', match.index, match[0].length);
  for (const match of text.matchAll(SSN)) add('sensitive-pii', match.index, match[0].length);
  for (const match of text.matchAll(SSN_NAMED)) add('sensitive-pii', match.index + match[0].length - (match[1]?.length ?? 0), match[1]?.length ?? 0);
  for (const match of text.matchAll(PHONE)) {
    const overlaps = found.some(({ start, end }) => start < match.index + match[0].length && end > match.index);
    if (!overlaps && !DAY.test(match[0]) && isPhone(match[0])) add('contact', match.index, match[0].length);
  }
  return found;
}

function isPhone(text: string): boolean {
  const number = text.replace(/^00/, '+');
  return number.startsWith('+') ? isValidPhoneNumber(number) : COUNTRIES.some((country) => isValidPhoneNumber(number, country));
}

/** Finds data of known forms, by their class. */
const DETECTORS: Finder = {
  find: classesIn,
  groups: [
    ...[[4, 4, 4, 4], [4, 6, 5], [8, 8], [4, 12], [12, 4], [6, 10], [4, 4, 8], [8, 4, 4]].map((lengths) => ({ kind: 'payment', lengths, is: isCard })),
    { kind: 'sensitive-pii', lengths: [3, 2, 4], is: (digits: string): boolean => /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits) },
  ],
  alone: new Set(['payment', 'contact', 'sensitive-pii']),
};

/** Shortest value that is looked for: a shorter one is a word like any other. */
const SHORTEST = 4;

/** What a run has read: values with their class, and classes whose values nobody can look for. */
export interface Labels {
  readonly classes: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
}

/** One call of the run that returned something. */
export interface Read {
  readonly action: string;
  readonly parameters: { readonly columns?: readonly string[] };
  /** Rows, or what an action returned; undefined where it is not at hand. */
  readonly result: unknown;
  /** Declared fields of an action. */
  readonly returns: Readonly<Record<string, ReturnedField>>;
  readonly isDirect: boolean;
}

/** Classes of types that say by themselves what they are. */
const TYPES: Readonly<Record<string, string>> = { email: 'contact', phone: 'contact', name: 'contact', iban: 'payment', money: 'business', date: 'business', integer: 'business', flag: 'business', 'one-of': 'business' };

/** Labels of what a run has read: of columns by the policy, of declared fields by their type. Direct SQL may have read whatever the card lets it read. */
export function labelsOf(policy: ResidencyPolicy, reads: readonly Read[], columns: readonly string[]): Labels {
  const classes = new Set<string>();
  const values = new Map<string, string>();
  const label = (className: string, value: unknown): void => {
    classes.add(className);
    for (const text of textsOf(value)) if (text.length >= SHORTEST && !values.has(text)) values.set(text, className);
  };
  for (const { action, parameters, result, returns, isDirect } of reads) {
    const table = /^read_(.+)$/.exec(action)?.[1];
    const rows = Array.isArray(result) ? result as Record<string, unknown>[] : [result as Record<string, unknown> | null];
    if (isDirect) {
      for (const column of columns) classes.add(classOf(policy, column));
      continue;
    }
    const fields = parameters.columns?.map((column) => [column, classOf(policy, `${table ?? ''}.${column}`)] as const) ?? Object.entries(returns).map(([name, { type }]) => [name, fieldClass(policy, type)] as const);
    for (const [name, className] of fields) for (const row of rows) label(className, row?.[name]);
  }
  return { classes, values };
}

/** The class of a field that an action declares: that of the column whose values it has, or of its type. */
const fieldClass = (policy: ResidencyPolicy, type: string): string => (type.includes('.') ? classOf(policy, type) : TYPES[type] ?? policy.prose);

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** Finds labelled values and data of known forms; of the given classes only, where some are given. */
export function finderOf({ values }: Pick<Labels, 'values'>, more: (text: string) => readonly Secret[] = () => [], only?: ReadonlySet<string>): Finder {
  const wanted = (kind: string): boolean => only === undefined || only.has(kind);
  const labelled = [...values].map(([value, kind]) => [value.toLowerCase(), kind] as const);
  return {
    find: async (text) => {
      const lower = text.toLowerCase();
      const found = [...await DETECTORS.find(text), ...more(text)];
      // Where lower case has another length, places are not those of the text: the whole of it is taken.
      const isSame = lower.length === text.length;
      for (const [value, kind] of labelled) {
        for (let at = lower.indexOf(value); at >= 0; at = lower.indexOf(value, at + value.length)) found.push(isSame ? { kind, start: at, end: at + value.length } : { kind, start: 0, end: text.length });
      }
      return found.filter(({ kind }) => wanted(kind));
    },
    groups: DETECTORS.groups.filter(({ kind }) => wanted(kind)),
    alone: new Set([...DETECTORS.alone, ...values.values(), UNCLASSIFIED]),
  };
}
