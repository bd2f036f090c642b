/** Rotation on real parts: what is current works at every instant, whatever step dies or comes twice, and after a leak what was taken is dead. */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, Server } from 'node:http';
import { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, RemovalPolicy, SecretValue, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { build } from 'esbuild';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ActionCode, AgentControls, CredentialIssuer, HoldTier, RotatedCredential, ScopeCard } from '../../lib';
import { nextNight } from '../../local/services/secret-rotation';
import type { HostedFunction } from '../../local/lambda/host';
import { GateError, LocalRuntime, Run } from '../../local/testing';
import type { Runtime } from '../../local/runtime';
import { packageRoot } from '../../lib/scope/package-root';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-rotation-'));
let runtime: LocalRuntime;
let superuser: Client;
let vendor: Server;
const keys = new Map<string, 'live' | 'revoked'>([['key-0', 'live']]);

const MARK = `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'mark', description: 'Makes a mark.', reach: 'internal', asks: ['mark'], sinks: [], parameters: { text: param.text({ maxLength: 40 }) }, reads: ['marks.id', 'marks.text'], writes: ['marks.text'],
  before: (_, { sql }) => sql.one\`select text from marks where id = 1\`,
  execute: async ({ text }, { sql }) => { await sql.run\`update marks set text = \${text} where id = 1\`; return {}; },
  reverse: { restore: async ({ before }, { sql }) => { await sql.run\`update marks set text = \${before.text} where id = 1\`; } } });`;

let vendorIs: 'well' | 'down' | 'refusing' | 'deaf' = 'well';

/** A vendor that makes API keys, as many have: one key may make, look at and delete others. */
function startVendor(): Promise<Server> {
  const server = createServer((request, response) => {
    const [, , name = ''] = (request.url ?? '').split('/');
    const known = (key: string): boolean => keys.get(key) === 'live';
    const answer = (status: number, body: object = {}): void => { response.writeHead(status, { 'content-type': 'application/json' }); response.end(JSON.stringify(body)); };
    const [, bearer = ''] = (request.headers.authorization ?? '').split(' ');
    if (vendorIs === 'down' || (vendorIs === 'refusing' && request.method === 'DELETE')) return answer(503);
    if (vendorIs === 'deaf' && request.method === 'DELETE') return answer(200);
    if (!known(bearer)) return answer(401);
    if (request.method === 'POST') {
      const key = `key-${keys.size}`;
      keys.set(key, 'live');
      return answer(201, { data: { key } });
    }
    if (request.method === 'GET') return answer(known(name === '' ? bearer : name) ? 200 : 404);
    keys.set(name, 'revoked');
    return answer(200);
  });
  return new Promise((up) => server.listen(0, '127.0.0.1', () => up(server)));
}

beforeAll(async () => {
  vendor = await startVendor();
  const address = `http://127.0.0.1:${(vendor.address() as AddressInfo).port}`;
  writeFileSync(join(folder, 'issuer.ts'), `import { httpIssuer, issueCredentials } from 'cdk-agent-controls/issuer';
const authorised = (key: string) => ({ authorization: 'Bearer ' + key });
export const handler = issueCredentials(httpIssuer({
  create: { request: (current) => ({ url: '${address}/keys', headers: authorised(current) }), credential: (answer) => answer.data.key },
  test: (key) => ({ url: '${address}/keys', method: 'GET', headers: authorised(key) }),
  revoke: (key) => ({ url: '${address}/keys/' + key, method: 'DELETE', headers: authorised(key) }),
}));`);
  await build({ entryPoints: [join(folder, 'issuer.ts')], outfile: join(folder, 'issuer', 'index.js'), bundle: true, platform: 'node', format: 'cjs', logLevel: 'error', alias: { 'cdk-agent-controls/issuer': join(packageRoot(), 'lambda/issuer/index.ts') } });
  writeFileSync(join(folder, 'mark.ts'), MARK);
  writeFileSync(join(folder, 'seed.sql'), "create table marks (id int primary key, text text not null); insert into marks values (1, 'none');");
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Rotated');
  const user = new iam.User(stack, 'Exporter', { userName: 'exporter' });
  const userKeys = new secretsmanager.Secret(stack, 'ExporterKeys', { secretName: 'exporter-keys', secretStringValue: SecretValue.unsafePlainText(JSON.stringify({ accessKeyId: 'AKIA0000000000000000', secretAccessKey: 'none yet' })) });
  const vendorKey = new secretsmanager.Secret(stack, 'VendorKey', { secretName: 'vendor-key', secretStringValue: SecretValue.unsafePlainText('key-0') });
  const issuer = new lambda.Function(stack, 'Issuer', { functionName: 'vendor-issuer', runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromAsset(join(folder, 'issuer')) });
  const controls = new AgentControls(stack, 'Controls', {
    removalPolicy: RemovalPolicy.DESTROY, tiers: [HoldTier.verify(), HoldTier.human()], rotatedCredentials: [RotatedCredential.accessKeys(user, userKeys), RotatedCredential.issued(vendorKey, CredentialIssuer.function(issuer))],
  });
  controls.addAction('Mark', { code: ActionCode.fromEntry(join(folder, 'mark.ts')) });
  for (const name of ['canary', 'bystander']) {
    const agent = controls.addAgent(name, { card: ScopeCard.fromObject({
      agent: name, purpose: 'Makes marks where somebody asked for one.', owners: { product: 'p@example.com', security: 's@example.com', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' }, 'data-inputs': [{ system: 's', classes: ['business'] }], models: ['m'], environments: { dev: { data: 'synthetic' } },
      scopes: [{ scope: 'scope://a.mark.all', read: [{ table: 'marks', columns: ['id', 'text'] }], call: [{ action: 'mark', approval: { tier: 'auto' } }] }],
      'failure-modes': [{ bad: 'It marks too much.', 'found-by': { anomaly: 'bulk-writes' } }], retention: { inputs: { months: 13 } },
    }) });
    agent.grantStartRun(new iam.Role(stack, `${name}-bot`, { roleName: `${name}-bot`, assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
  }
  app.synth();
  // The day after a night of the schedule: none is to come while the clock is moved below, and replace what a test has just made.
  mkdirSync(join(folder, 'local'));
  writeFileSync(join(folder, 'local', 'state.json'), JSON.stringify({ clockAheadMs: nextNight('cron(0 3 1/16 * ? *)', Date.now()) + 60_000 - Date.now(), secrets: {}, executions: {}, keys: {}, rolePolicies: {}, accessKeys: {} }));
  runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local'), seed: [join(folder, 'seed.sql')] });
  const { host, port, database, superuser: name, password } = runtime.file.postgres;
  superuser = new Client({ host, port, database, user: name, password });
  await superuser.connect();
});
afterAll(async () => {
  await superuser.end();
  await runtime.stop();
  vendor.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Login { readonly username: string; readonly password: string }
const secretOf = (credential: string): Login => JSON.parse(runtime.secret(`agent-controls/${credential}`)) as Login;
/** Logs in as an application does, and says as whom; or with which state Postgres refuses. */
async function logIn({ username, password }: Login): Promise<string> {
  const { host, port, database } = runtime.file.postgres;
  const client = new Client({ host, port, database, user: username, password });
  try {
    await client.connect();
    return (await client.query<{ name: string }>('select session_user as name')).rows[0]?.name ?? '';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
/** The runtime's own parts, for what AWS does by itself. */
const inner = (): Runtime => (runtime as unknown as { runtime: Runtime }).runtime;
const arnOf = (name: string): string => inner().secrets.arnOf(name) ?? '';
const step = async (Step: string, token: string, credential = 'agent/canary'): Promise<string> => {
  const { failed, payload } = await runtime.invoke('agent-controls-rotate', { Step, SecretId: arnOf(`agent-controls/${credential}`), ClientRequestToken: token });
  return failed ? (JSON.parse(payload) as { errorMessage: string }).errorMessage.split(':')[0] ?? '' : 'done';
};
/** The daily event, as EventBridge sends it. */
const sweep = (): Promise<{ failed: boolean; payload: string }> => runtime.invoke('agent-controls-rotate', { source: 'aws.events', 'detail-type': 'Scheduled Event', time: runtime.now().toISOString(), detail: {} });
const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];
const entries = async (credential: string): Promise<string[]> => (await superuser.query<{ outcome: string }>("select outcome from audit.entry where kind = 'credential.rotation' and facts::json ->> 'credential' = $1 order by at", [credential])).rows.map(({ outcome }) => outcome);
interface Replaced { readonly outcome: string; readonly version: string; readonly exposures: readonly { credential: string; seconds: number }[]; readonly dead: readonly { what: string; state: string; evidence: string }[] }
const leak = async (credential: string, leaked = true): Promise<Replaced> => (await runtime.person('rita', 'responder')).ask('POST', '/rotations', { credential, leaked, reason: 'it was in a ticket' });
const code = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'taken', (error: unknown) => (error instanceof GateError ? error.code : String(error)));

describe('a rotation', () => {
  it('gives the other login of the pair a new password, tells every step, and leaves the one before a day', async () => {
    const before = secretOf('agent/canary');
    const token = randomUUID();
    for (const name of STEPS) {
      expect(await step(name, token), name).toBe('done');
      expect(await logIn(secretOf('agent/canary')), `after ${name}`).toBe(secretOf('agent/canary').username);
    }
    const after = secretOf('agent/canary');
    expect([before.username, after.username]).toEqual(['agent-controls-login-canary-a', 'agent-controls-login-canary-b']);
    expect(await logIn(before)).toBe(before.username);
    expect((await superuser.query("select rolvaliduntil between now() + interval '23 hours' and now() + interval '25 hours' as ends from pg_roles where rolname = $1", [before.username])).rows).toEqual([{ ends: true }]);
    expect(await entries('agent/canary')).toEqual(['claimed', 'set', 'tested', 'finishing', 'finished']);
    const run = await runtime.startRun('canary', { text: 'Make a mark.' });
    expect(await run.call('read_marks', { columns: ['id'] }, { reason: 'r' })).toMatchObject({ verdict: 'permit' });
  }, 60_000);

  it('takes every step twice, and none out of order', async () => {
    const token = randomUUID();
    expect(await step('testSecret', token)).toBe('StepSkipped');
    expect(await step('finishSecret', token)).toBe('RotationOvertaken');
    expect(await step('setSecret', token)).toBe('StepSkipped');
    await step('createSecret', token);
    expect(await step('testSecret', token)).toBe('StepSkipped');
    expect(await step('finishSecret', token)).toBe('StepSkipped');
    const before = (await entries('agent/canary')).length;
    for (const name of STEPS) expect([await step(name, token), await step(name, token)], name).toEqual(['done', 'done']);
    expect((await entries('agent/canary')).slice(before)).toEqual(['set', 'tested', 'finishing', 'finished']);
    for (const name of STEPS) expect(await step(name, token), `${name} once more`).toBe('done');
    expect(await logIn(secretOf('agent/canary'))).toBe('agent-controls-login-canary-a');
  }, 60_000);

  it('is not begun twice at a time, and one that was given up is overtaken by the next', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    await step('createSecret', first);
    await step('setSecret', first);
    expect(await step('createSecret', second)).toBe('RotationInProgress');
    await superuser.query("update controls.rotation set at = at - interval '3 minutes' where name = 'agent/canary'");
    for (const name of STEPS) expect(await step(name, second)).toBe('done');
    for (const name of STEPS.slice(1)) expect(await step(name, first), name).toMatch(/^(StepSkipped|RotationOvertaken)$/);
    expect(await logIn(secretOf('agent/canary'))).toBe(secretOf('agent/canary').username);
  }, 60_000);

  it('gives a stopped agent no login back', async () => {
    const rita = await runtime.person('rita', 'responder');
    await rita.ask('POST', '/agents/bystander/disable', { reason: 'looks odd' });
    const token = randomUUID();
    for (const name of STEPS) expect(await step(name, token, 'agent/bystander'), name).toBe('done');
    expect(await logIn(secretOf('agent/bystander'))).toBe('28000');
    await rita.ask('POST', '/agents/bystander/enable', { reason: 'looked at it' });
    await (await runtime.person('omar', 'responder')).ask('POST', '/agents/bystander/enable', { reason: 'me, too' });
    expect(await logIn(secretOf('agent/bystander'))).toBe(secretOf('agent/bystander').username);
  }, 90_000);
});

/** A way to the runtime that lets a process die before or after its n-th request: what the process asked for is done, or is not, and it never hears. */
async function dying(n: number, when: 'before' | 'after', kill: () => void): Promise<{ url: string; count: () => number; close: () => void }> {
  const { port } = new URL(runtime.file.endpoint);
  let seen = 0;
  const server = createServer((request, response) => {
    const number = (seen += 1);
    if (number === n && when === 'before') { kill(); request.socket.destroy(); return; }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      // Signed for this address; the runtime checks the signature against the host it is told, and lets itself in by its own.
      const onward = httpRequest({ host: '127.0.0.1', port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
        if (number === n) { answer.resume(); kill(); request.socket.destroy(); return; }
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      onward.end(Buffer.concat(chunks));
    });
  });
  await new Promise<void>((up) => server.listen(0, '127.0.0.1', () => up()));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}`, count: () => seen, close: () => { server.closeAllConnections(); server.close(); } };
}

describe('a rotation whose process dies', () => {
  /** Runs the four steps in a process of their own, which dies at its n-th request. Returns how many requests it came to, and whether it ended. */
  async function rotateAndDie(credential: string, token: string, n: number, when: 'before' | 'after'): Promise<{ requests: number; ended: boolean }> {
    const way = await dying(n, when, () => child.kill('SIGKILL'));
    const host = inner().functions as unknown as { find(name: string): HostedFunction; credentials(fn: HostedFunction): Record<string, string> };
    const fn = host.find('agent-controls-rotate');
    const runner = join(folder, 'runner.cjs');
    // The client signs the address that the runtime knows, and connects to the way that lets it die.
    writeFileSync(runner, `const http = require('node:http'); const request = http.request;
http.request = (options, ...rest) => request({ ...options, host: '127.0.0.1', hostname: '127.0.0.1', port: ${new URL(way.url).port} }, ...rest);
const { handler } = require(${JSON.stringify(join(fn.folder, 'index.js'))});
(async () => { for (const Step of ${JSON.stringify(STEPS)}) await handler({ Step, SecretId: process.argv[2], ClientRequestToken: process.argv[3] }); process.exit(0); })().catch((error) => { console.error(error.message); process.exit(1); });`);
    const child = fork(runner, [arnOf(`agent-controls/${credential}`), token], { env: { ...fn.environment, ...host.credentials(fn) }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const ended = await new Promise<boolean>((done) => child.once('exit', (status) => done(status === 0)));
    way.close();
    return { requests: way.count(), ended };
  }

  it('leaves the current version working wherever it died, goes on where it was, and nothing behind', async () => {
    const { requests, ended } = await rotateAndDie('agent/canary', randomUUID(), 10_000, 'before');
    expect({ ended, enough: requests > 15 }).toEqual({ ended: true, enough: true });
    let healed = 0;
    for (let n = 1; n <= requests; n += 1) {
      const when = n % 2 === 0 ? 'before' : 'after';
      const token = randomUUID();
      const died = await rotateAndDie('agent/canary', token, n, when);
      const current = secretOf('agent/canary');
      expect(await logIn(current), `${when} request ${n}`).toBe(current.username);
      if (died.ended) continue;
      for (const name of STEPS) expect(await step(name, token), `${name} again, ${when} request ${n}`).toBe('done');
      expect(await logIn(secretOf('agent/canary'))).toBe(secretOf('agent/canary').username);
      healed += 1;
    }
    expect(healed).toBeGreaterThan(requests / 2);
    // A secret that only tried a credential may be left by one that died in between; the sweep takes it.
    await runtime.advance({ hours: 2 });
    const { failed, payload } = await sweep();
    expect({ failed, payload: JSON.parse(payload) as object }).toMatchObject({ failed: false, payload: { stuck: [], late: [] } });
    expect(Object.keys((JSON.parse(readFileSync(join(folder, 'local', 'state.json'), 'utf8')) as { secrets: object }).secrets).filter((name) => name.includes('/probe/'))).toEqual([]);
  }, 240_000);
});

describe('a schedule', () => {
  it('rotates every login in its night while calls go on, and none fails', async () => {
    const run = await runtime.startRun('canary', { text: 'Make a mark.' });
    const old = new Client({ ...runtime.file.postgres, user: secretOf('agent/canary').username, password: secretOf('agent/canary').password });
    old.on('error', () => undefined);
    await old.connect(); // a connection from before stays open
    const before = Object.fromEntries(['agent/canary', 'agent/bystander', 'duty/gate', 'duty/executor', 'duty/rotate', 'duty/auditor'].map((name) => [name, secretOf(name).password]));
    const outcomes: unknown[] = [];
    let over = false;
    const load = Promise.all(Array.from({ length: 3 }, async (_, lane) => {
      while (!over) outcomes.push((await run.call(lane === 0 ? 'mark' : 'read_marks', lane === 0 ? { text: 'x' } : { columns: ['id'] }, { reason: 'r' }).then(({ verdict }) => verdict, (error: unknown) => error)));
    }));
    for (const name of Object.keys(before)) inner().rotation.begin(inner().store.demand(`agent-controls/${name}`));
    await runtime.until(async () => (Object.entries(before).every(([name, password]) => secretOf(name).password !== password) ? true : undefined), 60);
    const during = outcomes.length;
    await runtime.until(() => Promise.resolve(outcomes.length >= during + 9 ? true : undefined)); // and calls go on after it
    over = true;
    await load;
    expect(during).toBeGreaterThan(0);
    expect(new Set(outcomes)).toEqual(new Set(['permit']));
    expect((await old.query('select count(*) >= 0 as works from marks')).rows).toEqual([{ works: true }]);
    await old.end();
  }, 120_000);

  it('begins anew what hung for a day, and says so once', async () => {
    const token = randomUUID();
    await step('createSecret', token);
    const log = (): string => readFileSync(join(folder, 'local', 'logs', 'agent-controls-rotate.log'), 'utf8');
    const before = log().length;
    await runtime.advance({ hours: 25 }); // and the daily rule tells the function
    await runtime.until(async () => (log().slice(before).includes('RotationLate') ? true : undefined));
    await runtime.until(async () => ((await entries('agent/canary')).at(-1) === 'finished' ? true : undefined));
    expect(await entries('agent/canary')).toContain('failed');
    expect(await sweep()).toMatchObject({ failed: false });
  }, 60_000);
});

describe('after a leak', () => {
  it('both passwords are dead, with the sessions that were opened with them, and the exposure is told', async () => {
    for (const name of STEPS) await step(name, '00000000-0000-4000-8000-000000000001');
    const run = await runtime.startRun('canary', { text: 'Make a mark.' });
    const taken = secretOf('agent/canary');
    const thief = new Client({ ...runtime.file.postgres, user: taken.username, password: taken.password });
    thief.on('error', () => undefined);
    await thief.connect();
    const report = await leak('canary');
    expect(report).toMatchObject({ outcome: 'proven', exposures: [{ credential: 'current' }, { credential: 'previous' }] });
    expect(report.dead.map(({ what, state }) => `${what} ${state}`)).toEqual(['logins proven', 'sessions proven']);
    expect(report.exposures[1]?.seconds).toBeGreaterThanOrEqual(report.exposures[0]?.seconds ?? NaN);
    expect(await logIn(taken)).toMatch(/^28/);
    await expect(thief.query('select 1')).rejects.toThrow();
    expect(await logIn(secretOf('agent/canary'))).toBe(secretOf('agent/canary').username);
    expect(await code(run.call('mark', { text: 'late' }, { reason: 'r' }))).not.toBe('taken');
    const { rows } = await superuser.query<{ facts: string }>("select facts from audit.entry where kind = 'credential.leaked' and agent = 'canary'");
    expect(JSON.parse(rows[0]?.facts ?? '{}')).toMatchObject({ credential: 'agent/canary', person: expect.stringContaining('/rita'), report: { outcome: 'proven' } });
    await runtime.until(async () => (await code(runtime.startRun('canary', { text: 'Make a mark.' }).then((next) => next.call('mark', { text: 'new' }, { reason: 'r' }))) === 'taken' ? true : undefined));
  }, 60_000);

  it('a session that is still on its way in is nobody', async () => {
    const taken = secretOf('agent/canary');
    const { host, port, database } = runtime.file.postgres;
    const slow = new Client({ host, port, database, user: taken.username, password: taken.password, options: '-c post_auth_delay=4' });
    slow.on('error', () => undefined);
    const arriving = slow.connect().then(() => slow.query('select id from marks')).then(() => 'read', () => 'refused');
    await new Promise((later) => setTimeout(later, 500));
    await leak('canary');
    expect(await arriving).toBe('refused');
  }, 60_000);

  it('what a thief made elsewhere in the cluster keeps no password alive', async () => {
    const taken = secretOf('agent/canary');
    const { host, port } = runtime.file.postgres;
    const thief = new Client({ host, port, database: 'postgres', user: taken.username, password: taken.password });
    thief.on('error', () => undefined);
    await thief.connect();
    await thief.query('select lo_create(0)');
    expect((await leak('canary')).outcome).toBe('proven');
    expect((await leak('canary')).outcome).toBe('proven');
    expect(await logIn(taken)).toMatch(/^28/);
    expect(await logIn(secretOf('agent/canary'))).toBe(secretOf('agent/canary').username);
  }, 60_000);

  it('a comeback in the middle of a rotation leaves the password that two people were given', async () => {
    const token = randomUUID();
    const [rita, omar] = [await runtime.person('rita', 'responder'), await runtime.person('omar', 'responder')];
    await rita.ask('POST', '/agents/canary/disable', { reason: 'looks odd' });
    for (const name of STEPS.slice(0, 3)) expect(await step(name, token)).toBe('done');
    await rita.ask('POST', '/agents/canary/enable', { reason: 'looked at it' });
    const [back, finished] = await Promise.all([omar.ask('POST', '/agents/canary/enable', { reason: 'me, too' }), new Promise((later) => setTimeout(later, 40)).then(() => step('finishSecret', token))]);
    expect(back).toMatchObject({ enabled: true });
    expect(finished).toMatch(/^(RotationOvertaken|done)$/);
    expect(await logIn(secretOf('agent/canary'))).toBe(secretOf('agent/canary').username);
  }, 60_000);

  it('an event on the bus does the same, and an agent cannot put one there', async () => {
    const taken = secretOf('agent/bystander');
    const { accessKeyId, secretAccessKey, sessionToken = '' } = inner().principals.addUser('scanner', [{ name: 'tell', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'events:PutEvents', Resource: '*' }] } }]);
    const tell = { EventBusName: 'agent-controls', Source: 'agent-controls.leak', DetailType: 'credential leaked', Detail: JSON.stringify({ credential: 'bystander', reason: 'a scanner found it' }) };
    const bus = (credentials: Run['credentials']): EventBridgeClient => new EventBridgeClient({ endpoint: runtime.file.endpoint, region: runtime.file.region, credentials: { ...credentials, sessionToken: credentials.sessionToken ?? '' } });
    if (runtime.file.authorisationEvaluated) await expect(bus((await runtime.startRun('canary', { text: 'Make a mark.' })).credentials).send(new PutEventsCommand({ Entries: [tell] }))).rejects.toThrow(/not authorized/);
    await bus({ accessKeyId, secretAccessKey, sessionToken }).send(new PutEventsCommand({ Entries: [tell] }));
    await runtime.until(async () => ((await logIn(taken)).startsWith('28') ? true : undefined));
    await runtime.until(async () => ((await superuser.query("select from audit.entry where kind = 'credential.leaked' and agent = 'bystander'")).rows.length > 0 ? true : undefined));
  }, 60_000);

  it("the handlers' own logins are replaced, the rotation's among them", async () => {
    for (const duty of ['gate', 'rotate']) {
      const taken = secretOf(`duty/${duty}`);
      expect(await leak(`duty/${duty}`)).toMatchObject({ outcome: 'proven' });
      expect(await logIn(taken), duty).toMatch(/^28/);
      expect(await logIn(secretOf(`duty/${duty}`))).toBe(secretOf(`duty/${duty}`).username);
    }
    const run = await runtime.startRun('bystander', { text: 'Make a mark.' });
    expect(await run.call('mark', { text: 'x' }, { reason: 'r' })).toMatchObject({ verdict: 'permit' });
  }, 60_000);

  it('a deploy that read the secret before brings no password back', async () => {
    const taken = secretOf('agent/canary');
    await leak('canary');
    await superuser.end();
    await runtime.stop();
    runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local') });
    const { host, port, database, superuser: name, password } = runtime.file.postgres;
    superuser = new Client({ host, port, database, user: name, password });
    await superuser.connect();
    expect(await logIn(taken)).toMatch(/^28/);
    expect(await logIn(secretOf('agent/canary'))).toBe(secretOf('agent/canary').username);
    expect((await superuser.query("select count(*)::int as set from controls.login where agent = 'canary' and version is not null")).rows).toEqual([{ set: 1 }]);
  }, 90_000);

  it('only a responder may say so, and only of what is there', async () => {
    expect(await code((await runtime.person('rita', 'responder')).ask('POST', '/rotations', { credential: 'nobody', leaked: true, reason: 'r' }))).toBe('CredentialUnknown');
    expect(await code((await runtime.person('rita', 'responder')).ask('POST', '/rotations', { credential: '../duty/gate', leaked: true, reason: 'r' }))).toBe('CredentialUnknown');
    if (runtime.file.authorisationEvaluated) expect(await code((await runtime.person('pia', 'privacy')).ask('POST', '/rotations', { credential: 'canary', leaked: true, reason: 'r' }))).not.toBe('taken');
  }, 60_000);
});

describe('other credentials', () => {
  it('access keys: two at a time, the one before disabled after a day, all others gone after a leak', async () => {
    const keysOf = (): { accessKeyId: string } => JSON.parse(runtime.secret('exporter-keys')) as { accessKeyId: string };
    const listed = (): { id: string; active: boolean }[] => (JSON.parse(readFileSync(join(folder, 'local', 'state.json'), 'utf8')) as { accessKeys: Record<string, { id: string; active: boolean }[]> }).accessKeys.exporter ?? [];
    await leak('secret/exporter-keys', false);
    const first = keysOf().accessKeyId;
    await leak('secret/exporter-keys', false);
    expect(listed().map(({ id, active }) => [id === first, active])).toEqual([[true, true], [false, true]]);
    await runtime.advance({ hours: 25 });
    await sweep();
    expect(listed().map(({ id, active }) => [id === first, active])).toEqual([[true, false], [false, true]]);
    await leak('secret/exporter-keys', false);
    const report = await leak('secret/exporter-keys');
    expect(listed().map(({ id }) => id)).toEqual([keysOf().accessKeyId]);
    expect(report.dead.map(({ what, state }) => `${what} ${state}`)).toEqual(['keys proven', 'sessions propagating']);
  }, 60_000);

  it("another company's key: made, tried, and the one before revoked after a day or at once", async () => {
    expect(keys.get(runtime.secret('vendor-key'))).toBe('live');
    const first = runtime.secret('vendor-key');
    await leak('secret/vendor-key', false);
    expect([keys.get(first), keys.get(runtime.secret('vendor-key'))]).toEqual(['live', 'live']);
    await runtime.advance({ hours: 25 });
    await sweep();
    expect(keys.get(first)).toBe('revoked');
    const second = runtime.secret('vendor-key');
    expect(await leak('secret/vendor-key')).toMatchObject({ outcome: 'proven' });
    expect([keys.get(second), keys.get(runtime.secret('vendor-key'))]).toEqual(['revoked', 'live']);
  }, 60_000);

  it("a key that its vendor did not revoke is not called dead, however often it is asked, and is revoked in the end", async () => {
    const taken = runtime.secret('vendor-key');
    vendorIs = 'refusing';
    expect([(await leak('secret/vendor-key')).outcome, (await leak('secret/vendor-key')).outcome, (await leak('secret/vendor-key')).outcome]).toEqual(['propagating', 'propagating', 'propagating']);
    vendorIs = 'deaf';
    expect((await leak('secret/vendor-key')).outcome).toBe('propagating');
    vendorIs = 'well';
    await leak('secret/vendor-key', false);
    await runtime.advance({ hours: 25 });
    await sweep();
    expect([...keys].filter(([, state]) => state === 'live').map(([key]) => key)).toEqual([runtime.secret('vendor-key')]);
    expect(keys.get(taken)).toBe('revoked');
  }, 60_000);

  it('a key that a rotation had made when the leak came is revoked with the others', async () => {
    const token = randomUUID();
    const { failed } = await runtime.invoke('agent-controls-rotate', { Step: 'createSecret', SecretId: arnOf('vendor-key'), ClientRequestToken: token });
    expect(failed).toBe(false);
    await superuser.query("update controls.rotation set at = at - interval '40 seconds' where name = 'secret/vendor-key'");
    expect((await leak('secret/vendor-key')).outcome).toBe('proven');
    expect([...keys].filter(([, state]) => state === 'live').map(([key]) => key)).toEqual([runtime.secret('vendor-key')]);
  }, 60_000);

  it('a secret that is written again with what is in it loses nothing by the sweep', async () => {
    const { store } = inner();
    for (const name of ['exporter-keys', 'vendor-key']) store.put(store.demand(name), runtime.secret(name).replace(/\}$/, ', "note": "mended" }'));
    await runtime.advance({ hours: 25 });
    await sweep();
    expect(keys.get(runtime.secret('vendor-key'))).toBe('live');
    const { accessKeyId } = JSON.parse(runtime.secret('exporter-keys')) as { accessKeyId: string };
    expect((JSON.parse(readFileSync(join(folder, 'local', 'state.json'), 'utf8')) as { accessKeys: Record<string, { id: string; active: boolean }[]> }).accessKeys.exporter?.find(({ id }) => id === accessKeyId)?.active).toBe(true);
  }, 60_000);

  it("a secret of somebody else's does not keep the sweep from the others", async () => {
    const { store, rotation } = inner();
    const other = store.add('vendor-key-of-billing', 'x', []);
    (rotation as unknown as { schedules: Map<string, object> }).schedules.set(other.arn, { functionArn: 'f', expression: 'cron(0 3 1 * ? *)' });
    expect(await sweep()).toMatchObject({ failed: false });
    store.remove(other);
  }, 60_000);

  it('a vendor that says no leaves the current key, and the reason is in no log', async () => {
    const live = runtime.secret('vendor-key');
    keys.set(live, 'revoked');
    expect(await code(leak('secret/vendor-key', false))).toBe('InternalError');
    expect(runtime.secret('vendor-key')).toBe(live);
    keys.set(live, 'live');
    const logs = readFileSync(join(folder, 'local', 'logs', 'agent-controls-rotate.log'), 'utf8');
    expect(logs).not.toContain(live);
  }, 60_000);
});

it('the log of all this verifies', async () => {
  expect((await runtime.verifyAuditLog()).findings).toEqual([]);
}, 60_000);
