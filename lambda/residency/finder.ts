import { UNCLASSIFIED } from '../../lib/scope/residency';
import { digit } from '../provenance/digit';
import type { Secret } from '../redaction/detect';
import type { Finder } from '../redaction/redact';
import { DETECTORS } from './detectors';
import type { Labels } from './labels';

/** Of a value that is shorter, nothing is told by finding it. */
const SHORTEST = 2;
/** From here on a value is found inside of words, and however what separates its words is written. */
const DISTINCT = 8;
/** Scripts that put no spaces between words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

/** Whether a value can be looked for in a text. One letter or figure is not, and tells nothing; a yes or no, and signs that are no letters, tell something. */
export function canBeFound(value: string): boolean {
  return /^[a-z0-9]$/i.test(value.trim()) || (value !== 'true' && value !== 'false' && folded(value, true).letters.length >= SHORTEST);
}

/** Finds labelled values and data of known forms; of the given classes only, where some are given. */
export function finderOf({ values }: Pick<Labels, 'values'>, more: (text: string) => readonly Secret[] = () => [], only?: ReadonlySet<string>): Finder {
  const wanted = (kind: string): boolean => only === undefined || only.has(kind);
  const labelled = [...values].flatMap(([value, kinds]) => [...new Set([true, false].map((escapes) => folded(value, escapes).letters))].map((letters) => ({ value: letters, kinds: [...kinds].filter(wanted) }))).filter(({ value, kinds }) => value.length >= SHORTEST && kinds.length > 0);
  return {
    find: async (text) => [...await DETECTORS.find(text), ...more(text)].filter(({ kind }) => wanted(kind)).concat(labelled.length > 0 ? (text.includes('\\') ? [true, false] : [true]).flatMap((escapes) => labelledIn(text, escapes, labelled)) : []),
    groups: DETECTORS.groups.filter(({ kind }) => wanted(kind)),
    alone: new Set([...DETECTORS.alone, ...labelled.flatMap(({ kinds }) => kinds), UNCLASSIFIED]),
  };
}

/** Letters and figures of a text, as they are compared; where each stands, and what stands right after an escape. */
interface Folded { readonly letters: string; readonly places: readonly number[]; readonly borders: ReadonlySet<number> }

/** What a file writes for a character that is none of its letters: an entity of HTML, and, where they are read as such, an escape of JSON. */
const ENTITY = /&(?:([a-z])(?:uml|acute|grave|circ|tilde|ring|cedil|caron|slash)|[a-z]{2,8}|#(\d{1,7})|#x([0-9a-f]{1,6}));/giy;
const ESCAPE = /\\[nrtbf"\\/]/y;

/** A text without what two writings of the same differ in: case, accents, spaces, punctuation, entities, escapes. */
function folded(text: string, readsEscapes: boolean): Folded {
  let letters = '';
  const places: number[] = [];
  const borders = new Set<number>();
  for (let at = 0; at < text.length;) {
    ENTITY.lastIndex = ESCAPE.lastIndex = at;
    const entity = text[at] === '&' ? ENTITY.exec(text) : null;
    const escape = readsEscapes && text[at] === '\\' ? ESCAPE.exec(text) : null;
    const whole = (entity ?? escape)?.[0] ?? String.fromCodePoint(text.codePointAt(at) ?? 0);
    for (const letter of escape ? '' : entity ? entityLetters(entity) : letterOf(whole)) {
      letters += letter;
      places.push(at);
    }
    at += whole.length;
    if (escape) borders.add(at);
  }
  return { letters, places, borders };
}

function entityLetters([, base, decimal, hex]: RegExpExecArray): string {
  if (base !== undefined) return base.toLowerCase();
  const point = decimal !== undefined ? Number(decimal) : parseInt(hex ?? '', 16);
  return point <= 0x10ffff ? letterOf(String.fromCodePoint(point)) : '';
}

/** Letters that have no accent to take off, as they are written without. */
const PLAIN: Readonly<Record<string, string>> = { ß: 'ss', ẞ: 'ss', ł: 'l', Ł: 'l', ø: 'o', Ø: 'o', đ: 'd', Đ: 'd', ı: 'i', æ: 'ae', Æ: 'ae', œ: 'oe', Œ: 'oe', þ: 'th', Þ: 'th', ð: 'd', Ð: 'd' };

/** The letters of a character; most are what they are. */
function letterOf(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  if (point < 128) return /[a-z0-9]/.test(character) ? character : /[A-Z]/.test(character) ? character.toLowerCase() : '';
  return PLAIN[character] ?? character.normalize('NFKD').replaceAll(/\P{L}(?<!\p{Nd})/gu, '').toLowerCase().replaceAll(/\p{Nd}/gu, digit);
}

function labelledIn(text: string, readsEscapes: boolean, labelled: readonly { readonly value: string; readonly kinds: readonly string[] }[]): Secret[] {
  const { letters, places, borders } = folded(text, readsEscapes);
  // Nearly every value of a long list begins in no text of a call.
  const beginnings = new Set(Array.from({ length: Math.max(0, letters.length - 1) }, (_, at) => letters.slice(at, at + 2)));
  const found: Secret[] = [];
  for (const { value, kinds } of labelled) {
    if (!beginnings.has(value.slice(0, 2))) continue;
    for (let at = letters.indexOf(value); at >= 0; at = letters.indexOf(value, at + 1)) {
      const [start, last] = [places[at] ?? 0, places[at + value.length - 1] ?? 0];
      const end = endOf(text, last);
      const isAlone = (borders.has(start) || !isLetter(text, start - 1)) && !isLetter(text, end);
      const isWritten = (value.length >= 4 || UNSPACED.test(value)) && end - start === value.length;
      if (!isAlone && !isWritten && value.length < DISTINCT) continue;
      for (const kind of kinds) found.push({ kind, start, end, isDistinct: value.length >= DISTINCT });
      at += value.length - 1;
    }
  }
  return found;
}

/** Where the character that begins at a place ends, with the accents and the rest of an entity that belong to it. */
function endOf(text: string, at: number): number {
  ENTITY.lastIndex = at;
  const length = (text[at] === '&' ? ENTITY.exec(text)?.[0].length : undefined) ?? String.fromCodePoint(text.codePointAt(at) ?? 0).length;
  return at + length + (/^\p{M}+/u.exec(text.slice(at + length, at + length + 8))?.[0].length ?? 0);
}

const isLetter = (text: string, at: number): boolean => /[\p{L}\p{N}]/u.test(text[at] ?? ' ');
