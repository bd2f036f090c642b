import * as v from 'valibot';
import { isPlain } from '../../lib/scope/plain-text';
import { HttpError } from './http';

/** Parses a body, or refuses it naming the field. Unknown fields are refused: a misspelt one must not pass as absent. */
export function parse<const S extends v.GenericSchema>(schema: S, body: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new HttpError(400, 'BodyInvalid', `${v.getDotPath(issue) ?? 'the body'}: ${issue.message}`);
}

/** They are not read by people, and six times as long where they are written. */
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;  

/** Text that can be stored as it is, and read: no NUL, no broken surrogates, no control characters. */
export const plainText = (longest: number): v.GenericSchema<string> => v.pipe(v.string(), v.maxLength(longest), v.check(isPlain, 'text without NUL and broken surrogates is expected'), v.check((text) => !CONTROLS.test(text), 'text without control characters other than tabs and line ends is expected'));

/** A ticket, request or business event: an identifier that can stand in a chained entry for ever, and so no address of a person. */
export const reference = (): v.GenericSchema<string> => v.pipe(v.string(), v.maxLength(200), v.regex(/^[!-?A-~]+$/, 'the id of a ticket, request or event is expected, such as CRM-881: no spaces, and no @, since it stays in the log for ever'));

/** An identifier of somebody's system: printable ASCII without spaces, so that it can stand in a chained entry. */
export const identifier = (longest: number): v.GenericSchema<string> => v.pipe(v.string(), v.maxLength(longest), v.regex(/^[\x21-\x7e]+$/, 'letters, digits and punctuation without spaces are expected'));
