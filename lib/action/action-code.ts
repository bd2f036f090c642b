import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ControlsError, shown } from '../scope/controls-error';
import { Manifest } from '../scope/manifest';
import { buildAction, codeDigest } from './build-action';

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
    const { folder, manifest } = buildAction(path);
    return new ActionCode(folder, manifest);
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
    this._bundleDigest = codeDigest(folder);
  }
}
