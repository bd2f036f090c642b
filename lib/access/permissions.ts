import { Card } from '../scope/card';
import { CompiledScope, DIRECT_SQL } from '../scope/compile';
import { Manifest } from '../scope/manifest';
import { approvalWords, conditionWords, limitWords } from '../scope/words';
import { HERE } from './pattern';
import { Role } from './roles';

/** One thing that an agent may do, and what keeps it to that. */
export interface Permission {
  readonly agent: string;
  readonly verb: 'read' | 'write' | 'call' | 'aws';
  readonly what: string;
  /** Under which conditions, in words. */
  readonly when: string;
  readonly enforcedBy: string;
}

/** Everything that an agent may do, in a stable order. */
export function permissionsOf(card: Card, { grants, tools }: CompiledScope, manifests: readonly Manifest[], role: Role | undefined): Permission[] {
  const { agent } = card;
  const called = manifests.filter(({ name }) => Object.hasOwn(tools, name));
  const plain = (quoted: string): string => quoted.replaceAll('"', '').replace(/^public\./, '');
  const rows = (limits: readonly string[]): string => (limits.length > 0 ? `rows where ${limits.map(plain).join(' and ')}` : 'every row');
  return [
    ...grants.flatMap(({ table, select, rows: limits }) => select.map((column): Permission => ({ agent, verb: 'read', what: `${plain(table)}.${plain(column)}`, when: rows(limits), enforcedBy: 'Postgres' }))),
    ...grants.flatMap(({ table, update, rows: limits }) => update.map((column): Permission => ({ agent, verb: 'write', what: `${plain(table)}.${plain(column)}`, when: `by ${writers(called, `${plain(table)}.${plain(column)}`)}, ${rows(limits)}`, enforcedBy: 'Postgres' }))),
    ...card.scopes.flatMap(({ scope, call }) => (call ?? []).map((of): Permission => ({
      agent, verb: 'call', what: of.action,
      when: [scope, approvalWords(of.approval), ...conditionWords(of.bounds), ...conditionWords(of.row), ...(of.requires ?? []).map((what) => `with ${what}`), ...(of.limits ?? []).map(limitWords)].join('; '),
      enforcedBy: 'gate',
    }))),
    ...card.scopes.filter((scope) => scope['direct-sql']).map(({ scope }): Permission => ({ agent, verb: 'call', what: DIRECT_SQL, when: `${scope}; auto; SELECT of its own over what it may read`, enforcedBy: 'Postgres' })),
    ...(role?.statements ?? []).filter(({ effect, actions }) => effect === 'Allow' && !actions.includes('execute-api:Invoke')).flatMap(({ actions, resources }) => actions.flatMap((action) => resources.map((resource): Permission => ({ agent, verb: 'aws', what: action, when: `on ${resource.replaceAll(HERE, '*')}`, enforcedBy: 'IAM' })))),
  ].sort((a, b) => compare(a.verb, b.verb) || compare(a.what, b.what) || compare(a.when, b.when));
}

/** The actions that write a column with the agent's login. */
function writers(manifests: readonly Manifest[], column: string): string {
  return manifests.filter(({ writes }) => writes?.some((written) => written.replace(/^public\./, '') === column)).map(({ name }) => name).sort().join(' or ');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
