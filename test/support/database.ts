/** A control plane's schema in a database of its own, migrated as on Aurora: by an owner that is NOSUPERUSER and CREATEROLE. */
import { randomBytes } from 'node:crypto';
import { Client, Pool } from 'pg';
import { afterAll, inject } from 'vitest';
import { MIGRATIONS, together } from '../../lambda/database/migrations';
import { compile, CompiledScope } from '../../lib/scope/compile';
import { compileSql } from '../../lib/scope/compile-sql';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { Card } from '../../lib/scope/card';
import { Manifest, manifestDigest } from '../../lib/scope/manifest';
import { agentLogin, agentRoleName, DUTIES, Duty, dutyLogin, dutyRole } from '../../lib/scope/names';
import { DEFAULT_TIERS } from '../../lib/scope/tier';
import { scramVerifier } from '../../lambda/registrar/scram';

export interface TestDatabase {
  readonly controls: string;
  readonly owner: Pool;
  readonly superuser: Pool;
  /** Connections of a duty's own login. */
  as(duty: Duty): Pool;
  /** Connections of an agent's own login. */
  asAgent(agent: string): Pool;
  /** Registers actions and an agent's card, as the registrar does. */
  register(card: Card, manifests: readonly Manifest[], environment?: string): Promise<CompiledScope>;
  /** A run of an agent, bound to the session id that is returned. */
  startRun(agent: string, request?: string): Promise<{ readonly runId: string; readonly principal: string }>;
  /** Moves the database's one clock. */
  moveClock(seconds: number): Promise<void>;
}

const PASSWORD = 'test-password';

export async function testDatabase(tables = ''): Promise<TestDatabase> {
  const server = inject('postgres');
  const controls = `t${randomBytes(5).toString('hex')}`;
  const pools: Pool[] = [];
  const pool = (user: string, password: string, database = controls): Pool => {
    const made = new Pool({ host: server.host, port: server.port, user, password, database, max: 20 });
    made.on('error', () => undefined);
    pools.push(made);
    return made;
  };
  const admin = new Client({ ...server, user: server.superuser, database: 'postgres' });
  await admin.connect();
  const ownerName = `${controls}-owner`;
  await admin.query(`create role "${ownerName}" login nosuperuser createrole createdb password '${PASSWORD}'`);
  await admin.query(`create database "${controls}" owner "${ownerName}"`);
  await admin.end();
  const owner = pool(ownerName, PASSWORD);
  await owner.query(tables);
  for (const migration of MIGRATIONS) for (const block of together(migration.statements(controls))) await owner.query(block);
  const login = (name: string, role: string, duty: string | null, agent: string | null): Promise<unknown> => owner.query("select controls.ensure_role($2::text), controls.ensure_login($1, $2, $3, $4), controls.set_password($1, $5, 'v1')", [name, role, duty, agent, scramVerifier(PASSWORD)]);
  for (const duty of DUTIES) await login(dutyLogin(controls, duty), dutyRole(controls, duty), duty, null);
  for (const { name, kind, windowSeconds, approvers, people, hours } of DEFAULT_TIERS) await owner.query('insert into controls.tier values ($1, $2, $3, $4, $5, false, $6)', [name, kind, windowSeconds, approvers, people, hours ? JSON.stringify(hours) : null]);
  afterAll(async () => { await Promise.all(pools.map((each) => each.end())); });

  const superuser = pool(server.superuser, server.password);
  const logins = new Map<string, Pool>();
  const as = (user: string): Pool => {
    const known = logins.get(user) ?? pool(user, PASSWORD);
    logins.set(user, known);
    return known;
  };
  return {
    controls, owner, superuser,
    as: (duty) => as(dutyLogin(controls, duty)),
    asAgent: (agent) => as(agentLogin(controls, agent)),
    async register(card, manifests, environment = 'dev') {
      const compiled = compile({ card, environment, manifests, tiers: DEFAULT_TIERS });
      for (const manifest of manifests) await owner.query('select controls.register_action($1, $2, $3, $4, $5, $6)', [manifest.name, 'stack', canonicalJson(manifest), manifestDigest(manifest), `fn-${manifest.name}`, 'bundle']);
      await login(agentLogin(controls, card.agent), agentRoleName(controls, card.agent), null, card.agent);
      await owner.query('select controls.demand_closed()');
      for (const statement of compileSql(compiled, controls)) await owner.query(statement);
      await owner.query('select controls.register_agent($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)', [card.agent, 'stack', environment, canonicalJson(card), compiled.cardDigest, canonicalJson(compiled), `arn:secret:${card.agent}`, compiled.production, null, '[]']);
      return compiled;
    },
    async startRun(agent, request = 'Follow up with L_1') {
      const runId = `run-${randomBytes(8).toString('hex')}`;
      const { rows } = await owner.query<{ digest: string }>('select card_digest as digest from controls.agent where name = $1', [agent]);
      const started = await as(dutyLogin(controls, 'broker')).query<{ start_run: string }>('select gate.start_run($1, $2, $3, $4, $5, null, null, null, 1800)', [runId, agent, 'bot', rows[0]?.digest, request]);
      const { refused } = JSON.parse(started.rows[0]?.start_run ?? '{}') as { refused?: string };
      if (refused !== undefined) throw new Error(refused);
      const principal = `AROAX:${runId}`;
      await as(dutyLogin(controls, 'broker')).query('select gate.bind_run($1, $2)', [runId, principal]);
      return { runId, principal };
    },
    async moveClock(seconds) {
      await superuser.query(`create or replace function controls.now() returns timestamptz language sql volatile as 'select clock_timestamp() + interval ''${seconds} seconds'''`);
    },
  };
}
