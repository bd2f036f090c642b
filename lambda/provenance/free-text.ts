/** What free text could take out, or where it could lead whoever reads it. */
import tlds from 'tlds';
import { digit } from './digit';
import { canonical, canonicalUrl } from './values';

/** A value that was found in a text. */
export interface Found {
  readonly type: string;
  readonly value: string;
}

/** Without one of these a text leads nowhere, in whatever reading. */
const LEADS = /[.@:/\\\d·•]|dot|d0t|punkt|punto|ponto|point|(?:^|\s)\S\s\S\s\S(?:\s|$)|[^\x00-\x7f]/iu;
/** Ends of hosts; without a scheme, a path or `www` only these make one. */
const TOP_LEVEL = new Set([...tlds, 'example', 'internal', 'invalid', 'lan', 'local', 'localhost', 'onion', 'test']);
/** Ends of file names, which no host has. */
const FILES = new Set(['txt', 'pdf', 'csv', 'doc', 'docx', 'xls', 'xlsx', 'ppt', 'pptx', 'png', 'jpg', 'jpeg', 'gif', 'html', 'json', 'xml', 'yaml', 'yml']);
/** Longest word that is looked into. A longer one that could be an address is one. */
const LONGEST_WORD = 300;

/** Every scheme, host, address, wallet and share has one of these. */
const CONTACT = /[.:@/\\]|bc1|0x/iu;

const LABEL = String.raw`[\p{L}\p{N}\p{S}_](?:[\p{L}\p{N}\p{M}\p{S}_-]{0,61}[\p{L}\p{N}\p{M}\p{S}_])?`;
const HOST = new RegExp(String.raw`(?:${LABEL}\.){1,9}(?:xn--[a-z0-9-]{1,59}|[\p{L}\p{M}]{2,63})(?![\p{L}\p{N}])`, 'giu');
const SCHEME = /(?:https?|ftp|wss?|file|tg|sms|tel|mailto|javascript|data|bitcoin|ethereum|skype|whatsapp|signal):[^\s]+|[a-z][a-z0-9+.-]{1,20}:\/\/[^\s]+/iu;
const NUMBERED = /(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)|(?<![\p{L}\p{N}])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}(?![\p{L}\p{N}])|::[0-9a-f]{1,4}(?![\p{L}\p{N}])/giu;
const WALLET = /(?<![\p{L}\p{N}])(?:bc1[a-z0-9]{20,80}|0x[0-9a-f]{40})(?![\p{L}\p{N}])/iu;
const ACCOUNT = /(?<![\p{L}\p{N}])[A-Z]{2}\d{2}(?:[^\p{L}\p{N}\n]?[A-Z0-9]{2,4}){3,9}(?![\p{L}\p{N}])/gu;
const PHONE = /(?<![\p{L}\p{N}])[+([]{0,2}\d(?:[^\p{L}\p{N}\n]{0,3}\d){7,19}(?!\d)/gu;
/** Figures that are no phone number: days, times, amounts. */
const FIGURES = /(?<!\d)(?:\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{1,2}:\d{2}(?::\d{2})?|\d{1,3}(?:[.,]\d{3}){0,5}[.,]\d{1,2})(?!\d)/gu;

/** Every address, host, account, wallet and phone number of a text, also where it is spelled out. */
export function contactsIn(text: string): Found[] {
  if (!LEADS.test(text)) return [];
  const found = new Map<string, Found>();
  const add = (type: string, value: string): void => { found.set(`${type} ${value}`, { type, value }); };
  for (const reading of readings(text)) {
    for (const word of reading.split(/[\s<>"'(){}[\],;|]+/u)) wordContacts(word, add);
    if (!/\d/.test(reading)) continue; // accounts and numbers have figures, which are ours in every reading
    for (const [match] of reading.matchAll(ACCOUNT)) add('iban', match.replaceAll(/[^A-Z0-9]/gu, ''));
    for (const [match] of reading.toUpperCase().matchAll(ACCOUNT)) if (isIban(match.replaceAll(/[^A-Z0-9]/gu, ''))) add('iban', match.replaceAll(/[^A-Z0-9]/gu, ''));
    for (const [match] of reading.replaceAll(FIGURES, ' | ').matchAll(PHONE)) {
      const digits = match.replaceAll(/\D/gu, '');
      if (digits.length >= 10 || /^[+(0[]/.test(match)) add('phone', digits);
    }
  }
  return [...found.values()];
}

function wordContacts(whole: string, add: (type: string, value: string) => void): void {
  if (whole.length > LONGEST_WORD) {
    if (/[.@:/]/u.test(whole)) add('url', whole.slice(0, LONGEST_WORD));
    return;
  }
  const word = whole.replace(/[.,;:!?*_]{1,9}$/u, '');
  if (word.length < 4 || !CONTACT.test(word)) return;
  const scheme = SCHEME.exec(word)?.[0];
  if (scheme !== undefined) return add('url', canonicalUrl(scheme) ?? scheme);
  if (WALLET.test(word)) return add('wallet', word);
  if (/^\\\\[^\\]/u.test(word)) return add('url', word);
  const at = word.lastIndexOf('@');
  if (at > 0 && /^[\p{L}\p{N}]/u.test(word.slice(at + 1))) return add('email', canonical('email', word) ?? word);
  for (const [host] of word.matchAll(NUMBERED)) add('url', canonicalUrl(word.slice(word.indexOf(host))) ?? host);
  if (/^localhost[:/]/iu.test(word)) add('url', word);
  for (const match of word.matchAll(HOST)) {
    const host = match[0];
    const end = host.slice(host.lastIndexOf('.') + 1).toLowerCase();
    const rest = word.slice(match.index);
    const addressed = /^(?:www\.|xn--)/iu.test(host) || /^[:/]/u.test(rest.slice(host.length));
    if (addressed ? !(FILES.has(end) && !rest.slice(host.length).includes('/')) : TOP_LEVEL.has(end) && !FILES.has(end)) add('url', canonicalUrl(rest) ?? canonicalUrl(host) ?? host);
  }
}

/** Whether the check digits of an account are right. */
/** Whether letters and digits are an account number, by its check digits. */
export function isIban(account: string): boolean {
  const digits = `${account.slice(4)}${account.slice(0, 4)}`.replaceAll(/[A-Z]/gu, (letter) => String(letter.charCodeAt(0) - 55));
  let rest = 0;
  for (const digit of digits) rest = (rest * 10 + Number(digit)) % 97;
  return rest === 1;
}

/** What nobody sees. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Cf}]/gu;
const DOT_WORDS = /[\s_-]{0,3}(?:(?<![\p{L}\p{N}])(?:dot|d0t|punkt|punto|ponto|point)(?![\p{L}\p{N}])|[·•])[\s_-]{0,3}(\p{L}[\p{L}\p{N}-]{1,62})/giu;

/** What else a text reads as: with compatible letters, without what nobody sees, without markup, and with dots and dashes that are written as words or apart. */
function readings(text: string): string[] {
  // Printable ASCII is in its plainest form but for its spaces.
  const plain = (/^[\t-\r\x20-\x7e]*$/.test(text) ? text : inPlainLetters(text)).replaceAll(/\s+/gu, ' ');
  const all = [plain];
  const undone = (/[<*_`\\&%~]/u.test(plain) ? plain.replaceAll(/<\/?[a-z][^<>]{0,200}>/giu, '').replaceAll(/&(?:#46|#x2e|period|sol|#47|commat|#64);?/giu, (entity) => (/46|2e|period/i.test(entity) ? '.' : /47|sol/i.test(entity) ? '/' : '@')).replaceAll(/%2e/giu, '.').replaceAll(/%2f/giu, '/').replaceAll(/%40/giu, '@').replaceAll(/[*_`\\~]/gu, '') : plain)
    .replaceAll(/ ?[([{<] ?(?:dot|punkt|\.) ?[)\]}>] ?/giu, '.').replaceAll(/ ?[([{<] ?(?:at|@) ?[)\]}>] ?/giu, '@').replaceAll(/hxxp/giu, 'http');
  all.push(undone);
  if (/dot|d0t|punkt|punto|ponto|point|[·•]/iu.test(plain)) all.push(...[plain, undone].map(spelledOut));
  // A dot with a space before it, or between a word and the end of a host; letters with a space between each.
  if (/ \./u.test(undone) || /\. [a-z]{3}/u.test(undone)) all.push(undone.replaceAll(/ \.( ?)([a-z]{2,20})(?![a-z])/gu, (whole, space: string, end: string) => (TOP_LEVEL.has(end) && (space === '' || end.length > 2) ? `.${end}` : whole)).replaceAll(/\. (com|net|org|info|biz|xyz|top|online|shop)(?![a-z])/gu, '.$1'));
  if (/(?:^| )\S \S \S(?: |$)/u.test(undone)) all.push(joinApart(undone));
  return [...new Set(all)];
}

const inPlainLetters = (text: string): string => text.normalize('NFKC').replaceAll(UNSEEN, '').replaceAll(/[。．｡․‧]/gu, '.').replaceAll(/\p{Pd}/gu, '-').replaceAll(/\p{Nd}/gu, digit);

/** Dots, dashes and slashes that are written as words. */
function spelledOut(text: string): string {
  return text.replaceAll(/ (?:dash|hyphen|minus) /giu, '-').replaceAll(DOT_WORDS, (whole, word: string) => (TOP_LEVEL.has(word.toLowerCase()) ? `.${word}` : whole)).replaceAll(/ dot (?=\S{1,60}\.)/giu, '.').replaceAll(/ at (?=\S{1,60}\.)/giu, '@').replaceAll(/ slash /giu, '/');
}

/** Letters that stand apart, put together. */
function joinApart(text: string): string {
  const words = text.split(' ');
  let joined = '';
  words.forEach((word, index) => { joined += index > 0 && !([...word].length === 1 && [...(words[index - 1] ?? '')].length === 1) ? ` ${word}` : word; });
  return joined.replaceAll(/ ?([.@/]) ?(?=\p{L}{2})/gu, '$1');
}

/** Words of a text as they are compared: letters and figures only, in lower case; of scripts without spaces, each sign is one. */
export function wordsOf(text: string): string[] {
  const plain = text.normalize('NFKC').replaceAll(UNSEEN, '').toLowerCase();
  return (/[^\x00-\u024f]/u.test(plain) ? plain.replaceAll(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu, ' $& ') : plain).split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
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
  return joined.length >= 4 && /\d/u.test(joined) ? whole.join('').includes(joined) : joined.length >= 6 && whole.join('').includes(joined);
}
