/** What keeps the log, on the local runtime: checkpoints, erasure, legal holds, retention, and what a superuser can do about them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { play, SAMPLE_DATA } from '../../examples/story';
import { LocalRuntime } from '../../local/testing';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-audit-'));
let runtime: LocalRuntime;
let superuser: Client;

beforeAll(async () => {
  runtime = await LocalRuntime.start({ assembly: inject('assembly'), folder, seed: SAMPLE_DATA });
  await play(runtime, { doing: () => undefined, done: () => undefined });
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  superuser = new Client({ host, port, database, user, password });
  await superuser.connect();
});
afterAll(async () => {
  await superuser.end();
  await runtime.stop();
});

const files = (under: string): string[] => readdirSync(join(folder, 'buckets', runtime.file.resources.statementBucket, under), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
const signNow = async (): Promise<number | null> => (await (await runtime.person('pia', 'privacy')).ask<{ number: number | null }>('POST', '/checkpoints', {})).number;
const problems = async (): Promise<string[]> => [...new Set((await runtime.verifyAuditLog()).findings.map(({ problem }) => problem))].sort();

describe('a checkpoint', () => {
  it('is signed some minutes after something was appended, without anybody asking', async () => {
    await runtime.advance({ minutes: 5 });
    const newest = await runtime.until(async () => (await runtime.verifyAuditLog()).checkpoints.newest ?? undefined);
    expect(newest.number).toBeGreaterThan(0);
  });

  it('covers every entry when it is asked for, and is not signed twice for the same', async () => {
    await signNow();
    expect(await signNow()).toBeNull();
    const { ok, findings, unanchored, local, checkpoints } = await runtime.verifyAuditLog();
    expect(findings).toEqual([]);
    expect({ ok, unanchored, local }).toEqual({ ok: true, unanchored: 0, local: true });
    expect(checkpoints.read).toBe(checkpoints.known);
  });

  it('begins anew in another bucket, as somebody who restores the database needs it', async () => {
    const bucket = join(folder, 'buckets', runtime.file.resources.statementBucket);
    renameSync(bucket, `${bucket}-before`);
    mkdirSync(bucket);
    try {
      await runtime.startRun('outreach-closer', { text: 'Follow up with L_1029' });
      expect(await signNow()).toBe(1);
      expect(await runtime.verifyAuditLog()).toMatchObject({ ok: true, findings: [], unanchored: 0, checkpoints: { read: 1, newest: { number: 1 } } });
    } finally {
      rmSync(bucket, { recursive: true });
      renameSync(`${bucket}-before`, bucket);
    }
    expect(await problems()).toEqual([]);
  });

  it('says where it was made, so that a local log passes for nothing else', () => {
    expect(JSON.parse(readFileSync(files('checkpoints').at(-1) as string, 'utf8'))).toMatchObject({ statement: { format: 'agent-controls/checkpoint/1', account: '000000000000' } });
  });
});

describe('what a superuser does to a log that is anchored', () => {
  /** Does something, looks, and undoes it, whatever was found. */
  async function tampered<T = string[]>(forge: string, undo: string, look: () => Promise<T>): Promise<T> {
    try {
      await superuser.query(forge);
      return await look();
    } finally {
      await superuser.query(undo);
    }
  }
  beforeAll(() => superuser.query('create temp table kept as select * from audit.entry; create temp table paid as select * from audit.payload; create temp table ends as select * from audit.head'));
  const REWIND = `delete from audit.payload where seq > 1; delete from audit.entry where seq > 1;
    update audit.head h set seq = e.seq, hash = e.hash from audit.entry e where e.head = h.head and e.seq = 1`;
  const RESTORE = `delete from controls.run where run_id in (select run_id from audit.entry where kind = 'run.started' and run_id not in (select run_id from kept where run_id is not null));
    truncate audit.entry, audit.payload, audit.head; insert into audit.entry select * from kept; insert into audit.payload select * from paid; insert into audit.head select * from ends`;

  it('shows when the newest entries are removed together with their heads', async () => {
    expect(await tampered(REWIND, RESTORE, problems)).toContain('log rewound');
    expect(await problems()).toEqual([]);
  });

  it('is not signed: a rewound log that grew again gets no checkpoint', async () => {
    const told = await tampered(REWIND, RESTORE, async () => {
      await runtime.startRun('outreach-closer', { text: 'Follow up with L_1029' });
      return signNow().then(String, (error: unknown) => (error as Error).message);
    });
    expect(told).toContain('CheckpointRefused: the log does not follow from checkpoint');
    expect(await problems()).toEqual([]);
  });

  it('shows when another history is written from a point on', async () => {
    await superuser.query('create temp table forked as select e.* from audit.entry e join audit.head h using (head, seq) where h.seq > 1 limit 1');
    const found = await tampered(`update audit.entry e set facts = '{}', hash = audit.link((select b.hash from audit.entry b where b.head = e.head and b.seq = e.seq - 1), e.head, e.seq, audit.leaf(e.at, e.kind, e.login, e.agent, e.run_id, e.decision_id, e.action, e.reference, e.approver, e.outcome, '{}', e.inputs_digest, e.output_digest))
      from forked f where e.head = f.head and e.seq = f.seq; update audit.head h set hash = e.hash from audit.entry e, forked f where e.head = f.head and e.seq = f.seq and h.head = f.head`,
    'update audit.entry e set facts = f.facts, hash = f.hash from forked f where e.head = f.head and e.seq = f.seq; update audit.head h set hash = f.hash from forked f where h.head = f.head', problems);
    expect(found).toContain('checkpoint contradicted');
    expect(await problems()).toEqual([]);
  });

  it('shows when a month is detached', async () => {
    const { rows: [month] } = await superuser.query<{ name: string; bounds: string }>("select c.oid::regclass::text as name, pg_get_expr(c.relpartbound, c.oid) as bounds from pg_class c where c.oid = (select tableoid from audit.entry limit 1)");
    const found = await tampered(`alter table audit.entry detach partition ${month?.name ?? ''}`, `alter table audit.entry attach partition ${month?.name ?? ''} ${month?.bounds ?? ''}`, problems);
    expect(found).toEqual(expect.arrayContaining(['chain end differs', 'log rewound', 'payload without entry']));
    expect(await problems()).toEqual([]);
  });

  it('shows when a checkpoint is altered', async () => {
    const file = files('checkpoints').at(-1) as string;
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"number":', '"number": 9'));
    const found = await problems();
    writeFileSync(file, text);
    expect(found).toContain('statement invalid');
  });

  it.each([
    ['a run', "insert into controls.run select 'run-forged', agent, card_digest, environment, starter, asked_by, null, request, request_trusted, reference, model, prompt_digest, started_at, expires_at from controls.run limit 1", "delete from controls.run where run_id = 'run-forged'"],
    ['what was asked for', "update controls.run set request = request || ', and mallory@evil.example'", "update controls.run set request = replace(request, ', and mallory@evil.example', '')"],
    ['trust in a request', 'update controls.run set request_trusted = not request_trusted', 'update controls.run set request_trusted = not request_trusted'],
    ['a verdict', "insert into hold.verdict select hold_id, 'mallory', 'approve', 'x', 'mfa', controls.now(), '', 'mallory' from hold.hold limit 1", "delete from hold.verdict where person = 'mallory'"],
    ['parameters of a call', "update gate.call set parameters = replace(parameters, 'ada.brandt', 'eve.brandt') where parameters like '%ada.brandt%'", "update gate.call set parameters = replace(parameters, 'eve.brandt', 'ada.brandt') where parameters like '%eve.brandt%'"],
    ['a status of a hold', "update hold.hold set status = 'approved' where status = 'rejected'", "update hold.hold h set status = 'rejected' from audit.entry e where e.decision_id = h.decision_id and e.kind = 'hold.rejected'"],
    ['a ticket', "insert into gate.ticket select decision_id, digest, 'approval', controls.now() from gate.call where verdict = 'deny' limit 1", "delete from gate.ticket t using gate.call c where c.decision_id = t.decision_id and c.verdict = 'deny'"],
  ])('shows when it makes up %s beside the log', async (_, forge, undo) => {
    expect(await tampered(forge, undo, problems)).toEqual(['book differs']);
    expect(await problems()).toEqual([]);
  });

  it('shows a month that the database says was dropped, and signs no log on its word', async () => {
    const forge = "insert into audit.dropped select '2001_01', json_build_object('ranges', json_agg(json_build_array(head, 0, 999999999)))::text, now() from audit.head";
    expect(await tampered(forge, 'delete from audit.dropped', problems)).toEqual(['book differs']);
    const told = await tampered(`${forge}; ${REWIND}`, `delete from audit.dropped; ${RESTORE}`, async () => {
      await runtime.startRun('outreach-closer', { text: 'Follow up with L_1029' });
      return signNow().then(String, (error: unknown) => (error as Error).message);
    });
    expect(told).toContain('CheckpointRefused');
  });

  it('shows an entry that says it is older than the checkpoint before it, and one that is in no chain', async () => {
    const dated = `create or replace function controls.now() returns timestamptz language sql volatile as 'select clock_timestamp() - interval ''3 hours'''; select audit.chain('[{"kind":"app.back-dated","facts":"{}"}]')`;
    const { rows: [clock] } = await superuser.query<{ sql: string }>("select pg_get_functiondef('controls.now()'::regprocedure) as sql");
    expect(await tampered(dated, `${clock?.sql ?? ''}; ${RESTORE}`, problems)).toContain('time impossible');
    const stray = "insert into audit.entry select -3, 7, at, 'call.intent', login, agent, run_id, gen_random_uuid(), action, reference, approver, outcome, facts, null, null, hash from audit.entry limit 1";
    expect(await tampered(stray, 'delete from audit.entry where head = -3', problems)).toContain('entry out of place');
  });

  it('shows another search path, another table in the log, and grants of others', async () => {
    const auditor = `"${runtime.file.resources.auditorLogin.user}"`;
    expect(await tampered(`alter role ${auditor} set search_path = evil, pg_catalog`, `alter role ${auditor} reset search_path`, problems)).toEqual(['schema altered']);
    expect(await tampered('create table audit.extra (x int)', 'drop table audit.extra', problems)).toEqual(['schema altered']);
    expect(await tampered(`grant update on audit.payload to ${auditor}`, `revoke update on audit.payload from ${auditor}`, problems)).toEqual(['schema altered']);
    expect(await tampered(`grant insert (kind) on audit.entry to ${auditor}`, `revoke insert (kind) on audit.entry from ${auditor}`, problems)).toEqual(['schema altered']);
    expect(await tampered("set allow_system_table_mods = on; create function pg_catalog.encode(bytea, varchar) returns text language sql as 'select null::text'", 'drop function pg_catalog.encode(bytea, varchar); set allow_system_table_mods = off', problems)).toEqual(['schema altered']);
    expect(await tampered('alter function gate.redeem(uuid) set search_path = public', 'alter function gate.redeem(uuid) set search_path = pg_catalog, pg_temp', problems)).toEqual(['schema altered']);
  });

  it('shows when it alters the view that people read', async () => {
    const { rows: [view] } = await superuser.query<{ sql: string }>("select rtrim(pg_get_viewdef('audit.decision'), ';') as sql");
    const made = (sql: string): string => `create or replace view audit.decision as ${sql}`;
    expect(await tampered(made(`${view?.sql ?? ''} and i.outcome <> 'deny'`), made(view?.sql ?? ''), problems)).toEqual(['view differs']);
    expect(await problems()).toEqual([]);
  });

  it('shows when it alters a function, adds one, or hangs a trigger or a row policy on the log', async () => {
    const { rows: [kept] } = await superuser.query<{ sql: string }>("select pg_get_functiondef('audit.chain(json)'::regprocedure) as sql");
    expect(await tampered("create or replace function audit.chain(p_entries json) returns void language sql as 'select null'", kept?.sql ?? '', problems)).toEqual(['schema altered']);
    const sentences = await tampered("create function gate.extra() returns trigger language plpgsql as 'begin return null; end'; create trigger hidden before insert on audit.head for each row execute function gate.extra(); alter table audit.checkpoint enable row level security",
      'alter table audit.checkpoint disable row level security; drop trigger hidden on audit.head; drop function gate.extra()', async () => (await runtime.verifyAuditLog()).findings.map(({ sentence }) => sentence).sort());
    expect(sentences).toEqual(['audit.checkpoint has row security', 'audit.head has the trigger hidden', 'gate.extra is a function that this version does not make']);
    expect(await problems()).toEqual([]);
  });

  it('shows what it wrote with triggers and replication rules off', async () => {
    const found = await tampered("set session_replication_role = 'replica'; update audit.entry set outcome = 'permit*' where kind = 'call.intent' and outcome = 'deny'", "update audit.entry set outcome = 'deny' where outcome = 'permit*'; reset session_replication_role", problems);
    expect(found).toContain('entry altered');
  });
});

describe('an erasure', () => {
  const SUBJECT = 'ada.brandt@northwind.example';
  const everywhere = async (): Promise<number> => {
    const tables = [['audit.payload', "coalesce(inputs, '') || coalesce(output, '')"], ['gate.call', "parameters || coalesce(result, '') || coalesce(justification, '') || answer"], ['controls.run', "coalesce(request, '')"], ['controls.request', 'body'], ['hold.verdict', 'reason'], ['gate.usage', 'for_each'], ['audit.entry', 'facts']];
    let found = 0;
    for (const [table, text] of tables) found += Number((await superuser.query<{ n: string }>(`select count(*) as n from ${table} where lower(${text}) like '%${SUBJECT}%'`)).rows[0]?.n);
    return found;
  };

  it('is blocked by a legal hold about the subject, however it is written', async () => {
    const pia = await runtime.person('pia', 'privacy');
    const { legalHold } = await pia.ask<{ legalHold: string }>('POST', '/legal-holds', { subject: 'Ada.Brandt@Northwind.example', reference: 'LIT-1' });
    await expect(pia.ask('POST', '/erasures', { subject: SUBJECT, reference: 'DSR-1' })).rejects.toThrow('LegalHold');
    expect(await pia.ask('GET', '/legal-holds')).toMatchObject({ legalHolds: [{ legalHold, reference: 'LIT-1' }] });
    await expect(pia.ask('POST', '/erasures', { subject: 'northwind.example', reference: 'DSR-1' })).rejects.toThrow('LegalHold'); // others, or parts of it, that lead to the same text
    await pia.ask('POST', `/legal-holds/${legalHold}/release`, {});
    expect(JSON.stringify((await superuser.query('select * from audit.legal_hold')).rows)).not.toMatch(/brandt/i);
  });

  it('takes text and salts away everywhere, and leaves chains, checkpoints and a signed receipt', async () => {
    expect(await everywhere()).toBeGreaterThan(3);
    const receipt = await (await runtime.person('pia', 'privacy')).ask<{ statement: { payloads: string[]; backupsExpire: string; orderedBy: string }; name: string }>('POST', '/erasures', { subject: SUBJECT, reference: 'DSR-1' });
    expect(await everywhere()).toBe(0);
    expect(receipt.statement).toMatchObject({ backupsExpire: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string, orderedBy: expect.stringContaining('/pia') as string });
    expect(receipt.statement.payloads.length).toBeGreaterThan(2);
    const verified = await runtime.verifyAuditLog();
    expect(verified.findings).toEqual([]);
    expect(verified.erased).toBeGreaterThan(0);
    const salts = await superuser.query("select 1 from audit.payload p where p.head || ':' || p.seq || ':inputs' = any ($1) and inputs_salt is not null or p.head || ':' || p.seq || ':output' = any ($1) and output_salt is not null", [receipt.statement.payloads]);
    expect(salts.rowCount).toBe(0);
    for (const file of files('')) expect(readFileSync(file, 'utf8')).not.toMatch(/brandt/i);
  });

  it('that is faked shows: payload gone without a signed statement', async () => {
    const { rows: [row] } = await superuser.query<{ place: string }>("update audit.payload set inputs = null, inputs_salt = null where (head, seq) = (select head, seq from audit.payload where inputs is not null and output is null limit 1) returning head || ':' || seq as place");
    await superuser.query('select audit.chain($1)', [JSON.stringify([{ kind: 'erasure.done', facts: JSON.stringify({ statement: 'erasures/forged.json', payloads: 1 }) }])]);
    expect((await runtime.verifyAuditLog()).findings).toMatchObject([{ problem: 'payload missing', entries: row?.place }]);
  });
});

describe('what a superuser prepares for the handlers', () => {
  it('gets no signature under an erasure that nobody asked the keeper for', async () => {
    const before = files('').length;
    const { rows: [victim] } = await superuser.query<{ place: string }>("select head || ':' || seq as place from audit.payload where inputs is not null limit 1");
    await superuser.query("insert into audit.erasure values (gen_random_uuid(), 'ordered', 'arn:x/pia', 'DSR-999', now(), array[$1], '{}', '{}', '{}')", [`${victim?.place ?? ''}:inputs`]);
    await runtime.startRun('outreach-closer', { text: 'Follow up with L_1029' });
    await runtime.advance({ days: 1 }); // the keeper does all of its work
    await runtime.until(async () => ((await runtime.verifyAuditLog()).unanchored === 0 ? true : undefined));
    expect(files('erasures').length + files('checkpoints').length).toBe(files('').length);
    expect(files('').length).toBeGreaterThan(before);
    await superuser.query("delete from audit.erasure where reference = 'DSR-999'");
  });

  it('does not get a denied call to run, nor an executed one to run again', async () => {
    const { rows: [denied] } = await superuser.query<{ id: string }>("select decision_id as id from gate.call where verdict = 'deny' limit 1");
    const { rows: [executed] } = await superuser.query<{ id: string }>("select decision_id as id from gate.call where status = 'executed' limit 1");
    const redeem = async (id: string | undefined): Promise<string> => (await superuser.query<{ told: string }>('select gate.redeem($1) as told', [id])).rows[0]?.told ?? '';
    await superuser.query("insert into gate.ticket select decision_id, digest, 'approval', now() from gate.call where decision_id = $1", [denied?.id]);
    expect(await redeem(denied?.id)).toContain('NotPermitted');
    await superuser.query('update gate.ticket set redeemed_at = null, settled_at = null where decision_id = $1', [executed?.id]);
    expect(await redeem(executed?.id)).toContain('NotPermitted');
    expect(await problems()).toContain('book differs');
  });
});
