/** The example app on the local runtime: the very bundles, state machine, SQL and policies that would be deployed. */
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LambdaClient, InvokeCommand } from '@aws-sdk/client-lambda';
import { ExecuteStatementCommand, RDSDataClient } from '@aws-sdk/client-rds-data';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendTaskSuccessCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { play, SAMPLE_DATA, Story } from '../../examples/story';
import { AgentClient, GateError } from '../../lambda/client';
import { SignedApi } from '../../lambda/client/signed-api';
import { LocalRuntime, Run } from '../../local/testing';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-e2e-'));
let runtime: LocalRuntime;
let story: Story;

const start = (): Promise<LocalRuntime> => LocalRuntime.start({ assembly: inject('assembly'), folder, seed: SAMPLE_DATA });
beforeAll(async () => {
  runtime = await start();
  story = await play(runtime, { doing: () => undefined, done: () => undefined });
});
afterAll(() => runtime.stop());

const begin = (): Promise<Run> => runtime.startRun('outreach-closer', { text: 'Follow up with L_1029' });
const MAIL = { lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: 'Hello', body: 'Hi' };
const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'no error', (error: unknown) => (error instanceof GateError ? error.code : (error as Error).name));

describe('the story', () => {
  it('goes as it should, step by step', () => {
    expect(story.steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(story.steps.length).toBeGreaterThan(12);
  });

  it('is evaluated against the synthesized policies', () => {
    expect(runtime.file.authorisationEvaluated).toBe(true);
    expect(runtime.judged.filter(({ allowed, principal }) => !allowed && !principal.includes('-agent-'))).toEqual([]);
  });

  it('is told by the log, with what the agent saw, frozen', () => {
    const mail = story.decisions.find(({ decision, status }) => decision === 'send_email' && status === 'executed');
    expect(mail).toMatchObject({ agent: 'outreach-closer', authorizedBy: 'scope://outreach.send.cold', approver: 'dana', model: 'claude-sonnet-4-5@2025-09-29', reference: 'CRM-881', downstreamWrites: [expect.stringMatching(/^email_send:/)] });
    expect(mail?.inputsHash).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(mail?.inputs)).toContain('Northwind Traders');
    expect(mail?.output).toEqual({ lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: 'Your questions about pricing', body: 'Hello Ada, shall we look at the numbers together?' });
  });

  it('announces holds with ids and names, and nothing of what they hold', () => {
    const announced = readFileSync(runtime.file.resources.notifications, 'utf8');
    expect(announced).toContain('hold staged');
    expect(announced).toContain('hold expired');
    for (const secret of ['ada.brandt', 'Hello Ada', 'pricing', 'L_1029']) expect(announced).not.toContain(secret);
  });

  it('leaves no parameter in any log file of a handler', () => {
    for (const name of readdirSync(join(folder, 'logs'))) expect(readFileSync(join(folder, 'logs', name), 'utf8'), name).not.toMatch(/ada\.brandt|Hello Ada|password/i);
  });

  it('keeps its files to their owner', () => {
    for (const name of ['local.json', 'state.json']) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
  });
});

describe('what an agent tries with its run\'s credentials', () => {
  const clients = async () => {
    const { credentials } = await begin();
    const options = { endpoint: runtime.file.endpoint, region: runtime.file.region, credentials: { ...credentials }, maxAttempts: 1 };
    return { secrets: new SecretsManagerClient(options), data: new RDSDataClient(options), lambda: new LambdaClient(options), states: new SFNClient(options), sts: new STSClient(options), credentials };
  };
  it('is refused: its own secret and others, the database, every function, the state machine, task tokens, other roles', async () => {
    const { resources, account } = runtime.file;
    const { secrets, data, lambda, states, sts } = await clients();
    expect(await Promise.all([
      secrets.send(new GetSecretValueCommand({ SecretId: 'agent-controls/agent/outreach-closer' })),
      secrets.send(new GetSecretValueCommand({ SecretId: 'agent-controls/duty/gate' })),
      data.send(new ExecuteStatementCommand({ resourceArn: resources.clusterArn, secretArn: resources.secrets['outreach-closer'], database: resources.database, sql: 'select 1' })),
      ...['action-send_email', 'executor', 'gate', 'broker', 'registrar', 'read', 'decide', 'expiry'].map((name) => lambda.send(new InvokeCommand({ FunctionName: `agent-controls-${name}`, Payload: '{}' }))),
      states.send(new StartExecutionCommand({ stateMachineArn: resources.stateMachineArn, input: '{}' })),
      states.send(new SendTaskSuccessCommand({ taskToken: 'x', output: '{}' })),
      ...['agent-outreach-closer', 'approver-sales-leads', 'broker', 'executor'].map((name) => sts.send(new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${account}:role/agent-controls-${name}`, RoleSessionName: 'escape' }))),
    ].map(refusal))).toEqual([...Array<string>(13).fill('AccessDeniedException'), ...Array<string>(4).fill('AccessDenied')]);
  });

  it('is refused on the API: starting runs, deciding holds, listing them', async () => {
    const { credentials } = await begin();
    const api = new SignedApi(runtime.file.api, runtime.file.region, () => Promise.resolve(credentials));
    const run = await begin();
    const answer = await run.call('send_email', MAIL, { reason: 'x' });
    const holdId = answer.verdict === 'hold' ? answer.holdId : '';
    expect(await Promise.all([
      api.send('POST', '/agents/outreach-closer/runs', { request: { text: 'x' } }), api.send('POST', `/approvals/${holdId}/verdict`, { verdict: 'approve', digest: 'a'.repeat(64), reason: 'x' }), api.send('GET', '/approvals'), api.send('GET', `/approvals/${holdId}`),
    ].map(refusal))).toEqual(['AccessDeniedException', 'AccessDeniedException', 'AccessDeniedException', 'AccessDeniedException']);
    expect(await refusal(api.send('GET', `/holds/${holdId}`))).toBe('HoldUnknown'); // another run's hold
  });

  it('ends with its run', async () => {
    const run = await begin();
    await runtime.advance({ minutes: 31 });
    await expect(run.call('read_leads', { columns: ['name'] }, { reason: 'x' })).rejects.toThrow('ExpiredToken');
  });
});

describe('a call', () => {
  it('is denied and recorded: an unknown action, an extra or missing parameter, a wrong type', async () => {
    const run = await begin();
    const { to: _, ...short } = MAIL;
    const answers = await Promise.all([
      run.call('send_fax', MAIL, { reason: 'x' }), run.call('send_email', { ...MAIL, bcc: 'eve@example.com' }, { reason: 'x' }), run.call('send_email', short, { reason: 'x' }), run.call('send_email', { ...MAIL, subject: 5 }, { reason: 'x' }),
    ]);
    expect(answers.map((answer) => (answer.verdict === 'deny' ? answer.reasons[0]?.split(':')[0] : answer.verdict))).toEqual(['ActionUnknown', 'ParameterUnknown', 'ParameterMissing', 'ParameterInvalid']);
    const recorded = await runtime.decisions({ runId: run.runId });
    expect(recorded.map(({ status, reasons }) => `${status} ${reasons.join()}`).sort()).toEqual(['denied ActionUnknown', 'denied ParameterInvalid', 'denied ParameterMissing', 'denied ParameterUnknown']);
  });

  it('asked again by its id gets the first answer, and another call under that id none', async () => {
    const run = await begin();
    const options = { reason: 'x', callId: 'call-1' };
    const [first, second] = [await run.call('send_email', MAIL, options), await run.call('send_email', MAIL, options)];
    expect(second).toEqual(first);
    expect(await refusal(run.call('send_email', { ...MAIL, to: 'eve@example.com' }, options))).toBe('CallIdUsed');
    const read = { reason: 'x', callId: 'call-2' };
    expect(await run.call('read_leads', { columns: ['name'] }, read)).toEqual(await run.call('read_leads', { columns: ['name'] }, read));
  });

  it('with a body that is none is refused before anything is decided', async () => {
    const { credentials } = await begin();
    const api = new SignedApi(runtime.file.api, runtime.file.region, () => Promise.resolve(credentials));
    for (const body of [{}, { callId: 'c', action: 'send_email', parameters: {}, reason: '' }, { callId: 'c', action: 'X;', parameters: {}, reason: 'x' }, { callId: 'c', action: 'send_email', parameters: [], reason: 'x' }, { callId: 'c', action: 'send_email', parameters: {}, reason: 'x', run: 'other' }]) {
      expect(await refusal(api.send('POST', '/calls', body)), JSON.stringify(body)).toBe('BodyInvalid');
    }
  });
});

describe('what the story leaves open', () => {
  it('is two holds that whoever opens the page can decide', async () => {
    const dana = await runtime.visitor('dana', { groups: ['legal', 'payments-leads'] });
    const { holds } = await dana.ask<{ holds: { holdId: string; action: string }[] }>('GET', '/approve/holds');
    expect(holds.map(({ action }) => action).sort()).toEqual(['amend_contract', 'issue_refund']);
    for (const { holdId } of holds) {
      const { digest } = await dana.ask<{ digest: string }>('GET', `/approve/holds/${holdId}`);
      expect(await dana.ask('POST', `/approve/holds/${holdId}/verdict`, { verdict: 'approve', digest, reason: 'fine' })).toEqual({ holdId, status: 'approved' });
      expect(await runtime.until(async () => ((await dana.ask<{ outcome: string }>('GET', `/approve/holds/${holdId}`)).outcome === 'executed' ? 'executed' : undefined))).toBe('executed');
    }
  });
});

describe('an amount', () => {
  const charges = async (count: number): Promise<string[]> => {
    const { postgres } = runtime.file;
    const client = new Client({ host: postgres.host, port: postgres.port, database: postgres.database, user: postgres.superuser, password: postgres.password });
    await client.connect();
    const { rows } = await client.query<{ id: string }>("insert into charges select 'ch_' || 7000 + n + (select count(*) from charges), 'C_202', 129900, 'USD', 0, current_date from generate_series(1, $1::int) n returning id", [count]);
    await client.end();
    return rows.map(({ id }) => id);
  };
  const justification = 'Seats were billed and never assigned.';

  it('is the one that is written, or none: fractions, texts, signs, other currencies and powers do not slip under the bound', async () => {
    const [id = ''] = await charges(1);
    const run = await runtime.startAsked('refunder', { text: `Refund 499.99 USD of ${id}.`, reference: 'HELP-9' });
    for (const amount of [{ currency: 'USD', minorUnits: 49_999.9 }, { currency: 'USD', minorUnits: '500' }, { currency: 'USD', minorUnits: -49_999 }, { currency: 'EUR', minorUnits: 49_999 }, { currency: 'usd', minorUnits: 100 }, '500', 499.99, NaN]) {
      expect((await run.call('issue_refund', { charge_id: id, amount }, { reason: 'r', justification })).verdict, JSON.stringify(amount)).toBe('deny');
    }
    expect(await refusal(run.call('issue_refund', { charge_id: id, amount: { currency: 'USD', minorUnits: 1e300 } }, { reason: 'r', justification }))).toBe('JsonNumberInexact');
    // 4.9999e4 is another way to write 49999, and 5e4 one to write 50000: what is checked is the number.
    const { region, api, principals } = runtime.file;
    const raw = async (minorUnits: string, callId: string): Promise<{ verdict: string }> => {
      const signer = new SignedApi(api, region, () => Promise.resolve(principals.agents.refunder?.run as never));
      const stringify = JSON.stringify;
      try {
        JSON.stringify = ((value: unknown): string => stringify(value).replace('"RAW"', minorUnits)) as typeof JSON.stringify;
        return await signer.send('POST', '/calls', { callId, action: 'issue_refund', parameters: { charge_id: id, amount: { currency: 'USD', minorUnits: 'RAW' } }, reason: 'r', justification, dryRun: true });
      } finally {
        JSON.stringify = stringify;
      }
    };
    expect((await raw('4.9999e4', 'a')).verdict).toBe('permit');
    expect((await raw('5e4', 'b')).verdict).toBe('hold');
  });

  it('cannot be split: over charges, or over runs', async () => {
    const ids = await charges(6);
    const text = `Refund 499.99 USD of each of ${ids.join(', ')}.`;
    const [one, other] = [await runtime.startAsked('refunder', { text, reference: 'HELP-10' }), await runtime.startAsked('refunder', { text, reference: 'HELP-11' })];
    const refund = async (run: Run, charge_id: string): Promise<string> => (await run.call('issue_refund', { charge_id, amount: { currency: 'USD', minorUnits: 49_999 } }, { reason: 'r', justification })).verdict;
    // One of the story's runs today has used a quarter of the day's 2,000.00.
    const verdicts = [];
    for (const [index, id] of ids.entries()) verdicts.push(await refund(index % 2 === 0 ? one : other, id));
    expect(verdicts).toEqual(['permit', 'permit', 'permit', 'hold', 'hold', 'hold']);
    expect(await refund(other, ids[0] ?? '')).toBe('hold');
  });
});

describe('people', () => {
  it('decide only as themselves, in their group, with MFA', async () => {
    const { principals, endpoint, region, account } = runtime.file;
    const { accessKeyId, secretAccessKey, sessionToken } = principals.operator;
    const sts = new STSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' } });
    const assume = (group: string, name: string): Promise<unknown> => sts.send(new AssumeRoleCommand({ RoleArn: `arn:aws:iam::${account}:role/agent-controls-approver-${group}`, RoleSessionName: name }));
    expect(await refusal(assume('sales-leads', 'operator'))).toBe('no error');
    expect(await refusal(assume('sales-leads', 'dana'))).toBe('AccessDenied');
    expect(await refusal(assume('marketing', 'operator'))).toBe('AccessDenied');
  });

  it('may start a run of an agent only if it was granted', async () => {
    const { api: url, region, principals } = runtime.file;
    const { accessKeyId, secretAccessKey, sessionToken } = principals.auditor as NonNullable<typeof principals.auditor>;
    expect(await refusal(AgentClient.of({ url, region, agentName: 'outreach-closer', credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' } }).startRun({ text: 'x' }))).toBe('AccessDeniedException');
  });
});

describe('a second start', () => {
  it('of the same folder is refused while the first runs', async () => {
    await expect(start()).rejects.toThrow(/already uses .*; stop it, or choose another/);
  });

  it('on a busy port says which', async () => {
    const port = Number(new URL(runtime.file.endpoint).port);
    await expect(LocalRuntime.start({ assembly: inject('assembly'), folder: mkdtempSync(join(tmpdir(), 'agent-controls-e2e-')), port })).rejects.toThrow(`port ${port} of 127.0.0.1 is in use`);
  });

  it('after a stop goes on with the log, the clock and the holds', async () => {
    const run = await begin();
    const answer = await run.call('send_email', MAIL, { reason: 'x' });
    const holdId = answer.verdict === 'hold' ? answer.holdId : '';
    const hold = await runtime.hold(holdId);
    const [before, clock] = [(await runtime.decisions()).length, runtime.now().getTime()];
    await runtime.until(async () => (readFileSync(runtime.file.resources.notifications, 'utf8').includes(holdId) ? Promise.resolve(true) : undefined));
    await runtime.stop();
    runtime = await start();
    expect((await runtime.decisions()).length).toBe(before);
    expect(runtime.now().getTime()).toBeGreaterThanOrEqual(clock);
    const mails = runtime.outbox().length;
    await runtime.approver('dana', { groups: ['sales-leads'] }).approve(hold, 'still fine');
    await runtime.until(() => Promise.resolve(runtime.outbox().length === mails + 1 ? true : undefined));
    expect((await runtime.verifyAuditLog()).findings).toEqual([]);
  });
});
