/** What is unusual, in SQL: over a made-up history, and call by call. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Found, history, isOf, planted, prepare, times, watched, write } from '../../../bench/history';
import { AnomalyRule } from '../../../lib';
import { card, LEADS, SEND_EMAIL } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FROM = Date.parse('2026-03-02T00:00:00Z');
const MONTH = FROM + 30 * DAY;
const RULES = AnomalyRule.defaults().map(({ _spec }) => _spec);

describe('a month of five agents', () => {
  it('raises nothing in a week as any other, and everything that was planted in it, by its own rule', async () => {
    const db = await testDatabase();
    await prepare(db.superuser, FROM);
    const these = planted(3, MONTH + 7 * DAY);
    expect(new Set(these.planted.map(({ rule }) => rule))).toEqual(new Set(RULES.map((rule) => (rule as { rule: string }).rule)));
    const done = [...history(1, FROM, 67), ...these.done].sort((a, b) => a.at - b.at);
    const before = done.findIndex(({ at }) => at >= MONTH);
    await write(db.superuser, done.slice(0, before));
    await db.superuser.query('analyze');
    const quiet = times(MONTH, MONTH + 7 * DAY, 4 * HOUR);
    // Right after each, and once a day.
    const looks = [...new Set([...these.planted.map(({ ended }) => ended + 300_000), ...times(MONTH + 7 * DAY, MONTH + 36 * DAY, DAY)])].sort((a, b) => a - b);
    const found = await watched(db.superuser, RULES, done.slice(before), [...quiet, ...looks.filter((at) => at > MONTH + 7 * DAY)]);
    expect(found.filter(({ at }) => at <= MONTH + 7 * DAY)).toEqual([]);
    expect(these.planted.filter((each) => !found.some((one: Found) => one.rule === each.rule && isOf(one, each)))).toEqual([]);
    // Besides, only what is unusual by more rules than one, and while it lasted.
    expect(found.filter((one) => !these.planted.some((each) => isOf(one, each)))).toEqual([]);
  }, 180_000);
});

describe('an agent that works from Monday to Friday', () => {
  it('is looked at for drift like any other, once it has done so for three weeks', async () => {
    const db = await testDatabase(LEADS);
    await db.register(card(), [SEND_EMAIL]);
    await db.superuser.query("update controls.scope set registered_at = now() - interval '40 days'");
    const works = (from: number, action: string): Promise<unknown> => db.superuser.query(`insert into anomaly.hour (agent, action, hour, calls) select 'outreach-closer', $2, date_trunc('hour', now()) - make_interval(days => d), 20 from generate_series($1::int - 6, $1::int) d where extract(isodow from now() - make_interval(days => d)) <= 5`, [from, action]);
    for (const week of [13, 20]) await works(week, 'read_leads');
    await works(6, 'send_email');
    const drift = AnomalyRule.defaults().find(({ ruleName }) => ruleName === 'drift');
    const found = async (): Promise<number> => {
      await db.as('keeper').query('select anomaly.look($1)', [JSON.stringify(drift?._spec)]);
      return (JSON.parse((await db.as('keeper').query<{ found: string }>('select anomaly.untold() as found')).rows[0]?.found ?? '[]') as unknown[]).length;
    };
    expect(await found()).toBe(0);
    await works(27, 'read_leads');
    expect(await found()).toBe(1);
  });
});

describe('a look', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await testDatabase(LEADS);
    await db.register(card(), [SEND_EMAIL]);
  });
  const look = async (...rules: AnomalyRule[]): Promise<{ finding: string; rule: string; agent: string; response: string }[]> => {
    for (const { _spec } of rules) await db.as('keeper').query('select anomaly.look($1)', [JSON.stringify(_spec)]);
    return JSON.parse((await db.as('keeper').query<{ found: string }>('select anomaly.untold() as found')).rows[0]?.found ?? '[]') as never;
  };
  const tell = (findings: readonly { finding: string }[]): Promise<unknown> => db.as('keeper').query('select anomaly.told($1)', [JSON.stringify(findings.map(({ finding }) => finding))]);
  const refused = async (times: number): Promise<void> => { for (let each = 0; each < times; each += 1) await db.as('broker').query("select gate.start_run($1, 'outreach-closer', 'bot', 'another', 'x', null, null, null, 1800)", [`run-${Math.random()}`]); };
  const entries = async (kind: string): Promise<{ agent: string; outcome: string; facts: string }[]> => (await db.owner.query<{ agent: string; outcome: string; facts: string }>('select agent, outcome, facts from audit.entry where kind = $1 order by at', [kind])).rows;
  const FIVE = AnomalyRule.repeatedFailures(5, { toSeconds: () => 60 } as never, { response: 'hold' as never });

  it('finds nothing below the count, and at the count one thing, once, with the entry that says so', async () => {
    await refused(4);
    expect(await look(FIVE)).toEqual([]);
    await refused(1);
    const [found, ...more] = await look(FIVE);
    expect(more).toEqual([]);
    expect(found).toMatchObject({ rule: 'repeated-failures', agent: 'outreach-closer', response: 'hold' });
    const [entry] = await entries('anomaly.found');
    expect(entry).toMatchObject({ agent: 'outreach-closer', outcome: 'repeated-failures' });
    expect(JSON.parse(entry?.facts ?? '{}')).toMatchObject({ finding: found?.finding, value: 5, threshold: 5, total: 5, response: 'hold' });
  });

  it('tells again what nobody noted as told, and raises it no second time in its quiet time', async () => {
    const again = await look(FIVE);
    expect(again).toHaveLength(1);
    await tell(again);
    await refused(4);
    expect(await look(FIVE)).toEqual([]);
    expect(await entries('anomaly.found')).toHaveLength(1);
    await refused(1); // twice as much as what was told
    const grown = await look(FIVE);
    expect(grown).toHaveLength(1);
    await tell(grown);
    await db.moveClock(3_700);
    await refused(6);
    expect(await look(FIVE)).toHaveLength(1);
    await db.moveClock(0);
  });

  it('has writes of the agent wait for people from then on, until a person says otherwise', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const propose = async (callId: string): Promise<{ verdict: string; reasons?: string[] }> => JSON.parse((await db.as('gate').query<{ answer: string }>('select gate.commit_call($1) as answer', [JSON.stringify({
      principal, callId, action: 'send_email', verdict: 'permit', ruleId: 'r', rule: { scope: 'scope://outreach.send.cold', tier: 'auto', kind: 'auto', approvers: [], people: 0, windowSeconds: 0, limits: [] }, reasons: '[]', output: '{"lead_id":"L_1","to":"a@x.example","subject":"s","body":"b"}', inputs: '{"reason":"r","saw":[]}', unvouched: [],
    })])).rows[0]?.answer ?? '{}') as never;
    expect(await propose('one')).toMatchObject({ verdict: 'hold', reasons: [expect.stringMatching(/^AnomalyFound: /)] });
    const caution = async (on: boolean): Promise<unknown> => JSON.parse((await db.as('kill').query<{ said: string }>("select controls.set_caution('outreach-closer', 'arn:rosa', 'looked at', $1) as said", [on])).rows[0]?.said ?? '{}') as unknown;
    expect(await caution(false)).toEqual({ cautious: false, changed: true });
    expect(await propose('two')).toMatchObject({ verdict: 'permit' });
    expect(await caution(true)).toEqual({ cautious: true, changed: true });
    expect(await propose('three')).toMatchObject({ verdict: 'hold' });
    expect(await caution(false)).toMatchObject({ changed: true });
    expect((await entries('agent.cautioned')).length).toBe(2);
  });

  it('counts anew once a person has let the agent go on, and tells at once what comes then', async () => {
    await db.moveClock(8_000);
    await tell(await look(FIVE));
    expect(await entries('anomaly.found')).toHaveLength(3); // what was told is not told as something new when its quiet time is over
    const heldAfter = async (times: number): Promise<unknown[]> => { await refused(times); return look(FIVE); };
    const first = await heldAfter(5) as { finding: string }[];
    expect(first).toHaveLength(1);
    await tell(first);
    await db.as('kill').query("select controls.set_caution('outreach-closer', 'arn:rosa', 'looked at', false)");
    expect(await heldAfter(4)).toEqual([]); // with those before it would be nine
    expect(await heldAfter(1)).toMatchObject([{ rule: 'repeated-failures', response: 'hold' }]);
    const told = (await entries('anomaly.found')).at(-1);
    expect(JSON.parse(told?.facts ?? '{}')).toMatchObject({ value: 5, total: 5 });
    await db.moveClock(0);
  });

  it('is the keeper\'s: no other login looks, and none writes what was found', async () => {
    for (const duty of ['gate', 'kill', 'auditor', 'executor'] as const) await expect(db.as(duty).query("select anomaly.look('{}')"), duty).rejects.toThrow(/permission denied/);
    for (const duty of ['keeper', 'gate', 'auditor'] as const) await expect(db.as(duty).query('delete from anomaly.finding'), duty).rejects.toThrow(/permission denied/);
    await expect(db.as('keeper').query("select controls.set_caution('outreach-closer', 'x', 'y', false)")).rejects.toThrow(/permission denied/);
  });

  it('refuses a rule that it does not know, and forgets nothing by it', async () => {
    await expect(db.as('keeper').query(`select anomaly.look('{"rule":"astrology","quietSeconds":60}')`)).rejects.toThrow('RuleUnknown');
  });
});
