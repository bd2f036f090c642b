/** Wrong versions of compiled policies: every comparison flipped, every condition dropped. A case must notice each. */
import { policyToJson } from '@cedar-policy/cedar-wasm/nodejs';

export interface CedarMutant { readonly what: string; readonly policies: Readonly<Record<string, string>> }
export interface SqlMutant { readonly what: string; readonly sql: string }
export interface SchemaMutant { readonly what: string; readonly schema: Readonly<Record<string, unknown>> }

type Json = any;

/** Mutants of each policy by its syntax tree. */
export function cedarMutants(policies: Readonly<Record<string, string>>): CedarMutant[] {
  return Object.entries(policies).flatMap(([id, text]) => {
    const answer = policyToJson(text);
    if (answer.type !== 'success') throw new Error(`not a policy: ${text}`);
    return trees(answer.json).map(({ what, tree }) => ({ what: `${id} ${what}`, policies: { ...policies, [id]: tree } }));
  });
}

const FLIPPED: Readonly<Record<string, readonly string[]>> = { '<': ['<=', '>='], '<=': ['<', '>'], '>=': ['>', '<'], '==': ['!='], containsAll: ['containsAny'] };

function trees(policy: Json): { what: string; tree: Json }[] {
  const found: { what: string; tree: Json }[] = [];
  const put = (path: readonly (string | number)[], value: Json): Json => path.length === 0 ? value : set(policy, path, value);
  const walk = (node: Json, path: readonly (string | number)[]): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, inner] of Object.entries(node as Record<string, Json>)) {
      for (const other of FLIPPED[key] ?? []) {
        const { [key]: operands, ...rest } = node;
        found.push({ what: `${key} to ${other}`, tree: put(path, { ...rest, [other]: operands }) });
      }
      if (key === '&&' || key === '||') for (const side of ['left', 'right']) found.push({ what: `${key} without ${JSON.stringify(inner[side === 'left' ? 'right' : 'left'])}`, tree: put(path, inner[side]) });
      if (key === 'like') found.push({ what: 'matches anything', tree: put([...path, key, 'pattern'], ['Wildcard']) });
      // Beyond the largest integer there is no other value.
      if (key === 'Value' && typeof inner === 'number') for (const by of [1, -1]) if (Math.abs(inner + by) <= Number.MAX_SAFE_INTEGER) found.push({ what: `bound ${inner} by ${by}`, tree: put([...path, key], inner + by) });
      walk(inner, [...path, key]);
    }
  };
  policy.conditions.forEach((condition: Json, index: number) => {
    walk(condition.body, ['conditions', index, 'body']);
    found.push({ what: 'without its condition', tree: { ...policy, conditions: [] } });
  });
  for (const part of ['principal', 'action']) found.push({ what: `for any ${part}`, tree: { ...policy, [part]: { op: 'All' } } });
  return found;
}

function set(tree: Json, [first, ...rest]: readonly (string | number)[], value: Json): Json {
  if (first === undefined) return value;
  const copy = Array.isArray(tree) ? [...tree] : { ...tree };
  copy[first] = set(tree[first], rest, value);
  return copy;
}

const SQL_FLIPS: readonly (readonly [RegExp, readonly string[]])[] = [[/ = /g, [' <> ']], [/ < /g, [' <= ', ' >= ']], [/ <= /g, [' < ', ' > ']], [/ >= /g, [' > ', ' < ']], [/ in \(/g, [' not in (']], [/ like /g, [' not like ']]];

/** Mutants of a SQL condition: text inside quotes is left alone, except for what a pattern or a number means. */
export function sqlMutants(sql: string): SqlMutant[] {
  const masked = sql.replaceAll(/E?'(?:[^'\\]|''|\\.)*'/g, (literal) => '\u0001'.repeat(literal.length));
  const mutants: SqlMutant[] = [];
  const replace = (at: number, length: number, by: string): string => sql.slice(0, at) + by + sql.slice(at + length);
  for (const [pattern, others] of SQL_FLIPS) {
    for (const match of masked.matchAll(pattern)) for (const other of others) mutants.push({ what: `${match[0]} to ${other}`, sql: replace(match.index, match[0].length, other) });
  }
  for (const match of masked.matchAll(/(?<=[ (])-?\d+/g)) for (const by of ['+ 1', '- 1']) if (Math.abs(Number(match[0]) + Number(by.replace(' ', ''))) <= Number.MAX_SAFE_INTEGER) mutants.push({ what: `bound ${match[0]} ${by}`, sql: replace(match.index, match[0].length, `(${match[0]} ${by})`) });
  const terms = split(masked, sql, ' and ');
  terms.forEach((term, index) => mutants.push({ what: `without ${term}`, sql: terms.filter((_, other) => other !== index).join(' and ') || 'true' }));
  for (const [at, term] of terms.entries()) {
    if (!/^\(.* like /.test(term)) continue;
    const inner = term.slice(1, -1);
    const kept = split(inner.replaceAll(/E?'(?:[^'\\]|''|\\.)*'/g, (literal) => '\u0001'.repeat(literal.length)), inner, ' or ');
    if (kept.length > 1) kept.forEach((each, index) => mutants.push({ what: `matches without ${each}`, sql: terms.map((other, index2) => (index2 === at ? `(${kept.filter((_, other2) => other2 !== index).join(' or ')})` : other)).join(' and ') }));
  }
  const list = /in \(([^)]*)\)/.exec(masked);
  if (list) {
    const items = split(masked.slice(list.index + 4, list.index + 4 + (list[1] as string).length), sql.slice(list.index + 4, list.index + 4 + (list[1] as string).length), ', ');
    if (items.length > 1) items.forEach((item, index) => mutants.push({ what: `in without ${item}`, sql: replace(list.index + 4, (list[1] as string).length, items.filter((_, other) => other !== index).join(', ')) }));
  }
  return mutants;
}

/** Splits text outside of brackets and quotes. */
function split(masked: string, text: string, by: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < masked.length; at += 1) {
    if (masked[at] === '(') depth += 1;
    if (masked[at] === ')') depth -= 1;
    if (depth === 0 && masked.startsWith(by, at)) {
      parts.push(text.slice(from, at));
      from = at + by.length;
    }
  }
  return [...parts, text.slice(from)];
}

/** Mutants of a JSON schema: each keyword that refuses something dropped, each bound moved. */
export function schemaMutants(schema: Readonly<Record<string, unknown>>): SchemaMutant[] {
  const mutants: SchemaMutant[] = [];
  const walk = (node: Json, path: readonly (string | number)[]): void => {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return;
    for (const [key, value] of Object.entries(node as Record<string, Json>)) {
      const here = [...path, key];
      if (['type', 'enum', 'format', 'minLength', 'maxLength', 'minimum', 'maximum', 'additionalProperties', 'required', 'uniqueItems', 'minItems', 'maxItems'].includes(key) && path.at(-1) !== 'properties') {
        if (key === 'minLength' && value === 1 && node.format === 'email') continue; // no address is empty
        // An object without a type takes anything that is no object; the root is always one.
        if (!(key === 'type' && value === 'object' && path.length === 0)) mutants.push({ what: `without ${here.join('.')}`, schema: drop(schema, here) });
        if (typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER) for (const by of [1, -1]) mutants.push({ what: `${here.join('.')} by ${by}`, schema: set(schema, here, value + by) });
        if (key === 'enum' && value.length > 1) value.forEach((_: unknown, index: number) => mutants.push({ what: `${here.join('.')} without one`, schema: set(schema, here, value.filter((__: unknown, other: number) => other !== index)) }));
      } else walk(value, here);
    }
  };
  walk(schema, []);
  return mutants;
}

function drop(tree: Json, path: readonly (string | number)[]): Json {
  const [first, ...rest] = path as [string, ...string[]];
  const { [first]: inner, ...others } = tree;
  return rest.length === 0 ? others : { ...others, [first]: drop(inner, rest) };
}
