import { Client } from 'pg';
import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Finding, Verification } from '../../../lambda/audit/verify';
import { verifyByCopy } from '../../../local/postgres/copy-log';
import { TestDatabase, testDatabase } from '../../support/database';

let db: TestDatabase;
beforeAll(async () => { db = await testDatabase(); });

async function verify(): Promise<Verification> {
  const { host, port } = inject('postgres');
  const client = new Client({ host, port, user: `${db.controls}-auditor-a`, password: 'test-password', database: db.controls });
  await client.connect();
  try {
    return await verifyByCopy(client);
  } finally {
    await client.end();
  }
}

const AWKWARD = ['plain', 'tab\there', 'line\nbreak', 'back\\slash \\n \\N', 'quote " \' ', 'Zoë 🦀 \u{10ffff}', '\u0001\b\f\v', ''];
const append = (entries: object[]): Promise<unknown> => db.as('append').query('select audit.append($1)', [JSON.stringify(entries)]);
const entry = (more: object = {}): object => ({ kind: 'app.test', facts: { note: 'x' }, ...more });

describe('appending', () => {
  it('chains every entry, whatever its text is made of', async () => {
    await append(AWKWARD.map((text) => entry({ inputs: text, output: text.repeat(5_000) })));
    await append([entry({ decision: null })]);
    const { ok, findings, entries, payloads } = await verify();
    expect(findings).toEqual([]);
    expect(ok).toBe(true);
    expect(entries).toBeGreaterThanOrEqual(AWKWARD.length + 1);
    expect(payloads).toBeGreaterThanOrEqual(AWKWARD.length * 2);
  });

  it('gives the same text different digests, so that none can be looked up', async () => {
    await append([entry({ kind: 'app.salted', inputs: 'yes' }), entry({ kind: 'app.salted', inputs: 'yes' })]);
    const { rows } = await db.owner.query<{ digests: string }>("select count(distinct inputs_digest)::text as digests from audit.entry where kind = 'app.salted'");
    expect(rows).toEqual([{ digests: '2' }]);
  });

  it('keeps a payload larger than the Data API returns in chunks that it does return', async () => {
    await append([entry({ kind: 'app.large', inputs: '🦀'.repeat(40_000) })]);
    const { rows } = await db.owner.query<{ longest: number; whole: number }>("select max(octet_length(p.inputs)) as longest, sum(char_length(p.inputs))::int as whole from audit.payload p join audit.entry e using (head, seq) where e.kind = 'app.large'");
    expect(rows).toEqual([{ longest: 24_000, whole: 40_002 }]);
  });

  it('stamps the login and the clock itself', async () => {
    await append([entry({ kind: 'app.stamped', login: 'somebody', at: '2001-01-01', agent: 'somebody-else' })]);
    const { rows } = await db.owner.query<{ login: string; agent: string | null; old: boolean }>("select login, agent, at < now() - interval '1 hour' as old from audit.entry where kind = 'app.stamped'");
    expect(rows).toEqual([{ login: `${db.controls}-append-a`, agent: null, old: false }]);
  });

  it.each([['call.intent'], ['hold.approved'], [null], ['apps']])('refuses an application an entry of kind %s', async (kind) => {
    await expect(append([entry({ kind })])).rejects.toThrow('KindForbidden');
  });

  it('refuses an entry of a run that there is not', async () => {
    await expect(append([entry({ run: 'run-nobody' })])).rejects.toThrow('RunUnknown');
  });

  it('loses no entry and forks no chain with sixteen writers, some of which roll back', async () => {
    const before = (await verify()).entries;
    const writer = async (): Promise<number> => {
      const client = await db.as('append').connect();
      let kept = 0;
      for (let index = 0; index < 25; index += 1) {
        await client.query('begin');
        await client.query('select audit.append($1)', [JSON.stringify([entry({ kind: 'app.race' }), entry({ kind: 'app.race', inputs: 'i' })])]);
        const back = index % 4 === 0;
        await client.query(back ? 'rollback' : 'commit');
        kept += back ? 0 : 2;
      }
      client.release();
      return kept;
    };
    const kept = (await Promise.all(Array.from({ length: 16 }, writer))).reduce((sum, each) => sum + each, 0);
    const after = await verify();
    expect(after.findings).toEqual([]);
    expect(after.entries).toBe(before + kept);
  });

  it('waits a bounded time for a head when all are taken, then says so', async () => {
    const blocker = await db.owner.connect();
    await blocker.query('begin');
    await blocker.query('select from audit.head for update');
    await expect(append([entry()])).rejects.toThrow('lock timeout');
    await blocker.query('rollback');
    blocker.release();
  });
});

describe('what the database\'s own superuser does to the log', () => {
  beforeEach(() => append([entry({ kind: 'app.victim', inputs: 'in', output: 'out' }), entry({ kind: 'app.victim', inputs: 'in', output: 'out' }), entry({ kind: 'app.victim' })]));

  /** Does something as superuser inside one transaction that verification sees, and takes it back. */
  async function findings(...statements: string[]): Promise<readonly Finding[]> {
    const { host, port, superuser, password } = inject('postgres');
    const client = new Client({ host, port, user: superuser, password, database: db.controls });
    await client.connect();
    try {
      await client.query('begin isolation level repeatable read');
      for (const statement of statements) expect((await client.query(statement)).rowCount ?? 1, statement).toBeGreaterThan(0);
      const within = Object.assign(Object.create(client) as Client, { query: (sql: unknown) => (/^(begin|commit)/.test(String(sql)) ? Promise.resolve() : (client.query as (text: unknown) => unknown)(sql)) });
      return (await verifyByCopy(within)).findings;
    } finally {
      await client.query('rollback');
      await client.end();
    }
  }
  const first = "(select min(seq) from audit.entry where kind = 'app.victim' and head = (select min(head) from audit.entry where kind = 'app.victim')) and head = (select min(head) from audit.entry where kind = 'app.victim')";

  it.each([
    ['kind', "'app.victin'"], ['login', "'postgres'"], ['agent', "'refunder'"], ['run_id', "'run-x'"], ['decision_id', 'gen_random_uuid()'], ['facts', "'{\"note\":\"y\"}'"], ['at', "at + interval '1 microsecond'"],
    ['action', "'send_email'"], ['reference', "'T-2'"], ['approver', "'bo'"], ['outcome', "'permit'"], ['inputs_digest', 'sha256(inputs_digest)'], ['output_digest', 'null'], ['hash', 'sha256(hash)'],
  ])('shows when it edits %s', async (column, value) => {
    const found = await findings(`update audit.entry set ${column} = ${value} where seq = ${first}`);
    expect(found.map(({ problem }) => problem)).toContain('entry altered');
  });

  it('shows when it edits, empties or moves payload', async () => {
    const problems = async (statement: string): Promise<string[]> => (await findings(`${statement} seq = ${first}`)).map(({ problem }) => problem).sort();
    expect(await problems("update audit.payload set inputs = 'im' where")).toEqual(['payload altered']);
    expect(await problems('update audit.payload set output_salt = sha256(output_salt) where')).toEqual(['payload altered']);
    expect(await problems('update audit.payload set inputs = null, inputs_salt = null where')).toEqual(['payload missing']);
    expect(await problems('update audit.payload set inputs_salt = null where')).toEqual(['payload altered']);
    expect(await problems('update audit.payload set inputs = output, output = inputs where')).toEqual(['payload altered', 'payload altered']);
    expect(await problems('delete from audit.payload where')).toEqual(['payload missing', 'payload missing']);
    expect(await problems("update audit.payload set at = at + interval '1 month' where")).toEqual(['payload missing', 'payload missing', 'payload without entry']);
    expect(await problems("insert into audit.payload select head, seq, at, 1, inputs_salt, 'more', null, null from audit.payload where")).toEqual(['payload altered']);
  });

  it('names the range when it deletes entries', async () => {
    const found = await findings(`delete from audit.entry where seq = ${first}`);
    expect(found[0]).toMatchObject({ problem: 'entries missing', entries: expect.stringMatching(/^\d+:\d+$/) as string });
  });

  it('shows when it cuts the end of a chain and leaves the head', async () => {
    const found = await findings("delete from audit.entry e using audit.head h where e.head = h.head and e.seq = h.seq and e.kind = 'app.victim'");
    expect(found.map(({ problem }) => problem)).toContain('chain end differs');
  });

  it('shows when it rewinds a head, resets it, or drops it', async () => {
    for (const statement of ['update audit.head set seq = seq - 1 where seq > 0', 'update audit.head set hash = sha256(hash) where seq > 0', 'delete from audit.head where seq > 0']) {
      expect((await findings(statement)).map(({ problem }) => problem), statement).toContain('chain end differs');
    }
  });

  it('shows when it inserts an entry, or puts two in the other order', async () => {
    expect((await findings('insert into audit.entry select head, seq + 1000, at, kind, login, agent, run_id, decision_id, action, reference, approver, outcome, facts, inputs_digest, output_digest, hash from audit.entry e where seq = ' + first)).length).toBeGreaterThan(0);
    const swapped = await findings(`update audit.entry e set kind = 'app.swapped', facts = o.facts from audit.entry o where o.head = e.head and o.seq = e.seq + 1 and e.kind = 'app.victim'`);
    expect(swapped.map(({ problem }) => problem)).toContain('entry altered');
  });

  it('shows when it writes an entry twice', async () => {
    const found = await findings(`insert into audit.entry_default select head, seq, at + interval '10 years', kind, login, agent, run_id, decision_id, action, reference, approver, outcome, facts, inputs_digest, output_digest, sha256(hash) from audit.entry where seq = ${first}`);
    expect(found.map(({ problem }) => problem)).toContain('entry twice');
  });

  it('shows when it adds payload that no entry covers', async () => {
    const found = await findings("insert into audit.payload select e.head, e.seq, e.at, 0, '\\x00', 'planted', null, null from audit.entry e where kind = 'app.victim' and inputs_digest is null limit 1");
    expect(found.map(({ problem }) => problem)).toEqual(['payload altered']);
  });
});

describe('copies and odd text', () => {
  it('finds a copy of an entry that carries its place and its hash, in another month', async () => {
    await append([entry({ kind: 'app.copied', inputs: 'in' })]);
    await db.superuser.query("insert into audit.entry select head, seq, at + interval '2 months', kind, login, agent, run_id, decision_id, action, reference, approver, outcome, '{\"note\":\"forged\"}', inputs_digest, output_digest, hash from audit.entry where kind = 'app.copied'");
    const found = (await verify()).findings.map(({ problem }) => problem);
    await db.superuser.query("delete from audit.entry where facts = '{\"note\":\"forged\"}'");
    expect(found).toContain('entry twice');
    expect((await verify()).ok).toBe(true);
  });

  it('keeps the view open when a payload is no JSON for Postgres', async () => {
    await db.superuser.query('select audit.chain($1)', [JSON.stringify([{ kind: 'call.intent', decision: '00000000-0000-4000-8000-000000000009', action: 'x', outcome: 'deny', facts: '{}', inputs: '{"reason":"a\\u0000b","saw":[]}', output: '{"a":"\\ud800"}' }])]);
    expect((await db.as('auditor').query("select inputs, output from audit.decision where decision_id = '00000000-0000-4000-8000-000000000009'")).rowCount).toBe(1);
  });

  it('makes months ahead, also of those that entries were kept for before', async () => {
    await db.superuser.query("insert into audit.entry_default select 0, 999999, date_trunc('month', now()) + interval '20 months', 'app.late', 'x', null, null, null, null, null, null, null, '{}', null, null, '\\x00'");
    await db.owner.query('select audit.ensure_partitions(22)');
    expect((await db.owner.query("select tableoid::regclass::text as month from audit.entry where kind = 'app.late'")).rows).toEqual([{ month: expect.stringMatching(/^audit\.entry_20\d\d_\d\d$/) as string }]);
    await db.superuser.query("delete from audit.entry where kind = 'app.late'");
  });
});
