import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ControlsError, shown } from '../scope/controls-error';
import { Manifest } from '../scope/manifest';
import { packageRoot } from '../scope/package-root';

/** Where an action's code and declaration come from. */
export class ActionCode {
  /**
   * An action file: TypeScript that exports one `defineAction` or `defineQuery` by default.
   *
   * Bundled at synth with the `esbuild` of the app (`EsbuildMissing` when there is none), then asked in a process of its own, without
   * credentials or network settings of the parent, what it declares. Works from any jsii language.
   *
   * @param path relative to the working directory of the CDK app, or absolute.
   */
  public static fromEntry(path: string): ActionCode {
    const entry = resolve(path);
    if (!existsSync(entry)) throw new ControlsError('ActionUnreadable', `there is no ${entry}; paths are relative to the working directory of the CDK app`);
    const folder = bundle(entry);
    return new ActionCode(folder, describe(join(folder, 'index.js'), path));
  }

  /**
   * A folder made by `agent-controls actions build`: `index.js` and `action.json`. Needs no esbuild at synth.
   *
   * @param path relative to the working directory of the CDK app, or absolute.
   * @throws `BundleChanged` when the code is not the one that `action.json` describes.
   */
  public static fromBundle(path: string): ActionCode {
    const folder = resolve(path);
    const file = join(folder, 'action.json');
    if (!existsSync(file)) throw new ControlsError('ActionUnreadable', `there is no ${file}; make the folder with agent-controls actions build`);
    const { manifest, bundleDigest } = JSON.parse(readFileSync(file, 'utf8')) as { manifest: Manifest; bundleDigest: string };
    const code = new ActionCode(folder, manifest);
    if (code._bundleDigest !== bundleDigest) throw new ControlsError('BundleChanged', `${join(folder, 'index.js')} is not the code that action.json describes; build it again`);
    return code;
  }

  /** Name that cards and agents use. */
  public readonly actionName: string;
  /** @internal */
  public readonly _folder: string;
  /** @internal */
  public readonly _manifest: Manifest;
  /** @internal */
  public readonly _bundleDigest: string;

  private constructor(folder: string, manifest: Manifest) {
    if (!/^[a-z][a-z0-9_]{0,31}$/.test(manifest.name)) throw new ControlsError('ActionInvalid', `name must be 1 to 32 of a-z, 0-9 and _, got ${shown(manifest.name)}; rename the action`);
    if (manifest.effect === 'write' && !manifest.reverse) throw new ControlsError('ReverseMissing', `${manifest.name} changes something and declares no reverse; declare restore, compensate, or why it is impossible`);
    const sink = manifest.sinks.find((name) => !Object.hasOwn(manifest.parameters, name));
    if (sink !== undefined) throw new ControlsError('ActionInvalid', `${manifest.name}.sinks: ${shown(sink)} is no parameter; name one of ${Object.keys(manifest.parameters).join(', ')}`);
    this.actionName = manifest.name;
    this._folder = folder;
    this._manifest = manifest;
    this._bundleDigest = createHash('sha256').update(readFileSync(join(folder, 'index.js'))).digest('hex');
  }
}

/** The few calls of esbuild that are used; it belongs to the app, not to this library. */
interface Esbuild {
  buildSync(options: object): { outputFiles: { contents: Uint8Array }[] };
}

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
  process.once('exit', () => rmSync(folder, { recursive: true, force: true })); // synth has copied it into the assembly by then
  writeFileSync(join(folder, 'index.js'), (outputFiles[0] as { contents: Uint8Array }).contents);
  return folder;
}

function esbuildOf(entry: string): Esbuild {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- found at run time, in the app or not at all
    return require(require.resolve('esbuild', { paths: [process.cwd(), dirname(entry)] })) as Esbuild;
  } catch {
    throw new ControlsError('EsbuildMissing', `bundling ${entry} needs esbuild in the CDK app; npm install --save-dev esbuild, or build the action elsewhere and use ActionCode.fromBundle`);
  }
}

function describe(code: string, path: string): Manifest {
  // Neither credentials nor proxies nor NODE_OPTIONS of the parent: the file is somebody's code, and synth runs with somebody's rights.
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', 'process.stdout.write(JSON.stringify(require(process.argv[1]).manifest ?? null))', code], { env: {}, encoding: 'utf8', timeout: 30_000 });
  const manifest = status === 0 && stdout !== '' ? (JSON.parse(stdout) as Manifest | null) : null;
  if (!manifest) throw new ControlsError('ActionInvalid', `${path} must export one defineAction or defineQuery by default; ${stderr.split('\n').find((line) => /Error/.test(line)) ?? 'it exports something else'}`);
  return manifest;
}
