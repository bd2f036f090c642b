import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { manifestDigest } from '../../../lib/scope/manifest';
import { card, LEADS, SEND_EMAIL } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

const RULE = 'scope://outreach.send.cold/call/0';
const MANIFEST = manifestDigest(SEND_EMAIL);
const MAIL = { lead_id: 'L_1', to: 'ada@example.com', subject: 's', body: 'b' };
let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase(LEADS);
  // Windowed limits have a test of their own.
  await db.register(card((of) => { delete of.scopes[0].call[0].limits; }), [SEND_EMAIL]);
});

async function ask<T>(pool: 'gate' | 'decide' | 'executor' | 'expiry', sql: string, values: unknown[]): Promise<T> {
  const { rows } = await db.as(pool).query<{ answer: string }>(`select (${sql})::text as answer`, values);
  return JSON.parse(rows[0]?.answer ?? 'null') as T;
}

interface Staged { decisionId: string; holdId: string; digest: string }

async function stage(): Promise<Staged> {
  const { principal } = await db.startRun('outreach-closer');
  const { rows: [scope] } = await db.owner.query<{ compiled: string }>('select compiled from controls.scope');
  const answer = await ask<Staged>('gate', 'gate.commit_call($1)', [JSON.stringify({
    principal, callId: randomUUID(), action: 'send_email', manifestDigest: MANIFEST, verdict: 'hold', ruleId: RULE, rule: JSON.parse(scope?.compiled ?? '{}').rules[RULE], reasons: '[]', output: JSON.stringify(MAIL), inputs: '{"saw":[]}',
  })]);
  const { rows: [hold] } = await db.owner.query<{ digest: string }>('select digest from hold.hold where hold_id = $1', [answer.holdId]);
  return { ...answer, digest: hold?.digest ?? '' };
}

const decide = (hold: Staged, verdict: string, person = 'dana', groups: string[] = ['sales-leads'], digest = hold.digest): Promise<{ refused?: string; status?: string; token?: string | null }> =>
  ask('decide', 'hold.decide($1, $2, $3, $4, $5, $6, $7)', [hold.holdId, digest, verdict, person, JSON.stringify(groups), 'mfa', 'because']);
const claim = (hold: Staged): Promise<{ refused?: string; parameters?: string }> => ask('executor', 'hold.claim($1)', [hold.holdId]);
const expire = (hold: Staged): Promise<{ status: string }> => ask('expiry', 'hold.expire($1)', [hold.holdId]);
const kinds = async (hold: Staged): Promise<string[]> => (await db.owner.query<{ kind: string }>("select kind from audit.entry where decision_id = $1 and kind like 'hold.%' order by at", [hold.decisionId])).rows.map(({ kind }) => kind);

describe('a hold', () => {
  it('is approved once, claimed once, and never again', async () => {
    const hold = await stage();
    expect(await claim(hold)).toEqual({ refused: 'NotApproved' });
    expect(await decide(hold, 'approve')).toMatchObject({ status: 'approved' });
    expect(JSON.parse((await claim(hold)).parameters ?? '')).toEqual(MAIL);
    expect(await claim(hold)).toEqual({ refused: 'TicketSpent' });
    expect(await kinds(hold)).toEqual(['hold.approved']);
  });

  it('has one verdict and one effect under fifty concurrent verdicts and claims', async () => {
    const hold = await stage();
    const verdicts = await Promise.all(Array.from({ length: 50 }, (_, index) => decide(hold, index % 2 === 0 ? 'approve' : 'reject', `person-${index}`)));
    expect(verdicts.filter(({ refused }) => refused === undefined)).toHaveLength(1);
    const claims = await Promise.all(Array.from({ length: 20 }, () => claim(hold)));
    const approved = verdicts.some(({ status }) => status === 'approved');
    expect(claims.filter(({ refused }) => refused === undefined)).toHaveLength(approved ? 1 : 0);
    expect(await kinds(hold)).toHaveLength(1);
  });

  it('has one end when verdicts and the clock come together', async () => {
    const hold = await stage();
    await db.moveClock(300);
    const [verdict] = await Promise.all([decide(hold, 'approve'), expire(hold), expire(hold)]);
    await db.moveClock(0);
    expect(verdict.refused).toBe('HoldExpired');
    expect(await kinds(hold)).toEqual(['hold.expired']);
    expect(await claim(hold)).toEqual({ refused: 'NotApproved' });
  });

  it('refuses an approval that waited for its row past the end of the window', async () => {
    const hold = await stage();
    const blocker = await db.owner.connect();
    await blocker.query('begin');
    await blocker.query('select from hold.hold where hold_id = $1 for update', [hold.holdId]);
    const verdict = decide(hold, 'approve');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await db.moveClock(301);
    await blocker.query('rollback');
    blocker.release();
    expect(await verdict).toEqual({ refused: 'HoldExpired' });
    await db.moveClock(0);
  });

  it('does not expire early, whoever asks', async () => {
    const hold = await stage();
    expect(await expire(hold)).toMatchObject({ status: 'pending' });
    expect(await kinds(hold)).toEqual([]);
  });

  it.each([
    ['a digest that was not shown', 'DigestMismatch', ['dana', ['sales-leads'], 'f'.repeat(64)]],
    ['a group that may not', 'NotAnApprover', ['dana', ['interns']]],
    ['nobody\'s group', 'NotAnApprover', ['dana', []]],
    ['the one who started the run', 'OwnRequest', ['bot', ['sales-leads']]],
    ['the owner of the agent', 'OwnRequest', ['Revenue-Ops@example.com', ['sales-leads']]],
  ] as const)('refuses %s, and records it', async (_what, code, [person, groups, digest]) => {
    const hold = await stage();
    expect(await decide(hold, 'approve', person, [...groups], digest)).toEqual({ refused: code });
    expect((await db.owner.query("select from audit.entry where decision_id = $1 and kind = 'verdict.refused'", [hold.decisionId])).rowCount).toBe(1);
    expect(await expire(hold)).toMatchObject({ status: 'pending' });
  });

  it('gives a repeated verdict its answer again, and refuses the other one', async () => {
    const hold = await stage();
    await ask('expiry', 'hold.attend($1, $2)', [hold.holdId, 'token-1']);
    expect(await decide(hold, 'reject')).toEqual({ status: 'rejected', token: 'token-1' });
    expect(await decide(hold, 'reject')).toEqual({ status: 'rejected', token: 'token-1' });
    expect(await decide(hold, 'approve')).toEqual({ refused: 'AlreadyDecided' });
    expect(await kinds(hold)).toEqual(['hold.rejected']);
  });

  it('counts one person once where two must agree', async () => {
    const hold = await stage();
    await db.owner.query('update hold.hold set people = 2 where hold_id = $1', [hold.holdId]);
    expect(await decide(hold, 'approve')).toMatchObject({ status: 'pending', token: null });
    expect(await decide(hold, 'approve')).toMatchObject({ status: 'pending', token: null });
    expect(await decide(hold, 'approve', 'eli')).toMatchObject({ status: 'approved' });
  });

  it('tells a state machine that comes late that all is decided', async () => {
    const hold = await stage();
    await decide(hold, 'approve');
    expect(await ask('expiry', 'hold.attend($1, $2)', [hold.holdId, 'late'])).toMatchObject({ status: 'approved' });
  });
});

describe('what is asked again before it runs', () => {
  it.each<[string, string, () => Promise<unknown>, () => Promise<unknown>]>([
    ['the row that the call names', 'RowChanged', () => db.owner.query("update leads set lead_status = 'customer' where id = 'L_1'"), () => db.owner.query("update leads set lead_status = 'cold' where id = 'L_1'")],
    ['whether the agent is enabled', 'AgentDisabled', () => db.owner.query('update controls.agent set enabled = false'), () => db.owner.query('update controls.agent set enabled = true')],
    ['the declaration of the action', 'ActionChanged', () => db.owner.query("update controls.action set manifest_digest = 'x' || manifest_digest"), () => db.owner.query('update controls.action set manifest_digest = substr(manifest_digest, 2)')],
    ['the bytes that were shown', 'DigestChanged', () => db.owner.query("update gate.call set parameters = replace(parameters, 'ada@', 'eve@')"), () => Promise.resolve()],
  ])('%s', async (_what, code, change, restore) => {
    const hold = await stage();
    await decide(hold, 'approve');
    await change();
    expect(await claim(hold)).toEqual({ refused: code });
    await restore();
    expect(await claim(hold)).toEqual({ refused: 'TicketSpent' });
    const { rows } = await db.owner.query<{ status: string }>('select status from audit.decision where decision_id = $1', [hold.decisionId]);
    expect(rows).toEqual([{ status: 'refused' }]);
  });
});
