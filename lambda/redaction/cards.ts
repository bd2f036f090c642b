import { number as cardNumber } from 'card-validator';

/** Digits with at most one separator between two of them, as people write a card number. */
const NARROW = /(?<!\d)\d(?:[ \u00a0.\-/]?\d){12,400}(?!\d)/g;
/** The same with whatever stands between that is no letter. */
const WIDE = /(?<!\d)\d(?:[^\p{L}\p{N}]{0,3}\d){12,400}(?!\d)/gu;

/** Where card numbers stand: alone, or among other digits, in groups as cards have them. */
export function cardsIn(text: string, isWide = false): { readonly start: number; readonly end: number }[] {
  const found: { readonly start: number; readonly end: number }[] = [];
  for (const { 0: run, index: from } of text.matchAll(isWide ? WIDE : NARROW)) {
    const groups = [...run.matchAll(/\d+/g)].map(({ 0: digits, index }) => ({ digits, start: from + index, end: from + index + digits.length }));
    for (let first = 0; first < groups.length; first += 1) {
      const last = lastOfCard(text, groups, first);
      if (last === undefined) continue;
      found.push({ start: groups[first]?.start ?? 0, end: groups[last]?.end ?? 0 });
      first = last;
    }
  }
  return found;
}

interface Group { readonly digits: string; readonly start: number; readonly end: number }

function lastOfCard(text: string, groups: readonly Group[], first: number): number | undefined {
  let digits = '';
  for (let last = first; last < groups.length && digits.length <= 19; last += 1) {
    digits += groups[last]?.digits ?? '';
    if (digits.length < 13 || digits.length > 19) continue;
    const lengths = groups.slice(first, last + 1).map(({ digits: { length } }) => length);
    const isWhole = first === 0 && last === groups.length - 1;
    if ((isWhole || isGrouped(lengths)) && !(lengths.length === 1 && isFraction(text, groups[first]?.start ?? 0)) && isCard(digits)) return last;
  }
  return undefined;
}

/** In one piece, in fours with the rest at the end, or as American Express and Diners print it. */
const isGrouped = (lengths: readonly number[]): boolean => lengths.length === 1 || lengths.slice(0, -1).every((length) => length === 4) || /^4,6,[45]$/.test(lengths.join(','));

/** Whether digits are what is behind the point of a number. */
const isFraction = (text: string, at: number): boolean => /\d\.$/.test(text.slice(Math.max(0, at - 2), at));

/** Whether digits are the number of a payment card: a brand's range and length, and the check digit. */
export function isCard(digits: string): boolean {
  return cardNumber(digits.replaceAll(/\D/g, '')).isValid;
}
