/** The packed package in somebody else's CDK app: neither esbuild nor Docker, nothing of this checkout but what is in the tarball. */
import { spawnSync, SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { constructDocs } from '../scripts/construct-docs';
import { blocks, pages } from './support/docs';

const root = join(__dirname, '..');
const app = mkdtempSync(join(tmpdir(), 'agent-controls-scratch-'));
const installed = join(app, 'node_modules', 'cdk-agent-controls');
const run = (command: string, args: string[], cwd: string, env: Record<string, string> = {}): SpawnSyncReturns<string> => spawnSync(command, args, { cwd, encoding: 'utf8', env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', CDK_VALIDATION: 'false', ...env } });
const ok = (result: SpawnSyncReturns<string>): SpawnSyncReturns<string> => {
  if (result.status !== 0) throw new Error(`${result.stdout}\n${result.stderr}`);
  return result;
};
const npm = (args: string[]): SpawnSyncReturns<string> => ok(spawnSync('npm', args, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' }));

beforeAll(() => {
  // A copy of the bundles is in place; jsii and the declarations are what packing adds.
  npm(['run', 'build:jsii']);
  npm(['run', 'build:types']);
  npm(['pack', '--ignore-scripts', '--pack-destination', app]);
  const tarball = readdirSync(app).find((name) => name.endsWith('.tgz')) ?? '';
  mkdirSync(installed, { recursive: true });
  mkdirSync(join(app, 'docs', 'node_modules'), { recursive: true });
  ok(run('tar', ['-xzf', join(app, tarball), '-C', installed, '--strip-components=1'], app));
  for (const name of ['aws-cdk-lib', 'constructs']) symlinkSync(join(root, 'node_modules', name), join(app, 'node_modules', name), 'dir');
  // Besides, what the programs of agents that the docs show bring along.
  for (const name of ['@aws-sdk', '@smithy', 'openai']) symlinkSync(join(root, 'node_modules', name), join(app, 'docs', 'node_modules', name), 'dir');
});

describe('the package', () => {
  it('holds what it needs, and nothing of tests, examples or the evaluator', () => {
    for (const path of ['dist/lib/index.js', 'dist/lib/index.d.ts', '.jsii', 'dist/lambda/gate/index.js', 'dist/lambda/gate/cedar_wasm_bg.wasm', 'dist/lambda/action/index.d.ts', 'dist/lambda/client/index.d.ts', 'dist/lambda/issuer/index.d.ts', 'dist/local/testing/index.d.ts', 'dist/local/testing/watchdog.cjs', 'dist/bin/agent-controls.js', 'bin/agent-controls.js', 'lambda/hold/window.asl.json', 'scope-card.schema.json', 'node_modules/yaml/package.json', 'node_modules/ajv/package.json', 'node_modules/canonicalize/package.json', 'LICENSE', 'README.md', 'CHANGELOG.md']) {
      expect(existsSync(join(installed, path)), path).toBe(true);
    }
    expect(readdirSync(installed).sort()).not.toContain('test');
    expect(readdirSync(join(installed, 'node_modules')).filter((name) => !['ajv', 'yaml', 'canonicalize', 'fast-deep-equal', 'fast-uri', 'json-schema-traverse', 'require-from-string'].includes(name))).toEqual([]);
    for (const file of ['dist/local/testing/index.js', 'dist/bin/agent-controls.js']) expect(readFileSync(join(installed, file), 'utf8')).not.toContain('node_modules/@cloud-copilot');
  });

  it('keeps its public types', () => {
    const { types } = JSON.parse(readFileSync(join(installed, '.jsii'), 'utf8')) as { types: Record<string, unknown> };
    expect(Object.keys(types).map((name) => name.replace('cdk-agent-controls.', '')).sort()).toMatchSnapshot();
  });

  it('has no handler that looks for credentials beyond those of its own role', () => {
    for (const name of Object.keys(JSON.parse(readFileSync(join(installed, 'dist/lambda/digests.json'), 'utf8')) as object)) {
      expect(readFileSync(join(installed, 'dist/lambda', name, 'index.js'), 'utf8').includes('Could not load credentials from any providers'), name).toBe(false);
    }
    expect(readFileSync(join(installed, 'dist/lambda/client/index.js'), 'utf8').includes('Could not load credentials from any providers')).toBe(true);
  });

  it('is documented as it is, construct by construct', () => {
    const made = constructDocs(readFileSync(join(installed, '.jsii'), 'utf8'));
    const folder = join(root, 'docs/constructs');
    expect(readdirSync(folder).sort()).toEqual(Object.keys(made).sort());
    for (const [name, page] of Object.entries(made)) expect(readFileSync(join(folder, name), 'utf8'), `${name}: npm run docs`).toBe(page);
  });

  it('has the types that the TypeScript of the docs is written for', () => {
    const snippets = join(app, 'docs');
    const files = pages.flatMap((page) => blocks(page, 'ts').map((code, index) => {
      const file = join(snippets, `${page.replaceAll(/\W/g, '-')}-${index}.ts`);
      writeFileSync(file, code);
      return file;
    }));
    expect(files.length).toBeGreaterThanOrEqual(4);
    // As in an app of one's own: by the names that the package exports, with what is installed beside it.
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions: { target: 'es2022', lib: ['es2022', 'esnext.disposable'], module: 'nodenext', moduleResolution: 'nodenext', strict: true, noUncheckedIndexedAccess: true, noImplicitOverride: true, skipLibCheck: true, noEmit: true, types: ['node'], typeRoots: [join(root, 'node_modules', '@types')] }, files }));
    const { stdout, status } = run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', app], app);
    expect([stdout, status]).toEqual(['', 0]);
  }, 120_000);

  it('names no path of the machine it was built on', () => {
    for (const file of ['dist/lambda/gate/index.js', 'dist/lambda/broker/index.js', 'dist/bin/agent-controls.js', 'dist/lib/index.js']) expect(readFileSync(join(installed, file), 'utf8')).not.toContain(root);
  });
});

describe('another app', () => {
  it('synthesizes it without esbuild, from an action that was built elsewhere', () => {
    const built = join(app, 'send-email');
    ok(run(process.execPath, ['bin/agent-controls.js', 'actions', 'build', 'examples/actions/send-email.ts', '--out', built], root));
    writeFileSync(join(app, 'app.js'), `
      const { App, Stack } = require('aws-cdk-lib');
      const { ActionCode, AgentControls, ScopeCard } = require('cdk-agent-controls');
      const app = new App({ outdir: 'cdk.out' });
      const controls = new AgentControls(new Stack(app, 'Agents'), 'Controls');
      controls.addAction('SendEmail', { code: ActionCode.fromBundle('send-email') });
      controls.addAgent('Closer', { card: ScopeCard.fromFile(${JSON.stringify(join(root, 'examples/cards/outreach-closer.yaml'))}) });
      app.synth();`);
    ok(run(process.execPath, ['app.js'], app));
    expect(readFileSync(join(app, 'cdk.out', 'Agents.template.json'), 'utf8')).toContain('agent-controls-agent-outreach-closer');
  });

  it('is told what is missing when it asks for bundling without esbuild', () => {
    writeFileSync(join(app, 'action.ts'), 'export default 1;');
    const { status, stderr } = run(process.execPath, ['-e', "require('cdk-agent-controls').ActionCode.fromEntry('action.ts')"], app);
    expect(status).not.toBe(0);
    expect(stderr).toContain('EsbuildMissing: bundling');
  });

  it('checks its cards with the command line, and gets exit codes it can trust', () => {
    const cli = join(installed, 'bin', 'agent-controls.js');
    const card = join(root, 'examples/cards/outreach-closer.yaml');
    writeFileSync(join(app, 'bad.yaml'), readFileSync(card, 'utf8').replace('purpose:', 'colour: red\npurpose:'));
    expect(run(process.execPath, [cli, 'scope', 'check', card], app)).toMatchObject({ status: 0, stdout: expect.stringContaining('outreach-closer, scope://outreach.send.cold') as string });
    const bad = run(process.execPath, [cli, 'scope', 'check', 'bad.yaml', '--json'], app);
    expect([bad.status, JSON.parse(bad.stdout)]).toEqual([1, [{ file: 'bad.yaml', ok: false, error: { code: 'CardInvalid', message: expect.stringMatching(/^CardInvalid: bad\.yaml:3: colour is not a field of a card/) as string } }]]);
    expect(run(process.execPath, [cli, 'scope', 'check', 'nowhere.yaml'], app).status).toBe(2);
    expect(run(process.execPath, [cli, 'audit', 'verify', '--local'], app)).toMatchObject({ status: 2, stderr: expect.stringContaining('no local runtime runs here') as string });
    expect(run(process.execPath, [cli, 'nonsense'], app).status).toBe(2);
    for (const command of [[], ['local'], ['local', 'env'], ['audit'], ['audit', 'search'], ['audit', 'verify'], ['scope', 'check'], ['actions', 'build']]) expect(run(process.execPath, [cli, ...command, '--help'], app), command.join(' ')).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage: agent-controls') as string });
  });
});
