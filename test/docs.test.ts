/** The README and the docs are true: every block of code in them runs, as it stands, and what they name is there. That it compiles against the package is seen in package.test. */
import { execFile, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { App, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { DatabaseCluster } from 'aws-cdk-lib/aws-rds';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { parse } from 'yaml';
import { SAMPLE_DATA } from '../examples/story';
import { ActionCode, AgentControls, ControlsDatabase, ScopeCard } from '../lib';
import { LocalApp, startApp, testFolder } from './support/local-app';
import { cardFromObject } from '../lib/scope/card-file';
import { card, SEND_EMAIL } from './support/cards';
import { cli, COMMAND } from './support/cli';
import { blocks, pages, read } from './support/docs';
import { action } from './support/stack';

const root = join(__dirname, '..');
/** TypeScript of the docs, where the package's own name is found. */
const modules = mkdtempSync(join(root, 'test', '.docs-'));
/** Where a user stands who types what the docs say: the examples, an app that is synthesized, and a local runtime. */
const work = testFolder('docs');
let local: LocalApp;

beforeAll(async () => {
  local = await startApp(work, inject('assembly'), SAMPLE_DATA);
  const run = await local.runtime.startRun('outreach-closer', { text: 'Follow up with L_1029', reference: 'CRM-881' });
  const held = await run.call('send_email', { lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: 'Hello', body: 'Shall we talk?' }, { reason: 'no touch for 14 days', reference: 'CRM-881' });
  if (held.verdict !== 'hold') throw new Error(`a hold was expected, got ${JSON.stringify(held)}`);
  await local.runtime.approver('dana', { groups: ['sales-leads'] }).approve(await local.runtime.hold(held.holdId), 'fine');
  symlinkSync(join(work, 'local'), join(work, '.agent-controls'));
  symlinkSync(inject('assembly'), join(work, 'cdk.out'));
  cpSync(join(root, 'examples'), join(work, 'examples'), { recursive: true });
  mkdirSync(join(work, 'path'));
  // As npx finds it in a project that has the package; the app is synthesized already, and whoever has no deployed one has a local.
  writeFileSync(join(work, 'path', 'npx'), `#!/bin/sh
case "$*" in
  'cdk synth'*) exit 0 ;;
  *--local*|'agent-controls local '*|'agent-controls residency'*|'agent-controls scope '*|'agent-controls agent drill '*|*' verify-proof '*|*' evidence verify '*) ;;
  *) set -- "$@" --local ;;
esac
shift
exec '${process.execPath}' '${COMMAND}' "$@"
`);
  chmodSync(join(work, 'path', 'npx'), 0o755);
});
afterAll(async () => {
  rmSync(modules, { recursive: true, force: true });
  await local.stop();
});
afterEach(() => { vi.unstubAllEnvs(); vi.unstubAllGlobals(); });

/** The module that a block of TypeScript is. */
async function load(page: string, index: number): Promise<{ module: any; file: string }> {
  const code = blocks(page, 'ts')[index] ?? '';
  const file = join(modules, `${page.replaceAll(/\W/g, '-')}-${index}.ts`);
  writeFileSync(file, `${code}\nexport {${/^const stack\b/m.test(code) ? ' stack ' : ''}};\n`);
  return { module: await import(file), file };
}

/** What is synthesized, with no more to say of it than this. */
function template(stack: Stack, ...said: string[]): Template {
  const made = Template.fromStack(stack);
  expect([...Annotations.fromStack(stack).findWarning('*', Match.anyValue()), ...Annotations.fromStack(stack).findError('*', Match.anyValue())].map(({ entry }) => entry.data)).toEqual(said.map((what) => expect.stringContaining(what) as unknown));
  return made;
}
const fresh = (): Stack => new Stack(new App(), 'Test', { env: { region: 'eu-central-1' } });
const plane = (stack = fresh()): { stack: Stack; controls: AgentControls } => ({ stack, controls: new AgentControls(stack, 'Controls') });
const functions = (stack: Stack): string => JSON.stringify(template(stack).findResources('AWS::Lambda::Function'));
const alarm = (stack: Stack): unknown => Alarm.fromAlarmArn(stack, 'Alarm', 'arn:aws:cloudwatch:eu-central-1:111122223333:alarm:x');
const deploys = (file: string, name: string): void => {
  const { stack, controls } = plane();
  controls.addAction('Action', { code: ActionCode.fromEntry(file) });
  expect(functions(stack)).toContain(`agent-controls-action-${name}`);
};

/** This process is the program of an agent from now on, until the test is over. */
async function asProgramOf(agent: string): Promise<void> {
  const { stdout } = await cli(['local', 'env', `${agent}:compute`, '--folder', join(work, 'local')]);
  for (const [, name, value] of stdout.matchAll(/^export (\w+)='(.*)'$/gm)) vi.stubEnv(name as string, value);
}

const command = (...args: string[]): ReturnType<typeof cli> => cli([...args, '--local', '--folder', join(work, 'local')]);

/** Postgres as an action sees it. */
const ask = (text: readonly string[], values: unknown[]): Promise<{ rows: object[]; rowCount: number | null }> => local.superuser.query(text.reduce((all, part, index) => `${all}$${index}${part}`), values);
const context = {
  idempotencyKey: 'decision-1', wrote: () => undefined, secret: () => Promise.resolve(''),
  sql: { many: async (text: readonly string[], ...values: unknown[]) => (await ask(text, values)).rows, run: async (text: readonly string[], ...values: unknown[]) => (await ask(text, values)).rowCount },
};

/** How each block is put to use, page by page, in the order that they stand in. */
const TYPESCRIPT: Readonly<Record<string, readonly ((module: any, file: string) => unknown)[]>> = {
  'README.md': [
    ({ stack }) => {
      const made = template(stack);
      made.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'agent-controls-action-send_email' });
      expect(JSON.stringify(made)).toContain('agent-controls-agent-outreach-closer');
    },
    async ({ reviewed }) => reviewed((await load('README.md', 0)).module.stack.node.root),
    async ({ followUp }) => {
      await asProgramOf('outreach-closer');
      const settled = followUp() as Promise<string>;
      const { hold_id } = await local.runtime.until(async () => (await local.superuser.query<{ hold_id: string }>("select hold_id from hold.hold where status = 'pending'")).rows[0]);
      await local.runtime.approver('dana', { groups: ['sales-leads'] }).approve(await local.runtime.hold(hold_id), 'fine');
      expect(await settled).toBe('approved');
    },
    ({ nothingIsSentWithoutAnAnswer }) => nothingIsSentWithoutAnAnswer(inject('assembly'), join(modules, 'state')),
  ],
  'docs/anomalies.md': [({ watched }) => expect(functions((watched(fresh()) as AgentControls).stack)).toContain('\\"rule\\":\\"bulk-writes\\",\\"count\\":50')],
  'docs/approvals.md': [({ withOwnIssuer }) => {
    const stack = fresh();
    expect(withOwnIssuer(stack)).toMatch(/\/approve$/);
    expect(functions(stack)).toContain('https://login.example.com');
  }],
  'docs/audit-log.md': [({ auditedFor26Months, auditorsForAWhile }) => {
    const audited = fresh();
    auditedFor26Months(audited, new ControlsDatabase(audited, 'Database'), new Topic(audited, 'OnCall'));
    template(audited);
    const { stack, controls } = plane();
    auditorsForAWhile(stack, controls);
    expect(JSON.stringify(template(stack))).toContain('2027-03-31');
  }],
  'docs/doors.md': [async ({ closeTheLoop }) => {
    await asProgramOf('outreach-closer');
    expect(await closeTheLoop('Ignore all of it.')).toMatch(/permit$/);
  }],
  'docs/getting-started.md': [({ agents }) => template(agents(new App())).hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'agent-controls-action-update_tier' })],
  'docs/kill-switch.md': [({ stopsByItself }) => {
    const { stack, controls } = plane();
    const before = Object.keys(Template.fromStack(plane().stack).findResources('AWS::Events::Rule')).length;
    stopsByItself(controls, alarm(stack));
    template(stack).resourceCountIs('AWS::Events::Rule', before + 2);
  }],
  'docs/piece-by-piece.md': [
    ({ salesAgents }) => {
      const stack = fresh();
      salesAgents(stack, DatabaseCluster.fromDatabaseClusterAttributes(stack, 'C', { clusterIdentifier: 'c' }), Secret.fromSecretNameV2(stack, 'O', 'owner'), Secret.fromSecretNameV2(stack, 'K', 'crm'), new iam.Role(stack, 'Bot', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
      template(stack).hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'sales-dev-action-send_email' });
    },
    ({ emergencies }) => {
      const { stack, controls } = plane();
      emergencies(stack, controls);
      expect(JSON.stringify(template(stack).findResources('AWS::IAM::Role'))).toContain('break-glass');
    },
    ({ tiers }) => {
      const stack = fresh();
      new AgentControls(stack, 'Controls', { tiers });
      template(stack);
      const { directory } = (stack.node.root as App).synth();
      expect(readdirSync(directory).filter((name) => name.startsWith('asset.') && name.endsWith('.json')).map((name) => readFileSync(join(directory, name), 'utf8')).join()).toContain('Europe/Berlin');
    },
  ],
  'docs/provenance.md': [
    async ({ default: of }, file) => {
      deploys(file, 'pay_invoice');
      const { result, undo } = await of.rehearse({ account: 'DE89370400440532013000', amount: { currency: 'EUR', minorUnits: 1250 } }, context);
      expect(result).toEqual({ paymentId: 'decision-1 DE89370400440532013000 1250' });
      await expect(undo()).rejects.toThrow('The bank is asked for a recall by treasury.');
    },
    async ({ default: query }, file) => {
      deploys(file, 'list_transfers');
      expect((await query.rehearse({ most: 3 }, context)).result).toEqual([]);
    },
  ],
  'docs/residency.md': [
    ({ withModels }) => {
      const stack = fresh();
      withModels(stack, Secret.fromSecretNameV2(stack, 'Key', 'openai'));
      template(stack, 'the key of openai is never replaced').hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'agent-controls-gateway' });
    },
    async ({ openAi, bedrock }) => {
      const run = await local.runtime.startAsked('refunder', { text: 'Look.', reference: 'HELP-9' });
      const { choices } = await openAi(run).chat.completions.create({ model: 'mistral', messages: [{ role: 'user', content: 'Say hello.' }] });
      const { output } = await bedrock(run).send(new ConverseCommand({ modelId: 'mistral', messages: [{ role: 'user', content: [{ text: 'Say hello.' }] }] }));
      for (const said of [choices[0].message.content, output.message.content[0].text]) expect(said).toContain('You said: Say hello.');
    },
  ],
  'docs/rollback.md': [async ({ default: of }, file) => {
    deploys(file, 'add_note');
    await local.superuser.query('create table public.notes (id text primary key, lead_id text, note text)');
    const { result, undo } = await of.rehearse({ lead_id: 'L_1029', note: 'Called.' }, context);
    expect((await local.superuser.query('select note from public.notes where id = $1', [result.id])).rows).toEqual([{ note: 'Called.' }]);
    expect(await undo()).toBe(true);
    expect((await local.superuser.query('select 1 from public.notes')).rowCount).toBe(0);
  }],
  'docs/rotation.md': [
    ({ rotated }) => {
      const stack = fresh();
      rotated(stack, new iam.User(stack, 'Exporter'), new Secret(stack, 'ExporterKeys'), new Secret(stack, 'VendorKey'), new lambda.Function(stack, 'Issuer', { runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('exports.handler = async () => ({});') }));
      expect(JSON.stringify(template(stack).findResources('AWS::SecretsManager::RotationSchedule'))).toContain('cron(0 3 1/7 * ? *)');
    },
    async ({ handler }) => {
      const asked: string[] = [];
      vi.stubGlobal('fetch', (url: string, { method = 'POST', headers }: { method?: string; headers: Record<string, string> }) => {
        asked.push(`${method} ${url} ${headers.authorization ?? ''}`);
        return Promise.resolve(new Response(JSON.stringify({ data: { key: 'key-2' } })));
      });
      expect([await handler({ operation: 'create', current: 'key-1', token: 't' }), await handler({ operation: 'test', credential: 'key-2' }), await handler({ operation: 'revoke', credential: 'key-1' })]).toEqual([{ credential: 'key-2' }, { valid: true }, {}]);
      expect(asked).toEqual(['POST https://api.vendor.example/keys Bearer key-1', 'GET https://api.vendor.example/me Bearer key-2', 'DELETE https://api.vendor.example/keys/key-1 Bearer key-1']);
    },
    ({ answersLeaks }) => {
      const { stack, controls } = plane();
      answersLeaks(controls, alarm(stack));
      expect(JSON.stringify(template(stack).findResources('AWS::Events::Rule'))).toContain('crm-tierer');
    },
  ],
  'docs/scope-cards.md': [({ production }) => {
    const stack = fresh();
    const key = (): string => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const controls = production(stack, key(), key()) as AgentControls;
    controls.addAction('Send', { code: action(SEND_EMAIL) });
    controls.addAgent('Closer', { card: ScopeCard.fromObject(cardFromObject(card())) });
    template(stack, 'starts no run: nobody has approved it; it asks for appsec@example.com');
  }],
};

/** Blocks that a shell is given, in the order in which one follows from the other, and what they print. `with`: what a reader puts in for what is meant as an example. */
const SHELL: readonly { page: string; index: number; needs?: string; with?: () => Promise<Readonly<Record<string, string>>>; prints: RegExp; before?: () => Promise<unknown> }[] = [
  { page: 'docs/audit-log.md', index: 0, prints: /class_uid/ },
  { page: 'docs/audit-log.md', index: 1, before: () => command('audit', 'checkpoint'), with: async () => ({ '2026-11-01': '1', '8df24d56-cc22-448a-a6b6-63ebcd053b72': (await local.runtime.decisions({ agent: 'outreach-closer' }))[0]?.decisionId ?? '' }), prints: /The proof holds/ },
  { page: 'docs/residency.md', index: 0, prints: /may see[\s\S]*"Version": "2012-10-17"/ },
  { page: 'docs/scope-cards.md', index: 0, needs: 'openssl', prints: /approval/ },
  { page: 'docs/piece-by-piece.md', index: 0, needs: 'curl', prints: /^\{"holds":\[/ },
  { page: 'docs/anomalies.md', index: 0, prints: /crm-tierer/ },
  { page: 'docs/rollback.md', index: 0, before: changeTiers, with: async () => ({ RUN_ID: (await local.runtime.decisions({ agent: 'crm-tierer' }))[0]?.runId ?? '' }), prints: /would be reversed[\s\S]*Reversed: 2 decisions/ },
  { page: 'docs/rotation.md', index: 0, prints: /crm-tierer/ },
  { page: 'docs/evidence.md', index: 0, before: () => command('audit', 'keys', '--out', join(work, 'key.pem')), prints: /evidence/ },
  { page: 'docs/audit-log.md', index: 2, prints: /Would erase[\s\S]*Erased[\s\S]*Placed: legal hold/ },
  { page: 'docs/kill-switch.md', index: 0, prints: /proven/ },
  { page: 'docs/kill-switch.md', index: 1, prints: /crm-tierer/ },
  { page: 'docs/kill-switch.md', index: 2, before: () => command('agent', 'enable', 'crm-tierer', '--reason', 'it is', '--as', 'colleague'), with: () => Promise.resolve({ '--rounds 200': '--rounds 1' }), prints: /"lateEffects":0,"effects":[1-9]/ },
];

async function changeTiers(): Promise<void> {
  const run = await local.runtime.startAsked('crm-tierer', { text: 'See to the tiers of C_201 and C_203.' });
  for (const customer_id of ['C_201', 'C_203']) expect((await run.call('update_tier', { customer_id, tier: 'growth' }, { reason: 'usage' })).verdict).toBe('permit');
}

describe('the TypeScript of the docs runs', () => {
  const found = pages.flatMap((page) => blocks(page, 'ts').map((_, index) => [page, index] as const));
  it('every block of it', () => expect(found.map(([page, index]) => `${page} ${index}`)).toEqual(pages.flatMap((page) => (TYPESCRIPT[page] ?? []).map((_, index) => `${page} ${index}`))));
  it.each(found)('%s, block %i', async (page, index) => {
    const { module, file } = await load(page, index);
    await TYPESCRIPT[page]?.[index]?.(module, file);
  });
});

describe('the commands of the docs do what they say', () => {
  // The two of the README are what runs this, and what npm-start.test runs.
  it('every block of them', () => expect(SHELL.map(({ page, index }) => `${page} ${index}`).sort()).toEqual(pages.filter((page) => page !== 'README.md').flatMap((page) => blocks(page, 'sh').map((_, index) => `${page} ${index}`)).sort()));
  for (const { page, index, needs, with: put, prints, before } of SHELL) {
    it.skipIf(needs !== undefined && spawnSync(needs, ['--version']).error !== undefined)(`${page}, block ${index}${needs === undefined ? '' : `, with ${needs}`}`, async () => {
      await before?.();
      const script = Object.entries(await put?.() ?? {}).reduce((text, [example, real]) => {
        expect(text).toContain(example);
        return text.replaceAll(example, real);
      }, blocks(page, 'sh')[index] ?? '');
      const { stdout, stderr, code } = await new Promise<{ stdout: string; stderr: string; code: unknown }>((done) => {
        execFile('sh', ['-euc', script], { cwd: work, env: { PATH: `${join(work, 'path')}:${process.env.PATH ?? ''}`, HOME: work, NO_COLOR: '1' } }, (error, out, err) => done({ stdout: out, stderr: err, code: error?.code ?? 0 }));
      });
      expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(prints)]);
    }, 120_000);
  }
});

describe('what stands in the docs for other programs', () => {
  const all = (language: string): string[] => pages.flatMap((page) => blocks(page, language).map((_, index) => `${page} ${index}`));
  it('is all of it tried here', () => {
    expect(all('yaml')).toEqual(['README.md 0', 'docs/provenance.md 0', 'docs/provenance.md 1']);
    expect(all('json')).toEqual(['docs/doors.md 0']);
    const spoken = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md')).flatMap((name) => [...read(join('docs', name)).matchAll(/^```(\w+)$/gm)].map(([, language]) => language));
    expect([...new Set(spoken)].sort()).toEqual(['json', 'sh', 'ts', 'yaml']);
  });

  it('makes any MCP client an agent', async () => {
    const { command, args } = JSON.parse(blocks('docs/doors.md', 'json')[0] ?? '') as { command: string; args: string[] };
    const client = new McpClient({ name: 'test', version: '1' });
    await client.connect(new StdioClientTransport({ command: join(work, 'path', command), args, cwd: work, stderr: 'pipe' }));
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read_leads', 'send_email', 'hold_status']);
    await client.close();
  });

  it('is part of the very card that ships', () => {
    const [shown] = blocks('README.md', 'yaml').map((text) => parse(text) as { scopes: { scope: string; read: unknown; call: { action: string; row: unknown; approval: unknown }[] }[]; never: { read: unknown } });
    const shipped = parse(readFileSync(join(root, 'examples/cards/outreach-closer.yaml'), 'utf8')) as NonNullable<typeof shown>;
    const [scope] = shipped.scopes;
    expect(shown?.scopes[0]).toMatchObject({ scope: scope?.scope, read: scope?.read });
    expect(scope?.call[0]).toMatchObject(shown?.scopes[0]?.call[0] ?? {});
    expect(shown?.never.read).toEqual(shipped.never.read);
  });

  it('is what a card may say of what it reads and whom it deals with', () => {
    const [reads, parties] = blocks('docs/provenance.md', 'yaml').map((text) => parse(text) as Record<string, unknown>);
    const whole = card();
    expect(() => ScopeCard.fromObject(cardFromObject({ ...whole, ...parties, never: undefined, scopes: [{ ...whole.scopes[0], ...reads, call: [] }] }))).not.toThrow();
  });
});

describe('the README\'s first screen', () => {
  it('has both commands, and code by line 20', () => {
    const first = read('README.md').split('\n').slice(0, 30).join('\n');
    expect(first).toContain('npm ci && npm start');
    expect(first).toContain('npm ci && npm test');
    expect(read('README.md').split('\n').slice(0, 20).join('\n')).toContain("import { App, Stack } from 'aws-cdk-lib';");
  });
});

describe('what the docs name is there', () => {
  it.each(pages)('%s: files and links', (page) => {
    const text = read(page);
    for (const [, path] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) expect(existsSync(join(root, dirname(page), path as string)), `${page} links to ${path as string}`).toBe(true);
    for (const [, path] of text.matchAll(/`((?:lib|lambda|local|test|examples|bin|docs)\/[\w./-]+)`/g)) expect(existsSync(join(root, path as string)), `${page} names ${path as string}`).toBe(true);
  });
});
