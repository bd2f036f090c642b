import { CountryCode, isValidPhoneNumber } from 'libphonenumber-js/min';
import { isIban } from '../provenance/free-text';
import { cardsIn, isCard } from '../redaction/cards';
import { detect, Secret } from '../redaction/detect';
import type { Finder } from '../redaction/redact';

/** Countries whose numbers are known without a code of their country. */
const COUNTRIES: readonly CountryCode[] = ['US', 'GB', 'DE', 'FR', 'ES', 'IT', 'NL', 'SE', 'PL', 'IN', 'AU', 'BR', 'JP'];

const EMAIL = /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,9}\p{L}{2,63}(?![\p{L}\p{N}])/giu;
/** Where an account number may begin, and how far it may reach. */
const ACCOUNT = /(?<![\p{L}\p{N}])[A-Z]{2}\d{2}(?:[ .-]{0,2}[A-Z0-9]){11,30}/giu;
/** A social security number as it is written; without separators only beside its name. */
const SSN = /(?<![\d-])(?!000|666|9\d\d)\d{3}([ .\p{Pd}])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])/gu;
const SSN_NAMED = /(?:\bssn\b|social[ -]security(?:[ -](?:number|no\.?|#))?)\D{0,12}((?!000|666|9\d\d)\d{3}(?!00)\d{2}(?!0000)\d{4})(?!\d)/gi;
/** Digits as people write a phone number: with a plus, a zero or a bracket before, or in groups. */
const PHONE = /(?<![\p{L}\p{N}.@/-])(?:\+\d|00[1-9]|\(?0\d|\(\d{3}\)|\d{3}[-. ]\d{3})[\d\u00a0 ()./-]{4,40}\d(?![\d.@-])/gu;
/** Figures that are none: days, versions, addresses of machines. */
const FIGURE = /^\d{4}[-./]\d{2}[-./]\d{2}\b|^\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|^\d{1,3}(?:\.\d{1,3}){3}$/;

/** Classes of what detectors find, by the class that a policy names. */
async function classesIn(text: string): Promise<Secret[]> {
  const found: Secret[] = (await detect(text)).filter(({ kind }) => kind !== 'card-number').map(({ start, end }) => ({ kind: 'secret', start, end }));
  const add = (kind: string, start: number, length: number): void => { found.push({ kind, start, end: start + length }); };
  for (const { start, end } of cardsIn(text, true)) add('payment', start, end - start);
  for (const match of text.matchAll(EMAIL)) add('contact', match.index, match[0].length);
  for (const match of text.matchAll(ACCOUNT)) {
    const length = accountIn(match[0], text[match.index + match[0].length]);
    if (length !== undefined) add('payment', match.index, length);
  }
  for (const match of text.matchAll(SSN)) add('sensitive-pii', match.index, match[0].length);
  for (const match of text.matchAll(SSN_NAMED)) add('sensitive-pii', match.index + match[0].length - (match[1]?.length ?? 0), match[1]?.length ?? 0);
  const before = [...found]; // phone numbers do not overlap each other
  for (const match of text.matchAll(PHONE)) {
    for (const { start, length } of phonesIn(match[0])) {
      if (!before.some((other) => other.start < match.index + start + length && other.end > match.index + start)) add('contact', match.index + start, length);
    }
  }
  return found;
}

/** How long the account number is that a text begins with: the longest one that ends where a word ends. */
function accountIn(text: string, next = ' '): number | undefined {
  for (let length = text.length; length >= 15; length -= 1) {
    if (/[\p{L}\p{N}]/u.test(text[length] ?? (length === text.length ? next : ' ')) || !/[A-Z0-9]/i.test(text[length - 1] ?? '')) continue;
    const account = text.slice(0, length);
    // Encodings mix cases, people do not.
    if (/[a-z]/.test(account) && /[A-Z]/.test(account)) continue;
    if (isIban(account.replaceAll(/[ .-]/g, '').toUpperCase())) return length;
  }
  return undefined;
}

/** Phone numbers in digits that may be several, one after another. */
function phonesIn(text: string): { readonly start: number; readonly length: number }[] {
  if (FIGURE.test(text)) return [];
  if (isPhone(text)) return [{ start: 0, length: text.length }];
  const words = [...text.matchAll(/[^ \u00a0]+/g)];
  for (let first = 0; first < words.length; first += 1) {
    for (let last = words.length - 1; last >= first; last -= 1) {
      const [from, to] = [words[first]?.index ?? 0, (words[last]?.index ?? 0) + (words[last]?.[0].length ?? 0)];
      if (to - from < text.length && /\d{2}/.test(text.slice(from, to)) && isPhone(text.slice(from, to))) return [{ start: from, length: to - from }, ...phonesIn(text.slice(to)).map(({ start, length }) => ({ start: start + to, length }))];
    }
  }
  return [];
}

function isPhone(text: string): boolean {
  const { length } = text.replaceAll(/\D/g, '');
  if (length < (/^\d+$/.test(text) ? 9 : 7) || length > 17) return false; // the library is asked about what could be one
  const number = text.replace(/^00/, '+');
  return number.startsWith('+') ? isValidPhoneNumber(number) : /^[(0]|^\d{3}[-. ]/.test(number) && COUNTRIES.some((country) => isValidPhoneNumber(number, country));
}

/** Finds data of known forms, by their class. */
export const DETECTORS: Finder = {
  find: classesIn,
  groups: [
    ...[[4, 4, 4, 4], [4, 6, 5], [8, 8], [4, 12], [12, 4], [6, 10], [4, 4, 8], [8, 4, 4]].map((lengths) => ({ kind: 'payment', lengths, is: isCard })),
    { kind: 'sensitive-pii', lengths: [3, 2, 4], is: (digits: string): boolean => /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits) },
  ],
  alone: new Set(['payment', 'contact', 'sensitive-pii']),
};
