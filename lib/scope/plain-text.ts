// NUL cannot be stored by Postgres, and a lone surrogate has no UTF-8 form: what was checked would not be what arrives.
const UNENCODABLE = /\0|\p{Surrogate}/u;

/** Whether text can be stored and shown as it is. */
export function isPlain(text: string): boolean {
  return !UNENCODABLE.test(text);
}

/** A JSON value whose every text, keys included, can be stored as it is. */
export function isPlainJson(value: unknown): boolean {
  if (typeof value === 'string') return isPlain(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isPlain(key) && isPlainJson(inner));
}

/** The same value with U+FFFD for what cannot be stored: results come from systems that nobody here can correct. */
export function plainJson(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(new RegExp(UNENCODABLE, 'gu'), '\ufffd');
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [plainJson(key) as string, plainJson(inner)]));
}
