/** The kill switch on real parts: what is stopped stays without effect, each lever says what shows it, and coming back takes two people. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ActionCode, AgentControls, HoldTier, ScopeCard } from '../../lib';
import { GateError, LocalRuntime, Run } from '../../local/testing';
import { LocalApp, startApp, testFolder, withProgram } from '../support/local-app';

const folder = testFolder('kill');
let local: LocalApp;
let runtime: LocalRuntime;
let superuser: Client;

// Each effect is a row with the database's own time: one inside the transaction of the agent's login, and one that a system outside makes without it.
const ACTION = (name: string, work: string): string => `import { defineAction, param } from 'cdk-agent-controls/action';
import { appendFileSync } from 'node:fs';
export default defineAction({ name: '${name}', description: 'Makes a mark.', reach: 'internal', asks: ['mark'], sinks: [], parameters: { text: param.text({ maxLength: 40 }) }, reads: ['marks.id'], writes: ['marks.id', 'marks.text', 'marks.action'],
  before: () => Promise.resolve({}),
  execute: async ({ text }, { sql, idempotencyKey }) => { ${work} return {}; }, reverse: { compensate: 'Makes another mark.', run: async () => ({}) } });`;

beforeAll(async () => {
  writeFileSync(join(folder, 'mark.ts'), ACTION('mark', "await sql.run`insert into marks (id, text, action) values (${idempotencyKey}, ${text}, 'mark')`;"));
  writeFileSync(join(folder, 'slow.ts'), ACTION('slow', "await new Promise((later) => setTimeout(later, 2500)); appendFileSync(process.env.OUTSIDE, new Date().toISOString() + text + '\\n');"));
  writeFileSync(join(folder, 'seed.sql'), 'create table marks (id text primary key, text text not null, action text not null, at timestamptz not null default clock_timestamp());');
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Killed');
  const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY, tiers: [HoldTier.verify(), HoldTier.human()] });
  controls.killSwitch.addEventTrigger({ detailType: ['agent misbehaves'] });
  controls.addAction('Mark', { code: ActionCode.fromEntry(join(folder, 'mark.ts')) });
  controls.addAction('Slow', { code: ActionCode.fromEntry(join(folder, 'slow.ts')), environment: { OUTSIDE: join(folder, 'outside.txt') } });
  for (const name of ['canary', 'bystander']) {
    const agent = controls.addAgent(name, { card: ScopeCard.fromObject({
      agent: name, purpose: 'Makes marks where somebody asked for one.', owners: { product: 'p@example.com', security: 's@example.com', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' }, 'data-inputs': [{ system: 's', classes: ['business'] }], models: ['m'], environments: { dev: { data: 'synthetic' } },
      scopes: [{ scope: 'scope://a.mark.all', read: [{ table: 'marks', columns: ['id'] }], call: [{ action: 'mark', approval: { tier: 'verify', approvers: ['leads'] } }, { action: 'slow', approval: { tier: 'verify', approvers: ['leads'] } }] }],
      'failure-modes': [{ bad: 'It marks too much.', 'found-by': { anomaly: 'bulk-writes' } }], retention: { inputs: { months: 13 } },
    }) });
    withProgram(stack, agent);
  }
  local = await startApp(folder, app, [join(folder, 'seed.sql')]);
  ({ runtime, superuser } = local);
});
afterAll(() => local.stop());

interface Lever { readonly lever: string; readonly state: string; readonly evidence: string }
interface Report { readonly outcome: string; readonly stoppedAt: string; readonly stopSeconds: number; readonly levers: readonly Lever[] }
const as = (name: string): ReturnType<LocalRuntime['person']> => runtime.person(name, 'responder');
const disable = async (agent = 'canary'): Promise<Report> => (await as('rita')).ask<Report>('POST', `/agents/${agent}/disable`, { reason: 'a wave of marks' });
const enable = async (who: string, agent = 'canary'): Promise<{ waits?: boolean; enabled?: boolean }> => (await as(who)).ask('POST', `/agents/${agent}/enable`, { reason: 'looked at it' });
const code = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'taken', (error: unknown) => (error instanceof GateError ? error.code : String(error)));
const start = (agent = 'canary'): Promise<Run> => runtime.startRun(agent, { text: 'Make a mark.' });
const mark = (run: Run): ReturnType<Run['call']> => run.call('mark', { text: 'x' }, { reason: 'r' });
const states = ({ levers }: Report): Record<string, string> => Object.fromEntries(levers.map(({ lever, state }) => [lever, state]));
const ALL = { gate: 'proven', logins: 'proven', holds: 'proven', calls: 'proven', models: 'proven', sessions: 'proven' };

afterEach(async () => {
  if ((await superuser.query<{ enabled: boolean }>("select enabled from controls.agent where name = 'canary'")).rows[0]?.enabled === false) {
    await enable('rita');
    await enable('sam').catch(() => undefined); // rita may have been the second
  }
});

describe('a stopped agent', () => {
  it('is proved to be stopped, lever by lever, and nobody else is', async () => {
    const [run, other] = [await start(), await start('bystander')];
    const held = await mark(run);
    const report = await disable();
    expect([report.outcome, states(report)]).toEqual(['proven', ALL]);
    expect(report.stopSeconds).toBeLessThan(15);
    expect(await code(start())).toBe('AgentDisabled');
    expect(await code(mark(run))).toMatch(/AccessDenied/); // IAM, before the gate
    expect(held.verdict === 'hold' && (await superuser.query("select status from hold.hold where hold_id = $1", [held.holdId])).rows).toEqual([{ status: 'cancelled' }]);
    expect((await mark(other)).verdict).toBe('hold');
    const { user, password } = runtime.file.resources.logins.canary ?? { user: '', password: '' };
    const { host, port, database } = runtime.file.postgres;
    await expect(new Client({ host, port, database, user, password }).connect()).rejects.toThrow(/not permitted to log in/);
  });

  it('has its state machines stopped, and its open database sessions', async () => {
    const { user, password } = runtime.file.resources.logins.canary ?? { user: '', password: '' }; // as somebody who stole it would have it now
    const { host, port, database } = runtime.file.postgres;
    const open = new Client({ host, port, database, user, password });
    const ended = new Promise((gone) => { open.on('error', gone); });
    await open.connect();
    const held = await mark(await start());
    expect((await disable()).outcome).toBe('proven');
    await ended;
    const state = JSON.stringify(await runtime.executions());
    expect(held.verdict === 'hold' && state.includes(`"name":"${held.holdId}","status":"ABORTED"`)).toBe(true);
  });

  it('stays so when it is deployed again, and after a restart', async () => {
    await disable();
    await superuser.query("select controls.ensure_login(login, 'agent-controls-agent-canary', null, 'canary'), controls.set_password(login, 'SCRAM-SHA-256$4096:c2FsdA==$a:b', 'v') from controls.login where agent = 'canary' limit 1");
    expect((await superuser.query("select count(*)::int as open from pg_roles r join controls.login l on l.login = r.rolname where l.agent = 'canary' and r.rolcanlogin")).rows).toEqual([{ open: 0 }]);
  });

  it('has no rights in a session that was on its way when it was stopped', async () => {
    const { user, password } = JSON.parse(runtime.secret('agent-controls/agent/canary').replace('"username"', '"user"')) as { user: string; password: string };
    const { host, port, database } = runtime.file.postgres;
    // Postgres asks early whether a login may log in, and shows the session late: between the two a client can make it wait.
    const late = new Client({ host, port, database, user, password, options: '-c post_auth_delay=4' });
    late.on('error', () => undefined);
    const connected = late.connect().then(() => 'in', () => 'out');
    await new Promise((later) => setTimeout(later, 500));
    expect((await disable()).outcome).toBe('proven');
    if (await connected === 'in') await expect(late.query('select id from marks')).rejects.toThrow(/permission denied|terminat/);
    await late.end().catch(() => undefined);
  });

  it('is told nothing again: neither what it read nor what it was answered', async () => {
    const run = await start();
    const read = (): ReturnType<Run['call']> => run.call('read_marks', { columns: ['id'] }, { callId: 'again', reason: 'look' });
    const held = await mark(run);
    expect((await read()).verdict).toBe('permit');
    await superuser.query("update controls.agent set enabled = false where name = 'canary'"); // the gate alone, without what IAM does
    expect(await code(read())).toBe('AgentDisabled');
    expect(held.verdict === 'hold' && await code(run.hold(held.holdId))).toBe('HoldUnknown');
    await superuser.query("update controls.agent set enabled = true where name = 'canary'");
  });

  it('is looked at again: what was not proven then may be now', async () => {
    await disable();
    expect(states(await (await as('rita')).ask<Report>('GET', '/agents/canary/stop'))).toEqual(ALL);
    expect(states(await (await as('rita')).ask<Report>('GET', '/agents/bystander/stop')).gate).toBe('unproven');
  });

  it('is in the log with what it was proved by, and the log verifies', async () => {
    await disable();
    const { rows } = await superuser.query<{ kind: string; facts: string }>("select kind, facts from audit.entry where agent = 'canary' and kind like 'agent.%' order by at desc limit 2");
    expect(rows.map(({ kind }) => kind)).toEqual(['agent.stopped', 'agent.disabled']);
    expect(JSON.parse(rows[0]?.facts ?? '')).toMatchObject({ outcome: 'proven', levers: expect.any(Array) as unknown });
    expect((await runtime.verifyAuditLog()).findings).toEqual([]);
  });
});

describe('a stop', () => {
  it('waits for what began before it: nothing happens after the time it names', async () => {
    const run = await start();
    const held = await run.call('slow', { text: 'late' }, { reason: 'r' });
    if (held.verdict !== 'hold') throw new Error(JSON.stringify(held));
    await runtime.approver('lea', { groups: ['leads'] }).approve(await runtime.hold(held.holdId), 'fine');
    await runtime.until(async () => ((await superuser.query("select from gate.call where status = 'executing'")).rowCount ?? 0) > 0 || undefined);
    const report = await disable();
    expect(report.outcome).toBe('proven');
    // What had begun could not be called back; the stop does not claim to be over before it.
    const outside = readFileSync(join(folder, 'outside.txt'), 'utf8').slice(0, 24);
    expect(new Date(outside).getTime()).toBeLessThan(new Date(report.stoppedAt).getTime());
    await new Promise((later) => setTimeout(later, 3_000));
    expect(readFileSync(join(folder, 'outside.txt'), 'utf8').trim().split('\n')).toHaveLength(1);
  });

  const made = async (): Promise<number> => (await superuser.query<{ made: number }>('select count(*)::int as made from marks')).rows[0]?.made ?? 0;
  it('at random instants, under load, is followed by no effect', async () => {
    for (let round = 0; round < 5; round += 1) {
      const run = await start();
      const lead = runtime.approver('lea', { groups: ['leads'] });
      let going = true;
      const worker = async (): Promise<void> => {
        while (going) {
          try {
            const answer = await mark(run);
            if (answer.verdict === 'hold') await lead.approve(await runtime.hold(answer.holdId), 'fine');
          } catch { /* it is being stopped */ }
        }
      };
      const before = await made();
      const workers = [worker(), worker(), worker()];
      // Every other time before anything has been done, however slow the machine is.
      if (round % 2 === 0) await runtime.until(async () => await made() > before || undefined);
      await new Promise((later) => setTimeout(later, Math.random() * 1_500));
      const report = await disable();
      await new Promise((later) => setTimeout(later, 700));
      going = false;
      await Promise.all(workers);
      expect(report.outcome).toBe('proven');
      expect((await superuser.query('select count(*)::int as late from marks where at > $1::timestamptz', [report.stoppedAt])).rows).toEqual([{ late: 0 }]);
      await enable('rita');
      await enable('sam');
    }
    expect(await made()).toBeGreaterThan(0);
  }, 180_000);

  it('is not kept by a deploy, by a lock on a run, or by a call that was just decided', async () => {
    const run = await start();
    const { host, port, database, superuser: user, password } = runtime.file.postgres;
    const other = new Client({ host, port, database, user, password });
    await other.connect();
    const { rows: [owner] } = await other.query<{ name: string }>('select pg_get_userbyid(datdba) as name from pg_database where datname = current_database()');
    await other.query(`set role "${owner?.name ?? ''}"`); // as the registrar
    await other.query('begin');
    await other.query("select controls.ensure_login(login, 'agent-controls-agent-canary', null, 'canary') from controls.login where agent = 'canary'");
    await other.query('select from controls.run where run_id = $1 for update', [run.runId]);
    const deployed = new Promise((later) => setTimeout(later, 21_000)).then(() => other.query('commit')).then(() => other.end());
    const report = await disable();
    expect((await superuser.query("select enabled from controls.agent where name = 'canary'")).rows).toEqual([{ enabled: false }]);
    // What is in the way is told, and nothing is called proven that was not seen.
    expect([report.outcome, states(report)]).toEqual(['propagating', { ...ALL, logins: 'propagating' }]);
    expect(report.levers.find(({ lever }) => lever === 'logins')?.evidence).toMatch(/^[1-9]\d* logins can log in or have rights, \d+ sessions are open$/);
    await deployed;
    expect(states(await (await as('rita')).ask<Report>('GET', '/agents/canary/stop'))).toEqual(ALL);
  }, 60_000);

  it('ends with what it stopped: an approval from before runs nothing after the comeback', async () => {
    const run = await start();
    const held = await mark(run);
    if (held.verdict !== 'hold') throw new Error(JSON.stringify(held));
    const hold = await runtime.hold(held.holdId);
    await disable();
    // As a call that was decided before the stop and written after it would leave it.
    await superuser.query("update hold.hold set status = 'pending' where hold_id = $1", [held.holdId]);
    await superuser.query("update gate.call set status = 'held' where decision_id = $1", [held.decisionId]);
    await enable('rita');
    await enable('sam');
    await runtime.approver('lea', { groups: ['leads'] }).approve(hold, 'fine').catch(() => undefined);
    const claimed = (await superuser.query<{ claim: string }>('select hold.claim($1)::text as claim', [held.holdId])).rows[0]?.claim ?? '';
    expect(JSON.parse(claimed)).toEqual({ refused: 'RunStopped' });
    await superuser.query("update hold.hold set status = 'cancelled' where hold_id = $1", [held.holdId]);
  });

  it('lets no call through that was on its way', async () => {
    const run = await start();
    const { rows: [bound] } = await superuser.query<{ principal_id: string; compiled: string }>("select principal_id, compiled from controls.run r join controls.scope s using (agent, card_digest) where run_id = $1", [run.runId]);
    await disable();
    const [ruleId, rule] = Object.entries((JSON.parse(bound?.compiled ?? '{}') as { rules: Record<string, object> }).rules).find(([id]) => id.includes('/call/')) ?? [];
    const { rows: [answer] } = await superuser.query<{ answer: string }>('select gate.commit_call($1) as answer', [JSON.stringify({ principal: bound?.principal_id, callId: 'late', action: 'mark', verdict: 'hold', ruleId, rule, reasons: '[]', output: '{}', inputs: '{}' })]);
    expect(JSON.parse(answer?.answer ?? '{}')).toMatchObject({ verdict: 'deny', reasons: [expect.stringMatching(/^AgentDisabled/)] });
  });

  it('says what it could not prove when the database is away, and pulls the other levers', async () => {
    await superuser.query("alter role \"agent-controls-kill-a\" nologin");
    await superuser.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'agent-controls-kill-a'");
    try {
      const report = await disable();
      expect(report.outcome).toBe('unproven');
      expect(states(report)).toEqual({ gate: 'unproven', logins: 'unproven', holds: 'unproven', calls: 'unproven', models: 'unproven', sessions: 'proven' });
      expect(await code(mark(await start()))).toMatch(/AccessDenied/);
    } finally {
      await superuser.query("alter role \"agent-controls-kill-a\" login");
    }
    expect((await disable()).outcome).toBe('proven');
  });

  it('is refused of an agent that is not there, and to whoever is no responder', async () => {
    expect(await code(disable('nobody'))).toBe('AgentUnknown');
    expect(await code((await runtime.person('lea', 'approver-leads')).ask('POST', '/agents/canary/disable', { reason: 'r' }))).toBe('AccessDeniedException');
    expect(await code((await as('rita')).ask('POST', '/agents/canary/probe'))).toBe('AccessDeniedException');
  });

  it('comes of an event that names the agent', async () => {
    await runtime.invoke('agent-controls-kill-trigger', { source: 'agent-controls', 'detail-type': 'agent misbehaves', detail: { agent: 'canary', reason: `the agent wrote \u001b[31m\u0000 ${'x'.repeat(970)}😀😀😀 \ud83d` } });
    expect((await superuser.query("select enabled from controls.agent where name = 'canary'")).rows).toEqual([{ enabled: false }]);
    const { failed } = await runtime.invoke('agent-controls-kill-trigger', { routeKey: 'POST /agents/{agent}/enable', pathParameters: { agent: 'canary' }, detail: {} });
    expect(failed).toBe(true);
  });
});

describe('coming back', () => {
  it('takes two people, and one of them is not two', async () => {
    await disable();
    expect(await enable('rita')).toEqual({ waits: true });
    expect(await enable('rita')).toEqual({ waits: true });
    expect(await enable('Rita')).toEqual({ waits: true });
    expect(await code(start())).toBe('AgentDisabled');
    expect(await enable('sam')).toEqual({ enabled: true });
    expect((await mark(await start())).verdict).toBe('hold');
    expect(await code(enable('sam'))).toBe('AgentEnabled');
  });

  it('is asked for anew when another stop comes between', async () => {
    await disable();
    await enable('rita');
    await disable();
    expect(await enable('sam')).toEqual({ waits: true });
  });

  it('is with a new password, and without the sessions from before', async () => {
    const before = await start();
    const { password } = JSON.parse(runtime.secret('agent-controls/agent/canary')) as { password: string };
    await disable();
    await enable('rita');
    await enable('sam');
    expect((JSON.parse(runtime.secret('agent-controls/agent/canary')) as { password: string }).password).not.toBe(password);
    const run = await start();
    expect((await run.call('read_marks', { columns: ['id'] }, { reason: 'look' })).verdict).toBe('permit'); // with the new one
    await new Promise((later) => setTimeout(later, 1_100));
    expect(await code(mark(before))).toMatch(/AccessDenied/);
  });
});
