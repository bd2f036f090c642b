import { canonicalJson, sha256Hex } from './canonical-json';

/** What an action says of itself, as data: made from `defineAction` or written by hand, pinned by digest. */
export interface Manifest {
  /** Name that cards and agents use. */
  readonly name: string;
  /** One sentence for the model and the reviewer. */
  readonly description: string;
  /** Whether running it changes something. */
  readonly effect: 'read' | 'write';
  /** Parameters by name. */
  readonly parameters: Readonly<Record<string, ParameterManifest>>;
  /** Parameters that decide where the effect goes or whose it is. */
  readonly sinks: readonly string[];
  /** Whether its result may steer later calls. */
  readonly returns: 'trusted' | 'untrusted';
  /** How it is undone; absent on a read. */
  readonly reverse?: ReverseManifest;
  /** Columns it reads with the agent's login, as `table.column`. */
  readonly reads?: readonly string[];
  /** Columns it writes with the agent's login, as `table.column`. */
  readonly writes?: readonly string[];
}

/** One parameter: what the model is told, and what the gate checks. */
export interface ParameterManifest {
  readonly type: 'text' | 'email' | 'one-of' | 'integer' | 'money' | 'reference';
  /** Longest text in characters. */
  readonly maxLength?: number;
  /** Values of `one-of`. */
  readonly values?: readonly string[];
  /** Smallest integer. */
  readonly min?: number;
  /** Largest integer. */
  readonly max?: number;
  /** Currencies of `money`. */
  readonly currencies?: readonly string[];
  /** Column that a `reference` identifies, as `table.column`. */
  readonly references?: string;
  /** Data class; the most restricted one when absent. */
  readonly dataClass?: string;
}

/** How an action is undone; it sets the lowest tier a card may give. */
export interface ReverseManifest {
  readonly kind: 'restore' | 'compensate' | 'impossible';
  /** What the approver reads: what a compensation does, or why there is none and whom to call. */
  readonly sentence?: string;
}

/** What the gate pins: a changed declaration is another action. */
export function manifestDigest(manifest: Manifest): string {
  return sha256Hex(canonicalJson(manifest));
}
