/** What free text could take out, or where it could lead whoever reads it. */
import tlds from 'tlds';
import { canonical, canonicalUrl } from './values';

/** A value that was found in a text. */
export interface Found {
  readonly type: string;
  readonly value: string;
}

/** Words behind a spelled-out dot that make a host; any other word behind it is mathematics. */
const TOP_LEVEL = new Set([...tlds, 'example', 'internal', 'invalid', 'lan', 'local', 'localhost', 'onion', 'test']);
/** Ends of file names, which no host has. */
const FILES = new Set(['txt', 'pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'ppt', 'pptx', 'png', 'jpg', 'jpeg', 'gif', 'html', 'json', 'xml', 'yaml', 'yml']);
const HOST = String.raw`(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+(?:xn--[a-z0-9-]+|\p{L}{2,63})`;
const ADDRESS = new RegExp(String.raw`[a-z][a-z0-9+.-]*:\/\/[^\s<>"']+|[^\s@<>"'(),;:]+@${HOST}|(?<![\p{L}\p{N}@.-])${HOST}(?::\d{1,5})?(?:\/[^\s<>"']*)?|\b\d{1,3}(?:\.\d{1,3}){3}\b(?:[:/][^\s<>"']*)?`, 'giu');
const ACCOUNT = /(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,9}(?![A-Z0-9])/gu;
const PHONE = /(?<![\p{L}\p{N}])\+?\(?\d[\d ()./-]{6,}\d(?![\p{L}\p{N}])/gu;

/** Without one of these nothing in a text can lead anywhere: a dot or a slash inside a word, an @, figures, a dot that stands alone or is spelled, letters apart, letters that are no ASCII. */
const LEADS = /[^\s.][./][^\s.]|@|:\/\/|\d[\d ()./-]{6}|[A-Z]{2}\d|[ ([{<][.][ )\]}>]|\bdot\b|punkt|(?:^|\s)\S\s\S\s\S(?:\s|$)|[^\x00-\x7f]/iu;

/** Every address, host, account and phone number of a text, also where it is spelled out. */
export function contactsIn(text: string): Found[] {
  if (!LEADS.test(text)) return [];
  const found = new Map<string, Found>();
  const add = (type: string, value: string): void => { found.set(`${type} ${value}`, { type, value }); };
  for (const reading of readings(text)) {
    for (const [match] of reading.matchAll(ADDRESS)) {
      const word = match.replace(/[.,;:!?)\]}'"*_]+$/u, '');
      if (word.includes('@') && !word.includes('://')) add('email', canonical('email', word) ?? word);
      else if (!FILES.has(/\.(\p{L}+)$/u.exec(word)?.[1]?.toLowerCase() ?? '') || word.includes('/')) add('url', canonicalUrl(word) ?? word);
    }
    for (const [match] of reading.matchAll(ACCOUNT)) add('iban', canonical('iban', match.replaceAll('-', '')) ?? match);
    for (const [match] of reading.matchAll(PHONE)) {
      const digits = match.replaceAll(/\D/gu, '');
      if (digits.length >= 8 && !/^\d{4}-\d{2}-\d{2}$/.test(match)) add('phone', digits);
    }
  }
  return [...found.values()];
}

/** What else a text reads as: with compatible letters, without what nobody sees, and with dots and dashes that are written as words. */
function readings(text: string): string[] {
  const plain = text.normalize('NFKC').replaceAll(/[\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu, '').replaceAll(/[。．｡․‧]/gu, '.');
  const bracketed = plain.replaceAll(/\s*[([{<]\s*(?:dot|punkt|\.)\s*[)\]}>]\s*/giu, '.').replaceAll(/\s*[([{<]\s*(?:at|@)\s*[)\]}>]\s*/giu, '@').replaceAll(/hxxp/giu, 'http');
  const all = [plain, bracketed];
  if (/\bdot\b/iu.test(plain)) {
    const joined = plain.replaceAll(/\s+(?:dash|hyphen|minus)\s+/giu, '-').replaceAll(/\s+dot\s+(\p{L}[\p{L}\p{N}-]+)(?!\s+dot\b)/giu, (whole, word: string) => (TOP_LEVEL.has(word.toLowerCase()) ? `.${word}` : whole)).replaceAll(/\s+dot\s+(?=\S+\.)/giu, '.').replaceAll(/\s+at\s+(?=[^\s]+\.)/giu, '@').replaceAll(/\s+slash\s+/giu, '/');
    all.push(joined);
  }
  // Letters with a space between each, and a dot or a slash that stands alone.
  if (/(?:(?<![^\s])\S\s+){3,}/u.test(bracketed) || /\s[.@]\s/u.test(bracketed)) all.push(bracketed.replaceAll(/(?<=(?:^|\s)\S)\s+(?=\S(?:\s|$))/gu, '').replaceAll(/\s*([.@/])\s*(?=\p{L}{2,})/gu, '$1'));
  return [...new Set(all)];
}

/** Words of a text as they are compared: letters and figures only, in lower case. */
export function wordsOf(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

/** How many words in a row make a quotation. */
const QUOTED = 6;

/** Sequences of words of a text, as they stand in `prose`. */
export function phrasesOf(text: string): string[] {
  const words = wordsOf(text);
  return [...new Set(words.slice(0, Math.max(0, words.length - QUOTED + 1)).map((_, at) => words.slice(at, at + QUOTED).join(' ')))];
}

/** Whether a text holds a value that is private, however it is spaced. */
export function holds(text: string, value: string): boolean {
  const [whole, part] = [wordsOf(text), wordsOf(value)];
  if (part.length === 0) return false;
  if (` ${whole.join(' ')} `.includes(` ${part.join(' ')} `)) return true;
  const joined = part.join('');
  return joined.length >= 6 && whole.join('').includes(joined);
}
