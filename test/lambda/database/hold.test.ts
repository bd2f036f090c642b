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

async function stage(rule: object = {}): Promise<Staged> {
  const { principal } = await db.startRun('outreach-closer');
  const { rows: [scope] } = await db.owner.query<{ compiled: string }>('select compiled from controls.scope');
  const answer = await ask<Staged>('gate', 'gate.commit_call($1)', [JSON.stringify({
    principal, callId: randomUUID(), action: 'send_email', manifestDigest: MANIFEST, verdict: 'hold', ruleId: RULE, rule: { ...JSON.parse(scope?.compiled ?? '{}').rules[RULE], ...rule }, reasons: '[]', output: JSON.stringify(MAIL), inputs: '{"saw":[]}',
  })]);
  await ask('executor', 'hold.stage($1, $2, null, null)', [answer.holdId, 'sealed']);
  const { rows: [hold] } = await db.owner.query<{ digest: string }>('select digest from hold.hold where hold_id = $1', [answer.holdId]);
  return { ...answer, digest: hold?.digest ?? '' };
}

const decide = (hold: Staged, verdict: string, person = 'dana', groups: string[] = ['sales-leads'], digest = hold.digest): Promise<{ refused?: string; status?: string; token?: string | null }> =>
  ask('decide', 'hold.decide($1, $2, $3, $4, $5, $6)', [hold.holdId, digest, verdict, JSON.stringify({ person, name: person, aliases: [], groups, signedIn: 'mfa', fresh: true }), 'because', `code of ${person}`]);
const claim = (hold: Staged): Promise<{ refused?: string; parameters?: string }> => ask('executor', 'hold.claim($1)', [hold.holdId]);
const expire = (hold: Staged): Promise<{ status: string }> => ask('expiry', 'hold.expire($1)', [hold.holdId]);
const kinds = async (hold: Staged): Promise<string[]> => (await db.owner.query<{ kind: string }>("select kind from audit.entry where decision_id = $1 and kind like 'hold.%' and kind <> 'hold.staged' order by at", [hold.decisionId])).rows.map(({ kind }) => kind);

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

describe('staging', () => {
  it('comes before anybody is asked, and once', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const { rows: [scope] } = await db.owner.query<{ compiled: string }>('select compiled from controls.scope');
    const { holdId, decisionId } = await ask<Staged>('gate', 'gate.commit_call($1)', [JSON.stringify({
      principal, callId: randomUUID(), action: 'send_email', manifestDigest: MANIFEST, verdict: 'hold', ruleId: RULE, rule: JSON.parse(scope?.compiled ?? '{}').rules[RULE], reasons: '[]', output: JSON.stringify(MAIL), inputs: '{"saw":[]}',
    })]);
    const { rows: [before] } = await db.owner.query<{ digest: string }>('select digest from hold.hold where hold_id = $1', [holdId]);
    const hold = { holdId, decisionId, digest: before?.digest ?? '' };
    expect(await decide(hold, 'approve')).toEqual({ refused: 'NotStaged' });
    expect(await ask<unknown[]>('decide', "hold.list('[\"sales-leads\"]')", [])).not.toContainEqual(expect.objectContaining({ holdId }));
    expect(await ask('executor', 'hold.stage($1, $2, null, null)', [holdId, 'first'])).toEqual({ status: 'pending' });
    expect(await ask('executor', 'hold.stage($1, $2, null, null)', [holdId, 'second'])).toEqual({ status: 'pending' });
    expect(await decide(hold, 'approve')).toEqual({ refused: 'DigestMismatch' }); // of the parameters alone
    const { rows: [after] } = await db.owner.query<{ digest: string; staged: string }>('select h.digest, c.staged from hold.hold h join gate.call c using (decision_id) where hold_id = $1', [holdId]);
    expect(after?.staged).toBe('first');
    expect(await decide({ ...hold, digest: after?.digest ?? '' }, 'approve')).toMatchObject({ status: 'approved' });
    expect(await claim(hold)).toMatchObject({ staged: 'first', approvals: [{ person: 'dana', code: 'code of dana' }], people: 1 });
  });

  it('that never came, or a clock that never started, ends with the window', async () => {
    const hold = await stage();
    await db.moveClock(400);
    await db.as('keeper').query('select gate.reconcile()');
    await db.moveClock(0);
    expect(await kinds(hold)).toEqual(['hold.expired']);
  });
});

describe('a window that ends with the business day', () => {
  const ends = async (at: string, hours: object = {}): Promise<string> => {
    await db.superuser.query(`create or replace function controls.now() returns timestamptz language sql volatile as 'select timestamptz ''${at}'''`);
    const { rows } = await db.owner.query<{ ends: string; warns: string }>("select to_char(o_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as ends, to_char(o_warn at time zone 'UTC', 'DD HH24:MI') as warns from hold.ends(604800, $1)", [JSON.stringify({ timeZone: 'Europe/Berlin', opens: 540, closes: 1_020, holidays: ['2026-05-01'], ...hours })]);
    await db.moveClock(0);
    return `${rows[0]?.ends ?? ''}, warns ${rows[0]?.warns ?? ''}`;
  };
  it.each([
    ['in the morning, the same day', '2026-04-29 08:00Z', '2026-04-29 15:00, warns 29 11:30'],
    ['before the day begins, and warns nobody at night', '2026-04-29 00:30Z', '2026-04-29 15:00, warns 29 07:45'],
    ['at midnight, and warns when the day begins', '2026-04-28 22:30Z', '2026-04-29 15:00, warns 29 07:00'],
    ['in its last hour, with the next day', '2026-04-29 14:30Z', '2026-04-30 15:00, warns 30 07:00'],
    ['before a holiday and a weekend, with the Monday', '2026-04-30 14:30Z', '2026-05-04 15:00, warns 04 07:00'],
    ['on a Saturday, with the Monday', '2026-05-02 10:00Z', '2026-05-04 15:00, warns 04 07:00'],
    ['in winter time, an hour later in UTC', '2026-11-25 09:00Z', '2026-11-25 16:00, warns 25 12:30'],
  ])('%s', async (_what, at, expected) => {
    expect(await ends(at)).toBe(expected);
  });

  it('is a week at most, however long the holidays', async () => {
    expect(await ends('2026-05-04 10:00Z', { holidays: Array.from({ length: 12 }, (_, index) => `2026-05-${String(index + 4).padStart(2, '0')}`) })).toMatch(/^2026-05-11 10:00/);
  });
});

describe('the people of a hold', () => {
  const shown = async ({ holdId }: Staged, group: string): Promise<boolean> => (await ask<object | null>('decide', 'hold.show($1, $2)', [JSON.stringify([group]), holdId])) !== null;

  it('are warned once, when half of the window is gone, and then another group may decide, too', async () => {
    const hold = await stage({ escalateTo: 'heads' });
    expect(await expire(hold)).toMatchObject({ status: 'pending', warned: false });
    expect(await shown(hold, 'heads')).toBe(false);
    expect(await decide(hold, 'approve', 'hedda', ['heads'])).toEqual({ refused: 'NotAnApprover' });
    await db.moveClock(151);
    expect(await expire(hold)).toMatchObject({ status: 'pending', warned: true, escalatedTo: 'heads' });
    expect(await expire(hold)).toMatchObject({ status: 'pending', warned: false });
    expect(await shown(hold, 'heads')).toBe(true);
    expect(await decide(hold, 'approve', 'hedda', ['heads'])).toMatchObject({ status: 'approved' });
    await db.moveClock(0);
    expect(await kinds(hold)).toEqual(['hold.warned', 'hold.approved']);
  });
});
