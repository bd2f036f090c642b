import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020, { ErrorObject, ValidateFunction } from 'ajv/dist/2020';
import { Document, isMap, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { Card } from './card';
import { ControlsError, shown } from './controls-error';
import { neverRead } from './never';
import { packageRoot } from './package-root';

/** Where a card came from, so that an error can name file and line. */
interface Source {
  readonly name: string;
  /** Line of the value at `path`, or of its key where the path ends in an unknown field. */
  line(path: readonly (string | number)[]): number | undefined;
}

let compiled: ValidateFunction<Card> | undefined;

function schema(): ValidateFunction<Card> {
  compiled ??= new Ajv2020({ strict: false, allErrors: true, verbose: true })
    .compile<Card>(JSON.parse(readFileSync(join(packageRoot(), 'scope-card.schema.json'), 'utf8')) as object);
  return compiled;
}

/** Reads a card from YAML text. Anchors, tags, duplicate keys and several documents in one file are refused: a reviewer reads it top to bottom, once. */
export function cardFromYaml(text: string, fileName: string): Card {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, merge: false });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault) {
    const [{ line }] = fault.linePos as [{ line: number }]; // always there, since the lines are counted
    throw new ControlsError('CardInvalid', `${fileName}:${line}: not readable as YAML: ${fault.message.split('\n')[0]}`);
  }
  visit(document, {
    Alias: () => refuseAlias(fileName),
    Value: (_key, node) => (node.anchor === undefined ? undefined : refuseAlias(fileName)),
  });
  return checked(document.toJS({ maxAliasCount: 0 }), { name: fileName, line: (path) => lineOf(document, lines, path) });
}

/** Checks a card that is already parsed. */
export function cardFromObject(value: unknown, name = 'card'): Card {
  return checked(value, { name, line: () => undefined });
}

function checked(value: unknown, source: Source): Card {
  const validate = schema();
  if (!validate(value)) throw new ControlsError('CardInvalid', explain(validate.errors as ErrorObject[], source));
  const days = [['review-by', value['review-by']] as const, ...value.scopes.flatMap(({ call }, s) => (call ?? []).flatMap(({ approval }, c) => (approval.until === undefined ? [] : [[`scopes[${s}].call[${c}].approval.until`, approval.until] as const])))];
  for (const [field, day] of days) {
    const real = new Date(`${day}T00:00:00Z`);
    if (Number.isNaN(real.getTime()) || real.toISOString().slice(0, 10) !== day) throw new ControlsError('CardInvalid', `${at(source, field === 'review-by' ? ['review-by'] : pathOf(`/${field.replaceAll(/[[\].]+/g, '/')}`))}: got ${shown(day)}, which is no day; write one of the calendar`);
  }
  if (value.owners.product === value.owners.security) throw new ControlsError('OwnersSame', `${at(source, ['owners', 'security'])}: got ${shown(value.owners.security)}, who is the product owner, too; whoever approves what an agent may do is somebody else than whoever wants it done`);
  const seen = new Map<string, number>();
  value.scopes.forEach(({ scope }, index) => {
    const first = seen.get(scope);
    if (first !== undefined) {
      throw new ControlsError('ScopeDuplicate', `${at(source, ['scopes', index, 'scope'])}: got ${shown(scope)}, which scopes[${first}] has already; give each scope its own name, or merge the two`);
    }
    seen.set(scope, index);
  });
  value.scopes.forEach(({ read }, s) => (read ?? []).forEach(({ table, columns }, r) => columns.forEach((column, c) => {
    if (neverRead(value, `${table}.${column}`)) throw new ControlsError('NeverContradicted', `${at(source, ['scopes', s, 'read', r, 'columns', c])}: ${table}.${column} is under never.read; take it out of one of the two`);
  })));
  return value;
}

function refuseAlias(fileName: string): never {
  throw new ControlsError('CardInvalid', `${fileName}: a card has no anchors or aliases, so that it reads top to bottom; write the value out`);
}

function lineOf(document: Document, lines: LineCounter, path: readonly (string | number)[]): number | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const parent = length === 0 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    if (isMap(parent) && length > 0) {
      const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === path[length - 1]);
      if (pair && isScalar(pair.key) && pair.key.range) return lines.linePos(pair.key.range[0]).line;
    }
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
    if (range) return lines.linePos(range[0]).line;
  }
  return undefined;
}

function pathOf(pointer: string): (string | number)[] {
  return pointer.split('/').slice(1).map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));
}

/** `scopes[0].call[1].bounds`: how a field is named in every error. */
export function fieldName(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`), '');
}

function at(source: Source, path: readonly (string | number)[]): string {
  const line = source.line(path);
  return `${source.name}${line === undefined ? '' : `:${line}`}: ${fieldName(path) || 'the card'}`;
}

// A reader mends one thing at a time: the error deepest in the card is the most specific one.
function explain(errors: readonly ErrorObject[], source: Source): string {
  const own = errors.filter(({ keyword }) => !['if', 'anyOf', 'not'].includes(keyword));
  const sorted = [...(own.length > 0 ? own : errors.filter(({ keyword }) => keyword !== 'if'))].sort((a, b) => b.instancePath.length - a.instancePath.length);
  const sentences = [...new Set(sorted.map((error) => sentence(error, source)))];
  return sentences.slice(0, 5).join('\n  ') + (sentences.length > 5 ? `\n  and ${sentences.length - 5} more` : '');
}


function sentence(error: ErrorObject, source: Source): string {
  const path = pathOf(error.instancePath);
  const params = error.params as Record<string, unknown>;
  const got = `got ${shown(error.data)}`;
  switch (error.keyword) {
    case 'additionalProperties': {
      const unknown = String(params.additionalProperty);
      const known = Object.keys((error.parentSchema as { properties: object }).properties);
      const field = fieldName([...path, unknown]);
      return `${at(source, [...path, unknown]).replace(/: [^:]*$/, '')}: ${field} is not a field of a card; known here: ${known.join(', ')}`;
    }
    case 'required':
      return `${at(source, path)}: ${shown(params.missingProperty)} is missing; add it`;
    case 'type':
      return `${at(source, path)}: ${got}, expected ${[params.type].flat().join(' or ')}`;
    case 'enum':
      return `${at(source, path)}: ${got}, expected one of ${(params.allowedValues as unknown[]).map(shown).join(', ')}`;
    case 'pattern':
      return `${at(source, path)}: ${got}, expected text that matches ${String(params.pattern)}`;
    case 'not':
      return `${at(source, path)}: ${got}; granted-by and until belong to tier standing, and to no other; name the tier, or take them out`;
    default:
      return `${at(source, path)}: ${got}; it ${String(error.message)}`;
  }
}
