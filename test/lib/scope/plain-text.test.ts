import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../lib/scope/canonical-json';
import { packageRoot, rootAbove } from '../../../lib/scope/package-root';
import { isPlain, isPlainJson, plainJson } from '../../../lib/scope/plain-text';

describe('text that cannot be stored', () => {
  it.each([['a\0b'], ['\ud800'], ['\udc00x']])('is no plain text: %j', (text) => {
    expect(isPlain(text)).toBe(false);
    expect(isPlainJson({ a: [{ [text]: 1 }] })).toBe(false);
    expect(isPlainJson([text])).toBe(false);
    expect(JSON.stringify(plainJson({ [text]: [text, 1, null, true] }))).toContain('\ufffd');
  });

  it.each([[''], ['a\nb\t'], ['😀é']])('is not this: %j', (text) => {
    expect(isPlain(text)).toBe(true);
    expect(isPlainJson({ [text]: [text, 1, null] })).toBe(true);
    expect(plainJson({ a: [text, 5, null] })).toEqual({ a: [text, 5, null] });
  });
});

it('what is no JSON has no canonical text', () => {
  expect(() => canonicalJson(undefined)).toThrow(/^NotJson: a JSON value is needed, got undefined/);
});

it('the folder of the package is found from inside it, and its absence is said', () => {
  expect(packageRoot()).toBe(join(__dirname, '..', '..', '..'));
  expect(packageRoot()).toBe(packageRoot());
  expect(() => rootAbove('/proc')).toThrow('no scope-card.schema.json above /proc');
});
