import { beforeAll, describe, expect, it } from 'vitest';
import { DUTIES, Duty } from '../../../lib/scope/names';
import { card, LEADS, SEND_EMAIL } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

/** What each login may execute; everything else is refused. */
const MAY: Readonly<Record<Duty, readonly string[]>> = {
  broker: ['gate.ask', 'gate.bind_run', 'gate.start_run'],
  gate: ['gate.commit_call', 'gate.open_call', 'gate.open_change', 'gate.provenance', 'gate.read_hold', 'gate.read_result', 'gate.read_scope', 'gate.refuse'],
  verifier: ['hold.proposal', 'hold.verify'],
  executor: ['gate.outcome', 'gate.redeem', 'hold.claim', 'hold.stage', 'hold.to_stage', 'undo.claim', 'undo.finish', 'undo.looks', 'undo.settle'],
  decide: ['hold.around', 'hold.decide', 'hold.list', 'hold.may_change', 'hold.saw', 'hold.show', 'hold.words'],
  expiry: ['hold.attend', 'hold.expire', 'hold.open', 'hold.told'],
  append: ['audit.append'],
  auditor: ['audit.inputs_of', 'audit.json_of', 'audit.output_of', 'audit.record_review', 'audit.usage'],
  keeper: ['anomaly.count_hours', 'anomaly.look', 'anomaly.told', 'anomaly.untold', 'audit.carry_out_erasure', 'audit.drop_month', 'audit.due_month', 'audit.erasure_places', 'audit.legal_holds', 'audit.make_months', 'audit.order_erasure', 'audit.ordered_erasures', 'audit.place_legal_hold', 'audit.record_checkpoint', 'audit.record_evidence', 'audit.release_legal_hold', 'audit.state', 'audit.swept_partitions', 'gate.reconcile', 'undo.expire'],
  kill: ['controls.ask_back', 'controls.bring_back', 'controls.end_logins', 'controls.end_waiting', 'controls.left_of', 'controls.record_disabled', 'controls.record_stop', 'controls.set_caution', 'controls.stop', 'controls.stoppable'],
  gateway: ['gate.begin_model', 'gate.end_model', 'gate.model_goes_on', 'gate.model_policy', 'gate.model_result', 'gate.open_model', 'gate.refuse_model'],
  rotate: ['controls.advance_rotation', 'controls.claim_rotation', 'controls.look_rotation', 'controls.record_failure', 'controls.record_leak', 'controls.set_rotated'],
  rollback: ['undo.commit', 'undo.plan', 'undo.progress', 'undo.resolve', 'undo.resolve_call'],
  reverse: [], // until an action that can be undone is registered
};

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase(LEADS);
  await db.register(card(), [SEND_EMAIL]);
});

describe.each(DUTIES)('the login of the %s', (duty) => {
  it('may execute its own functions and no other', async () => {
    const { rows } = await db.as(duty).query<{ name: string }>(`select n.nspname || '.' || p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('controls', 'audit', 'gate', 'hold', 'undo', 'anomaly') and has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute') order by 1`);
    expect(rows.map(({ name }) => name)).toEqual(MAY[duty]);
  });

  it('may touch no table, but for the auditor, who reads', async () => {
    const { rows } = await db.as(duty).query<{ name: string; rights: string }>(`select c.oid::regclass::text as name, string_agg(r, ',' order by r) as rights from pg_class c join pg_namespace n on n.oid = c.relnamespace,
      unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) r
      where n.nspname in ('controls', 'audit', 'gate', 'hold', 'undo', 'anomaly', 'public') and c.relkind in ('r', 'p', 'v') and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, r) group by 1`);
    expect(rows.map(({ name, rights }) => `${name}: ${rights}`).sort()).toEqual(duty === 'auditor' ? ['audit.action: select', 'audit.agent: select', 'audit.card: select', 'audit.checkpoint: select', 'audit.decision: select', 'audit.dropped: select', 'audit.entry: select', 'audit.head: select', 'audit.log: select', 'audit.payload: select', 'audit.residency: select', 'audit.signer: select'] : []);
  });

  it('owns nothing and makes nothing', async () => {
    for (const statement of ['create table x (y int)', 'create temp table x (y int)', 'create schema x', 'create role x', 'create function x() returns int language sql as $$ select 1 $$', 'create database x']) {
      await expect(db.as(duty).query(statement), statement).rejects.toThrow(/permission denied|must have|cannot/);
    }
    expect((await db.owner.query('select from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname like $1', [`${db.controls}-${duty}%`])).rowCount).toBe(0);
  });

  it('becomes nobody else', async () => {
    for (const role of [`${db.controls}-owner`, `${db.controls}-${duty}`, ...DUTIES.map((other) => `${db.controls}-${other}-a`).filter((name) => name !== `${db.controls}-${duty}-a`)]) {
      await expect(db.as(duty).query(`set role "${role}"`), role).rejects.toThrow('permission denied to set role');
    }
  });
});

describe('the login of an agent', () => {
  it('reads the columns of its card and no other', async () => {
    const agent = db.asAgent('outreach-closer');
    expect((await agent.query('select name, company, signals, last_touch from leads')).rowCount).toBe(2);
    for (const sql of ['select phone from leads', 'select * from leads', 'select name from leads where phone is not null', 'select leads from leads', 'select count(payment_method) from leads', 'copy leads to stdout', 'table leads']) {
      await expect(agent.query(sql), sql).rejects.toThrow('permission denied');
    }
  });

  it('writes nothing and reaches nothing of the control plane', async () => {
    const agent = db.asAgent('outreach-closer');
    for (const sql of ["insert into leads (id) values ('x')", "update leads set name = 'x'", 'delete from leads', 'truncate leads', 'select from audit.entry', "select audit.append('[]')", "select gate.redeem(gen_random_uuid())", 'select from controls.agent', 'create temp table x (y int)', 'create table x (y int)']) {
      await expect(agent.query(sql), sql).rejects.toThrow('permission denied');
    }
  });

  it('does not see a column that is added tomorrow', async () => {
    await db.owner.query('alter table leads add column salary int');
    await expect(db.asAgent('outreach-closer').query('select salary from leads')).rejects.toThrow('permission denied');
  });

  it('loses what a narrowed card takes away, and the rows it closes', async () => {
    await db.register(card((of) => { of.scopes[0].read[0] = { table: 'leads', columns: ['name'], rows: { lead_status: { equals: 'cold' } } }; }), [SEND_EMAIL]);
    const agent = db.asAgent('outreach-closer');
    await expect(agent.query('select company from leads')).rejects.toThrow('permission denied');
    expect((await agent.query('select name from leads')).rows).toEqual([{ name: 'Ada' }]);
    expect((await db.owner.query('select from leads')).rowCount).toBe(2);
    await db.register(card(), [SEND_EMAIL]);
    expect((await agent.query('select name from leads')).rowCount).toBe(2);
  });

  it('does not get around its columns and rows by views, functions, prepared or nested statements', async () => {
    await db.owner.query(`create view everything as select * from leads; create function phones() returns setof text language sql as 'select phone from leads'; create function count_all() returns bigint language sql as 'select count(*) from leads'`);
    const agent = db.asAgent('outreach-closer');
    for (const sql of [
      'select * from everything', 'select * from phones()', 'with x as (update leads set name = name returning phone) select * from x', "with x as (insert into leads (id) values ('x') returning id) select * from x", 'select (select max(phone) from leads)', 'select name from leads order by phone',
      'select name from leads group by name, phone', 'select leads.* from leads', 'select to_jsonb(leads) from leads', "select query_to_xml('select phone from leads', true, false, '')", "do $$ begin perform phone from leads; end $$", 'declare c cursor with hold for select phone from leads', 'prepare p as select phone from leads; execute p',
      "copy (select phone from leads) to stdout", "copy leads (name) from program 'id'", "copy (select 1) to program 'id'", "select pg_read_file('/etc/passwd')", 'explain analyze select phone from leads', 'create view v as select name from leads', "create function f() returns int language sql as 'select 1'", 'merge into leads using (values (1)) v on false when not matched then insert (id) values (\'x\')',
      'lock table leads', 'select name from leads for update', 'create trigger t before insert on leads for each row execute function phones()', 'alter table leads add column x int', 'comment on table leads is \'x\'', 'set role postgres', `set session authorization "${db.controls}-owner"`, `set role "${db.controls}-broker"`, `set role "${db.controls}-agent-outreach-closer"`,
    ]) expect(await agent.query(sql).then(() => 'no error', (error: unknown) => (error as Error).message), sql).toMatch(/permission denied|must be|cannot|not allowed|only|without/i);
    expect((await agent.query("select * from pg_stats where tablename = 'leads' and attname = 'phone'")).rows).toEqual([]);
  });

  it('runs as itself after RESET ROLE, and cannot change who it is', async () => {
    const agent = db.asAgent('outreach-closer');
    await agent.query('reset role');
    await agent.query('reset session authorization');
    expect((await agent.query<{ me: string }>('select session_user || current_user as me')).rows[0]?.me).toMatch(/-login-outreach-closer-a.*-login-outreach-closer-a$/);
    const me = `${db.controls}-login-outreach-closer-a`;
    for (const sql of [`alter role "${me}" superuser`, `alter role "${me}" createrole`, `alter role "${me}" connection limit -1`, `alter role "${me}" rename to x`, `grant "${db.controls}-gate" to "${me}"`, `alter role "${me}" valid until 'infinity'`, 'create role x']) {
      await expect(agent.query(sql), sql).rejects.toThrow(/permission denied|must be|only|cannot be/i);
    }
  });

  it('cannot keep others waiting: what it leaves open ends by itself', async () => {
    const { rows } = await db.asAgent('outreach-closer').query<{ name: string; setting: string }>("select name, setting from pg_settings where name in ('statement_timeout', 'idle_in_transaction_session_timeout') order by 1");
    expect(rows).toEqual([{ name: 'idle_in_transaction_session_timeout', setting: '60000' }, { name: 'statement_timeout', setting: '20000' }]);
    const client = await db.asAgent('outreach-closer').connect();
    await client.query('begin');
    await client.query('select name from leads');
    await db.owner.query("set lock_timeout = '2s'; select controls.clear_role('nobody'); reset lock_timeout");
    await client.query('rollback');
    client.release();
  });

  it('is not registered in a database that opens anything to everyone', async () => {
    for (const [open, close] of [['grant select on leads to public', 'revoke all on leads from public'], ['grant select (phone) on leads to public', 'revoke all (phone) on leads from public'],
      ["create function peek() returns setof text security definer language sql as 'select phone from leads'", 'drop function peek()']] as const) {
      await db.owner.query(open);
      await expect(db.register(card(), [SEND_EMAIL]), open).rejects.toThrow(/^OpenToEveryone: .*(revoke it|revoke execute from public)/);
      await db.owner.query(close);
    }
    await db.register(card(), [SEND_EMAIL]);
  });
});
