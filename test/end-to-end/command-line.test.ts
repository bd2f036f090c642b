/** The command line against a running local runtime, and against the same endpoint as if it were the account. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SAMPLE_DATA } from '../../examples/story';
import { LocalRuntime } from '../../local/testing';

const root = join(__dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'agent-controls-cli-'));
let runtime: LocalRuntime;

// Not spawnSync: the runtime that answers lives in this process.
const cli = (args: string[], env: Record<string, string> = {}): Promise<{ status: number | null; stdout: string; stderr: string }> => new Promise((resolve) => {
  const child = spawn(process.execPath, [join(root, 'bin', 'agent-controls.js'), ...args], { cwd: tmpdir(), env: { PATH: process.env.PATH ?? '', ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => { stdout += data.toString(); });
  child.stderr.on('data', (data: Buffer) => { stderr += data.toString(); });
  child.on('close', (status) => resolve({ status, stdout, stderr }));
});
const local = ['--local', '--folder', folder];
/** The variables that `local env` prints. */
const environment = async (who: string): Promise<Record<string, string>> => Object.fromEntries([...(await cli(['local', 'env', who, '--folder', folder])).stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name as string, value as string]));

beforeAll(async () => {
  runtime = await LocalRuntime.start({ assembly: inject('assembly'), folder, seed: SAMPLE_DATA });
  const run = await runtime.startRun('outreach-closer', { text: 'Follow up with L_1029' });
  await run.call('read_leads', { columns: ['name'] }, { reason: 'x' });
  await run.call('read_leads', { columns: ['phone'] }, { reason: 'x' });
}, 60_000);
afterAll(() => runtime.stop());

describe('agent-controls audit', () => {
  it('lists decisions as a table of the reviewer\'s columns, and as JSON', async () => {
    const table = await cli(['audit', 'search', ...local]);
    for (const head of ['time', 'agent', 'run_id', 'decision', 'inputs_hash', 'inputs', 'model', 'output_hash', 'output', 'downstream_writes', 'authorized_by']) expect(table.stdout).toContain(head);
    const { stdout } = await cli(['audit', 'search', ...local, '--json']);
    expect((JSON.parse(stdout) as { decision: string; status: string }[]).map(({ decision, status }) => [decision, status])).toEqual([['read_leads', 'executed'], ['read_leads', 'denied']]);
    expect((await cli(['audit', 'search', ...local, '--agent', 'nobody'])).stdout).toContain('No decision is like that');
    expect((await cli(['audit', 'search', ...local, '--limit', 'x'])).status).toBe(2);
  });

  it('verifies as the auditor, locally and through the Data API as on an account', async () => {
    const { status, stdout } = await cli(['audit', 'verify', ...local, '--json']);
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { ok: true, local: true, anchored: false, findings: [] }]);
    const deployed = await cli(['audit', 'verify', '--json'], await environment('auditor'));
    expect([deployed.status, JSON.parse(deployed.stdout)]).toMatchObject([0, { ok: true, local: false, entries: (JSON.parse(stdout) as { entries: number }).entries }]);
    expect((await cli(['audit', 'search', '--json'], await environment('auditor'))).stdout).toContain('read_leads');
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
