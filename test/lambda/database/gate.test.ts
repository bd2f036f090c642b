import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { manifestDigest } from '../../../lib/scope/manifest';
import { card, LEADS, SEND_EMAIL, UPDATE_TIER } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

let db: TestDatabase;
let rules: Record<string, any>;
const RULE = 'scope://outreach.send.cold/call/0';

beforeAll(async () => {
  db = await testDatabase(`${LEADS} create table customer (id text primary key, tier text, payment_method text); insert into customer values ('C_1', 'free', 'visa');`);
  const compiled = await db.register(card((of) => {
    of.scopes[0].call.push({ action: 'update_tier', approval: { tier: 'auto' }, limits: [{ 'at-most': 3, per: 'hour' }, { 'at-most': 1, per: 'day', 'for-each': 'customer_id' }] });
  }), [SEND_EMAIL, UPDATE_TIER]);
  rules = compiled.rules;
});

async function commit(principal: string, over: Record<string, unknown> = {}): Promise<any> {
  const ruleId = (over.ruleId as string | undefined) ?? 'scope://outreach.send.cold/call/1';
  const { rows } = await db.as('gate').query<{ answer: string }>('select gate.commit_call($1) as answer', [JSON.stringify({
    principal, callId: randomUUID(), action: rules[ruleId].action, manifestDigest: manifestDigest(rules[ruleId].action === 'send_email' ? SEND_EMAIL : UPDATE_TIER), verdict: 'permit', ruleId, rule: rules[ruleId], reasons: '[]', output: JSON.stringify({ customer_id: randomUUID(), tier: 'growth' }), inputs: '{"saw":[]}', ...over,
  })]);
  return JSON.parse(rows[0]?.answer ?? 'null');
}

describe('a call', () => {
  it('gets its first answer again, also when both come at once', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const callId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 10 }, () => commit(principal, { callId })));
    expect(new Set(answers.map(({ decisionId }) => decisionId)).size).toBe(1);
    expect((await db.owner.query("select from audit.entry where kind = 'call.intent' and decision_id = $1", [answers[0].decisionId])).rowCount).toBe(1);
    await db.owner.query('update gate.usage set released = true');
  });

  it('is held when a windowed limit is used up, however many come at once', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const answers = await Promise.all(Array.from({ length: 10 }, () => commit(principal)));
    expect(answers.filter(({ verdict }) => verdict === 'permit')).toHaveLength(3);
    const held = answers.find(({ verdict }) => verdict === 'hold');
    expect(held.reasons).toEqual(['LimitExceeded: the limit scope://outreach.send.cold/call/1/limits/0 is used up']);
    await db.owner.query('update gate.usage set released = true');
    await db.owner.query("update hold.hold set status = 'rejected'");
  });

  it('counts a limit for each value of its parameter', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const output = JSON.stringify({ customer_id: 'C_1', tier: 'growth' });
    expect((await commit(principal, { output })).verdict).toBe('permit');
    expect((await commit(principal, { output })).reasons).toEqual(['LimitExceeded: the limit scope://outreach.send.cold/call/1/limits/1 is used up']);
    await db.owner.query('update gate.usage set released = true');
    await db.owner.query("update hold.hold set status = 'rejected'");
  });

  it('counts spellings of one value as one', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const spelled = (customer_id: string): Promise<any> => commit(principal, { output: JSON.stringify({ customer_id, tier: 'growth' }) });
    expect((await spelled('M\u00fcller')).verdict).toBe('permit');
    expect((await spelled('mu\u0308ller')).reasons).toEqual(['LimitExceeded: the limit scope://outreach.send.cold/call/1/limits/1 is used up']);
    await db.owner.query('update gate.usage set released = true');
    await db.owner.query("update hold.hold set status = 'rejected'");
  });

  it('is not run on a permit that is older than its run', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const { decisionId } = await commit(principal);
    await db.moveClock(1_801);
    expect(JSON.parse((await db.as('executor').query<{ answer: string }>('select gate.redeem($1) as answer', [decisionId])).rows[0]?.answer ?? '')).toEqual({ refused: 'RunExpired' });
    await db.moveClock(0);
  });

  it('under a standing approval runs until the end of its last day, and is held from then on', async () => {
    const ruleId = 'scope://outreach.send.cold/call/1';
    const standing = { ...rules[ruleId], tier: 'standing', kind: 'standing', limits: [], grantedBy: 'cfo', until: new Date().toISOString().slice(0, 10) };
    const { principal } = await db.startRun('outreach-closer');
    expect((await commit(principal, { ruleId, rule: standing })).verdict).toBe('permit');
    await db.moveClock(86_400);
    const next = await db.startRun('outreach-closer');
    const held = await commit(next.principal, { ruleId, rule: standing });
    expect([held.verdict, held.reasons[0]]).toEqual(['hold', expect.stringContaining('StandingExpired: the standing approval of cfo ended on')]);
    await db.owner.query("update hold.hold set status = 'rejected'");
    await db.moveClock(0);
  });

  it('is refused, not queued, when twenty calls of the agent wait already', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const mail = { ruleId: RULE, verdict: 'hold' };
    for (let index = 0; index < 20; index += 1) await commit(principal, { ...mail, output: JSON.stringify({ lead_id: `L_${index}` }) });
    const flood = await commit(principal, { ...mail, output: JSON.stringify({ lead_id: 'L_x' }) });
    expect(flood.verdict).toBe('deny');
    expect(flood.reasons.join()).toContain('HoldsFull');
    await db.owner.query("update hold.hold set status = 'rejected'");
  });

  it('has an intent entry before there is a ticket to spend', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const { decisionId } = await commit(principal);
    const { rows } = await db.owner.query<{ earlier: boolean }>('select e.at <= t.issued_at as earlier from audit.entry e join gate.ticket t using (decision_id) where decision_id = $1', [decisionId]);
    expect(rows).toEqual([{ earlier: true }]);
  });

  it('of a session that is no run is nobody\'s', async () => {
    await expect(commit('AROAX:stranger')).rejects.toThrow('RunUnknown');
    const { rows } = await db.as('gate').query<{ answer: string }>("select gate.open_call('AROAX:stranger', 'c', 'send_email', '{}') as answer");
    expect(JSON.parse(rows[0]?.answer ?? '')).toEqual({ refused: 'RunUnknown' });
  });

  it('is told what stopped its run', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const stopped = async (): Promise<string | null> => (JSON.parse((await db.as('gate').query<{ answer: string }>("select gate.open_call($1, 'c', 'send_email', '{\"lead_id\":\"L_1\"}') as answer", [principal])).rows[0]?.answer ?? '') as { stopped: string | null }).stopped;
    expect(await stopped()).toBeNull();
    await db.moveClock(1_801);
    expect(await stopped()).toBe('RunExpired');
    await db.moveClock(0);
    await db.owner.query('update controls.agent set enabled = false');
    expect(await stopped()).toBe('AgentDisabled');
    await db.owner.query('update controls.agent set enabled = true');
  });

  it('knows which row conditions hold, from the database and not from the agent', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const rowsHold = async (lead: string): Promise<string[]> => (JSON.parse((await db.as('gate').query<{ answer: string }>("select gate.open_call($1, 'c', 'send_email', $2) as answer", [principal, JSON.stringify({ lead_id: lead })])).rows[0]?.answer ?? '') as { rowsHold: string[] }).rowsHold;
    expect(await rowsHold('L_1')).toEqual([RULE]);
    expect(await rowsHold('L_2')).toEqual([]);
    expect(await rowsHold("L_1' or true --")).toEqual([]);
  });
});

describe('a ticket', () => {
  it('is spent by the first of many', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const { decisionId } = await commit(principal);
    const redeemed = await Promise.all(Array.from({ length: 20 }, async () => JSON.parse((await db.as('executor').query<{ answer: string }>('select gate.redeem($1) as answer', [decisionId])).rows[0]?.answer ?? '') as { refused?: string }));
    expect(redeemed.filter(({ refused }) => refused === undefined)).toHaveLength(1);
    expect(new Set(redeemed.map(({ refused }) => refused))).toEqual(new Set([undefined, 'TicketSpent']));
  });

  it('has one outcome, and only after it was spent', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const { decisionId } = await commit(principal);
    const outcome = async (): Promise<boolean> => (await db.as('executor').query<{ done: boolean }>("select gate.outcome($1, 'executed', 'null', '[]', null, null, '[]', null) as done", [decisionId])).rows[0]?.done ?? false;
    expect(await outcome()).toBe(false);
    await db.as('executor').query('select gate.redeem($1)', [decisionId]);
    expect([await outcome(), await outcome()]).toEqual([true, false]);
  });
});

describe('a run', () => {
  const start = async (agent: string, digest: string | null, seconds = 1_800, run = `run-${randomUUID()}`): Promise<{ refused?: string }> =>
    JSON.parse((await db.as('broker').query<{ answer: string }>("select gate.start_run($1, $2, 'bot', $3, 'text', null, null, null, $4) as answer", [run, agent, digest, seconds])).rows[0]?.answer ?? '') as { refused?: string };

  it('is refused, and the refusal recorded', async () => {
    const { rows: [agent] } = await db.owner.query<{ digest: string }>('select card_digest as digest from controls.agent');
    const digest = agent?.digest ?? '';
    const count = async (): Promise<number> => (await db.owner.query("select from audit.entry where kind = 'run.refused'")).rowCount ?? 0;
    const before = await count();
    expect(await start('nobody', digest)).toEqual({ refused: 'AgentUnknown' });
    expect(await start('outreach-closer', 'another')).toEqual({ refused: 'CardChanged' });
    expect(await start('outreach-closer', null)).toEqual({ refused: 'CardChanged' });
    expect(await start('outreach-closer', digest, 3_600)).toEqual({ refused: 'SessionTooLong' });
    expect(await start('outreach-closer', digest, 899)).toEqual({ refused: 'SessionTooLong' });
    await db.owner.query('update controls.scope set approved_by = null');
    expect(await start('outreach-closer', digest)).toEqual({ refused: 'CardNotApproved' });
    await db.owner.query("update controls.scope set approved_by = 'x'");
    const run = `run-${randomUUID()}`;
    expect(await start('outreach-closer', digest, 900, run)).not.toHaveProperty('refused');
    expect(await start('outreach-closer', digest, 900, run)).toEqual({ refused: 'RunIdUsed' });
    expect(await count()).toBe(before + 7);
  });

  it('is bound to one session, once', async () => {
    const { runId } = await db.startRun('outreach-closer');
    expect((await db.as('broker').query("select gate.bind_run($1, 'AROAX:other') as bound", [runId])).rows).toEqual([{ bound: false }]);
  });
});

describe('doubt about a call that nobody would have been asked about', () => {
  it('goes to the strictest tier for people, and to its approvers', async () => {
    await db.owner.query("insert into controls.tier values ('security', 'human', 600, '{security}', 2)");
    const { principal } = await db.startRun('outreach-closer');
    const { holdId } = await commit(principal, { verdict: 'hold', reasons: '["ProvenanceUnknown: x"]' });
    const { rows } = await db.owner.query('select tier, approvers, people from hold.hold where hold_id = $1', [holdId]);
    expect(rows).toEqual([{ tier: 'security', approvers: ['security'], people: 2 }]);
    await db.owner.query("delete from controls.tier where name = 'security'");
    await db.owner.query("update hold.hold set status = 'rejected'");
  });
});

describe('a hold whose clock never started', () => {
  it('gives back its place and its reservations', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const { holdId } = await commit(principal, { ruleId: RULE, verdict: 'hold', output: JSON.stringify({ lead_id: 'L_lost' }) });
    await db.moveClock(361);
    await commit((await db.startRun('outreach-closer')).principal, { ruleId: RULE, verdict: 'hold', output: JSON.stringify({ lead_id: 'L_new' }) });
    await db.moveClock(0);
    expect((await db.owner.query('select h.status, bool_and(u.released) as released from hold.hold h join gate.usage u using (decision_id) where hold_id = $1 group by 1', [holdId])).rows).toEqual([{ status: 'expired', released: true }]);
  });
});

describe('no login', () => {
  it('stops the gate with a lock of its own', async () => {
    await db.owner.query('update gate.usage set released = true');
    const { principal, runId } = await db.startRun('outreach-closer');
    const auditor = await db.as('auditor').connect();
    for (const key of [`gate.usage:outreach-closer:${RULE}`, `gate.call:${runId}:c`]) await auditor.query('select pg_advisory_lock(hashtextextended($1, 0))', [key]);
    await auditor.query('begin');
    await expect(auditor.query('lock table controls.agent')).rejects.toThrow('permission denied');
    expect((await commit(principal, { callId: 'c' })).verdict).toBe('permit');
    auditor.release(true);
  });
});

describe('what was agreed on', () => {
  it('does not run once the environment or the approval of the card changed', async () => {
    await db.owner.query('update gate.usage set released = true');
    const { principal } = await db.startRun('outreach-closer');
    const { decisionId } = await commit(principal, { output: JSON.stringify({ customer_id: 'C_9', tier: 'free' }) });
    await db.owner.query('update controls.scope set approved_by = null');
    expect(JSON.parse((await db.as('executor').query<{ answer: string }>('select gate.redeem($1) as answer', [decisionId])).rows[0]?.answer ?? '')).toEqual({ refused: 'CardNotApproved' });
    await db.owner.query("update controls.scope set approved_by = 'x'");
  });

  it('is approved automatically only where nobody is named who could sign', async () => {
    await db.owner.query("insert into controls.setting values ('automatic_approval', 'false')");
    await db.register(card((of) => { of.agent = 'unsigned'; }), [SEND_EMAIL]);
    await expect(db.startRun('unsigned')).rejects.toThrow('CardNotApproved');
    await db.owner.query("delete from controls.setting where name = 'automatic_approval'");
    await db.register(card((of) => { of.agent = 'unsigned'; }), [SEND_EMAIL]);
    await db.startRun('unsigned');
  });

  it('needs a person\'s approval where the card says production data, whatever the environment is called', async () => {
    await db.register(card((of) => { of.agent = 'auto-closer'; }), [SEND_EMAIL]);
    await db.startRun('auto-closer');
    await db.register(card((of) => { of.agent = 'prod-closer'; of.environments = { live: { data: 'production' } }; }), [SEND_EMAIL], 'live');
    await expect(db.startRun('prod-closer')).rejects.toThrow('CardNotApproved');
  });

  it('is approved automatically nowhere any more, once production data is there', async () => {
    await expect(db.startRun('auto-closer')).rejects.toThrow('CardNotApproved');
    await db.register(card((of) => { of.agent = 'dev-closer'; }), [SEND_EMAIL]);
    await expect(db.startRun('dev-closer')).rejects.toThrow('CardNotApproved');
  });
});
