import { canonicalJson, sha256Hex } from './canonical-json';
import type { Vendor } from './vendor';

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
  /** How far the effect reaches; it sets how well each sink must be vouched for. */
  readonly reach: Reach;
  /** Words in a trusted request that ask for it, such as `pay back`. A write that nobody's words ask for is held. */
  readonly asks: readonly string[];
  /** Parameters that decide where the effect goes or whose it is. */
  readonly sinks: readonly string[];
  /** Fields of the records it returns, by name; what is not named is prose that anybody may have written. */
  readonly returns: Readonly<Record<string, ReturnedField>>;
  /** Whether running it twice with one idempotency key comes to the same as once: then an attempt whose outcome is not known is made again. */
  readonly idempotent?: boolean;
  /** How it is undone; absent on a read. */
  readonly reverse?: ReverseManifest;
  /** Company that it hands data to; absent where it stays in our own systems. */
  readonly vendor?: Vendor;
  /** Columns it reads with the agent's login, as `table.column`. */
  readonly reads?: readonly string[];
  /** Columns it writes with the agent's login, as `table.column`. */
  readonly writes?: readonly string[];
}

/**
 * How far an effect reaches: inside our own systems; out of them, or to money and contracts; to what is deleted; or to what is published, to
 * credentials and to rights.
 */
export type Reach = 'internal' | 'outward' | 'destructive' | 'privileged';

/** One field of a returned record. */
export interface ReturnedField {
  /** Type of its values, by which they are compared: `valueType` of a parameter that may take them. `records` for a field whose objects are records. */
  readonly type: string;
  /** Whether the system that answers vouches for it: our own ledger for an account, never a page for its text. */
  readonly trusted?: boolean;
  /** Whether values are taken out of a text, as the addresses in a colleague's message; only for type `email`, `url` and `iban`. */
  readonly within?: boolean;
  /** Whether it may leave only if the request names it. */
  readonly private?: boolean;
}

/** One parameter: what the model is told, and what the gate checks. */
export interface ParameterManifest {
  readonly type: 'text' | 'email' | 'iban' | 'url' | 'name' | 'date' | 'flag' | 'one-of' | 'integer' | 'money' | 'reference';
  /** Whether a call may leave it out. */
  readonly optional?: boolean;
  /** What a `name` names, such as `person`, `channel` or `file`: names of one kind are compared with each other. */
  readonly of?: string;
  /** Words in a trusted request that ask for a `flag` to be set. */
  readonly words?: readonly string[];
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
  /** Tables that it takes rows out of. */
  readonly deletes?: readonly string[];
}

/** Type by which a parameter's values are compared with what was asked, registered and read. */
export function valueType({ type, of, references }: ParameterManifest): string {
  if (type === 'name') return of as string;
  return type === 'reference' ? references as string : type;
}

/** What the gate pins: a changed declaration is another action. */
export function manifestDigest(manifest: Manifest): string {
  return sha256Hex(canonicalJson(manifest));
}
