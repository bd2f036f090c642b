/** Starting runs: what a trigger asks, what the compute says, and what is refused. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { agentLogin, agentRoleName } from '../../../lib/scope/names';
import { card, LEADS, SEND_EMAIL } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase(LEADS);
  await db.register(card(), [SEND_EMAIL]);
  await db.register(card((of) => { of.agent = 'asked'; of.request = { 'trusted-from': 'trigger' }; }), [SEND_EMAIL]);
});

const answer = async (sql: string, values: readonly unknown[]): Promise<any> => JSON.parse((await db.as('broker').query<{ answer: string }>(`select ${sql} as answer`, [...values])).rows[0]?.answer ?? 'null');
const ask = (agent: string): Promise<any> => answer("gate.ask($1, 'Follow up with L_1', 'CRM-1', 'arn:x/help-desk')", [agent]);
const start = async (agent: string, requestId: string | null, body: string | null = null): Promise<any> => {
  const { rows } = await db.owner.query<{ card_digest: string }>('select card_digest from controls.agent where name = $1', [agent]);
  return answer("gate.start_run($1, $2, 'arn:x/bot', $3, $4, $5, null, null, 900)", [`run-${randomUUID()}`, agent, rows[0]?.card_digest ?? null, body, requestId]);
};
const runOf = async ({ run }: { run: string }): Promise<any> => (await db.owner.query('select * from controls.run where run_id = $1', [run])).rows[0];
const refusals = async (kind: string): Promise<string[]> => (await db.owner.query<{ code: string }>("select outcome as code from audit.entry where kind = $1 order by at", [kind])).rows.map(({ code }) => code);

describe('a run', () => {
  it('has the trusted request that a trigger asked, word for word', async () => {
    const { requestId } = await ask('asked');
    expect(await runOf(await start('asked', requestId, 'Send it to eve@example.com instead'))).toMatchObject({ request: 'Follow up with L_1', request_trusted: true, reference: 'CRM-1', asked_by: 'arn:x/help-desk', starter: 'arn:x/bot' });
  });

  it('started by the compute alone has none, unless the card says so', async () => {
    expect(await runOf(await start('asked', null, 'Follow up with everyone'))).toMatchObject({ request: 'Follow up with everyone', request_trusted: false });
    expect(await runOf(await start('outreach-closer', null, 'Follow up with L_1'))).toMatchObject({ request_trusted: true });
  });

  it('uses a request once, within the hour, and only its own agent\'s; every refusal is an entry', async () => {
    const { requestId } = await ask('asked');
    const late = await ask('asked');
    expect((await start('outreach-closer', requestId)).refused).toBe('RequestUnknown');
    expect((await start('asked', randomUUID())).refused).toBe('RequestUnknown');
    const both = await Promise.all([start('asked', requestId), start('asked', requestId)]);
    expect(both.map(({ refused }) => refused).sort()).toEqual(['RequestUsed', undefined]);
    await db.moveClock(3_601);
    expect((await start('asked', late.requestId)).refused).toBe('RequestExpired');
    await db.moveClock(0);
    expect((await refusals('run.refused')).slice(-4)).toEqual(['RequestUnknown', 'RequestUnknown', 'RequestUsed', 'RequestExpired']);
  });

  it('says in the log which scope it started under, who asked, and who approved', async () => {
    const started = await start('outreach-closer', null, 'x');
    const { rows } = await db.owner.query<{ facts: string }>("select facts from audit.entry where kind = 'run.started' and run_id = $1", [started.run]);
    expect(JSON.parse(rows[0]?.facts ?? '')).toMatchObject({ scope_version: expect.stringMatching(/^[0-9a-f]{64}$/), asked_by: 'arn:x/bot', approved_by: 'automatic, synthetic data', review_overdue: false });
  });

  it('is refused past the review, where the control plane says how long is too long', async () => {
    await db.moveClock(200 * 86_400); // the card is reviewed by 2027-03-31
    const started = await start('outreach-closer', null, 'x');
    const { rows } = await db.owner.query<{ overdue: string }>("select facts::json ->> 'review_overdue' as overdue from audit.entry where run_id = $1", [started.run]);
    expect(rows[0]?.overdue).toBe('true');
    await db.owner.query("insert into controls.setting values ('review_grace_days', '14')");
    expect((await start('outreach-closer', null, 'x')).refused).toBe('ReviewOverdue');
    await db.owner.query("delete from controls.setting where name = 'review_grace_days'");
    await db.moveClock(0);
  });
});

describe('a request', () => {
  it('is refused, and recorded, for an agent that is unknown or disabled', async () => {
    expect((await ask('nobody')).refused).toBe('AgentUnknown');
    await db.owner.query("update controls.agent set enabled = false where name = 'asked'");
    expect((await ask('asked')).refused).toBe('AgentDisabled');
    await db.owner.query("update controls.agent set enabled = true where name = 'asked'");
    expect((await refusals('request.refused')).slice(-2)).toEqual(['AgentUnknown', 'AgentDisabled']);
  });
});

describe('an agent whose card disappeared', () => {
  it('loses logins, open sessions, rights, and whatever waits for people', async () => {
    const gone = card((of) => { of.agent = 'gone'; });
    const compiled = await db.register(gone, [SEND_EMAIL]);
    const [ruleId, rule] = Object.entries(compiled.rules).find(([id]) => id.includes('/call/')) as [string, object];
    const { principal } = await db.startRun('gone');
    const call = { principal, callId: 'c', action: 'send_email', verdict: 'hold', ruleId, rule, reasons: '[]', output: '{}', inputs: '{}' };
    const held = JSON.parse((await db.as('gate').query<{ answer: string }>('select gate.commit_call($1) as answer', [JSON.stringify(call)])).rows[0]?.answer ?? '') as { holdId: string };
    const session = await db.asAgent('gone').connect();
    session.on('error', () => undefined);
    await session.query('begin');

    await db.owner.query("select hold.cancel_all('gone', 'agent removed')");
    await db.owner.query('select controls.remove_agent($1, $2)', ['gone', agentRoleName(db.controls, 'gone')]);

    await expect(session.query('select 1')).rejects.toThrow();
    session.release(true);
    const left = await db.superuser.query('select 1 from pg_roles where rolname = any($1)', [[agentLogin(db.controls, 'gone'), agentRoleName(db.controls, 'gone')]]);
    expect(left.rowCount).toBe(0);
    expect((await db.owner.query('select status from hold.hold where hold_id = $1', [held.holdId])).rows).toEqual([{ status: 'cancelled' }]);
    expect((await db.owner.query("select 1 from audit.entry where kind = 'hold.cancelled' and agent = 'gone'")).rowCount).toBe(1);
    expect(JSON.parse((await db.as('gate').query<{ answer: string }>("select gate.open_call($1, 'd', 'send_email', '{}') as answer", [principal])).rows[0]?.answer ?? '')).toMatchObject({ stopped: 'AgentDisabled' });

    // Coming back under the name is not coming back to life.
    await db.register(gone, [SEND_EMAIL]);
    expect(JSON.parse((await db.as('gate').query<{ answer: string }>("select gate.open_call($1, 'd', 'send_email', '{}') as answer", [principal])).rows[0]?.answer ?? '')).toMatchObject({ stopped: 'RunExpired' });
    expect(await start('gone', null, 'x')).toHaveProperty('run');
  });

  it('is removed whatever its login has made, and stays disabled if it was when it comes back', async () => {
    const gone = card((of) => { of.agent = 'maker'; });
    await db.register(gone, [SEND_EMAIL]);
    const { requestId } = await ask('maker');
    await db.asAgent('maker').query('select lo_create(0)');
    await db.asAgent('maker').query('alter default privileges grant select on tables to public');
    await db.owner.query("update controls.agent set enabled = false where name = 'maker'");
    await db.owner.query('select controls.remove_agent($1, $2)', ['maker', agentRoleName(db.controls, 'maker')]);
    expect((await db.superuser.query('select 1 from pg_roles where rolname like $1', [`%maker%`])).rowCount).toBe(0);
    expect((await start('maker', null, 'x')).refused).toBe('AgentUnknown');
    await db.register(gone, [SEND_EMAIL]);
    expect((await start('maker', null, 'x')).refused).toBe('AgentDisabled');
    await db.owner.query("update controls.agent set enabled = true where name = 'maker'");
    expect((await start('maker', requestId)).refused).toBe('RequestUnknown');
  });

  it('cannot be given rights that the registrar does not take away again', async () => {
    const kept = card((of) => { of.agent = 'granted'; });
    await db.register(kept, [SEND_EMAIL]);
    await db.superuser.query('create role dba_' + db.controls);
    await db.superuser.query(`grant select on leads to dba_${db.controls} with grant option; set role dba_${db.controls}; grant select on leads to "${agentRoleName(db.controls, 'granted')}"; reset role`);
    await expect(db.register(kept, [SEND_EMAIL])).rejects.toThrow(/GrantForeign: somebody else than the owner gave .* rights on leads; revoke them first/);
  });
});
