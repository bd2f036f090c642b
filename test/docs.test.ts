/** The README and the docs are code that runs: every TypeScript block compiles against this checkout, and its first screen is true. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';

const root = join(__dirname, '..');
const pages = ['README.md', 'local/README.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];
const read = (page: string): string => readFileSync(join(root, page), 'utf8');
const blocks = (page: string, language: string): string[] => [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, code]) => code as string);
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(root, 'test', '.docs-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the TypeScript of the docs', () => {
  it('compiles against this checkout', () => {
    const files = pages.flatMap((page) => blocks(page, 'ts').map((code, index) => {
      const file = join(folder, `${page.replaceAll(/\W/g, '-')}-${index}.ts`);
      writeFileSync(file, code);
      return file;
    }));
    expect(files.length).toBeGreaterThanOrEqual(4);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.dev.json', compilerOptions: { noUnusedLocals: false, paths: Object.fromEntries([['', 'lib'], ['/action', 'lambda/action'], ['/client', 'lambda/client'], ['/testing', 'local/testing']].map(([name, path]) => [`cdk-agent-controls${name ?? ''}`, [`../../${path ?? ''}/index.ts`]])) }, include: files, files: [join(root, 'lambda/database/sql.d.ts')] }));
    const { stdout, status } = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('of the README\'s first app synthesizes, with its agent and its action', () => {
    const [code = ''] = blocks('README.md', 'ts');
    writeFileSync(join(folder, 'first-app.ts'), `${code}\nprocess.stdout.write(JSON.stringify(Stack.of(stack).node.findAll().length)); (stack.node.root as App).synth();\n`.replaceAll("'cdk-agent-controls'", "'../../lib'"));
    const { status, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(folder, 'first-app.ts')], { cwd: root, encoding: 'utf8', env: { ...process.env, CDK_VALIDATION: 'false', CDK_OUTDIR: join(folder, 'cdk.out') } });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(readFileSync(join(folder, 'cdk.out', 'Agents.template.json'), 'utf8')).toContain('agent-controls-agent-outreach-closer');
  });

  it('of the README\'s CI test holds on the local runtime', async () => {
    const code = blocks('README.md', 'ts').find((block) => block.includes('nothingIsSentWithoutAnAnswer')) ?? '';
    const file = join(folder, 'ci.ts');
    writeFileSync(file, `${code}\nnothingIsSentWithoutAnAnswer(${JSON.stringify(inject('assembly'))}, ${JSON.stringify(join(folder, 'state'))}).then(() => process.stdout.write('held'));\n`.replace("'cdk-agent-controls/testing'", "'../../local/testing'"));
    const { stdout, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), '--require', join(root, 'scripts', 'sql-loader.cjs'), file], { cwd: root, encoding: 'utf8' });
    expect(stdout, stderr).toBe('held');
  });

  it('of the README\'s access test holds of its first app', () => {
    const [app = ''] = blocks('README.md', 'ts');
    const test = blocks('README.md', 'ts').find((block) => block.includes('AccessModel')) ?? '';
    writeFileSync(join(folder, 'access.ts'), `${app}\n${test.replace("import { App } from 'aws-cdk-lib';\n", '')}\nreviewed(stack.node.root as App); process.stdout.write('holds');\n`.replaceAll("'cdk-agent-controls'", "'../../lib'"));
    const { stdout, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(folder, 'access.ts')], { cwd: root, encoding: 'utf8', env: { ...process.env, CDK_VALIDATION: 'false', CDK_OUTDIR: join(folder, 'cdk.out-access') } });
    expect(stdout, stderr).toBe('holds');
  });

  it('of piece by piece synthesizes', async () => {
    const stack = new Stack(new App(), 'Test');
    const [code = ''] = blocks('docs/piece-by-piece.md', 'ts');
    writeFileSync(join(folder, 'pieces.ts'), code.replaceAll("'cdk-agent-controls'", "'../../lib'"));
    const { salesAgents } = (await import(join(folder, 'pieces.ts'))) as { salesAgents: (...args: unknown[]) => void };
    const { DatabaseCluster } = await import('aws-cdk-lib/aws-rds');
    const { Secret } = await import('aws-cdk-lib/aws-secretsmanager');
    salesAgents(stack, DatabaseCluster.fromDatabaseClusterAttributes(stack, 'C', { clusterIdentifier: 'c' }), Secret.fromSecretNameV2(stack, 'O', 'owner'), Secret.fromSecretNameV2(stack, 'K', 'crm'), new iam.Role(stack, 'Bot', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'sales-dev-action-send_email' });
  });
});

describe('what begins and watches', () => {
  const load = async <T>(page: string): Promise<T> => {
    const file = join(folder, `${page}.ts`);
    const [code = ''] = blocks(`docs/${page}.md`, 'ts');
    writeFileSync(file, code.replaceAll("'cdk-agent-controls'", "'../../lib'"));
    return (await import(file)) as T;
  };

  it('of getting started synthesizes, with its agent and its action', async () => {
    const { agents } = await load<{ agents(app: App): Stack }>('getting-started');
    Template.fromStack(agents(new App())).hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'agent-controls-action-update_tier' });
  });

  it('of anomalies synthesizes, and holds after fifty writes', async () => {
    const { watched } = await load<{ watched(stack: Stack): unknown }>('anomalies');
    const stack = new Stack(new App(), 'Test');
    watched(stack);
    expect(JSON.stringify(Template.fromStack(stack).findResources('AWS::Lambda::Function'))).toContain('\\"rule\\":\\"bulk-writes\\",\\"count\\":50');
  });
});

describe('the README\'s first screen', () => {
  const first = read('README.md').split('\n').slice(0, 30).join('\n');
  it('has both commands, and code by line 20', () => {
    expect(first).toContain('npm ci && npm start');
    expect(first).toContain('npm ci && npm test');
    expect(read('README.md').split('\n').slice(0, 20).join('\n')).toContain("import { App, Stack } from 'aws-cdk-lib';");
  });

  it('shows a part of the very card that ships', () => {
    const [shown] = blocks('README.md', 'yaml').map((text) => parse(text) as { scopes: { scope: string; read: unknown; call: { action: string; row: unknown; approval: unknown }[] }[]; never: { read: unknown } });
    const card = parse(readFileSync(join(root, 'examples/cards/outreach-closer.yaml'), 'utf8')) as NonNullable<typeof shown>;
    const [scope] = card.scopes;
    expect(shown?.scopes[0]).toMatchObject({ scope: scope?.scope, read: scope?.read });
    expect(scope?.call[0]).toMatchObject(shown?.scopes[0]?.call[0] ?? {});
    expect(shown?.never.read).toEqual(card.never.read);
  });
});

describe('what the docs name is there', () => {
  it.each(pages)('%s: files and links', (page) => {
    const text = read(page);
    for (const [, path] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) expect(existsSync(join(root, dirname(page), path as string)), `${page} links to ${path as string}`).toBe(true);
    for (const [, path] of text.matchAll(/`((?:lib|lambda|local|test|examples|bin|docs)\/[\w./-]+)`/g)) expect(existsSync(join(root, path as string)), `${page} names ${path as string}`).toBe(true);
  });
});
