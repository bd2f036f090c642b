import { Approval, Call, Card, Condition, Conditions, durationSeconds, isMoney, Limit, Ordered, Read, Scalar, Scope } from './card';
import { canonicalJson } from './canonical-json';
import { approvalWords, conditionWords, durationWords, limitWords } from './words';

/** One thing that two cards say differently. `changed` is neither wider nor narrower, or cannot be told; it is read like `widened`. */
export interface Difference {
  readonly kind: 'widened' | 'narrowed' | 'changed';
  readonly sentence: string;
}

type Tell = (kind: Difference['kind'], sentence: string) => void;

/** What `next` allows that `before` did not, and the other way round, in words; in the order of the card. */
export function diffCards(before: Card, next: Card): Difference[] {
  const differences: Difference[] = [];
  const tell: Tell = (kind, sentence) => { differences.push({ kind, sentence }); };
  if (before.agent !== next.agent) tell('changed', `the card is of ${next.agent}, and was of ${before.agent}`);
  if (before.purpose !== next.purpose) tell('changed', `purpose: ${next.purpose}`);
  for (const owner of ['product', 'security', 'on-call'] as const) {
    if (before.owners[owner] !== next.owners[owner]) tell('changed', `the ${owner} owner is ${next.owners[owner]}, and was ${before.owners[owner]}`);
  }
  if (before['review-by'] !== next['review-by']) tell(next['review-by'] > before['review-by'] ? 'widened' : 'narrowed', `review by ${next['review-by']}, and was ${before['review-by']}`);
  if (before.request['trusted-from'] !== next.request['trusted-from']) {
    tell(next.request['trusted-from'] === 'compute' ? 'widened' : 'narrowed', `what was asked is taken from the ${next.request['trusted-from']}, and was from the ${before.request['trusted-from']}`);
  }
  lists(inputs(before), inputs(next), 'data', tell);
  lists(before.models, next.models, 'model', tell);
  environments(before, next, tell);
  keyed(before.scopes, next.scopes, ({ scope }) => scope, {
    added: ({ scope }) => tell('widened', `new scope ${scope}`),
    removed: ({ scope }) => tell('narrowed', `scope ${scope} is gone`),
    kept: (a, b) => scopes(a, b, (kind, sentence) => tell(kind, `${a.scope}: ${sentence}`)),
  });
  lists(parties(before), parties(next), 'deals with', tell);
  lists(before.clauses, next.clauses, 'is told', tell, 'narrowed');
  lists(before.redact, next.redact, 'leaves unrecorded', tell, 'narrowed');
  for (const list of ['read', 'write', 'call'] as const) lists(before.never?.[list], next.never?.[list], `never ${list}`, tell, 'narrowed');
  if (canonicalJson(before['failure-modes']) !== canonicalJson(next['failure-modes'])) tell('changed', 'the failure modes, or how they are found');
  if (canonicalJson(before.retention) !== canonicalJson(next.retention)) tell(durationSeconds(next.retention.inputs) > durationSeconds(before.retention.inputs) ? 'widened' : 'narrowed', `inputs are kept for ${durationWords(next.retention.inputs)}, and were for ${durationWords(before.retention.inputs)}`);
  return differences;
}

function environments(before: Card, next: Card, tell: Tell): void {
  for (const name of new Set([...Object.keys(before.environments), ...Object.keys(next.environments)])) {
    const [a, b] = [before.environments[name]?.data, next.environments[name]?.data];
    if (a === b) continue;
    if (a === undefined) tell('widened', `environment ${name}, with ${String(b)} data`);
    else if (b === undefined) tell('narrowed', `environment ${name} is gone`);
    else tell(b === 'production' ? 'widened' : 'narrowed', `environment ${name} holds ${b} data, and held ${a}`);
  }
}

function inputs(card: Card): string[] {
  return card['data-inputs'].flatMap(({ system, classes }) => classes.map((name) => `${name} of ${system}`));
}

/** Registered counterparties: whoever is one needs no request that names it. */
function parties(card: Card): string[] {
  return (card.counterparties ?? []).flatMap(({ type, values, from }) => (values ?? [`whatever ${from} holds`]).map((value) => `${type} ${value}`));
}

/** What a read's columns vouch for: each may decide where an effect goes. */
function vouched({ table, trusted }: Read): string[] {
  return Object.entries(trusted ?? {}).map(([column, type]) => `${table}.${column} as ${type}`);
}

function scopes(before: Scope, next: Scope, tell: Tell): void {
  if (before['direct-sql'] !== next['direct-sql']) tell(next['direct-sql'] ? 'widened' : 'narrowed', next['direct-sql'] ? 'writes SQL of its own' : 'writes no SQL of its own any more');
  keyed(before.read ?? [], next.read ?? [], ({ table }) => table, {
    added: (read) => {
      tell('widened', `reads ${read.columns.map((column) => `${read.table}.${column}`).join(', ')}`);
      lists([], vouched(read), 'is vouched for by', tell);
    },
    removed: ({ table }) => tell('narrowed', `reads no ${table} any more`),
    kept: (a, b) => {
      lists(a.columns.map((column) => `${a.table}.${column}`), b.columns.map((column) => `${b.table}.${column}`), 'reads', tell);
      lists(vouched(a), vouched(b), 'is vouched for by', tell);
      lists(a.private, b.private, `keeps private of ${a.table}`, tell, 'narrowed');
      conditions(a.rows, b.rows, `rows of ${a.table} where `, tell);
    },
  });
  keyed(before.call ?? [], next.call ?? [], ({ action }) => action, {
    added: ({ action, approval }) => tell('widened', `calls ${action}, tier ${approvalWords(approval)}`),
    removed: ({ action }) => tell('narrowed', `calls no ${action} any more`),
    kept: (a, b) => calls(a, b, (kind, sentence) => tell(kind, `${a.action}: ${sentence}`)),
  });
  const aws = ({ aws: statements }: Scope): string[] => (statements ?? []).flatMap(({ actions, resources }) => actions.flatMap((action) => resources.map((resource) => `${action} on ${resource}`)));
  lists(aws(before), aws(next), 'AWS', tell);
}

function calls(before: Call, next: Call, tell: Tell): void {
  conditions(before.bounds, next.bounds, '', tell);
  conditions(before.row, next.row, 'row where ', tell);
  lists(before.requires, next.requires, 'requires', tell, 'narrowed');
  keyed(before.limits ?? [], next.limits ?? [], ({ 'sum-of': sum, 'for-each': each, per }) => canonicalJson([sum ?? null, each ?? null, per]), {
    added: (limit) => tell('narrowed', limitWords(limit)),
    removed: (limit) => tell('widened', `no longer ${limitWords(limit)}`),
    kept: (a, b) => limits(a, b, tell),
  });
  approvals(before.approval, next.approval, tell);
}

function limits(before: Limit, next: Limit, tell: Tell): void {
  const order = compare(before['at-most'], next['at-most']);
  if (order !== 0) tell(order === undefined ? 'changed' : order < 0 ? 'widened' : 'narrowed', `${limitWords(next)}, and was ${limitWords(before)}`);
}

// A standing approval asks nobody at the moment of the call, so it lies between nobody and somebody.
const RANK: Readonly<Record<string, number>> = { auto: 0, standing: 1, verify: 2, human: 3, 'same-day': 3 };

function approvals(before: Approval, next: Approval, tell: Tell): void {
  if (canonicalJson(before) === canonicalJson(next)) return;
  const sentence = `tier ${approvalWords(next)}, and was ${approvalWords(before)}`;
  if (before.tier !== next.tier) {
    const [a, b] = [RANK[before.tier], RANK[next.tier]];
    tell(a === undefined || b === undefined || a === b ? 'changed' : b < a ? 'widened' : 'narrowed', sentence);
    return;
  }
  const steps = [
    // More time to answer is more time in which the call may still run; no window leaves it to the tier, which may have more.
    Math.sign((next.window ? durationSeconds(next.window) : Infinity) - (before.window ? durationSeconds(before.window) : Infinity)) || 0,
    Math.sign((before.people ?? 1) - (next.people ?? 1)),
    groups(before.approvers, next.approvers),
    before['granted-by'] === next['granted-by'] ? 0 : Number.NaN,
    before.until === next.until ? 0 : Math.sign(Date.parse(String(next.until)) - Date.parse(String(before.until))),
  ];
  const wider = steps.some((step) => step > 0);
  const narrower = steps.some((step) => step < 0);
  tell(steps.some(Number.isNaN) || wider === narrower ? 'changed' : wider ? 'widened' : 'narrowed', sentence);
}

/** 1 when more groups may decide, -1 when fewer, NaN when others. Naming none leaves it to the tier, which may name more. */
function groups(before: readonly string[] | undefined, next: readonly string[] | undefined): number {
  if (before && next) return grown(before, next);
  return Number(before !== undefined) - Number(next !== undefined);
}

/** 1 when all are still there and more, -1 when some are gone, 0 when they are the same, NaN when others came. */
function grown(before: readonly string[], next: readonly string[]): number {
  const [gone, came] = [before.some((name) => !next.includes(name)), next.some((name) => !before.includes(name))];
  return gone && came ? Number.NaN : Number(came) - Number(gone);
}

function conditions(before: Conditions = {}, next: Conditions = {}, where: string, tell: Tell): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(next)])) {
    const [a = {}, b = {}] = [before[name], next[name]];
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)] as (keyof Condition)[])) {
      const words = (of: Condition): string => `${where}${conditionWords({ [name]: { [key]: of[key] } }).join('')}`;
      if (a[key] === undefined) tell('narrowed', words(b));
      else if (b[key] === undefined) tell('widened', `no longer ${words(a)}`);
      else if (canonicalJson(a[key]) !== canonicalJson(b[key])) tell(direction(key, a, b), `${words(b)}, and was ${words(a)}`);
    }
  }
}

function direction(key: keyof Condition, before: Condition, next: Condition): Difference['kind'] {
  switch (key) {
    case 'in': case 'matches': {
      const growth = grown((before[key] as readonly Scalar[]).map(canonicalJson), (next[key] as readonly Scalar[]).map(canonicalJson));
      return growth > 0 ? 'widened' : growth <= 0 ? 'narrowed' : 'changed';
    }
    case 'starts-with': {
      const [a, b] = [String(before[key]), String(next[key])];
      return a.startsWith(b) ? 'widened' : b.startsWith(a) ? 'narrowed' : 'changed';
    }
    case 'equals': return 'changed';
    default: {
      const order = compare(before[key] as Ordered, next[key] as Ordered);
      if (order === undefined) return 'changed';
      return (order < 0) === (key !== 'at-least' && key !== 'shortest') ? 'widened' : 'narrowed';
    }
  }
}

/** Less than 0 when `next` is more; `undefined` for two currencies. */
function compare(before: Ordered, next: Ordered): number | undefined {
  if (isMoney(before) && isMoney(next)) return before.currency === next.currency ? before['minor-units'] - next['minor-units'] : undefined;
  return isMoney(before) || isMoney(next) ? undefined : before - next;
}

function lists(before: readonly string[] = [], next: readonly string[] = [], what: string, tell: Tell, more: 'widened' | 'narrowed' = 'widened'): void {
  for (const value of next) if (!before.includes(value)) tell(more, `${what} ${value}`);
  for (const value of before) if (!next.includes(value)) tell(more === 'widened' ? 'narrowed' : 'widened', `no longer ${what} ${value}`);
}

/** Pairs what has the same key; of several with one key, the first with the first and so on. */
function keyed<T>(before: readonly T[], next: readonly T[], keyOf: (of: T) => string, on: { readonly added: (of: T) => void; readonly removed: (of: T) => void; readonly kept: (before: T, next: T) => void }): void {
  const left = [...before];
  for (const item of next) {
    const at = left.findIndex((other) => keyOf(other) === keyOf(item));
    if (at < 0) on.added(item);
    else on.kept(left.splice(at, 1)[0] as T, item);
  }
  left.forEach(on.removed);
}
