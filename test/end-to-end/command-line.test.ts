/** The command line against a running local runtime, and against the same endpoint as if it were the account. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SAMPLE_DATA } from '../../examples/story';
import { LocalRuntime } from '../../local/testing';
import { cli } from '../support/cli';

const root = join(__dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'agent-controls-cli-'));
let runtime: LocalRuntime;

const local = ['--local', '--folder', folder];
/** The variables that `local env` prints. */
const environment = async (who: string): Promise<Record<string, string>> => Object.fromEntries([...(await cli(['local', 'env', who, '--folder', folder])).stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name as string, value as string]));

beforeAll(async () => {
  runtime = await LocalRuntime.start({ assembly: inject('assembly'), folder, seed: SAMPLE_DATA });
  const run = await runtime.startRun('outreach-closer', { text: 'Follow up with L_1029' });
  await run.call('read_leads', { columns: ['name'] }, { reason: 'x' });
  await run.call('read_leads', { columns: ['phone'] }, { reason: 'x' });
  const held = await run.call('send_email', { lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: 'Hello', body: 'Hi' }, { reason: 'x', justification: 'she asked', reference: 'CRM-1' });
  if (held.verdict !== 'hold') throw new Error(`a hold was expected, got ${JSON.stringify(held)}`);
  await runtime.approver('dana', { groups: ['sales-leads'] }).reject(await runtime.hold(held.holdId), 'not today');
});
afterAll(() => runtime.stop());

describe('agent-controls audit', () => {
  it('lists decisions as a table of the reviewer\'s columns, and as JSON', async () => {
    expect((await cli(['audit', 'search', ...local])).stdout).toContain('reasons');
    const table = await cli(['audit', 'search', ...local, '--wide']);
    for (const head of ['time', 'agent', 'run_id', 'decision', 'inputs_hash', 'inputs', 'model', 'output_hash', 'output', 'downstream_writes', 'authorized_by']) expect(table.stdout).toContain(head);
    const { stdout } = await cli(['audit', 'search', ...local, '--json']);
    expect((JSON.parse(stdout) as { decision: string; status: string }[]).map(({ decision, status }) => [decision, status])).toEqual([['read_leads', 'executed'], ['read_leads', 'denied'], ['send_email', 'rejected']]);
    expect((await cli(['audit', 'search', ...local, '--agent', 'nobody'])).stdout).toContain('No decision is like that');
    expect((await cli(['audit', 'search', ...local, '--limit', 'x'])).status).toBe(2);
  });

  it('counts who decided what, and how fast', async () => {
    const { stdout } = await cli(['audit', 'verdicts', ...local, '--json']);
    expect(JSON.parse(stdout)).toEqual([{ agent: 'outreach-closer', by: 'dana', approved: 0, rejected: 1, unsure: 0, expired: 0, medianSeconds: expect.any(Number) as number }]);
    expect((await cli(['audit', 'verdicts', ...local])).stdout).toContain('left to people');
    expect((await cli(['audit', 'verdicts', ...local, '--agent', 'nobody'])).stdout).toContain('Nothing was held');
    expect((await cli(['audit', 'verdicts', ...local, '--from', 'x'])).status).toBe(2);
  });

  it('verifies as the auditor, locally and through the Data API as on an account', async () => {
    const { status, stdout } = await cli(['audit', 'verify', ...local, '--json']);
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { ok: true, local: true, pinned: false, findings: [] }]);
    const deployed = await cli(['audit', 'verify', '--json'], await environment('auditor'));
    expect([deployed.status, JSON.parse(deployed.stdout)]).toMatchObject([0, { ok: true, local: true, entries: (JSON.parse(stdout) as { entries: number }).entries }]);
    expect((await cli(['audit', 'search', '--json'], await environment('auditor'))).stdout).toContain('read_leads');
  });

  it('finds decisions by everything a reviewer searches by, and exports them', async () => {
    const found = async (...filter: string[]): Promise<Record<string, unknown>[]> => JSON.parse((await cli(['audit', 'search', ...local, '--json', ...filter])).stdout) as Record<string, unknown>[];
    const all = await found('--limit', '100');
    const [mail] = await found('--action', 'send_email');
    expect(all.length).toBeGreaterThan(2);
    expect((await found('--agent', 'outreach-closer')).length).toBe(all.filter(({ agent }) => agent === 'outreach-closer').length);
    expect(await found('--run', String(mail?.runId), '--action', 'send_email')).toMatchObject([{ decisionId: mail?.decisionId }]);
    expect((await found('--verdict', 'deny')).every(({ status }) => status === 'denied')).toBe(true);
    expect((await found('--status', 'executed')).every(({ status }) => status === 'executed')).toBe(true);
    expect(await found('--reference', 'NO-SUCH')).toEqual([]);
    expect(await found('--approver', 'nobody')).toEqual([]);
    expect((await found('--text', 'follow up', '--from', '2020-01-01')).length).toBeGreaterThan(0);
    expect(await found('--text', 'zebra')).toEqual([]);
    expect(await found('--until', '2020-01-01T00:00:00Z')).toEqual([]);
    const csv = (await cli(['audit', 'search', ...local, '--csv'])).stdout.split('\r\n');
    expect(csv[0]).toContain('time,agent,runId,decisionId,decision,inputsHash');
    expect(csv.length).toBe(all.length + 2);
    const [event] = (await cli(['audit', 'search', ...local, '--ocsf'])).stdout.trim().split('\n').map((line) => JSON.parse(line) as object);
    expect(event).toMatchObject({ class_uid: 6003, category_uid: 6, type_uid: 600399, metadata: { version: '1.4.0' } });
    for (const bad of [['--status', 'done'], ['--verdict', 'maybe'], ['--from', 'yesterday'], ['--limit', '0']]) expect((await cli(['audit', 'search', ...local, ...bad])).status, bad.join(' ')).toBe(2);
  });

  it('reads a decision that is larger than a row of the Data API, whole', async () => {
    const { host, port, database, superuser: user, password } = runtime.file.postgres;
    const client = new Client({ host, port, database, user, password });
    await client.connect();
    const large = 'ä🦀'.repeat(30_000);
    const { rows: [call] } = await client.query<{ run_id: string; environment: string }>('select run_id, environment from gate.call limit 1');
    const decision = '00000000-0000-4000-8000-00000000abcd';
    await client.query("insert into gate.call (decision_id, run_id, call_id, agent, action, parameters, salt, digest, environment, verdict, answer, status, at) values ($1, $2, 'large', 'outreach-closer', 'large', '{}', '\\x00', '', $3, 'deny', '{}', 'denied', now())", [decision, call?.run_id, call?.environment]);
    await client.query('select audit.chain($1)', [JSON.stringify([{ kind: 'call.intent', agent: 'outreach-closer', run: call?.run_id, decision, action: 'large', outcome: 'deny', facts: '{}', inputs: JSON.stringify({ large }), output: '{}' }])]);
    await client.end();
    const [found] = JSON.parse((await cli(['audit', 'search', '--json', '--action', 'large'], await environment('auditor'))).stdout) as { inputs: { large: string } }[];
    expect(found?.inputs.large === large).toBe(true);
    expect(JSON.parse((await cli(['audit', 'verify', '--json'], await environment('auditor'))).stdout)).toMatchObject({ ok: true });
  });

  it('proves a decision to somebody who has the file and the key, and nothing else', async () => {
    const key = join(folder, 'key.pem');
    expect((await cli(['audit', 'checkpoint', ...local])).status).toBe(0);
    expect((await cli(['audit', 'keys', ...local, '--out', key])).status).toBe(0);
    const [mail] = JSON.parse((await cli(['audit', 'search', ...local, '--json', '--action', 'send_email'])).stdout) as { decisionId: string }[];
    const proof = join(folder, 'proof.json');
    expect(await cli(['audit', 'prove', mail?.decisionId ?? '', ...local, '--out', proof, '--key', key])).toMatchObject({ status: 0 });
    const elsewhere = { HOME: tmpdir() };
    expect(await cli(['audit', 'verify-proof', proof, '--key', key], elsewhere)).toMatchObject({ status: 0, stdout: expect.stringContaining('The proof holds') as string });
    expect((await cli(['audit', 'verify-proof', proof], elsewhere)).status).toBe(2);
    const text = readFileSync(proof, 'utf8');
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }).toString();
    writeFileSync(`${key}.other`, other);
    expect((await cli(['audit', 'verify-proof', proof, '--key', `${key}.other`], elsewhere)).status).toBe(1);
    const forged = JSON.parse(text) as { entries: { record: string; inputs?: { text: string } }[] };
    const [entry] = forged.entries;
    if (entry) entry.record = Buffer.from(Buffer.from(entry.record, 'base64').toString('latin1').replace('hold', 'deny'), 'latin1').toString('base64');
    writeFileSync(`${proof}.forged`, JSON.stringify(forged));
    expect((await cli(['audit', 'verify-proof', `${proof}.forged`, '--key', key], elsewhere)).status).toBe(1);
    writeFileSync(`${proof}.forged`, text.replace(/"text": "\{/, '"text": "{ '));
    expect((await cli(['audit', 'verify-proof', `${proof}.forged`, '--key', key], elsewhere)).status).toBe(1);
    const pinned = await cli(['audit', 'verify', ...local, '--json', '--key', key]);
    expect(JSON.parse(pinned.stdout)).toMatchObject({ ok: true, pinned: true, unanchored: 0 });
    expect((await cli(['audit', 'verify', ...local, '--key', `${key}.other`])).status).toBe(1);
  });

  it('verifies since a checkpoint, and goes on where it was interrupted', async () => {
    const whole = JSON.parse((await cli(['audit', 'verify', ...local, '--json'])).stdout) as { entries: number };
    const since = JSON.parse((await cli(['audit', 'verify', ...local, '--json', '--since', '1'])).stdout) as { entries: number; since: number; ok: boolean };
    expect(since).toMatchObject({ ok: true, since: 1 });
    expect(since.entries).toBeLessThan(whole.entries);
    const state = join(folder, 'progress.json');
    writeFileSync(state, JSON.stringify({ chains: {}, entries: 5, payloads: 0, erased: 0, findings: [], used: [], told: [] }));
    expect(JSON.parse((await cli(['audit', 'verify', ...local, '--json', '--resume', state])).stdout)).toMatchObject({ ok: true, entries: whole.entries + 5 });
    expect(existsSync(state)).toBe(false);
    for (const nothing of ['999999999', '2026-13-45', 'x']) expect((await cli(['audit', 'verify', ...local, '--since', nothing])).status, nothing).toBe(2);
    expect((await cli(['audit', 'verify', ...local, '--since', '2001-01-01'])).status).toBe(2);
    expect(JSON.parse((await cli(['audit', 'verify', ...local, '--json', '--chain-only', '--fewer-checkpoints'])).stdout)).toMatchObject({ ok: true, payloads: 0 });
  });

  it('erases a subject, and holds what a court asks for', async () => {
    const ask = (...args: string[]): ReturnType<typeof cli> => cli(['audit', ...args, ...local]);
    const placed = await ask('legal-hold', 'place', '--subject', 'ada.brandt@northwind.example', '--reference', 'LIT-7', '--json');
    expect(await ask('erase', '--subject', 'ada.brandt@northwind.example', '--reference', 'DSR-7')).toMatchObject({ status: 2, stderr: expect.stringContaining('LegalHold') as string });
    expect((await ask('legal-hold', 'list')).stdout).toContain('LIT-7');
    expect((await ask('legal-hold', 'release', (JSON.parse(placed.stdout) as { legalHold: string }).legalHold)).status).toBe(0);
    const receipt = join(folder, 'receipt.json');
    const erased = await ask('erase', '--subject', 'ada.brandt@northwind.example', '--reference', 'DSR-7', '--receipt', receipt);
    expect(erased).toMatchObject({ status: 0, stdout: expect.stringMatching(/Backups of the database hold it until \d{4}/) as string });
    expect(JSON.parse(readFileSync(receipt, 'utf8'))).toMatchObject({ statement: { format: 'agent-controls/erasure/1', reference: 'DSR-7' } });
    expect(JSON.parse((await ask('verify', '--json')).stdout)).toMatchObject({ ok: true, erased: expect.any(Number) as number });
  });

  it('names the entry that somebody edited, both ways, and exits with 1', async () => {
    const { host, port, database, superuser, password } = runtime.file.postgres;
    const client = new Client({ host, port, database, user: superuser, password });
    await client.connect();
    const edit = (from: string, to: string): Promise<{ rows: { place: string }[] }> => client.query(`update audit.entry set outcome = '${to}' where kind = 'call.intent' and outcome = '${from}' returning head || ':' || seq as place`);
    const { rows: [edited] } = await edit('deny', 'permit*');
    for (const { status, stdout } of [await cli(['audit', 'verify', ...local]), await cli(['audit', 'verify'], await environment('auditor'))]) {
      expect(status).toBe(1);
      expect(stdout).toContain(`entry altered  ${edited?.place ?? ''}`);
    }
    await edit('permit*', 'deny');
    await client.end();
    expect((await cli(['audit', 'verify', ...local])).status).toBe(0);
  });

  it('of an account without credentials says what is missing', async () => {
    expect(await cli(['audit', 'verify'], { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: runtime.file.endpoint, AWS_EC2_METADATA_DISABLED: 'true', HOME: tmpdir() })).toMatchObject({ status: 2, stderr: expect.stringContaining('the control plane agent-controls is not found') as string });
  });
});

describe('agent-controls local env', () => {
  it('makes a shell somebody of this very runtime', async () => {
    const port = String(runtime.file.postgres.port);
    expect(await environment('superuser')).toMatchObject({ PGPORT: port, PGUSER: 'postgres' });
    expect(await environment('outreach-closer')).toMatchObject({ PGPORT: port, PGUSER: 'agent-controls-login-outreach-closer-a', AWS_ENDPOINT_URL: runtime.file.endpoint });
    expect(await environment('outreach-closer:compute')).toMatchObject({ AGENT_NAME: 'outreach-closer', AGENT_CONTROLS_URL: runtime.file.api });
    expect(await environment('approver:sales-leads')).toMatchObject({ AGENT_CONTROLS_URL: runtime.file.api });
    for (const who of ['nobody', 'approver:nobody']) expect((await cli(['local', 'env', who, '--folder', folder])).status).toBe(2);
  });
});

describe('agent-controls local', () => {
  const launch = async (own: string): Promise<{ child: ReturnType<typeof spawn>; told: unknown }> => {
    const child = spawn(process.execPath, [join(root, 'bin', 'agent-controls.js'), 'local', '--assembly', inject('assembly'), '--folder', own, '--port', '0', '--seed', ...SAMPLE_DATA, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
    return { child, told: JSON.parse(await new Promise<string>((resolve) => child.stdout?.once('data', (data: Buffer) => resolve(data.toString())))) };
  };
  const ended = (child: ReturnType<typeof spawn>): Promise<unknown> => new Promise((resolve) => child.once('close', resolve));

  it('runs an assembly until it is told to stop, and leaves nothing behind', async () => {
    const own = mkdtempSync(join(tmpdir(), 'agent-controls-cli-'));
    const { child, told } = await launch(own);
    expect(told).toMatchObject({ authorisationEvaluated: true, file: `${own}/local.json` });
    const started = descendants(child.pid ?? 0);
    child.kill('SIGINT');
    expect(await ended(child)).toBe(0);
    expect(await survivors(started)).toEqual([]);
    expect((await cli(['audit', 'search', '--local', '--folder', own])).status).toBe(2);
  });

  it('killed, takes its server and its functions along, and goes on with its log when it is started again', async () => {
    const own = mkdtempSync(join(tmpdir(), 'agent-controls-cli-'));
    const first = await launch(own);
    const entries = async (): Promise<number> => (JSON.parse((await cli(['audit', 'verify', '--local', '--folder', own, '--json'])).stdout) as { entries: number }).entries;
    const before = await entries();
    const started = descendants(first.child.pid ?? 0);
    if (process.platform === 'linux') expect(started.length).toBeGreaterThan(4); // the watchdog, the server and its own, the functions
    first.child.kill('SIGKILL');
    await ended(first.child);
    expect(await survivors(started)).toEqual([]);
    const second = await launch(own);
    expect(await entries()).toBe(before);
    second.child.kill('SIGINT');
    expect(await ended(second.child)).toBe(0);
  });
});

/** Processes below one, as Linux tells them; elsewhere nobody is looked for. */
function descendants(pid: number): number[] {
  if (process.platform !== 'linux') return [];
  const parents = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      return [[Number(name), Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1])] as const];
    } catch {
      return []; // it ended meanwhile
    }
  });
  const below = (of: number): number[] => parents.filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

/** Those that still live after a while. */
async function survivors(pids: readonly number[]): Promise<number[]> {
  const alive = (): number[] => pids.filter((pid) => { try { return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')); } catch { return false; } });
  for (let waited = 0; waited < 200 && alive().length > 0; waited += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  return alive();
}

describe('agent-controls audit models', () => {
  it('lists who asked which model with what', async () => {
    expect((await cli(['audit', 'models', ...local])).stdout).toBe('No model was asked.\n');
    const { models } = await runtime.startAsked('refunder', { text: 'Look.', reference: 'HELP-9' });
    const body = JSON.stringify({ model: 'mistral', messages: [{ role: 'user', content: 'Was card 4111 1111 1111 1111 charged twice?' }] });
    expect((await fetch(`${models?.url ?? ''}v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${models?.token ?? ''}` }, body })).status).toBe(200);
    expect((await cli(['audit', 'models', ...local])).stdout).toMatch(/refunder +\S+ +mistral +\S+ +bedrock-eu, eu-central-1 or eu-west-1 \(routed\) +\S+ +business, payment .*12 \+ 8 +\S+ +answered/);
    expect((await cli(['audit', 'models', ...local, '--limit', 'all'])).stderr).toContain('LimitInvalid');
    expect((await cli(['audit', 'models', ...local, '--from', 'soon'])).stderr).toContain('TimeInvalid');
  }, 30_000);
});

describe('agent-controls rollback', () => {
  it('plans, undoes, and says what it left', async () => {
    const run = await runtime.startAsked('crm-tierer', { text: 'See to the tiers of C_201 and C_203.' });
    for (const customer_id of ['C_201', 'C_203']) expect((await run.call('update_tier', { customer_id, tier: 'growth' }, { reason: 'usage' })).verdict).toBe('permit');
    const planned = await cli(['rollback', ...local, '--run', run.runId, '--plan']);
    expect(planned.stdout).toContain('2 of 2 decisions of crm-tierer would be reversed');
    expect(planned.stdout).toContain('nobody has changed them since');
    expect((await cli(['rollback', ...local, '--run', run.runId])).stderr).toContain('ReasonMissing');
    const done = await cli(['rollback', ...local, '--run', run.runId, '--reason', 'it was wrong', '--reference', 'INC-1']);
    expect([done.status, done.stdout]).toEqual([0, expect.stringContaining('Reversed: 2 decisions')]);
    const again = await cli(['rollback', ...local, '--run', run.runId, '--reason', 'once more']);
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining('NothingToReverse')]);
    expect((await cli(['rollback', ...local])).stderr).toContain('SelectionMissing');
    expect((await cli(['rollback', ...local, '--agent', 'crm-tierer', '--since', 'soon'])).stderr).toContain('TimeInvalid');
    expect((JSON.parse((await cli(['rollback', ...local, '--agent', 'crm-tierer', '--since', '1h', '--plan', '--json'])).stdout) as { total: number }).total).toBe(2);
  });
});

describe('agent-controls actions', () => {
  it('prints the register of reverses', async () => {
    const { stdout } = await cli(['actions', '--assembly', inject('assembly')]);
    expect(stdout).toContain('putting the prior value back');
    expect(stdout).toContain('finance-oncall');
    const { actions } = JSON.parse((await cli(['actions', 'register', '--json', '--assembly', inject('assembly')])).stdout) as { actions: { name: string; lowestTier: string }[] };
    expect(actions.map(({ name, lowestTier }) => `${name} ${lowestTier}`)).toEqual(['amend_contract auto', 'issue_refund human', 'send_email verify', 'update_tier auto']);
    expect((await cli(['actions', '--assembly', '/nowhere'])).status).toBe(2);
  });
});

describe('agent-controls residency', () => {
  const of = (...args: string[]): ReturnType<typeof cli> => cli(['residency', ...args, '--assembly', inject('assembly')]);
  it('prints who may see what, the page, and the documents for the organisation', async () => {
    const { stdout, status } = await of();
    expect(stdout).toMatch(/payment +\S+ +may see +\S+ +taken out +\S+ +goes to bedrock-eu/);
    expect(status).toBe(0);
    expect((JSON.parse((await of('--json')).stdout) as { rulings: object[] }).rulings).toContainEqual({ class: 'payment', 'bedrock-eu': 'may see', openai: 'taken out', mistral: 'goes to bedrock-eu' });
    expect((await of('page')).stdout).toMatch(/^# Data residency\n/);
    expect((await of('page', '--html')).stdout).toMatch(/^<!doctype html>[\s\S]*<h1>Data residency<\/h1>/);
    expect(JSON.parse((await of('scp', '--account', '111122223333')).stdout)).toMatchObject({ Version: '2012-10-17' });
    expect((await of('endpoint-policy', '--account', '111122223333')).stdout).toContain('arn:aws:iam::111122223333:role/agent-controls-gateway');
  }, 60_000);

  it('says what is missing', async () => {
    expect((await of('scp', '--account', '*')).stderr).toContain('AccountInvalid');
    expect(await of('page', '--controls', 'other')).toMatchObject({ status: 2, stderr: expect.stringContaining('PolicyMissing') as string });
    expect(await cli(['residency', '--assembly', '/nowhere'])).toMatchObject({ status: 2, stderr: expect.stringContaining('AssemblyMissing') as string });
  }, 60_000);
});
