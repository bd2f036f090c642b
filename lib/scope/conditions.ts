import { Condition, Conditions, isMoney, Scalar } from './card';
import { ControlsError, shown } from './controls-error';
import { cedarLong, cedarPattern, cedarPrefix, cedarString, sqlColumn, sqlLiteral, sqlPattern } from './encode';
import { ParameterManifest } from './manifest';

const COMPARISONS = { 'less-than': '<', 'at-most': '<=', 'at-least': '>=' } as const;

function unenforceable(field: string, why: string, fix: string): never {
  throw new ControlsError('BoundUnenforceable', `${field}: ${why}; ${fix}`);
}

/** Conditions on columns as one SQL expression; all must hold. */
export function conditionsToSql(conditions: Conditions, field: string): string {
  return Object.entries(conditions)
    .flatMap(([column, condition]) => columnTerms(sqlColumn(column, `${field}.${column}`), condition, `${field}.${column}`))
    .join(' and ');
}

function columnTerms(column: string, condition: Condition, field: string): string[] {
  const literal = (value: Scalar, what: string): string => {
    if (isMoney(value)) unenforceable(`${field}.${what}`, 'a column holds no currency that Postgres could compare', 'compare the minor units as an integer');
    return sqlLiteral(value, `${field}.${what}`);
  };
  const terms: string[] = [];
  if (condition.equals !== undefined) terms.push(`${column} = ${literal(condition.equals, 'equals')}`);
  if (condition.in !== undefined) terms.push(`${column} in (${condition.in.map((value, index) => literal(value, `in[${index}]`)).join(', ')})`);
  for (const [name, operator] of comparisons()) {
    const bound = condition[name];
    if (bound !== undefined) terms.push(`${column} ${operator} ${literal(bound, name)}`);
  }
  if (condition['starts-with'] !== undefined) terms.push(`starts_with(${column}, ${literal(condition['starts-with'], 'starts-with')})`);
  if (condition.matches !== undefined) terms.push(`(${condition.matches.map((pattern, index) => `${column} like ${sqlPattern(pattern, `${field}.matches[${index}]`)}`).join(' or ')})`);
  if (condition.shortest !== undefined) terms.push(`char_length(${column}) >= ${literal(condition.shortest, 'shortest')}`);
  if (condition.longest !== undefined) terms.push(`char_length(${column}) <= ${literal(condition.longest, 'longest')}`);
  return terms;
}

/**
 * Conditions on parameters as Cedar terms; all must hold.
 *
 * @throws `BoundUnenforceable` for a parameter the action does not have, or a condition its type cannot meet.
 */
export function conditionsToCedar(conditions: Conditions, parameters: Readonly<Record<string, ParameterManifest>>, field: string): string[] {
  return Object.entries(conditions).flatMap(([name, condition]) => {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!parameter) unenforceable(`${field}.${name}`, `the action has no parameter ${shown(name)}`, `bound one of ${Object.keys(parameters).join(', ')}`);
    const terms = parameterTerms(name, condition, parameter, `${field}.${name}`);
    // A bound is on what is there; whether it must be there is the schema's.
    return parameter.optional === true ? [`(if context.parameters has ${cedarString(name, field)}${terms.some((term) => term.includes('context.lengths')) ? ` && context.lengths has ${cedarString(name, field)}` : ''} then ${terms.join(' && ')} else true)`] : terms;
  });
}

function parameterTerms(name: string, condition: Condition, parameter: ParameterManifest, field: string): string[] {
  const path = `context.parameters[${cedarString(name, field)}]`;
  const kind = parameter.type === 'integer' || parameter.type === 'money' || parameter.type === 'flag' ? parameter.type : 'text';
  const equal = (value: Scalar, what: string): string => {
    const where = `${field}.${what}`;
    if (isMoney(value)) {
      if (kind !== 'money') unenforceable(where, `the parameter is ${parameter.type}, not money`, 'compare with a value of its type');
      return `${path}.currency == ${cedarString(value.currency, where)} && ${path}.minorUnits == ${cedarLong(value['minor-units'], where)}`;
    }
    if (typeof value === 'boolean' && kind === 'flag') return `${path} == ${String(value)}`;
    if (typeof value === 'number' && kind === 'integer') return `${path} == ${cedarLong(value, where)}`;
    if (typeof value === 'string' && kind === 'text') return `${path} == ${cedarString(value, where)}`;
    return unenforceable(where, `the parameter is ${parameter.type}, got ${shown(value)}`, 'compare with a value of its type');
  };
  const terms: string[] = [];
  if (condition.equals !== undefined) terms.push(equal(condition.equals, 'equals'));
  if (condition.in !== undefined) terms.push(`(${condition.in.map((value, index) => equal(value, `in[${index}]`)).join(' || ')})`);
  let currency: string | undefined;
  for (const [comparison, operator] of comparisons()) {
    const bound = condition[comparison];
    if (bound === undefined) continue;
    const where = `${field}.${comparison}`;
    if (typeof bound === 'number') {
      if (kind !== 'integer') unenforceable(where, `the parameter is ${parameter.type}, not an integer`, 'compare with a value of its type');
      terms.push(`${path} ${operator} ${cedarLong(bound, where)}`);
    } else {
      if (kind !== 'money') unenforceable(where, `the parameter is ${parameter.type}, not money`, 'compare with a value of its type');
      if (currency !== undefined && currency !== bound.currency) unenforceable(where, `got ${bound.currency} beside ${currency}`, 'no amount is in two currencies; bound one of them');
      if (currency === undefined) terms.push(`${path}.currency == ${cedarString(bound.currency, where)}`);
      currency = bound.currency;
      terms.push(`${path}.minorUnits ${operator} ${cedarLong(bound['minor-units'], where)}`);
    }
  }
  if (condition['starts-with'] !== undefined) {
    if (kind !== 'text') unenforceable(`${field}.starts-with`, `the parameter is ${parameter.type}, not text`, 'bound it with less-than, at-most or at-least');
    terms.push(`${path} like ${cedarPrefix(condition['starts-with'], `${field}.starts-with`)}`);
  }
  if (condition.matches !== undefined) {
    if (kind !== 'text') unenforceable(`${field}.matches`, `the parameter is ${parameter.type}, not text`, 'bound it with less-than, at-most or at-least');
    terms.push(`(${condition.matches.map((pattern, index) => `${path} like ${cedarPattern(pattern, `${field}.matches[${index}]`)}`).join(' || ')})`);
  }
  for (const [length, operator] of [['shortest', '>='], ['longest', '<=']] as const) {
    const bound = condition[length];
    if (bound === undefined) continue;
    if (kind !== 'text') unenforceable(`${field}.${length}`, `the parameter is ${parameter.type}, not text`, 'bound it with at-least or at-most');
    // Cedar cannot measure text; the gate tells it how long each one is.
    terms.push(`context.lengths[${cedarString(name, field)}] ${operator} ${cedarLong(bound, `${field}.${length}`)}`);
  }
  return terms;
}

function comparisons(): [keyof typeof COMPARISONS, string][] {
  return Object.entries(COMPARISONS) as [keyof typeof COMPARISONS, string][];
}
