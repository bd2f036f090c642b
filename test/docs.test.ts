/** The README and the docs are code that runs, and its first screen is true. That every block compiles is seen with the package, which has the types that users get. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { blocks, pages, read } from './support/docs';

const root = join(__dirname, '..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(root, 'test', '.docs-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the TypeScript of the docs', () => {
  const all = blocks('README.md', 'ts');
  const the = (name: string): number => all.findIndex((block) => block.includes(name));
  /** Blocks of the README as one module; imports stand once. */
  const readme = async <T>(name: string, which: readonly number[]): Promise<T> => {
    const file = join(folder, `${name}.ts`);
    const code = which.map((index, place) => (place === 0 ? all[index] ?? '' : (all[index] ?? '').replace("import { App } from 'aws-cdk-lib';\n", ''))).join('\n');
    writeFileSync(file, `${code}\nexport {${/^const stack\b/m.test(code) ? ' stack ' : ''}};\n`);
    return (await import(file)) as T;
  };

  it('of the README\'s first app synthesizes, with its agent and its action', async () => {
    const { stack } = await readme<{ stack: Stack }>('first-app', [0]);
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'agent-controls-action-send_email' });
    expect(JSON.stringify(Template.fromStack(stack))).toContain('agent-controls-agent-outreach-closer');
    expect([...Annotations.fromStack(stack).findWarning('*', Match.anyValue()), ...Annotations.fromStack(stack).findError('*', Match.anyValue())]).toEqual([]);
  });

  it('of the README\'s CI test holds on the local runtime', async () => {
    const { nothingIsSentWithoutAnAnswer } = await readme<{ nothingIsSentWithoutAnAnswer(assembly: string, folder: string): Promise<void> }>('ci', [the('nothingIsSentWithoutAnAnswer')]);
    await nothingIsSentWithoutAnAnswer(inject('assembly'), join(folder, 'state'));
  });

  it('of the README\'s access test holds of its first app', async () => {
    const { reviewed, stack } = await readme<{ reviewed(app: App): void; stack: Stack }>('access', [0, the('AccessModel')]);
    reviewed(stack.node.root as App);
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
