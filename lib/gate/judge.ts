import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { CompiledScope } from '../scope/compile';
import { ControlsError } from '../scope/controls-error';
import { Manifest } from '../scope/manifest';
import { packageRoot } from '../scope/package-root';

/** The gate's verdict on a call, before windowed limits. */
export interface Judged {
  readonly verdict: 'permit' | 'hold' | 'deny';
  readonly reasons: readonly string[];
  readonly ruleId?: string;
}

/** The gate's own code, as it is bundled for synth. */
interface Judge {
  policyFaults(scope: CompiledScope, manifests: readonly Manifest[]): string[];
  PolicySet: new (version: string, scope: CompiledScope) => object;
  decide(policies: object, proposal: { readonly action: string; readonly parameters: Readonly<Record<string, unknown>>; readonly justification?: string; readonly reference?: string }, known: {
    readonly stopped: string | null; readonly manifestDigest: string | null; readonly rowsHold: readonly string[]; readonly trustedRequest: string | null; readonly today: string; readonly hasRead: boolean;
  }): Judged;
}

let loaded: Judge | undefined;

/** The gate, asked at synth. It is read when first asked: Cedar's wasm takes a moment. */
export function judge(): Judge {
  if (!loaded) {
    const file = join(packageRoot(), 'dist', 'judge', 'index.js');
    if (!existsSync(file)) throw new ControlsError('BundleMissing', `there is no ${file}; run npm run build:bundles`);
    loaded = createRequire(__filename)(file) as Judge;
  }
  return loaded;
}

const VALID = new Set<string>();

/** What Cedar's validator says against the policies of a card. Cards that differ in the agent's name only are one question. */
export function policyFaults(scope: CompiledScope, manifests: readonly Manifest[]): string[] {
  const question = JSON.stringify([scope.policies, Object.values(scope.tools).map(({ manifestDigest }) => manifestDigest)]).replaceAll(`Agent::\\"${scope.agent}\\"`, '');
  if (VALID.has(question)) return [];
  const faults = judge().policyFaults(scope, manifests);
  if (faults.length === 0) VALID.add(question);
  return faults;
}
