/**
 * Whether a trusted request names a value: as a word of its own and not as part of one. `ch_1` is not named by `ch_10`, nor `ller@x.example`
 * by `müller@x.example`. What the agent says is no request, and neither is what it read.
 */
import type { Money } from '../action/parameters';
import { contactsIn } from './free-text';
import { canonical, canonicalUrl, moneyForms } from './values';

/** What encloses a word, and the punctuation behind it, is not the word's. */
const bare = (word: string): string => word.replace(/^["'([<{„“‘«@#]+/u, '').replace(/(?:["')\]>}“”’».,;:!?]|['’]s)+$/u, '');
const split = (text: string): string[] => text.normalize('NFC').split(/\s+/u).filter((word) => word !== '');

/** A request is asked about many values of one call. */
let last: { readonly text: string; readonly words: string[] } = { text: '', words: [] };
const wordsOf = (request: string): string[] => {
  if (last.text !== request) last = { text: request, words: split(request) };
  return last.words;
};

let lastBare: { readonly text: string; readonly words: string[] } = { text: '', words: [] };
const bareWordsOf = (request: string): string[] => {
  if (lastBare.text !== request) lastBare = { text: request, words: split(request.normalize('NFKC')).map((word) => bare(word)) };
  return lastBare.words;
};

/** Whether words follow each other in a text; only the outer ones may be enclosed. */
function follows(text: readonly string[], wanted: readonly string[], same: (a: string, b: string) => boolean): boolean {
  if (wanted.length === 0) return false;
  return text.some((_, at) => wanted.every((word, index) => {
    const found = text[at + index];
    if (found === undefined) return false;
    return same(found, word) || ((index === 0 || index === wanted.length - 1) && same(bare(found), word));
  }));
}

const equal = (a: string, b: string): boolean => a === b;
const alike = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** @param type value type of the parameter or field; unknown types are names, and compared letter by letter. */
export function namedIn(request: string | null, type: string, value: unknown): boolean {
  const key = canonical(type, value);
  if (request === null || key === undefined) return false;
  const text = wordsOf(request);
  switch (type) {
    case 'money': return moneyIn(request, value as Money);
    case 'phone': return contactsIn(request).some((found) => found.type === 'phone' && found.value === key);
    case 'integer': return figures(request).includes(key);
    case 'date': return dates(request).includes(key);
    case 'url': return text.some((word) => urlsOf(word).includes(key));
    case 'email': return follows(text, split(String(value)), equal);
    // Accounts are written in groups of four, or not.
    case 'iban': return text.some((_, at) => [1, 4, 5, 6, 7, 8, 9, 10].some((groups) => canonical('iban', [...text.slice(at, at + groups - 1), bare(text[at + groups - 1] ?? '')].map((word, index) => (index === 0 ? bare(word) : word)).join('')) === key));
    case 'text': case 'one-of': return follows(text, split(String(value)), alike);
    default: return follows(text, split(String(value)), equal);
  }
}

/** Whether a request asks for an action or a flag: one of the phrases stands in it, word by word. */
export function asksFor(request: string | null, phrases: readonly string[]): boolean {
  if (request === null) return false;
  const text = bareWordsOf(request);
  return phrases.some((phrase) => follows(text, split(phrase), alike));
}

/** Addresses that one word of a request may be: a sentence may begin right behind it, without a space. */
function urlsOf(word: string): string[] {
  const whole = bare(word);
  const before = /^(.*?\.[a-z]{2,})\.[A-Z][a-z]+$/u.exec(whole)?.[1];
  // A file is no host, and a number none that its digits do not spell out.
  return [whole, ...(before === undefined ? [] : [before])].filter((text) => /:\/\/|^www\.|\//iu.test(text) || !/\.(?:zip|mov|md|py|rs|sh|app|\d+)$/iu.test(text)).map((text) => canonicalUrl(text)).filter((url): url is string => url !== undefined);
}

/** Figures as they are written, without separators of thousands: `1,299.00` is `1299.00`. */
function figures(text: string): string[] {
  return split(text).map((word) => bare(word).replace(/^[\p{Sc}]+|^[A-Z]{3}(?=\d)/u, '').replace(/[\p{Sc}%]+$/u, '')).filter((word) => /^\d[\d.,]*$/.test(word))
    .map((word) => (/^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(word) ? word.replaceAll(',', '') : word));
}

const SYMBOLS: Readonly<Record<string, readonly string[]>> = { $: ['USD', 'AUD', 'CAD', 'NZD', 'SGD', 'HKD'], '€': ['EUR'], '£': ['GBP'], '¥': ['JPY', 'CNY'] };
const CODES = new Set(Intl.supportedValuesOf('currency'));
/** Words before a figure that make it a number of something. */
const NUMBERED = /^(?:invoice|order|ticket|no|nr|number|id|page|room|row|version|#)\.?:?$/iu;

/** Whether a request names an amount. Where it writes any figure with a currency, only those are amounts; a percentage, a part of a date and a number of something are none. */
function moneyIn(request: string, money: Money): boolean {
  const text = wordsOf(request);
  const found = text.flatMap((word, at) => {
    const [, before = '', digits = '', after = ''] = /^([\p{Sc}]|[A-Z]{3})?(\d[\d.,]*?)(%|[\p{Sc}]|[A-Z]{3})?$/u.exec(bare(word)) ?? [];
    const [previous, next] = [bare(text[at - 1] ?? ''), bare(text[at + 1] ?? '')];
    if (digits === '' || after === '%' || next === '%' || NUMBERED.test(previous) || [previous, next].some((other) => MONTHS.includes(other.toLowerCase())) || MONTHS.includes(bare(text[at - 2] ?? '').toLowerCase())) return [];
    const mark = [before, after, CODES.has(next) ? next : '', CODES.has(previous) ? previous : ''].find((each) => each !== '');
    return [{ figure: /^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(digits) ? digits.replaceAll(',', '') : digits, currencies: mark === undefined ? undefined : SYMBOLS[mark] ?? [mark] }];
  });
  const marked = found.filter(({ currencies }) => currencies !== undefined);
  return (marked.length > 0 ? marked : found).some(({ figure, currencies }) => (currencies?.includes(money.currency) ?? true) && moneyForms(money).includes(figure));
}

const MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'];

/** Days that a text names, as `YYYY-MM-DD`. */
function dates(text: string): string[] {
  const day = (year: string, month: number, of: string): string => `${year}-${String(month).padStart(2, '0')}-${of.padStart(2, '0')}`;
  const month = (name: string): number => MONTHS.findIndex((each) => each === name.toLowerCase()) + 1;
  const named = MONTHS.join('|');
  return [
    ...[...text.matchAll(/(?<![\d-])(\d{4}-\d{2}-\d{2})(?![\d-])/g)].map(([, found]) => found as string),
    ...[...text.matchAll(new RegExp(`(?<!\\d)(\\d{1,2})(?:st|nd|rd|th)?\\.? (${named}),? (\\d{4})(?!\\d)`, 'gi'))].map(([, of, name, year]) => day(year as string, month(name as string), of as string)),
    ...[...text.matchAll(new RegExp(`\\b(${named}) (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})(?!\\d)`, 'gi'))].map(([, name, of, year]) => day(year as string, month(name as string), of as string)),
  ];
}
