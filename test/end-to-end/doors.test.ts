/** The doors that agents come through: MCP over stdio and HTTP, with the official client, and the document that describes the API. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SAMPLE_DATA } from '../../examples/story';
import { SignedApi } from '../../lambda/client/signed-api';
import { LocalRuntime } from '../../local/testing';
import { openapi } from '../../scripts/openapi';

const root = join(__dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'agent-controls-doors-'));
let runtime: LocalRuntime;
beforeAll(async () => { runtime = await LocalRuntime.start({ assembly: inject('assembly'), folder, seed: SAMPLE_DATA }); });
afterAll(async () => {
  await runtime.stop();
  rmSync(folder, { recursive: true, force: true });
});

const REQUEST = 'Follow up with L_1029 at ada.brandt@northwind.example';
const MAIL = { lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: 'Hello', body: 'Hello Ada, shall we talk?' };

describe('any MCP client, over the stdio bridge', () => {
  it('lists the scope, is permitted, held and denied, and hears of a verdict', async () => {
    const transport = new StdioClientTransport({ command: process.execPath, args: [join(root, 'bin', 'agent-controls.js'), 'mcp', '--local', '--folder', folder, '--agent', 'outreach-closer', '--request', REQUEST, '--model', 'any@1'], stderr: 'pipe' });
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(transport);
    try {
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toEqual(['read_leads', 'send_email', 'hold_status']);
      expect(tools[1]?.inputSchema).toMatchObject({ type: 'object', additionalProperties: false, required: ['body', 'lead_id', 'subject', 'to', 'call_reason'] });

      const answer = async (name: string, args: object): Promise<Record<string, unknown>> => (await client.callTool({ name, arguments: { ...args } })).structuredContent as Record<string, unknown>;
      expect(await answer('read_leads', { columns: ['name'], where: { company: 'Northwind' }, call_reason: 'see who it is' })).toMatchObject({ verdict: 'permit' });
      expect(await answer('read_leads', { columns: ['phone'], call_reason: 'call her' })).toMatchObject({ verdict: 'deny' });
      expect(await client.callTool({ name: 'send_fax', arguments: { call_reason: 'x' } })).toMatchObject({ isError: true, structuredContent: { verdict: 'deny' } });

      const held = await answer('send_email', { ...MAIL, call_reason: 'no touch for months' });
      expect(held).toMatchObject({ verdict: 'hold', next: expect.stringContaining('hold_status') as string });
      expect(await answer('hold_status', { hold_id: held.holdId })).toMatchObject({ status: 'pending' });
      await runtime.approver('dana', { groups: ['sales-leads'] }).approve(await runtime.hold(String(held.holdId)), 'fine');
      expect(await runtime.until(async () => { const status = await answer('hold_status', { hold_id: held.holdId }); return status.outcome === 'executed' ? status.status : undefined; })).toBe('approved');
      expect((await client.callTool({ name: 'hold_status', arguments: { hold_id: 'x' } })).isError).toBe(true);
    } finally {
      await client.close();
    }
    const [decision] = await runtime.decisions({ agent: 'outreach-closer' });
    expect(decision).toMatchObject({ decision: 'read_leads', model: 'any@1', inputs: { reason: 'see who it is' } });
  }, 60_000);

  it('is told what is missing', async () => {
    const transport = new StdioClientTransport({ command: process.execPath, args: [join(root, 'bin', 'agent-controls.js'), 'mcp', '--local', '--folder', folder, '--agent', 'outreach-closer'], stderr: 'pipe' });
    let said = '';
    transport.stderr?.on('data', (data: Buffer) => { said += data.toString('utf8'); });
    await expect(new Client({ name: 'test', version: '1' }).connect(transport)).rejects.toThrow('Connection closed');
    expect(said).toContain('RequestMissing');
  });
});

describe('the HTTP API', () => {
  it('answers MCP messages without a session, one by one', async () => {
    const { api, region } = runtime.file;
    const run = await runtime.startRun('outreach-closer', { text: REQUEST });
    const http = new SignedApi(api, region, () => Promise.resolve(run.credentials));
    const ask = <T>(method: string, params: object): Promise<{ result: T; error?: object }> => http.send('POST', '/mcp', { jsonrpc: '2.0', id: 1, method, params });
    expect((await ask<{ serverInfo: object }>('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } })).result.serverInfo).toMatchObject({ name: 'cdk-agent-controls' });
    expect((await ask<{ tools: { name: string }[] }>('tools/list', {})).result.tools.map(({ name }) => name)).toContain('hold_status');
    const call = { name: 'read_leads', arguments: { columns: ['name'], call_reason: 'x' }, _meta: { 'cdk-agent-controls/call-id': 'same' } };
    const first = await ask<{ structuredContent: { decisionId: string } }>('tools/call', call);
    expect((await ask<{ structuredContent: { decisionId: string } }>('tools/call', call)).result.structuredContent.decisionId).toBe(first.result.structuredContent.decisionId);
  });

  it('takes no secret for a name: names stay in the log for ever', async () => {
    const run = await runtime.startRun('outreach-closer', { text: REQUEST });
    const secret = `ghp_${'Zx9'.repeat(12)}`;
    for (const options of [{ callId: secret }, { reference: secret }]) await expect(run.call('read_leads', { columns: ['name'] }, { reason: 'x', ...options })).rejects.toThrow('SecretInName');
    await expect(runtime.startRun('outreach-closer', { text: REQUEST, reference: secret })).rejects.toThrow('SecretInName');
    await expect(runtime.startRun('outreach-closer', { text: REQUEST, model: secret })).rejects.toThrow('SecretInName');
  });

  it('lets nobody in who has no run, and shows a run its own scope only', async () => {
    const { api, region, principals } = runtime.file;
    const auditor = principals.auditor;
    if (!auditor) throw new Error('no auditor');
    const stranger = new SignedApi(api, region, () => Promise.resolve({ accessKeyId: auditor.accessKeyId, secretAccessKey: auditor.secretAccessKey, sessionToken: auditor.sessionToken ?? '' }));
    for (const [method, path] of [['GET', '/tools'], ['POST', '/mcp'], ['GET', '/openapi.json']] as const) await expect(stranger.send(method, path, method === 'POST' ? {} : undefined), path).rejects.toMatchObject({ status: 403 });
    const run = await runtime.startRun('outreach-closer', { text: REQUEST });
    expect((await run.tools()).map(({ name, effect }) => `${name} ${effect}`)).toEqual(['read_leads read', 'send_email write']);
  });

  it('serves the document that describes it, which is what the handlers parse with', async () => {
    const run = await runtime.startRun('outreach-closer', { text: REQUEST });
    const served = await new SignedApi(runtime.file.api, runtime.file.region, () => Promise.resolve(run.credentials)).send<object>('GET', '/openapi.json');
    expect(served, 'npm run openapi writes it').toEqual(JSON.parse(JSON.stringify(openapi())));
    expect(served).toMatchObject({ openapi: '3.1.0', paths: { '/calls': { post: { requestBody: { content: { 'application/json': { schema: { additionalProperties: false, required: ['callId', 'action', 'parameters', 'reason'] } } } } } } } });
  });
});
