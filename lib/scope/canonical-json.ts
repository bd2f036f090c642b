import { createHash } from 'node:crypto';
import { ControlsError, shown } from './controls-error';
import canonicalize from 'canonicalize';

/** The one text of a JSON value (RFC 8785), so that the same value has the same digest in every language. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new ControlsError('NotJson', `a JSON value is needed, got ${shown(value)}; remove functions and undefined`);
  return text;
}

/** Lower-case hex SHA-256 of text in UTF-8. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
