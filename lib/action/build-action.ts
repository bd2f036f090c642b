import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ControlsError } from '../scope/controls-error';
import { Manifest } from '../scope/manifest';
import { packageRoot } from '../scope/package-root';

/** The few calls of esbuild that are used; it belongs to the app, not to this library. */
interface Esbuild {
  buildSync(options: object): { outputFiles: { contents: Uint8Array }[] };
}

/** An action file, bundled into a temporary folder, with what it declares. */
export interface BuiltAction {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly bundleDigest: string;
}

/** Bundles an action file with the `esbuild` of the project it is in, and asks it what it declares. */
export function buildAction(path: string): BuiltAction {
  const entry = resolve(path);
  if (!existsSync(entry)) throw new ControlsError('ActionUnreadable', `there is no ${entry}; paths are relative to the working directory`);
  const folder = bundle(entry);
  return { folder, manifest: describe(join(folder, 'index.js'), path), bundleDigest: codeDigest(folder) };
}

/** SHA-256 of an action's code: what the function says of itself on every decision. */
export function codeDigest(folder: string): string {
  return createHash('sha256').update(readFileSync(join(folder, 'index.js'))).digest('hex');
}

/** What this process has bundled. */
const FOLDERS: string[] = [];

function bundle(entry: string): string {
  const esbuild = esbuildOf(entry);
  const root = packageRoot();
  const { outputFiles } = esbuild.buildSync({
    stdin: {
      contents: `import action from ${JSON.stringify(entry)}; export const handler = action.handler; export const manifest = action.manifest;`,
      resolveDir: dirname(entry), loader: 'ts', sourcefile: 'handler.ts',
    },
    bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, write: false, legalComments: 'none', logLevel: 'silent',
    // The runtime of the very version that synthesizes, wherever npm put it.
    alias: { 'cdk-agent-controls/action': join(root, 'dist/lambda/action/index.js') },
  });
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-action-'));
  if (FOLDERS.length === 0) process.once('exit', () => FOLDERS.forEach((made) => rmSync(made, { recursive: true, force: true }))); // synth has copied them into the assembly by then
  FOLDERS.push(folder);
  writeFileSync(join(folder, 'index.js'), (outputFiles[0] as { contents: Uint8Array }).contents);
  return folder;
}

function esbuildOf(entry: string): Esbuild {
  for (const from of [process.cwd(), dirname(entry)]) {
    try {
      return createRequire(join(from, 'package.json'))('esbuild') as Esbuild;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error; // there is one, and it is broken
    }
  }
  throw new ControlsError('EsbuildMissing', `bundling ${entry} needs esbuild in the CDK app; npm install --save-dev esbuild, or build the action elsewhere and use ActionCode.fromBundle`);
}

function describe(code: string, path: string): Manifest {
  // Neither credentials nor proxies nor NODE_OPTIONS of the parent: the file is somebody's code, and synth runs with somebody's rights.
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', 'process.stdout.write(JSON.stringify(require(process.argv[1]).manifest ?? null))', code], { env: {}, encoding: 'utf8', timeout: 30_000 });
  const manifest = status === 0 && stdout !== '' ? (JSON.parse(stdout) as Manifest | null) : null;
  if (!manifest) throw new ControlsError('ActionInvalid', `${path} must export one defineAction or defineQuery by default; ${stderr.split('\n').find((line) => /Error/.test(line)) ?? 'it exports something else'}`);
  return manifest;
}
