/** Models asked through the gateway, with the SDKs of those who make them: what may leave, for whom, and what the log tells of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, DocumentFormat } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import OpenAI from 'openai';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ActionCode, AgentControls, DataClass, HoldTier, ModelGateway, ModelProvider, ResidencyBoundary, ScopeCard, UnclearedData } from '../../lib';
import { modelCalls } from '../../lambda/audit/model-calls';
import { PostgresLog } from '../../local/postgres/copy-log';
import type { Runtime } from '../../local/runtime';
import { LocalRuntime, Run } from '../../local/testing';
import { LocalApp, startApp, testFolder, withProgram } from '../support/local-app';

const folder = testFolder('residency');
let local: LocalApp;
let runtime: LocalRuntime;
let superuser: Client;

const FIND = `import { defineQuery, param } from 'cdk-agent-controls/action';
export default defineQuery({ name: 'find', description: 'Finds a person.', sinks: [], parameters: { text: param.text({ maxLength: 40 }) }, returns: { mail: { type: 'email' }, note: { type: 'text' } }, reads: ['people.id'],
  execute: () => Promise.resolve({ mail: 'zoe.q@elsewhere.example', note: 'met at the fair' }) });`;

beforeAll(async () => {
  writeFileSync(join(folder, 'find.ts'), FIND);
  writeFileSync(join(folder, 'seed.sql'), `create table people (id int primary key, name text not null, diagnosis text not null, company text not null, badge text not null);
insert into people values (1, 'Quentin Ashgrove', 'chronic migraine', 'Northwind', 'B-77120');`);
  writeFileSync(join(folder, 'index.js'), "exports.handler = async ({ texts }) => ({ found: texts.flatMap((text, index) => [...text.matchAll(/Mr\\. Hush/g)].map((match) => ({ text: index, start: match.index, end: match.index + match[0].length, dataClass: 'health' }))) });");
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Residency', { env: { region: 'us-east-1' } });
  const all = [DataClass.PUBLIC, DataClass.BUSINESS, DataClass.CONTACT, DataClass.CONTRACT, DataClass.PAYMENT, DataClass.HEALTH, DataClass.SENSITIVE_PII];
  const key = (id: string): secretsmanager.Secret => new secretsmanager.Secret(stack, id, { secretName: `key-of-${id}` });
  const bedrock = (providerName: string, modelId: string, clearedFor: DataClass[]): ModelProvider => ModelProvider.bedrock({ providerName, modelId, clearedFor, destinationRegions: ['us-east-1'] });
  const boundary = new ResidencyBoundary(stack, 'Boundary', {
    regions: ['us-east-1'], owner: 'privacy@example.com', reviewBy: '2099-01-01',
    providers: [
      bedrock('inside', 'us.anthropic.claude-sonnet-4-5', all),
      ModelProvider.openAiCompatible({ providerName: 'outside', baseUrl: 'https://api.models.example/v1', modelIds: ['chatty', 'chatty-slow', 'chatty-torn'], processesIn: ['Elsewhere'], apiKey: key('outside'), clearedFor: [DataClass.PUBLIC, DataClass.BUSINESS] }),
      ModelProvider.openAiCompatible({ providerName: 'busy', baseUrl: 'https://api.busy.example/v1', modelIds: ['busy'], processesIn: ['Elsewhere'], apiKey: key('busy'), clearedFor: [DataClass.PUBLIC, DataClass.BUSINESS, DataClass.HEALTH] }),
      bedrock('unlisted', 'anthropic.other', all),
    ],
    uncleared: [UnclearedData.redact(DataClass.PAYMENT, DataClass.CONTACT, DataClass.SENSITIVE_PII), UnclearedData.routeTo('inside', DataClass.HEALTH)],
    columns: { 'people.*': DataClass.CONTACT, 'people.diagnosis': DataClass.HEALTH, 'people.company': DataClass.BUSINESS, 'people.id': DataClass.BUSINESS, 'people.badge': DataClass.of('badge') },
  });
  const examiner = new lambda.Function(stack, 'Examiner', { functionName: 'examiner', runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromAsset(folder, { exclude: ['cdk.out', 'local', '*.ts', '*.sql'] }) });
  const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY, tiers: [HoldTier.verify(), HoldTier.human()] });
  new ModelGateway(stack, 'Gateway', { boundary, broker: controls.broker, examiners: [examiner] });
  controls.addAction('Find', { code: ActionCode.fromEntry(join(folder, 'find.ts')) });
  const agent = controls.addAgent('asker', { card: ScopeCard.fromObject({
    agent: 'asker', purpose: 'Asks models about people that it reads.', owners: { product: 'p@example.com', security: 's@example.com', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' }, 'data-inputs': [{ system: 's', classes: ['contact'] }],
    models: ['outside', 'inside', 'busy'], environments: { dev: { data: 'synthetic' } },
    scopes: [{ scope: 'scope://a.people.all', read: [{ table: 'people', columns: ['id', 'name', 'diagnosis', 'company', 'badge'] }], call: [{ action: 'find', approval: { tier: 'auto' } }], 'direct-sql': true }],
    'failure-modes': [{ bad: 'It asks too much.', 'found-by': { anomaly: 'bulk-writes' } }], retention: { inputs: { months: 13 } },
  }) });
  withProgram(stack, agent);
  local = await startApp(folder, app, [join(folder, 'seed.sql')]);
  ({ runtime, superuser } = local);
});
afterAll(() => local.stop());

const stub = (): Runtime['models'] => (runtime as unknown as { runtime: Runtime }).runtime.models;
let run: Run;
beforeEach(async () => {
  stub().calls.length = 0;
  run = await runtime.startRun('asker', { text: 'Ask about people.' });
}, 20_000);
const openai = (of = run): OpenAI => new OpenAI({ baseURL: `${of.models?.url ?? ''}v1`, apiKey: of.models?.token ?? '', maxRetries: 0 });
const bedrock = (of = run): BedrockRuntimeClient => new BedrockRuntimeClient({ endpoint: of.models?.url ?? '', region: 'us-east-1', token: { token: of.models?.token ?? '' }, authSchemePreference: ['httpBearerAuth'], requestHandler: new NodeHttpHandler(), maxAttempts: 1 });
/** Asks in the words of OpenAI, streamed; answers the text. */
async function chat(text: string, model = 'outside', of = run): Promise<string> {
  let said = '';
  for await (const { choices } of await openai(of).chat.completions.create({ model, stream: true, messages: [{ role: 'user', content: text }] })) said += choices[0]?.delta.content ?? '';
  return said;
}
const why = (asked: Promise<unknown>): Promise<string> => asked.then(() => 'answered', (error: unknown) => /(\w+): /.exec(/"message":"(\w+: )/.exec(String(error))?.[1] ?? (error as Error).message.replace(/^\d+ /, ''))?.[1] ?? String(error));
const sent = (): { provider: string; text: string }[] => stub().calls.map(({ provider, text }) => ({ provider, text }));
const told = async (): Promise<Record<string, unknown>> => JSON.parse((await superuser.query<{ facts: string }>("select facts from audit.entry where kind = 'model.call' and run_id = $1 order by at desc limit 1", [run.runId])).rows[0]?.facts ?? '{}') as Record<string, unknown>;

describe('existing SDKs', () => {
  it("OpenAI's completes streamed and whole calls", async () => {
    expect(await chat('Say hello.')).toMatch(/^\[stub of the local runtime for chatty\] You said: Say hello\.$/);
    const { choices, usage } = await openai().chat.completions.create({ model: 'outside/chatty', messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: [{ type: 'text', text: 'Say hello.' }] }] });
    expect([choices[0]?.message.content, choices[0]?.finish_reason, usage?.total_tokens]).toEqual(['[stub of the local runtime for chatty] You said: Say hello.', 'stop', 20]);
    expect(sent().map(({ provider }) => provider)).toEqual(['api.models.example', 'api.models.example']);
  }, 30_000);

  it("AWS's completes streamed and whole calls", async () => {
    let said = '';
    const { stream } = await bedrock().send(new ConverseStreamCommand({ modelId: 'inside', messages: [{ role: 'user', content: [{ text: 'Say hello.' }] }] }));
    for await (const event of stream ?? []) said += event.contentBlockDelta?.delta?.text ?? '';
    expect(said).toBe('[stub of the local runtime for us.anthropic.claude-sonnet-4-5] You said: Say hello.');
    const { output, usage, stopReason } = await bedrock().send(new ConverseCommand({ modelId: 'inside', system: [{ text: 'Be kind.' }], messages: [{ role: 'user', content: [{ text: 'Say hello.' }] }] }));
    expect([output?.message?.content?.[0]?.text, usage?.totalTokens, stopReason]).toEqual([said, 20, 'end_turn']);
  }, 30_000);

  it('either door leads to either kind of provider', async () => {
    expect(await chat('Say hello.', 'inside')).toContain('claude-sonnet');
    const { output } = await bedrock().send(new ConverseCommand({ modelId: 'outside', messages: [{ role: 'user', content: [{ text: 'Say hello.' }] }] }));
    expect(output?.message?.content?.[0]?.text).toContain('for chatty]');
  }, 30_000);

  it('tools and their results arrive as they were meant', async () => {
    await openai().chat.completions.create({
      model: 'inside', tools: [{ type: 'function', function: { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: { at: { type: 'string' } } } } }],
      messages: [{ role: 'user', content: 'Look.' }, { role: 'assistant', content: null, tool_calls: [{ id: 'call-1', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } }] }, { role: 'tool', tool_call_id: 'call-1', content: 'It is green.' }],
    });
    expect(JSON.parse(sent()[0]?.text ?? '')).toMatchObject({
      messages: [{ role: 'user', content: [{ text: 'Look.' }] }, { role: 'assistant', content: [{ toolUse: { toolUseId: 'call-1', name: 'look', input: { at: 'it' } } }] }, { role: 'user', content: [{ toolResult: { toolUseId: 'call-1', content: [{ text: 'It is green.' }] } }] }],
      toolConfig: { tools: [{ toolSpec: { name: 'look' } }] },
    });
  }, 30_000);
});

describe('whoever has no token of a run that goes on', () => {
  it.each([['none at all', 'none'], ['a made-up one', 'x.y.z'], ['one that says none is needed', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"run":"run-1","sub":"asker","aud":"gateway"}').toString('base64url')}.${'A'.repeat(86)}`]])('learns nothing and wakes nothing: %s', async (_, token) => {
    expect(await why(new OpenAI({ baseURL: `${run.models?.url ?? ''}v1`, apiKey: token, maxRetries: 0 }).chat.completions.create({ model: 'outside', messages: [{ role: 'user', content: 'x' }] }))).toBe('TokenInvalid');
    expect(stub().calls).toEqual([]);
  }, 20_000);

  it('a token of another audience, of another key, with a byte changed, or that is over is none', async () => {
    const token = run.models?.token ?? '';
    const [head = '', body = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const again = (change: object): string => `${head}.${Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url')}.${signature}`;
    for (const forged of [again({ run: 'run-other' }), again({ exp: 9_999_999_999 }), again({ aud: 'other' }), `${token.slice(0, -3)}AAA`]) {
      expect(await why(chat('x', 'outside', { ...run, models: { url: run.models?.url ?? '', token: forged } }))).toBe('TokenInvalid');
    }
    expect(Number(claims.exp) - Number(claims.iat)).toBeLessThanOrEqual(3_600);
    await runtime.advance({ minutes: 31 });
    expect(await why(chat('x'))).toBe('TokenInvalid');
  }, 30_000);
});

describe('what a provider may not see', () => {
  it('is taken out where the policy says so, and the log tells which', async () => {
    expect(await chat('Refund card 4111 1111 1111 1111 of ada@northwind.example, please.')).toContain('[redacted: payment] of [redacted: contact], please.');
    expect(sent()[0]?.text).not.toContain('4111');
    expect(await told()).toMatchObject({ asked: 'outside', provider: 'outside', model: 'chatty', classes: ['business', 'contact', 'payment'], redacted: ['contact', 'payment'], routed_from: null, processes_in: ['Elsewhere'] });
  }, 30_000);

  it('goes to a provider that may, where the policy says so: with everything that provider may see', async () => {
    await run.call('read_people', { columns: ['name', 'diagnosis'] }, { reason: 'r' });
    expect(await chat('Write to Quentin Ashgrove about the card 4111 1111 1111 1111.')).toContain('for us.anthropic.claude-sonnet-4-5] You said: Write to Quentin Ashgrove about the card 4111 1111 1111 1111.');
    expect(sent().map(({ provider }) => provider)).toEqual(['bedrock']);
    expect(await told()).toMatchObject({ asked: 'outside', provider: 'inside', classes: ['business', 'contact', 'health', 'payment'], redacted: [], routed_from: 'outside' });
  }, 30_000);

  it('what a run has read is known by its label, however ordinary it looks', async () => {
    await run.call('read_people', { columns: ['name', 'company'] }, { reason: 'r' });
    await chat('quentin ashgrove of Northwind is waiting.');
    expect(sent()[0]?.text).toContain('[redacted: contact] of Northwind is waiting.');
  }, 30_000);

  it('of what an action returned, too', async () => {
    await run.call('find', { text: 'x' }, { reason: 'r' });
    await chat('Tell ZOE.Q@elsewhere.example hello.');
    expect(sent()[0]?.text).toContain('Tell [redacted: contact] hello.');
    expect(await told()).toMatchObject({ classes: ['business', 'contact'] });
  }, 30_000);

  it('a class of your own, what is unclassified, and a secret are blocked for everybody who is not cleared', async () => {
    expect(await why(chat('The key is AKIAIOSFODNN7EXAMPLQ and -----BEGIN PRIVATE KEY----- abc', 'inside'))).toBe('ClassBlocked');
    await run.call('read_people', { columns: ['badge'] }, { reason: 'r' });
    expect(await why(chat('Hello.', 'inside'))).toBe('ClassBlocked');
    expect(stub().calls).toEqual([]);
    expect(await told()).toMatchObject({ reason: 'ClassBlocked', classes: ['badge', 'business'], blocked: ['badge'] });
  }, 30_000);

  it.each([
    ['base64', Buffer.from('card: 4111 1111 1111 1111 ok').toString('base64')],
    ['base64 in base64', Buffer.from(Buffer.from('card: 4111 1111 1111 1111 ok').toString('base64')).toString('base64')],
    ['percent signs', '%34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31'], ['letters nobody sees', '4111\u200b1111\u200b1111\u200b1111'], ['full-width digits', '４１１１ １１１１ １１１１ １１１１'], ['hex', Buffer.from('card 4111111111111111').toString('hex')],
    ['an account number', 'DE89 3704 0044 0532 0130 00'], ['a social security number', 'SSN 536-22-8726'], ['a phone number', 'call +49 30 901820 today'], ['another phone number', 'call (212) 555-0187 today'],
  ])('is found in %s', async (_, text) => {
    await chat(`Look: ${text}.`);
    expect(sent()[0]?.text).toMatch(/\[redacted: (payment|contact|sensitive-pii)\]/);
    expect(sent()[0]?.text).not.toContain(text);
  }, 30_000);

  it('is found in nested JSON, split fields, tool results, names of fields, and files', async () => {
    const ask = async (content: object[]): Promise<string> => {
      stub().calls.length = 0;
      await bedrock().send(new ConverseCommand({ modelId: 'outside', messages: [{ role: 'user', content: content as never }] }));
      return sent()[0]?.text ?? '';
    };
    const result = (json: object): object => ({ toolResult: { toolUseId: 't', content: [{ json }] } });
    expect(await ask([result({ a: { b: [{ c: 'x 4111111111111111 y' }] } })])).not.toContain('4111111111111111');
    expect(await ask([result({ parts: ['4111', '1111', '1111', '1111'] })])).not.toContain('4111');
    expect(await ask([result({ first: '41111111', second: '11111111' })])).not.toContain('41111111');
    expect(await ask([result({ '4111111111111111': 1 })])).not.toContain('4111111111111111');
    expect(await ask([{ text: 'See.' }, { document: { name: 'cards', format: 'csv' as DocumentFormat, source: { bytes: Buffer.from('name,card\nAda,4111111111111111\n') } } }])).not.toContain('4111111111111111');
  }, 60_000);

  it('a file that nobody can look into is unclassified', async () => {
    const asked = bedrock().send(new ConverseCommand({ modelId: 'inside', messages: [{ role: 'user', content: [{ text: 'See.' }, { document: { name: 'scan', format: 'pdf', source: { bytes: Buffer.from('%PDF-1.7 ...') } } }] }] }));
    expect(await why(asked)).toBe('ClassBlocked');
    expect(await why(openai().chat.completions.create({ model: 'inside', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://tracker.example/x.png?d=secret' } }] }] }))).toBe('ClassBlocked');
    expect(stub().calls).toEqual([]);
  }, 30_000);

  it('what an examiner finds counts like any other', async () => {
    await chat('About Mr. Hush and his visit.');
    expect(sent().map(({ provider }) => provider)).toEqual(['bedrock']);
    expect(await told()).toMatchObject({ classes: ['business', 'health'], routed_from: 'outside' });
  }, 30_000);

  it('a provider that the card or the policy does not name is not asked', async () => {
    expect(await why(chat('x', 'unlisted'))).toBe('ModelNotOnCard');
    expect(await why(chat('x', 'https://evil.example'))).toBe('ModelNotOnCard');
    expect(await why(chat('x', 'outside/gpt-other'))).toBe('ModelUnknown');
    expect(stub().calls).toEqual([]);
  }, 30_000);

  it('a name that the agent made up is not in the log', async () => {
    expect(await why(chat('x', 'outside/4111111111111111'))).toBe('ModelUnknown');
    expect(await told()).toMatchObject({ asked: 'outside', reason: 'ModelUnknown' });
    expect(await why(chat('x', 'my card is 4111'))).toBe('BodyInvalid');
    await why(chat('x', '4111111111111111'));
    expect(await told()).toMatchObject({ asked: null, reason: 'ModelNotOnCard' });
  }, 30_000);

  it('what SQL of its own has read is labelled, and nobody can look for it', async () => {
    await run.call('select_sql', { query: 'select company from people' }, { reason: 'r' });
    expect(await why(chat('Hello.', 'inside'))).toBe('ClassBlocked');
    expect(await told()).toMatchObject({ classes: ['badge', 'business', 'contact', 'health'] });
  }, 30_000);

  it('a column that was compared counts like one that was read', async () => {
    await run.call('read_people', { columns: ['company'], where: { diagnosis: 'chronic migraine' } }, { reason: 'r' });
    expect(await chat('Somebody at Northwind has it.')).toContain('claude-sonnet');
    expect(await told()).toMatchObject({ classes: ['business', 'health'], routed_from: 'outside' });
  }, 30_000);

  it('a class in the name of a tool is not taken out, so the call is refused', async () => {
    const asked = openai().chat.completions.create({ model: 'outside', messages: [{ role: 'user', content: 'x' }], tools: [{ type: 'function', function: { name: 'look_4111111111111111', parameters: { type: 'object' } } }] });
    expect(await why(asked)).toBe('ClassBlocked');
    expect(stub().calls).toEqual([]);
  }, 30_000);

  it('so is a value that the run has read, and a number that says how to answer', async () => {
    await run.call('read_people', { columns: ['name'] }, { reason: 'r' });
    const ask = (name: string, maxTokens: number): Promise<unknown> => openai().chat.completions.create({ model: 'outside', max_tokens: maxTokens, messages: [{ role: 'user', content: 'x' }], tools: [{ type: 'function', function: { name, parameters: { type: 'object' } } }] });
    expect([await why(ask('about_quentin_ashgrove', 10)), await why(ask('look', 4_111_111_111_111_111)), await why(ask('look', 10))]).toEqual(['ClassBlocked', 'ClassBlocked', 'answered']);
  }, 30_000);

  it('a parameter that the provider does not take is refused, and not left out', async () => {
    expect(await why(openai().chat.completions.create({ model: 'inside', seed: 1, messages: [{ role: 'user', content: 'x' }] }))).toBe('ParameterUnsupported');
    expect(await openai().chat.completions.create({ model: 'outside', seed: 1, messages: [{ role: 'user', content: 'x' }] })).toMatchObject({ object: 'chat.completion' });
  }, 30_000);

  it('parameters that would change the call in silence are refused', async () => {
    expect(await why(openai().chat.completions.create({ model: 'outside', messages: [{ role: 'user', content: 'x' }], logit_bias: { 1: 2 } }))).toBe('BodyInvalid');
    expect(await why(bedrock().send(new ConverseCommand({ modelId: 'inside', guardrailConfig: { guardrailIdentifier: 'x', guardrailVersion: '1' }, messages: [{ role: 'user', content: [{ text: 'x' }] }] })))).toBe('BodyInvalid');
  }, 30_000);
});

describe('a provider that is away', () => {
  it('is stood in for by another one of the card, within the policy', async () => {
    expect(await chat('Say hello.', 'busy')).toContain('for chatty]');
    expect(await told()).toMatchObject({ asked: 'busy', provider: 'outside', instead_of: 'busy' });
    const { rows } = await superuser.query<{ outcome: string }>("select outcome from audit.entry where kind = 'model.outcome' and run_id = $1 order by at", [run.runId]);
    expect(rows.map(({ outcome }) => outcome)).toEqual(['failed', 'answered']);
  }, 30_000);

  it('and never by one that may not see as much: what it would not see is taken out, routed or blocked there', async () => {
    await run.call('read_people', { columns: ['diagnosis'] }, { reason: 'r' });
    expect(await chat('About chronic migraine.', 'busy')).toContain('claude-sonnet');
    expect(sent().map(({ provider }) => provider)).toEqual(['api.busy.example', 'bedrock']);
  }, 30_000);
});

describe('a call whose end nobody told', () => {
  const outcomes = async (): Promise<string[]> => (await superuser.query<{ outcome: string }>("select outcome from audit.entry where kind = 'model.outcome' and run_id = $1 order by at", [run.runId])).rows.map(({ outcome }) => outcome);
  it('is one that failed, where the provider broke off', async () => {
    expect(await why(chat('Say hello.', 'outside/chatty-torn'))).toBe('ProviderFailed');
    expect(await outcomes()).toEqual(['failed']);
  }, 30_000);

  it('is ended by the keeper, and unknown', async () => {
    await superuser.query("insert into gate.model_call values (gen_random_uuid(), $1, 'asker', controls.now() - interval '21 minutes', null)", [run.runId]);
    await superuser.query('select gate.reconcile()');
    expect(await outcomes()).toEqual(['unknown']);
  }, 30_000);
});

describe('a stop', () => {
  it('closes the gateway for the agent, and breaks off what a model is saying', async () => {
    const slow = chat(`Say ${'word '.repeat(60)}`, 'outside/chatty-slow');
    const broken = slow.then(() => 'ended', () => 'broken off');
    await runtime.until(async () => (stub().calls.length > 0 ? true : undefined));
    const report = await (await runtime.person('rita', 'responder')).ask<{ outcome: string; levers: { lever: string; state: string; evidence: string }[] }>('POST', '/agents/asker/disable', { reason: 'odd' });
    expect(report.levers.find(({ lever }) => lever === 'models')).toMatchObject({ state: 'proven' });
    expect(await broken).toBe('broken off');
    expect(await why(chat('x'))).toBe('AgentDisabled');
    expect(await told()).toMatchObject({ reason: 'AgentDisabled' });
    const { rows } = await superuser.query<{ outcome: string }>("select outcome from audit.entry where kind = 'model.outcome' and run_id = $1", [run.runId]);
    expect(rows).toEqual([{ outcome: 'stopped' }]);
    for (const who of ['rita', 'omar']) await (await runtime.person(who, 'responder')).ask('POST', '/agents/asker/enable', { reason: 'fine' });
  }, 60_000);
});

it('is listed: who asked whom with what, and what it came to', async () => {
  const { host, port, database, auditor } = { ...runtime.file.postgres, auditor: runtime.file.resources.auditorLogin };
  const client = new Client({ host, port, database, ...auditor });
  await client.connect();
  const calls = await modelCalls(new PostgresLog(client), { limit: 1_000, agent: 'asker' });
  await client.end();
  expect(calls).toContainEqual(expect.objectContaining({ by: 'agent', asked: 'outside', provider: 'inside', processesIn: ['us-east-1'], routedFrom: 'outside', outcome: 'answered', inputTokens: 12, outputTokens: 8 }));
  expect(calls).toContainEqual(expect.objectContaining({ asked: 'outside', provider: 'outside', redacted: ['contact', 'payment'] }));
  expect(calls).toContainEqual(expect.objectContaining({ asked: null, outcome: 'ModelNotOnCard', provider: null }));
}, 30_000);

it('the log of all this verifies, and holds what was sent and nothing that was taken out', async () => {
  expect((await runtime.verifyAuditLog()).findings).toEqual([]);
  const { rows } = await superuser.query<{ inputs: string }>("select p.inputs from audit.payload p join audit.entry e using (head, seq, at) where e.kind = 'model.call'");
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter(({ inputs }) => inputs.includes('4111111111111111'))).toEqual([]);
}, 60_000);
