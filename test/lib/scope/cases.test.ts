/** One card, four enforcers: each gives the verdicts of test/cases on the real thing. */
import { Validator } from '@cfworker/json-schema';
import { runSimulation } from '@cloud-copilot/iam-simulate';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Pool } from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { sessionPolicy } from '../../../lambda/broker/session-policy';
import { decide } from '../../../lambda/gate/decide';
import { policyFaults } from '../../../lambda/gate/judge';
import { PolicySet } from '../../../lambda/gate/policy-set';
import { AgentControls, ScopeCard } from '../../../lib';
import { CompiledScope } from '../../../lib/scope/compile';
import { CROWN_JEWELS } from '../../../lib/scope/compile-aws';
import { conditionsToSql } from '../../../lib/scope/conditions';
import { Manifest, manifestDigest, ParameterManifest } from '../../../lib/scope/manifest';
import { agentRoleName } from '../../../lib/scope/names';
import { TestDatabase, testDatabase } from '../../support/database';
import { AWS, CALLS, calling, cardOf, compiled, CONDITIONS, ConditionCase, JEWELS, manifestOf, named, PARAMETERS, READS, taking, valueOf } from './cases';
import { cedarMutants, schemaMutants, sqlMutants } from './mutants';

let version = 0;
const policySet = (scope: CompiledScope): PolicySet => new PolicySet(`case-${(version += 1)}`, scope);
const known = { stopped: null, manifestDigest: null, rowsHold: [], trustedRequest: 'do it', today: '2026-05-01', hasRead: false };

it('there are at least 150 of them', () => {
  expect([CONDITIONS, READS, PARAMETERS, AWS, JEWELS, CALLS].reduce((sum, { length }) => sum + length, 0)).toBeGreaterThanOrEqual(150);
});

describe('a bound on a parameter', () => {
  const cases = named(CONDITIONS.filter(({ on }) => on !== 'boolean'), ({ on, where }) => ({ [on]: where }));
  const asked = (set: PolicySet, each: ConditionCase, value: unknown): boolean => set.permitting({ agent: set.scope.agent, action: 'act', parameters: { v: valueOf(each.on, value) }, columns: [] }).length > 0;
  const values = ({ allow, refuse }: ConditionCase): [unknown, boolean][] => [...allow.map((value): [unknown, boolean] => [value, true]), ...refuse.filter((value) => value !== null).map((value): [unknown, boolean] => [value, false])];

  it.each(cases)('%s: Cedar', (_name, each) => {
    const manifest = manifestOf(each.on as 'text');
    const scope = calling(each.where, manifest);
    expect(policyFaults(scope, [manifest])).toEqual([]);
    const set = policySet(scope);
    for (const [value, expected] of values(each)) expect(asked(set, each, value), JSON.stringify(value)).toBe(expected);
  });

  it.each(cases)('%s: the schema is no narrower, and keeps lengths', (_name, each) => {
    const { schema } = calling(each.where, manifestOf(each.on as 'text')).tools.act as NonNullable<CompiledScope['tools'][string]>;
    const fits = (value: unknown): boolean => new Validator(schema.inputSchema, '2020-12', false).validate({ v: valueOf(each.on, value) }).valid;
    for (const value of each.allow) if (value !== '') expect(fits(value), JSON.stringify(value)).toBe(true);
    if (Object.keys(each.where).every((key) => key === 'longest' || key === 'shortest')) for (const [value, expected] of values(each)) expect(fits(value), JSON.stringify(value)).toBe(expected);
  });

  it.each(cases)('%s: no comparison of its Cedar policy can be flipped or dropped unseen', (_name, each) => {
    const scope = calling(each.where, manifestOf(each.on as 'text'));
    for (const { what, policies } of cedarMutants(scope.policies)) {
      // Asked whole, for any action: the set that the gate asks holds the policies of one action only.
      const set = policySet({ ...scope, policies, rules: {}, tools: { ...scope.tools, other: scope.tools.act as NonNullable<CompiledScope['tools'][string]> } });
      const seen = values(each).some(([value, expected]) => asked(set, each, value) !== expected)
        || set.permitting({ agent: 'another', action: 'act', parameters: { v: valueOf(each.on, each.allow[0]) }, columns: [] }).length > 0
        || set.permitting({ agent: scope.agent, action: 'other', parameters: { v: valueOf(each.on, each.allow[0]) }, columns: [] }).length > 0;
      expect(seen, what).toBe(true);
    }
  });
});

describe('a condition on stored rows', () => {
  let db: TestDatabase;
  const cases = CONDITIONS.filter(({ on }) => ['text', 'integer', 'boolean'].includes(on));
  const all = ({ allow, refuse }: ConditionCase): unknown[] => [...allow, ...refuse];
  const TYPE = { text: 'text', integer: 'bigint', boolean: 'boolean' } as Readonly<Record<string, string>>;
  let agent: Pool;

  beforeAll(async () => {
    db = await testDatabase();
    await db.register(cardOf((of) => {
      of.agent = 'reader';
      of.scopes = [{ scope: 'scope://a.b', aws: [{ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::x/y'] }] }];
    }), []);
    agent = db.asAgent('reader');
    const role = agentRoleName(db.controls, 'reader');
    for (const [index, each] of cases.entries()) {
      await db.owner.query(`create table public.c${index} (k serial, v ${TYPE[each.on] as string})`);
      for (const value of all(each)) await db.owner.query(`insert into public.c${index} (v) values ($1)`, [value]);
      await db.owner.query(`grant select (k) on public.c${index} to "${role}"`);
      await db.owner.query('select controls.limit_rows($1::regclass, $2, $3)', [`public.c${index}`, role, conditionsToSql({ v: each.where }, 'x')]);
    }
  });

  it.each(cases.map((each, index) => [JSON.stringify({ [each.on]: each.where }), each, index] as const))('%s: a row policy shows the agent just those', async (_name, each, index) => {
    const { rows } = await agent.query<{ k: number }>(`select k from public.c${index} order by k`);
    expect(rows.map(({ k }) => all(each)[k - 1])).toEqual(each.allow);
  });

  it.each(cases.map((each, index) => [JSON.stringify({ [each.on]: each.where }), each, index] as const))('%s: a call may name just those', async (_name, each, index) => {
    const manifest = taking({ type: 'reference', references: `c${index}.k` });
    const scope = compiled((of) => { of.scopes = [{ scope: 'scope://a.b', call: [{ action: 'act', row: { [`c${index}.v`]: each.where }, approval: { tier: 'auto' } }] }]; }, [manifest]);
    const sql = scope.rules['scope://a.b/call/0']?.row?.sql ?? '';
    for (const [at, value] of all(each).entries()) {
      const { rows } = await db.owner.query<{ holds: boolean }>('select gate.row_holds($1, $2) as holds', [sql, String(at + 1)]);
      expect(rows[0]?.holds, JSON.stringify(value)).toBe(at < each.allow.length);
    }
    expect((await db.owner.query<{ holds: boolean }>('select gate.row_holds($1, $2) as holds', [sql, '9999'])).rows[0]?.holds).toBe(false);
  });

  it.each(cases.map((each, index) => [JSON.stringify({ [each.on]: each.where }), each, index] as const))('%s: no comparison of its SQL can be flipped or dropped unseen', async (_name, each, index) => {
    for (const { what, sql } of sqlMutants(conditionsToSql({ v: each.where }, 'x'))) {
      const { rows } = await db.owner.query<{ k: number }>(`select k from public.c${index} where ${sql} order by k`);
      expect(rows.map(({ k }) => all(each)[k - 1]), `${what}: ${sql}`).not.toEqual(each.allow);
    }
  });
});

describe('a read', () => {
  const cases = READS.map((each, index) => [JSON.stringify(each.read), each, index] as const);
  const PEOPLE = `create table people (id int, name text, email text, phone text, city text, vip boolean);
    insert into people values (1, 'Ada', 'a@x', '1', 'Berlin', true), (2, 'Bo', 'b@x', '2', 'Paris', false), (3, 'Cy', 'c@x', '3', 'Berlin', false), (4, 'Di', 'd@x', '4', null, false);`;
  const cardFor = (index: number) => cardOf((of) => {
    of.agent = `reader-${index}`;
    of.scopes = (READS[index]?.read ?? []).map((read, at) => ({ scope: `scope://a.b${at}`, read: [{ table: 'people', ...read }] }));
  });
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase(PEOPLE);
    for (const index of READS.keys()) await db.register(cardFor(index), []);
    await db.owner.query('alter table people add added_later text');
  });

  it.each(cases)('%s: Cedar and the schema', (_name, each, index) => {
    const scope = compiled((of) => Object.assign(of, cardFor(index)), []);
    expect(policyFaults(scope, [])).toEqual([]);
    const set = policySet(scope);
    const verdict = (columns: readonly string[]): string => decide(set, { action: 'read_people', parameters: { columns } }, known).verdict;
    for (const columns of each.allow) expect(verdict(columns), columns.join()).toBe('permit');
    for (const columns of each['postgres-only'] ?? []) expect(verdict(columns), columns.join()).toBe('deny');
    for (const columns of each.refuse) expect(verdict(columns), columns.join()).toBe('deny');
    // A column that is closed is closed beside an open one, too.
    const refused = each.refuse.flatMap((columns) => [columns, [each.read[0]?.columns[0] ?? '', ...columns], [...columns, each.read.at(-1)?.columns.at(-1) ?? '']]).filter((columns) => !each.allow.some((allowed) => columns.every((column) => allowed.includes(column))));
    for (const { what, policies } of cedarMutants(scope.policies)) {
      const mutant = policySet({ ...scope, policies, rules: {}, tools: { ...scope.tools, other: scope.tools.read_people as NonNullable<CompiledScope['tools'][string]> } });
      const permits = (columns: readonly string[], agent = scope.agent, action = 'read_people'): boolean => mutant.permitting({ agent, action, parameters: {}, columns: [...columns] }).length > 0;
      const seen = each.allow.some((columns) => !permits(columns)) || refused.some((columns) => permits(columns)) || each.allow.some((columns) => permits(columns, 'another') || permits(columns, scope.agent, 'other'));
      expect(seen, what).toBe(true);
    }
    for (const { what, schema } of schemaMutants(scope.tools.read_people?.schema.inputSchema ?? {})) {
      if (!/enum|additionalProperties|required/.test(what)) continue; // sizes of lists are the gate's, not the card's
      const fits = (parameters: object): boolean => new Validator(schema, '2020-12', false).validate(parameters).valid;
      const refused = [{ columns: ['added_later'] }, { columns: [each.read[0]?.columns[0]], where: { added_later: 'x' } }, { columns: [each.read[0]?.columns[0]], more: 1 }, {}];
      expect(refused.some(fits) || each.read.some(({ columns }) => columns.some((column) => !fits({ columns: [column] }))), what).toBe(true);
    }
  });

  it.each(cases)('%s: Postgres', async (_name, each, index) => {
    const agent = db.asAgent(`reader-${index}`);
    for (const columns of [...each.allow, ...each['postgres-only'] ?? []]) expect((await agent.query(`select ${columns.join(', ')} from people`)).rowCount, columns.join()).toBe(each.see.length);
    for (const columns of each.refuse) await expect(agent.query(`select ${columns.join(', ')} from people`), columns.join()).rejects.toThrow('permission denied');
    if (each.read.some(({ columns }) => columns.includes('id'))) expect((await agent.query<{ id: number }>('select id from people order by id')).rows.map(({ id }) => id)).toEqual(each.see);
    await expect(agent.query("update people set id = 0")).rejects.toThrow('permission denied');
    await expect(agent.query('delete from people')).rejects.toThrow('permission denied');
  });
});

describe('a parameter', () => {
  it.each(named(PARAMETERS, ({ is }) => is))('%s', (_name, { is, ...each }) => {
    const { schema } = calling(undefined, taking(is)).tools.act as NonNullable<CompiledScope['tools'][string]>;
    const fits = (of: Readonly<Record<string, unknown>>, value: unknown): boolean => new Validator(of, '2020-12', false).validate({ v: value }).valid;
    const [allow, refuse] = [[...each.allow, ...atTheEdge(is)], [...each.refuse, ...overTheEdge(is)]];
    for (const value of allow) expect(fits(schema.inputSchema, value), JSON.stringify(value)).toBe(true);
    for (const value of refuse) expect(fits(schema.inputSchema, value), JSON.stringify(value)).toBe(false);
    for (const { what, schema: mutant } of schemaMutants(schema.inputSchema)) {
      const validator = new Validator(mutant, '2020-12', false);
      const seen = allow.some((value) => !fits(mutant, value)) || refuse.some((value) => fits(mutant, value)) || validator.validate({}).valid || validator.validate({ v: allow[0], more: 1 }).valid;
      expect(seen, what).toBe(true);
    }
  });
});

/** Values too long to write down: the longest that is taken, and one longer; and what is of no such type. */
const mail = (length: number): string => `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(length - 64 - 1 - 63 - 1 - 63 - 1)}`;
function atTheEdge({ type, maxLength }: ParameterManifest): unknown[] {
  return type === 'text' ? ['a'.repeat(maxLength ?? 0)] : type === 'email' ? [mail(254)] : type === 'reference' || type === 'name' ? ['a'.repeat(200), 'a'] : type === 'url' ? ['a'.repeat(2_000), 'a'] : [];
}
function overTheEdge({ type, maxLength, currencies, min = 0, max = 0 }: ParameterManifest): unknown[] {
  if (type === 'integer') return [(min + max) / 2 + 0.25, String(min), true, null, [min], {}];
  if (type === 'money') return [5, 'x', null, [], {}, ...[-1, 1.5, '1', null, 2 ** 53].map((minorUnits) => ({ currency: currencies?.[0], minorUnits })), { currency: currencies?.[0], minorUnits: 1, scale: 2 }, { minorUnits: 1 }];
  if (type === 'flag') return [5, 'true', null, [true], {}, ''];
  return [5, true, null, ['a'], { a: 1 }, '', ...(type === 'text' ? ['a'.repeat((maxLength ?? 0) + 1)] : type === 'email' ? [mail(255)] : type === 'reference' || type === 'name' ? ['a'.repeat(201)] : type === 'url' ? ['a'.repeat(2_001)] : [])];
}

describe('a call', () => {
  const SET_LIMIT: Manifest = {
    name: 'set_limit', description: 'Sets a limit.', effect: 'write', reach: 'internal', asks: ['do'], sinks: [], returns: {}, reverse: { kind: 'restore' },
    parameters: { account: { type: 'reference', references: 'accounts.id' }, amount: { type: 'integer', min: 0, max: 1_000 } },
  };
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase("create table accounts (id text, status text, region text); insert into accounts values ('A1', 'open', 'eu'), ('A2', 'closed', 'eu'), ('A3', 'open', 'us');");
  });

  it.each(named(CALLS, ({ calls }) => calls))('%s', async (_name, { calls, answers, people }) => {
    const scope = compiled((of) => { of.scopes = calls.map((call, at) => ({ scope: `scope://a.b${at}`, call: [{ action: 'set_limit', approval: { tier: 'auto' }, ...call }] })); }, [SET_LIMIT]);
    expect(policyFaults(scope, [SET_LIMIT])).toEqual([]);
    const set = policySet(scope);
    for (const { of: [account, amount], with: more, is } of answers) {
      const rowsHold: string[] = [];
      for (const [id, { row }] of Object.entries(scope.rules)) {
        if (row && (await db.owner.query<{ holds: boolean }>('select gate.row_holds($1, $2) as holds', [row.sql, account])).rows[0]?.holds) rowsHold.push(id);
      }
      const { verdict, reasons, rule } = decide(set, { action: 'set_limit', parameters: { account, amount }, ...more }, { ...known, manifestDigest: manifestDigest(SET_LIMIT), rowsHold });
      expect([verdict, ...reasons.slice(0, 1).map((reason) => reason.split(':')[0])].join(' '), `${account} ${amount}`).toBe(is);
      if (people !== undefined) expect(rule?.people).toBe(people);
    }
  });
});

describe('an AWS action', () => {
  interface Layers { readonly role: object[]; readonly boundary: object; readonly session: object }
  const ACCOUNT = '111122223333';
  const OPEN = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
  const API = `arn:aws:execute-api:eu-central-1:${ACCOUNT}:api`;
  let layers: readonly Layers[];

  beforeAll(() => {
    const stack = new Stack(new App(), 'Test', { env: { account: ACCOUNT, region: 'eu-central-1' } });
    const controls = new AgentControls(stack, 'Controls');
    AWS.forEach(({ open }, index) => controls.addAgent(`A${index}`, { card: ScopeCard.fromObject(cardOf((of) => {
      of.agent = `a${index}`;
      of.scopes = [{ scope: 'scope://a.b', ...(open.length > 0 ? { aws: open } : { read: [{ table: 'leads', columns: ['name'] }] }) }];
    })) }));
    const resources = Object.values(plain(Template.fromStack(stack).toJSON()).Resources as Record<string, { Type: string; Properties: any }>);
    const managed = (name: string): object => resources.find(({ Properties }) => Properties?.ManagedPolicyName === name)?.Properties.PolicyDocument as object;
    layers = AWS.map((_, index) => {
      const role = resources.find(({ Properties }) => Properties?.RoleName === `agent-controls-agent-a${index}`)?.Properties;
      return { role: [managed('agent-controls-agent-policy'), ...(role.Policies ?? []).map(({ PolicyDocument }: { PolicyDocument: object }) => PolicyDocument)], boundary: managed('agent-controls-agent-boundary'), session: JSON.parse(sessionPolicy(API)) as object };
    });
  });

  /** Intrinsics as they come out at deploy. */
  function plain(value: any): any {
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    if (value.Ref !== undefined) return value.Ref === 'AWS::Partition' ? 'aws' : /Api/.test(String(value.Ref)) ? 'api' : value.Ref;
    if (value['Fn::Join']) return plain(value['Fn::Join'][1]).join(value['Fn::Join'][0]);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  }

  async function allows({ role, boundary, session }: Layers, request: string): Promise<boolean> {
    const [action = '', resource = ''] = request.split(' ');
    const outcome = await runSimulation({
      request: { principal: `arn:aws:sts::${ACCOUNT}:assumed-role/agent-controls-agent-x/run-1`, action, resource: { resource, accountId: ACCOUNT }, contextVariables: {} },
      identityPolicies: role.map((policy, index) => ({ name: `p${index}`, policy: policy as never })), serviceControlPolicies: [], resourceControlPolicies: [],
      permissionBoundaryPolicies: [{ name: 'boundary', policy: boundary as never }], sessionPolicy: session as never,
    }, {}) as { resultType: string; overallResult?: string; errors?: unknown };
    if (outcome.resultType === 'error') throw new Error(`${request}: ${JSON.stringify(outcome.errors)}`);
    return outcome.overallResult === 'Allowed';
  }

  it.each(AWS.map((each, index) => [JSON.stringify(each.open), each, index] as const))('%s', async (_name, each, index) => {
    for (const request of each.allow) expect(await allows(layers[index] as Layers, request), request).toBe(true);
    for (const request of each.refuse) expect(await allows(layers[index] as Layers, request), request).toBe(false);
  });

  it.each(named(JEWELS, ({ refuse }) => refuse.join()))('%s is refused by the role alone, the boundary alone, the session alone', async (_name, { refuse }) => {
    const { role, boundary, session } = layers[0] as Layers;
    for (const request of refuse) {
      expect(await allows({ role: [OPEN], boundary: OPEN, session: OPEN }, request), 'nothing else refuses it').toBe(true);
      expect(await allows({ role: [...role, OPEN], boundary: OPEN, session: OPEN }, request), 'role').toBe(false);
      expect(await allows({ role: [OPEN], boundary, session: OPEN }, request), 'boundary').toBe(false);
      expect(await allows({ role: [OPEN], boundary: OPEN, session }, request), 'session').toBe(false);
    }
  });

  it('no refusal can be dropped from a layer unseen', async () => {
    const without = (policy: any, jewel: string): object => ({ ...policy, Statement: policy.Statement.flatMap((statement: any) => {
      if (statement.Effect !== 'Deny') return [statement];
      if (jewel === 'gateway') return statement.NotResource ? [] : [statement];
      return [{ ...statement, Action: [statement.Action].flat().filter((action: string) => action !== jewel) }];
    }) });
    const { role, boundary, session } = layers[0] as Layers;
    for (const jewel of [...CROWN_JEWELS, 'gateway']) {
      const requests = JEWELS.filter((each) => each.for === jewel).flatMap(({ refuse }) => refuse);
      const mutants: Layers[] = [
        { role: [...role.map((policy) => without(policy, jewel)), OPEN], boundary: OPEN, session: OPEN },
        { role: [OPEN], boundary: without(boundary, jewel), session: OPEN },
        { role: [OPEN], boundary: OPEN, session: without(session, jewel) },
      ];
      for (const [layer, mutant] of mutants.entries()) {
        const seen = await Promise.all(requests.map((request) => allows(mutant, request)));
        expect(seen.some(Boolean), `${jewel} of layer ${layer}`).toBe(true);
      }
    }
  });
});

