import { ControlsError, shown } from './controls-error';
import { isPlain } from './plain-text';

/*
 * Encoders by grammar position. Whatever reaches SQL, Cedar or IAM as text passes through one of these: they quote or they
 * refuse, and the error names the field the text came from.
 */

function refuse(field: string, what: string, value: unknown, fix: string): never {
  throw new ControlsError('NotEncodable', `${field} must be ${what}, got ${shown(value)}; ${fix}`);
}

/** A quoted SQL identifier. Postgres truncates names over 63 bytes silently, so longer ones are refused. */
export function sqlIdent(name: string, field: string): string {
  if (typeof name !== 'string' || name === '' || !isPlain(name)) {
    refuse(field, 'a name without NUL or broken surrogates', name, 'rename it');
  }
  if (Buffer.byteLength(name) > 63) refuse(field, 'at most 63 bytes', name, 'Postgres would cut it; use a shorter name');
  return `"${name.replaceAll('"', '""')}"`;
}

const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;

/** A table as `name` or `schema.name`, each part a plain lower-case name, quoted. A card never needs a stranger one. */
export function sqlTable(name: string, field: string): string {
  const parts = typeof name === 'string' ? name.split('.') : [];
  if (parts.length < 1 || parts.length > 2 || !parts.every((part) => PLAIN_NAME.test(part))) {
    refuse(field, '`table` or `schema.table` of a-z, 0-9 and _', name, 'rename the table, or expose it through a view with a plain name');
  }
  const [schema, table] = (parts.length === 1 ? ['public', ...parts] : parts) as [string, string];
  if (CLOSED_SCHEMAS.test(schema)) refuse(field, 'a table of your own', name, 'the control plane and the catalogs of Postgres are closed to every agent');
  return `${sqlIdent(schema, field)}.${sqlIdent(table, field)}`;
}

/** What no card opens: the control plane's own book and log, and the catalogs. */
const CLOSED_SCHEMAS = /^(audit|controls|gate|hold|undo|information_schema|pg_.*)$/;

/** A column, as a plain lower-case name, quoted. */
export function sqlColumn(name: string, field: string): string {
  if (typeof name !== 'string' || !PLAIN_NAME.test(name)) {
    refuse(field, 'a column name of a-z, 0-9 and _', name, 'rename the column, or expose it through a view with a plain name');
  }
  return sqlIdent(name, field);
}

/** A SQL literal. Strings use the `E''` form only when they must, so the text reads the same under every server setting. */
export function sqlLiteral(value: string | number | boolean, field: string): string {
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) refuse(field, 'an integer within 2^53', value, 'write money as minor units, and other numbers as integers');
    return String(value);
  }
  if (typeof value !== 'string' || !isPlain(value)) refuse(field, 'text without NUL or broken surrogates', value, 'remove the character');
  const quoted = value.replaceAll("'", "''");
  return value.includes('\\') ? `E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

/** A Cedar string literal. */
export function cedarString(value: string, field: string): string {
  return `"${cedarEscaped(value, field)}"`;
}

/** A Cedar `like` pattern that matches everything that starts with `prefix`. */
export function cedarPrefix(prefix: string, field: string): string {
  return `"${cedarEscaped(prefix, field).replaceAll('*', '\\*')}*"`;
}

/** A Cedar `like` pattern; `*` in it stands for any text. */
export function cedarPattern(pattern: string, field: string): string {
  return `"${cedarEscaped(anchored(pattern, field), field)}"`;
}

/** A SQL `like` pattern as a literal; `*` in it stands for any text, and nothing else has a meaning. */
export function sqlPattern(pattern: string, field: string): string {
  return sqlLiteral(anchored(pattern, field).replaceAll(/[\\%_]/g, '\\$&').replaceAll('*', '%'), field);
}

function anchored(pattern: string, field: string): string {
  if (typeof pattern !== 'string' || /^\**$/.test(pattern)) refuse(field, 'a pattern with some text in it', pattern, 'leave the bound out where any text will do');
  return pattern;
}

function cedarEscaped(value: string, field: string): string {
  if (typeof value !== 'string' || !isPlain(value)) refuse(field, 'text without NUL or broken surrogates', value, 'remove the character');
  let escaped = '';
  for (const character of value) {
    const code = character.codePointAt(0) as number;
    if (character === '"' || character === '\\') escaped += `\\${character}`;
    else if (code < 0x20 || code === 0x7f || (code >= 0x80 && code < 0xa0)) escaped += `\\u{${code.toString(16)}}`;
    else escaped += character;
  }
  return escaped;
}

/** A Cedar integer. */
export function cedarLong(value: number, field: string): string {
  if (!Number.isSafeInteger(value)) refuse(field, 'an integer within 2^53', value, 'write money as minor units, and other numbers as integers');
  return String(value);
}

/** An IAM action as `service:Action`. A card writes single actions: a wildcard in one cannot be read by a reviewer. */
export function iamAction(value: string, field: string): string {
  if (typeof value !== 'string' || !/^[a-z0-9-]+:[A-Za-z0-9]+$/.test(value)) {
    refuse(field, 'one AWS action such as s3:GetObject', value, 'name each action in full, without wildcards');
  }
  return value;
}

/** An IAM resource: an ARN. `*` alone is refused; a policy variable is refused, because the agent could choose what it expands to. */
export function iamResource(value: string, field: string): string {
  if (typeof value !== 'string' || !/^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[A-Za-z0-9_+=,.@:/-][A-Za-z0-9_+=,.@:/*-]*$/.test(value) || /:s3:::cdk-[^/]*-assets-/.test(value)) {
    refuse(field, 'an ARN such as arn:aws:s3:::bucket/key', value, 'write the ARN of what the agent needs, without policy variables, with a name before any star, and not the bucket that deploys come from');
  }
  return value;
}
