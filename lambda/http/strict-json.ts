import { visit } from 'jsonc-parser';
import { isPlain } from '../../lib/scope/plain-text';

/** Why a text is not taken as JSON. */
export class JsonRefused extends Error {
  public constructor(public readonly code: 'NotJson' | 'JsonKeyTwice' | 'JsonKeyForbidden' | 'JsonTooDeep' | 'JsonNumberInexact' | 'JsonTextNotPlain', message: string) {
    super(message);
  }
}

/** Deeper ones would end the stack of some reader. */
const DEEPEST = 100;

/**
 * Parses JSON that has one meaning: what two parsers could read differently, or what could not be stored as it is, is refused. A key that is there
 * twice, `__proto__`, a number that a double does not hold, NUL and half a surrogate pair. What is left has one canonical text (RFC 8785).
 *
 * @throws JsonRefused
 */
export function strictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JsonRefused('NotJson', 'the text is not JSON');
  }
  // What the parser did not say: keys that it met twice, and numbers as they were written.
  const open: Set<string>[] = [];
  let depth = 0;
  const deeper = (by: 1 | -1): void => {
    depth += by;
    if (depth > DEEPEST) throw new JsonRefused('JsonTooDeep', `at most ${DEEPEST} objects and lists in one another are taken`);
  };
  visit(text, {
    onObjectBegin: () => { open.push(new Set()); deeper(1); },
    onObjectEnd: () => { open.pop(); deeper(-1); },
    onArrayBegin: () => deeper(1),
    onArrayEnd: () => deeper(-1),
    onObjectProperty: (key) => {
      const keys = open.at(-1);
      if (key === '__proto__') throw new JsonRefused('JsonKeyForbidden', 'a key must not be __proto__; rename it');
      if (keys?.has(key)) throw new JsonRefused('JsonKeyTwice', 'a key of an object is there twice; send it once');
      keys?.add(key);
    },
    onLiteralValue: (literal: unknown, offset, length) => { if (typeof literal === 'number') demandExact(text.slice(offset, offset + length)); },
  });
  demandPlain(value);
  return value;
}

function demandExact(written: string): void {
  const number = Number(written);
  if (!Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number)) || significant(written) !== significant(String(number))) {
    throw new JsonRefused('JsonNumberInexact', `a number with up to 15 digits is expected, whole ones within 2^53, got one of ${written.length} characters; send it as a string`);
  }
}

/** A decimal number as digits and power of ten, one way for each value. */
function significant(written: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(written) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const trimmed = digits.replace(/0+$/, '');
  return trimmed === '' ? '0' : `${trimmed}e${Number(exponent) - fraction.length + digits.length - trimmed.length}`;
}

function demandPlain(value: unknown): void {
  const demand = (text: string): void => { if (!isPlain(text)) throw new JsonRefused('JsonTextNotPlain', 'a text holds NUL or half of a surrogate pair, which cannot be stored; leave it out'); };
  if (typeof value === 'string') demand(value);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    demand(key);
    demandPlain(inner);
  }
}
