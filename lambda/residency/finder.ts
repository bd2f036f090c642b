import { UNCLASSIFIED } from '../../lib/scope/residency';
import { digit } from '../provenance/free-text';
import type { Secret } from '../redaction/detect';
import type { Finder } from '../redaction/redact';
import { DETECTORS } from './detectors';
import type { Labels } from './labels';

/** Of a value that is shorter, nothing is told by finding it. */
const SHORTEST = 2;
/** From here on a value is found inside of words, and however what separates its words is written. */
const DISTINCT = 8;

/** Finds labelled values and data of known forms; of the given classes only, where some are given. */
export function finderOf({ values }: Pick<Labels, 'values'>, more: (text: string) => readonly Secret[] = () => [], only?: ReadonlySet<string>): Finder {
  const wanted = (kind: string): boolean => only === undefined || only.has(kind);
  const labelled = [...values].map(([value, kinds]) => ({ value: folded(value).letters, kinds: [...kinds].filter(wanted) })).filter(({ value, kinds }) => value.length >= SHORTEST && kinds.length > 0);
  return {
    find: async (text) => [...await DETECTORS.find(text), ...more(text)].filter(({ kind }) => wanted(kind)).concat(labelled.length > 0 ? labelledIn(text, labelled) : []),
    groups: DETECTORS.groups.filter(({ kind }) => wanted(kind)),
    alone: new Set([...DETECTORS.alone, ...labelled.flatMap(({ kinds }) => kinds), UNCLASSIFIED]),
  };
}

/** Letters and figures of a text, as they are compared, and where each stands. */
interface Folded { readonly letters: string; readonly places: readonly number[] }

/** What a text or a file writes for a character that is none of its letters: an escape of JSON, an entity of HTML. */
const WRITTEN = /\\[nrtbf"\\/]|&(?:[a-z]{2,8}|#\d{1,7}|#x[0-9a-f]{1,6});/giy;

/** A text without what two writings of the same differ in: case, accents, spaces, punctuation, escapes. */
function folded(text: string): Folded {
  let letters = '';
  const places: number[] = [];
  for (let at = 0; at < text.length;) {
    WRITTEN.lastIndex = at;
    const [written] = WRITTEN.exec(text) ?? [];
    const whole = written ?? String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (written === undefined) {
      for (const letter of letterOf(whole)) {
        letters += letter;
        places.push(at);
      }
    }
    at += whole.length;
  }
  return { letters, places };
}

/** The letters of a character; most are what they are. */
function letterOf(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  if (point < 128) return /[a-z0-9]/.test(character) ? character : /[A-Z]/.test(character) ? character.toLowerCase() : '';
  return character.normalize('NFKD').replaceAll(/\P{L}(?<!\p{Nd})/gu, '').toLowerCase().replaceAll(/\p{Nd}/gu, digit);
}

function labelledIn(text: string, labelled: readonly { readonly value: string; readonly kinds: readonly string[] }[]): Secret[] {
  const { letters, places } = folded(text);
  // Nearly every value of a long list begins in no text of a call.
  const beginnings = new Set(Array.from({ length: Math.max(0, letters.length - 1) }, (_, at) => letters.slice(at, at + 2)));
  const found: Secret[] = [];
  for (const { value, kinds } of labelled) {
    if (!beginnings.has(value.slice(0, 2))) continue;
    for (let at = letters.indexOf(value); at >= 0; at = letters.indexOf(value, at + 1)) {
      const [start, last] = [places[at] ?? 0, places[at + value.length - 1] ?? 0];
      const end = last + String.fromCodePoint(text.codePointAt(last) ?? 0).length;
      const isAlone = !isLetter(text, start - 1) && !isLetter(text, end);
      const isWritten = value.length >= 4 && end - start === value.length;
      if (!isAlone && !isWritten && value.length < DISTINCT) continue;
      for (const kind of kinds) found.push({ kind, start, end, isDistinct: value.length >= DISTINCT });
      at += value.length - 1;
    }
  }
  return found;
}

const isLetter = (text: string, at: number): boolean => /[\p{L}\p{N}]/u.test(text[at] ?? ' ');
