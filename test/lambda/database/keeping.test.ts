/** What keeps the log, in SQL: outcomes that never came, erasure, legal holds, retention. */
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { digestOf } from '../../../lambda/audit/hashing';
import { DroppedRange, Verification, Verifier } from '../../../lambda/audit/verify';
import { verifyByCopy } from '../../../local/postgres/copy-log';
import { manifestDigest } from '../../../lib/scope/manifest';
import { card, LEADS, SEND_EMAIL } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

const DAY = 86_400;
let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase(LEADS);
  await db.register(card(), [SEND_EMAIL]);
});

async function verify(verifier = new Verifier()): Promise<Verification> {
  const { host, port } = inject('postgres');
  const client = new Client({ host, port, user: `${db.controls}-auditor-a`, password: 'test-password', database: db.controls });
  await client.connect();
  try {
    return await verifyByCopy(client, verifier);
  } finally {
    await client.end();
  }
}

const RULE = { scope: 'scope://outreach.send.cold', tier: 'auto', kind: 'auto', approvers: [], people: 0, windowSeconds: 0, limits: [{ key: 'l', atMost: 1, seconds: 86_400 }] };
async function permitted(principal: string, output: object = { lead_id: 'L_1', to: 'ada@example.com', subject: 's', body: 'b' }): Promise<string> {
  const { rows } = await db.as('gate').query<{ answer: string }>('select gate.commit_call($1) as answer', [JSON.stringify({
    principal, callId: randomUUID(), action: 'send_email', verdict: 'permit', ruleId: 'r', rule: { ...RULE, limits: [] }, reasons: '[]', manifestDigest: manifestDigest(SEND_EMAIL), output: JSON.stringify(output), inputs: JSON.stringify({ request: null, reason: 'why', saw: [] }),
  })]);
  return (JSON.parse(rows[0]?.answer ?? '{}') as { decisionId: string }).decisionId;
}
const keeper = async <T>(sql: string, ...values: unknown[]): Promise<T> => JSON.parse((await db.as('keeper').query<{ answer: string }>(`select (${sql})::text as answer`, values)).rows[0]?.answer ?? 'null') as T;
const outcomes = async (decision: string): Promise<string[]> => (await db.owner.query<{ outcome: string }>("select outcome from audit.entry where decision_id = $1 and kind = 'call.outcome' order by at", [decision])).rows.map(({ outcome }) => outcome);

describe('an intent whose outcome never came', () => {
  it('is closed: as unknown if it was begun, as refused if it never was; and not before an executor had its time', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const [begun, never] = [await permitted(principal), await permitted(principal)];
    await db.as('executor').query('select gate.redeem($1)', [begun]);
    expect(await keeper('gate.reconcile()')).toBe(0);
    await db.moveClock(11 * 60);
    expect(await keeper('gate.reconcile()')).toBe(2);
    expect([await outcomes(begun), await outcomes(never)]).toEqual([['unknown'], ['refused']]);
    expect(await keeper('gate.reconcile()')).toBe(0);
    expect((await db.as('executor').query<{ answer: string }>('select gate.redeem($1) as answer', [never])).rows[0]?.answer).toContain('TicketSpent');
    await db.moveClock(0);
  });

  it('keeps what an executor reports later, once', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const decision = await permitted(principal);
    await db.as('executor').query('select gate.redeem($1)', [decision]);
    await db.moveClock(11 * 60);
    await keeper('gate.reconcile()');
    const report = async (): Promise<boolean> => (await db.as('executor').query<{ done: boolean }>("select gate.outcome($1, 'executed', '{}', '[]', 'b', '[]', '[]', null) as done", [decision])).rows[0]?.done ?? false;
    expect([await report(), await report()]).toEqual([true, false]);
    expect(await outcomes(decision)).toEqual(['unknown', 'executed']);
    await db.moveClock(0);
  });
});

describe('when nothing can be appended', () => {
  it('no call is decided and no ticket issued', async () => {
    const { principal } = await db.startRun('outreach-closer');
    const blocker = await db.owner.connect();
    await blocker.query('begin');
    await blocker.query('select from audit.head for update');
    const calls = async (): Promise<number> => Number((await db.owner.query<{ n: string }>('select (select count(*) from gate.call) + (select count(*) from gate.ticket) as n')).rows[0]?.n);
    const before = await calls();
    await expect(permitted(principal)).rejects.toThrow('lock timeout');
    await blocker.query('rollback');
    blocker.release();
    expect(await calls()).toBe(before);
  });

  it('it is not because one login holds all it can: locks, a snapshot, no time-outs', async () => {
    const { host, port } = inject('postgres');
    const clients = await Promise.all(Array.from({ length: 18 }, async () => {
      const client = new Client({ host, port, user: `${db.controls}-append-a`, password: 'test-password', database: db.controls });
      await client.connect();
      await client.query("set idle_in_transaction_session_timeout = 0; set lock_timeout = 0; set statement_timeout = 0; begin isolation level repeatable read");
      for (let again = 0; again < 5; again += 1) await client.query("select audit.append('[{\"kind\":\"app.hog\"}]')");
      return client;
    }));
    const { principal } = await db.startRun('outreach-closer');
    await Promise.all(Array.from({ length: 8 }, () => permitted(principal)));
    const held = Number((await db.superuser.query<{ n: string }>("select count(*) as n from (select head from audit.head) h where not exists (select from audit.head f where f.head = h.head for update skip locked)")).rows[0]?.n);
    expect(held).toBeLessThanOrEqual(18);
    await Promise.all(clients.map((client) => client.end()));
    expect((await verify()).findings).toEqual([]);
  });

  it('refuses a connection that would hash other bytes', async () => {
    const client = await db.as('append').connect();
    await client.query("set client_encoding = 'LATIN1'");
    await expect(client.query("select audit.append('[{\"kind\":\"app.note\"}]')")).rejects.toThrow('EncodingInvalid');
    client.release(true);
  });
});

describe('what is chained for ever', () => {
  const append = (entry: object): Promise<unknown> => db.as('append').query('select audit.append($1)', [JSON.stringify([{ kind: 'app.note', ...entry }])]);
  it.each([
    ['a sentence', { facts: { note: 'two words' } }], ['an address', { facts: { who: 'ada@example.com' } }], ['one deep inside', { facts: { a: [{ b: 'ada@example.com' }] } }], ['one as a name', { facts: { 'ada@example.com': 1 } }],
    ['one as a reference', { reference: 'ada@example.com' }], ['a sentence as an outcome', { outcome: 'it went well' }], ['a long text', { facts: { x: 'x'.repeat(201) } }],
  ])('cannot be %s', async (_, entry) => {
    await expect(append(entry)).rejects.toThrow('NotAnIdentifier');
  });

  it('is small enough to be read back, names people as they sign in, and decisions of its own run', async () => {
    await expect(append({ facts: Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`key-${index}`, 'value'])) })).rejects.toThrow('FactsTooLarge');
    await expect(append({ approver: 'Ada Brandt <ada@example.com>' })).rejects.toThrow('NotAnIdentifier');
    await expect(append({ decision: randomUUID() })).rejects.toThrow('DecisionUnknown');
    await append({ approver: 'ada@example.com' });
  });

  it('is canonical, and refused where it has no one form', async () => {
    await append({ facts: { b: 1.0, a: 'x' }, inputs: { z: 1, a: 'any text, ada@example.com' } });
    const { rows } = await db.owner.query("select e.facts, p.inputs from audit.entry e join audit.payload p using (head, seq) where e.kind = 'app.note' order by e.at desc limit 1");
    expect(rows).toEqual([{ facts: '{"a":"x","b":1}', inputs: '{"a":"any text, ada@example.com","z":1}' }]);
    await expect(db.as('append').query('select audit.append($1)', ['[{"kind":"app.note","inputs":{"a":1,"a":2}}]'])).rejects.toThrow('JsonKeyTwice');
    await expect(db.as('append').query('select audit.append($1)', ['[{"kind":"app.note","inputs":9007199254740993}]'])).rejects.toThrow('JsonNumberInexact');
  });
});

describe('an erasure', () => {
  const order = (subject: string): Promise<{ erasure?: string; refused?: string; open?: number }> => keeper("audit.order_erasure($1, 'arn:x/pia', 'DSR-1', false)", subject);
  const places = async (erasure: string | undefined): Promise<string[]> => (await db.owner.query<{ places: string[] }>('select places from audit.erasure where erasure_id = $1', [erasure])).rows[0]?.places ?? [];
  const note = (inputs: unknown): Promise<unknown> => db.as('append').query('select audit.append($1)', [JSON.stringify([{ kind: 'app.subject', inputs }])]);

  it('finds a subject in any case, in other forms of letters, and cut in two by a chunk', async () => {
    await note({ text: 'wrote to GRACE.Hopper@Navy.example yesterday' });
    await note({ text: 'ｇｒａｃｅ.hopper@navy.example' });
    await note({ text: `${'x'.repeat(5_985)} grace.hopper@navy.example ${'y'.repeat(6_000)}` });
    const { erasure } = await order('grace.hopper@navy.example');
    expect(await places(erasure)).toHaveLength(3);
  });

  it('takes whole words only, and a subject as it is and as no pattern', async () => {
    await note({ text: 'planning with Annabel' });
    await note({ text: 'Ann was there' });
    expect(await places((await order('Ann')).erasure)).toHaveLength(1);
    await expect(order('.*')).rejects.toThrow('SubjectTooShort');
    expect(await order('A.n')).toEqual({ refused: 'SubjectUnknown' });
    expect(await keeper("audit.order_erasure('Ann', 'arn:x/pia', 'DSR-1', true)")).toEqual({ payloads: 1, calls: 0, runs: 0, waiting: 0 });
  });

  it('is blocked by a legal hold about somebody else whom the same text mentions, and by one that came after the order', async () => {
    await note({ text: 'Wilma Rot met Fred Stein' });
    const hold = (subject: string): Promise<{ legalHold: string }> => keeper("audit.place_legal_hold($1, 'arn:x/pia', 'LIT-2')", subject);
    const { legalHold } = await hold('fred stein');
    expect(await order('Wilma Rot')).toEqual({ refused: 'LegalHold' });
    await keeper("audit.release_legal_hold($1, 'arn:x/pia')", legalHold);
    const { erasure } = await order('Wilma Rot');
    const later = await hold('Wilma Rot');
    const carry = async (): Promise<object> => keeper("audit.carry_out_erasure($1, $2, 'erasures/x.json', 'd')", erasure, JSON.stringify(await places(erasure)));
    expect(await carry()).toEqual({ refused: 'LegalHold' });
    expect((await db.owner.query("select from audit.payload where inputs like '%Wilma%'")).rowCount).toBe(1);
    await keeper("audit.release_legal_hold($1, 'arn:x/pia')", later.legalHold);
    expect(await carry()).toEqual({ erasure });
  });

  it('finds a subject through white space, characters that nobody sees, and JSON inside of JSON', async () => {
    await note({ text: 'saw Nora  \n O\u200bhm there' });
    await note({ text: JSON.stringify({ inner: JSON.stringify({ name: 'Tom "Tommy" Ray' }) }) });
    expect(await places((await order('nora ohm')).erasure)).toHaveLength(1);
    expect(await places((await order('Tom "Tommy" Ray')).erasure)).toHaveLength(1);
  });

  it('is refused for two letters', async () => {
    await expect(order('ab')).rejects.toThrow('SubjectTooShort');
  });

  it('waits until no call about the subject waits', async () => {
    const { principal } = await db.startRun('outreach-closer', 'Write to Lin');
    const decision = await permitted(principal, { lead_id: 'L_1', to: 'lin.chen@example.com', subject: 's', body: 'b' });
    expect(await order('lin.chen@example.com')).toEqual({ refused: 'CallsOpen', open: 1 });
    await db.as('executor').query('select gate.redeem($1)', [decision]);
    await db.as('executor').query("select gate.outcome($1, 'executed', '{\"sent\":\"lin.chen@example.com\"}', '[]', 'b', '[]', '[]', null)", [decision]);
    expect(await order('lin.chen@example.com')).toHaveProperty('erasure');
  });

  it('is carried out once, whatever order and repetition its steps come in', async () => {
    const { erasure } = await order('grace.hopper@navy.example');
    const carry = async (): Promise<object> => keeper("audit.carry_out_erasure($1, $2, 'erasures/x.json', 'd')", erasure, JSON.stringify(await places(erasure)));
    expect([await carry(), await carry()]).toEqual([{ erasure }, { refused: 'ErasureUnknown' }]);
    expect((await db.owner.query("select from audit.payload where inputs ilike '%grace%'")).rowCount).toBe(0);
  });
});

describe('retention', () => {
  const verifyWith = (statement: { month: string; ranges: [number, number, number, string][] }): Promise<Verification> => {
    const dropped = statement.ranges.map(([head, from, to, hash]): DroppedRange => ({ head, from: BigInt(from), to: BigInt(to), hash: digestOf(hash), statement: `retention/${statement.month}.json` }));
    return verify(new Verifier({ seen: new Map(), begins: new Map(), erased: new Map(), dropped, findings: [] }));
  };
  const due = (): Promise<{ month: string; ranges: [number, number, number, string][]; refused?: string } | null> => keeper('audit.due_month(13)');

  it('keeps a month for thirteen whole months, and drops it with a statement that the chain is verified across', async () => {
    // Entries of an entry's time that is not its place's: a writer that waited for a head into the next month.
    await db.moveClock(40 * DAY);
    await db.as('append').query('select audit.append($1)', [JSON.stringify([{ kind: 'app.next-month' }])]);
    await db.moveClock(380 * DAY);
    expect(await due()).toBeNull();
    await db.moveClock(430 * DAY);
    await keeper('gate.reconcile()'); // as every day does first
    const statement = await due();
    expect(statement?.ranges.length).toBeGreaterThan(0);
    const text = JSON.stringify(statement);
    const tampered = text.replace(/"ranges":\[\[(\d+),(\d+),(\d+)/, (_, head: string, from: string, to: string) => `"ranges":[[${head},${from},${Number(to) + 1}`);
    await expect(keeper("audit.drop_month(13, $1, 'retention/x.json', 'd')", tampered)).rejects.toThrow('StatementDiffers');
    const before = (await verify()).entries;
    expect(await keeper(`audit.drop_month(13, $1, 'retention/${statement?.month ?? ''}.json', 'd')`, text)).toBe(true);
    expect(await keeper(`audit.drop_month(13, $1, 'retention/${statement?.month ?? ''}.json', 'd')`, text)).toBe(false);
    expect((await verify()).findings.map(({ problem }) => problem)).toContain('entries missing');
    const after = await verifyWith(statement as NonNullable<typeof statement>);
    expect(after.findings).toEqual([]);
    expect(after.entries).toBeLessThan(before);
    expect((await db.owner.query("select from audit.entry where kind = 'retention.dropped'")).rowCount).toBe(1);
    expect((await db.owner.query('select from gate.call')).rowCount).toBe(0);
  });

  it('is refused while a legal hold is open, and below three months', async () => {
    await expect(keeper('audit.due_month(2)')).rejects.toThrow('RetentionTooShort');
    const { legalHold } = await keeper<{ legalHold: string }>("audit.place_legal_hold(null, 'arn:x/pia', 'LIT-1')");
    await db.moveClock(470 * DAY);
    expect(await due()).toMatchObject({ refused: 'LegalHold' });
    expect(await keeper("audit.order_erasure('anybody', 'arn:x/pia', 'DSR-2', false)")).toEqual({ refused: 'LegalHold' });
    await keeper("audit.release_legal_hold($1, 'arn:x/pia')", legalHold);
    expect(await due()).not.toHaveProperty('refused');
    await db.moveClock(0);
  });
});
