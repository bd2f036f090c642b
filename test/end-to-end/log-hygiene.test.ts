/** Card numbers and keys come in wherever something can come in; then everything that was written anywhere is searched for them. */
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SAMPLE_DATA } from '../../examples/story';
import { LocalRuntime, Run } from '../../local/testing';
import { LocalApp, startApp, testFolder } from '../support/local-app';

// Made up, and put together here: nothing in this file is a secret.
const NEEDLES: Readonly<Record<string, string>> = {
  card: ['4111', '1111', '1111', '1111'].join(''), spaced: ['5555', '5555', '5555', '4444'].join(' '), token: ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_'), keyId: ['AKIA', 'QYLPMN5HHHFPZAM2'].join(''),
  signed: ['eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9', 'eyJzdWIiOiIxMjM0NTY3ODkwIn0', 'dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'].join('.'), privateKey: `-----BEGIN ${'PRIVATE'} KEY-----MIIEpAIBAAKCAQEA04up8hoqzS1-----END ${'PRIVATE'} KEY-----`,
};
const ALL = Object.values(NEEDLES).join(' and ');

const folder = testFolder('hygiene');
let local: LocalApp;
let runtime: LocalRuntime;
let superuser: Client;
let run: Run;
beforeAll(async () => {
  // Every function says as much as it can: what nobody logs at a level that is off today is logged by whoever looks for a fault tomorrow.
  cpSync(inject('assembly'), join(folder, 'cdk.out'), { recursive: true });
  for (const name of readdirSync(join(folder, 'cdk.out')).filter((file) => file.endsWith('.template.json'))) {
    const path = join(folder, 'cdk.out', name);
    const template = JSON.parse(readFileSync(path, 'utf8')) as { Resources: Record<string, { Type: string; Properties: { Environment?: { Variables: object }; LoggingConfig?: object } }> };
    for (const { Type, Properties } of Object.values(template.Resources)) if (Type === 'AWS::Lambda::Function') Properties.Environment = { Variables: { ...Properties.Environment?.Variables, DEBUG: '*', NODE_DEBUG: 'fetch', AWS_LAMBDA_LOG_LEVEL: 'TRACE' } };
    writeFileSync(path, JSON.stringify(template));
  }
  local = await startApp(folder, join(folder, 'cdk.out'), SAMPLE_DATA);
  ({ runtime, superuser } = local);
  run = await runtime.startAsked('refunder', { text: `Refund ch_1003, says ${ALL}.`, reference: 'HELP-1' });
});
afterAll(() => local.stop());

const quietly = async (asked: Promise<unknown>): Promise<void> => { await asked.catch(() => undefined); };
const functions = (): string[] => [...(runtime as unknown as { runtime: { functions: { functions: Map<string, unknown> } } }).runtime.functions.functions.keys()].sort();

describe('whatever comes in', () => {
  it('by the way it should: calls, reasons, requests, verdicts, orders of people', async () => {
    const refund = (more: object, reason = ALL): Promise<void> => quietly(run.call('issue_refund', { charge_id: 'ch_1003', amount: { currency: 'USD', minorUnits: 100 }, ...more }, { reason, justification: `Because ${ALL}, as the customer wrote.` }));
    await refund({});
    await refund({ charge_id: NEEDLES.card });
    await refund({ [NEEDLES.token ?? '']: 1 });
    await refund({ amount: ALL });
    await quietly(run.call(ALL, {}, { reason: 'r' }));
    await quietly(run.call('read_charges', { columns: ['id'], where: { id: ALL } }, { reason: ALL }));
    await quietly(run.call('read_charges', { columns: [ALL] }, { reason: ALL }));
    const held = await run.call('issue_refund', { charge_id: 'ch_1003', amount: { currency: 'USD', minorUnits: 60_000 } }, { reason: ALL, justification: `They wrote ${ALL}, and it is so.` });
    if (held.verdict === 'hold') await quietly(runtime.approver('fay', { groups: ['payments-leads'] }).reject(await runtime.hold(held.holdId), ALL));
    const mailing = await runtime.startRun('outreach-closer', { text: ALL });
    await quietly(mailing.call('send_email', { lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: NEEDLES.card ?? '', body: ALL }, { reason: ALL }));
    for (const [who, path, body] of [
      ['responder', '/agents/crm-tierer/disable', { reason: ALL }], ['responder', '/agents/crm-tierer/enable', { reason: ALL }], ['responder', '/rotations', { credential: 'refunder', leaked: true, reason: ALL }], ['responder', '/rotations', { credential: ALL, leaked: true, reason: ALL }],
      ['responder', '/rollbacks', { selection: { agent: ALL, since: ALL }, reason: ALL }], ['privacy', '/erasures', { subject: NEEDLES.card, reference: 'DSR-1' }], ['privacy', '/erasures', { subject: ALL, reference: ALL }],
    ] as const) await quietly((await runtime.person('rita', who)).ask('POST', path, body));
    await quietly((await runtime.visitor('fay', { groups: ['payments-leads'] })).ask('POST', `/approve/holds/${encodeURIComponent(NEEDLES.token ?? '')}/verdict`, { verdict: ALL, digest: ALL, reason: ALL }));
  }, 120_000);

  it('to a model: in prompts, in what is no prompt, in names, and in tokens', async () => {
    const fresh = await runtime.startAsked('refunder', { text: 'Look.', reference: 'HELP-2' });
    const { url = '', token = '' } = fresh.models ?? {};
    const ask = (model: string, content: string, key = token): Promise<void> => quietly(new OpenAI({ baseURL: `${url}v1`, apiKey: key, maxRetries: 0 }).chat.completions.create({ model, messages: [{ role: 'user', content }] }));
    for (const model of ['openai', 'mistral', 'bedrock-eu', NEEDLES.card ?? '', 'nobody']) for (const text of [`My card is ${NEEDLES.card ?? ''} or ${NEEDLES.spaced ?? ''}.`, ALL]) await ask(model, text);
    await ask('openai', 'Hello.', NEEDLES.signed);
    for (const body of ['{', `{"model":"${NEEDLES.card ?? ''}"`, JSON.stringify({ [NEEDLES.token ?? '']: ALL }), ALL]) await fetch(`${url}v1/chat/completions`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body });
    await fetch(`${url}${encodeURIComponent(ALL)}`, { headers: { authorization: `Bearer ${token}` } });
  }, 120_000);

  it('by a way that there is none: to every function, in events of every kind', async () => {
    const iam = { userArn: `arn:aws:sts::000000000000:assumed-role/${ALL}/${ALL}`, userId: ALL, accountId: '000000000000' };
    const routes = ['POST /calls', 'POST /mcp', 'GET /holds/{hold}', 'POST /agents/{agent}/runs', 'POST /agents/{agent}/requests', 'POST /approvals/{hold}/verdict', 'POST /erasures', 'POST /legal-holds', 'POST /rollbacks', 'POST /agents/{agent}/disable', 'POST /rotations', 'POST /changes', ALL];
    const http = routes.flatMap((routeKey) => ['{', JSON.stringify({ reason: ALL, parameters: { [ALL]: ALL }, action: ALL, callId: ALL, subject: ALL, reference: ALL }), ALL].map((body) => ({ routeKey, rawPath: `/${ALL}`, pathParameters: { agent: ALL, hold: ALL, proxy: ALL }, headers: { authorization: ALL }, body, requestContext: { requestId: 'r', http: { method: 'POST' }, authorizer: { iam } } })));
    const other = [ALL, { job: ALL }, { holdId: ALL, decisionId: ALL, ticket: ALL, token: ALL }, { holdId: '123e4567-e89b-42d3-a456-426614174000', decisionId: ALL }, { SecretId: ALL, Step: 'createSecret', ClientRequestToken: ALL, RotationToken: ALL }, { source: ALL, 'detail-type': ALL, detail: { agent: ALL, reason: ALL, credential: ALL } },
      { RequestType: 'Update', LogicalResourceId: 'Resource', PhysicalResourceId: 'resource', ResourceProperties: { Key: ALL, Bucket: ALL, UserPoolId: ALL }, ResponseURL: `${runtime.file.endpoint}/_cloudformation/none` }, { parameters: ALL, decisionId: ALL, loginSecretArn: ALL, justification: ALL, phase: ALL }, { proposal: { action: ALL }, data: ALL }, { agent: ALL, call: ALL }];
    expect(functions().length).toBeGreaterThan(15);
    await Promise.all(functions().filter((name) => !name.endsWith('-gateway')).map(async (name) => { for (const event of [...http, ...other]) await quietly(runtime.invoke(name, event)); }));
  }, 240_000);
});

describe('is written nowhere', () => {
  const faults: string[] = [];
  const search = (where: string, text: string): void => {
    for (const [name, needle] of Object.entries(NEEDLES)) {
      const at = text.indexOf(needle);
      if (at >= 0) faults.push(`${name} in ${where}: ...${text.slice(Math.max(0, at - 160), at).replaceAll(/\s+/g, ' ')}`);
    }
  };

  it('neither in the log of a function', () => {
    const logs = join(folder, 'local', 'logs');
    expect(readdirSync(logs).length).toBeGreaterThan(15);
    for (const name of readdirSync(logs)) search(name, readFileSync(join(logs, name), 'utf8'));
    expect(faults.splice(0)).toEqual([]);
  });

  it('nor in that of the database', async () => {
    const { rows: [{ data_directory: data = '' } = {}] } = await superuser.query<{ data_directory?: string }>('show data_directory');
    const log = readFileSync(join(data, 'server.log'), 'utf8');
    expect(log.length).toBeGreaterThan(100);
    search('the log of Postgres', log);
    expect(faults.splice(0)).toEqual([]);
  });

  it('nor in notices, histories of state machines, statements and whatever else stands in a file, but what was sent', () => {
    const files = (at: string): string[] => readdirSync(at).flatMap((name) => (statSync(join(at, name)).isDirectory() ? files(join(at, name)) : [join(at, name)]));
    for (const path of files(join(folder, 'local')).filter((each) => !each.includes('/logs/') && !each.includes('/outbox/') && !/postgres/.test(each))) search(path, readFileSync(path, 'utf8'));
    expect(faults.splice(0)).toEqual([]);
  });

  it('nor in the audit log, nor anywhere else in the database; what was there is marked', async () => {
    const { rows } = await superuser.query<{ name: string }>("select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('audit', 'gate', 'hold', 'undo', 'controls') order by 1");
    expect(rows.length).toBeGreaterThan(20);
    for (const { name } of rows) {
      const { rows: lines } = await superuser.query<{ line: string }>(`select t::text as line from ${name} t`);
      for (const { line } of lines) search(name, line);
    }
    expect(faults.splice(0)).toEqual([]);
    const { rows: [{ marked } = { marked: 0 }] } = await superuser.query<{ marked: number }>("select count(*)::int as marked from audit.payload where inputs like '%[redacted: %'");
    expect(marked).toBeGreaterThan(5);
  }, 60_000);
});
