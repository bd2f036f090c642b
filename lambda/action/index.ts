/**
 * What an agent developer imports to write an action: `cdk-agent-controls/action`.
 *
 * Outside the jsii face on purpose: functions and generics are what makes a missing reverse a compile error, and jsii has
 * neither. The two sides meet in data only: a bundle describes itself as a manifest, and `ActionCode.fromEntry` reads that.
 */
import type { Manifest, Reach, ReturnedField, ReverseManifest } from '../../lib/scope/manifest';
import type { Vendor } from '../../lib/scope/vendor';
import { actionHandler } from './handler';
import type { Image } from './image';
import { lookAt } from './look';
import type { Parameters, Values } from './parameters';
import { canonicalJson } from '../../lib/scope/canonical-json';
import type { ActionHandler, Staged } from './protocol';
import type { Undoing } from './reversal';
import type { Sql } from './sql';

export { param } from './parameters';
export type { Reach, ReturnedField } from '../../lib/scope/manifest';
export type { Money, Parameter, Parameters, Values } from './parameters';
export type { ActionAnswer, ActionRequest } from './protocol';
export type { Sql } from './sql';
export type { Vendor } from '../../lib/scope/vendor';

/** What a handler may use besides its parameters. */
export interface ActionContext {
  /** The same for every attempt of the same call: pass it on as idempotency key. */
  readonly idempotencyKey: string;
  /** The transaction that `before` and `execute` share, as the agent's own login; committed when `execute` returns. */
  readonly sql: Sql;
  /** The outside credential, by the environment variable that names its secret. */
  readonly secret: (environmentVariable: string) => Promise<string>;
  /** Notes a record that was made or changed, for the log: `wrote('email_send', id)`. */
  readonly wrote: (kind: string, id: string) => void;
  /** Written justification of the call, if the scope requires one. */
  readonly justification?: string;
}

interface Undo<P extends Parameters, Before, Result> {
  readonly before: Before;
  readonly result: Result;
  readonly parameters: Values<P>;
}

/** How an action is undone; exactly one of three, and no fourth. `deletes` names tables that a reverse takes rows out of. */
export type Reverse<P extends Parameters, Before, Result> =
  /**
   * Puts the before-image back as compare-and-set: return false when someone else has changed it since. It is asked only where `before` sees what it
   * saw when the write was done.
   */
  | { readonly restore: (undo: Undo<P, Before, Result>, context: ActionContext) => Promise<boolean>; readonly deletes?: readonly string[]; readonly compensate?: never; readonly impossible?: never }
  /** Makes up for it. The sentence is what the approver reads. */
  | { readonly compensate: (undo: Undo<P, Before, Result>, context: ActionContext) => Promise<void>; readonly sentence: string; readonly deletes?: readonly string[]; readonly restore?: never; readonly impossible?: never }
  /** Cannot be undone. The sentence says why, and whom to call. */
  | { readonly impossible: string; readonly restore?: never; readonly compensate?: never; readonly deletes?: never };

interface Declaration<P extends Parameters> {
  /** Name that cards and agents use: `a-z`, `0-9` and `_`, 1 to 32 characters. */
  readonly name: string;
  /** One sentence for the model and for the reviewer. */
  readonly description: string;
  readonly parameters: P;
  /**
   * Fields of the records that it returns, by name: `{ id: { type: 'leads.id', trusted: true } }`. What is not named here is prose that anybody may
   * have written, and vouches for nothing.
   */
  readonly returns?: Readonly<Record<string, ReturnedField>>;
  /** Parameters that decide where the effect goes or whose it is. Write `[]` to say that there are none. */
  readonly sinks: readonly (keyof P & string)[];
  /** Company that it hands data to, who reviewed it, and whom to call there. @default - it stays in our own systems */
  readonly vendor?: Vendor;
  /** Columns that its SQL reads, as `table.column`: granted to the login of an agent whose card calls it. */
  readonly reads?: readonly string[];
  /** Columns that its SQL writes, as `table.column`; granted likewise. */
  readonly writes?: readonly string[];
}

/** An action that changes something. */
export interface WriteDeclaration<P extends Parameters, Before, Result, Resolved = undefined> extends Declaration<P> {
  /** How far the effect reaches: `internal`, `outward` (out of our systems, money, contracts), `destructive`, or `privileged` (publishing, credentials, rights). */
  readonly reach: Reach;
  /** Words in a trusted request that ask for it, such as `pay back`; a call that no words ask for is held. */
  readonly asks: readonly [string, ...string[]];
  /**
   * Whether running it twice with the same `idempotencyKey` comes to the same as running it once, because the other system sees to that. Then an attempt of
   * which nobody knows what came is made again, twice at most; otherwise a person finds out.
   *
   * @default false
   */
  readonly idempotent?: boolean;
  /**
   * The before-image, read and locked in the transaction of `execute`. It is asked again after the write, and when the write is to be undone: it only
   * looks, and sees everything that `execute` changes.
   */
  readonly before: (parameters: Values<P>, context: ActionContext) => Promise<Before>;
  /**
   * Fixes whatever else decides what runs, such as recipients, a rendered text, attachments by digest. Of a call that is held it is asked when the hold is
   * staged: people are shown it, their approval is bound to it, and it runs as it was. It only looks.
   */
  readonly resolve?: (parameters: Values<P>, context: ActionContext) => Promise<Resolved>;
  readonly execute: (parameters: Values<P>, context: ActionContext, before: NoInfer<Before>, resolved: NoInfer<Resolved>) => Promise<Result>;
  readonly reverse: Reverse<P, NoInfer<Before>, NoInfer<Result>>;
}

/** An action that only looks. What decides where it looks outside, such as an address or a search text, is a sink: it carries data out. */
export interface QueryDeclaration<P extends Parameters, Result> extends Declaration<P> {
  /** How far it reaches: `outward` where it asks somebody else's system. @default internal */
  readonly reach?: Reach;
  readonly execute: (parameters: Values<P>, context: ActionContext) => Promise<Result>;
}

/** What an action file exports by default. Its bundle is the Lambda handler, and tells its manifest when asked. */
export interface Action<P extends Parameters = Parameters, Result = unknown> {
  readonly actionName: string;
  readonly parameters: P;
  /** Carries the type only; never present. */
  readonly resultType?: Result;
  /** What `ActionCode.fromEntry` reads. */
  readonly manifest: Manifest;
  /** The Lambda handler. */
  readonly handler: ActionHandler;
  /** Runs the action against a context of your own, for unit tests: before, execute, then on demand reverse. */
  rehearse(parameters: Values<P>, context: ActionContext): Promise<{ readonly result: Result; undo(): Promise<boolean> }>;
}

/** Declares an action that changes something: parameters, before-image, effect and reverse, in one file. */
export function defineAction<const P extends Parameters, Before, Result, Resolved = undefined>(declaration: WriteDeclaration<P, Before, Result, Resolved>): Action<P, Result> {
  const { before, execute, reverse, resolve } = declaration;
  const run = async (parameters: Values<P>, context: ActionContext, staged?: Staged): Promise<{ result: Result; image: Before }> => {
    const image = await before(parameters, context);
    if (staged?.shown && canonicalJson(staged.shown) !== canonicalJson({ found: image })) throw new Error('ChangedSinceShown: what the approval was about has changed since');
    const resolved = (staged ? staged.resolved : await resolve?.(parameters, context)) as Resolved;
    return { image, result: await execute(parameters, context, image, resolved) };
  };
  return {
    ...described(declaration, 'write', declaration.reach, declaration.asks, reverseManifest(reverse), declaration.idempotent),
    handler: actionHandler({
      async run(parameters, context, staged) {
        const { result, image } = await run(parameters as Values<P>, context, staged);
        if (reverse.impossible !== undefined) return { result };
        const after = reverse.restore && await lookAt(() => before(parameters as Values<P>, context));
        return { result, image: { parameters, before: image, result, ...(after ? { after } : {}) } };
      },
      async stage(parameters, context) {
        const shown = await lookAt(() => before(parameters as Values<P>, context));
        return { shown, ...(resolve ? { resolved: await resolve(parameters as Values<P>, context) } : {}) };
      },
      undoing: undoingOf(declaration.parameters, before, reverse),
    }),
    async rehearse(parameters, context) {
      const { image, result } = await run(parameters, context);
      const undo = { before: image, result, parameters };
      return {
        result,
        async undo() {
          if (reverse.restore) return reverse.restore(undo, context);
          if (!reverse.compensate) throw new Error(`ReverseImpossible: ${reverse.impossible}`);
          await reverse.compensate(undo, context);
          return true;
        },
      };
    },
  };
}

/** Declares an action that only looks. */
export function defineQuery<const P extends Parameters, Result>(declaration: QueryDeclaration<P, Result>): Action<P, Result> {
  return {
    ...described(declaration, 'read', declaration.reach ?? 'internal', [], undefined),
    handler: actionHandler({ run: async (parameters, context) => ({ result: await declaration.execute(parameters as Values<P>, context) }) }),
    async rehearse(parameters, context) {
      return { result: await declaration.execute(parameters, context), undo: () => Promise.resolve(true) };
    },
  };
}

function described<P extends Parameters>(declaration: Declaration<P>, effect: 'read' | 'write', reach: Reach, asks: readonly string[], reverse: ReverseManifest | undefined, idempotent?: boolean): { actionName: string; parameters: P; manifest: Manifest } {
  const { name, description, parameters, sinks, returns = {}, reads, writes, vendor } = declaration;
  return {
    actionName: name,
    parameters,
    manifest: {
      name, description, effect, reach, asks, sinks, returns,
      parameters: Object.fromEntries(Object.entries(parameters).map(([key, { manifest }]) => [key, manifest])),
      ...(idempotent ? { idempotent } : {}), ...(reverse ? { reverse } : {}), ...(vendor ? { vendor } : {}), ...(reads ? { reads } : {}), ...(writes ? { writes } : {}),
    },
  };
}

function undoingOf<P extends Parameters, Before, Result>(parameters: P, before: (parameters: Values<P>, context: ActionContext) => Promise<Before>, { restore, compensate }: Reverse<P, Before, Result>): Undoing | undefined {
  if (!restore && !compensate) return undefined;
  const undo = (image: Image): Undo<P, Before, Result> => image as Undo<P, Before, Result>;
  const [row, ...others] = Object.keys(parameters).filter((name) => parameters[name]?.manifest.type === 'reference');
  return {
    look: (parameters, context) => before(parameters as Values<P>, context),
    restore: restore && ((image, context) => restore(undo(image), context)),
    compensate: compensate && ((image, context) => compensate(undo(image), context)),
    row: row !== undefined && others.length === 0 ? (given) => String((given as Record<string, unknown>)[row]) : undefined,
  };
}

function reverseManifest<P extends Parameters, Before, Result>(reverse: Reverse<P, Before, Result>): ReverseManifest {
  const deletes = reverse.deletes ? { deletes: reverse.deletes } : {};
  if (reverse.restore) return { kind: 'restore', ...deletes };
  if (reverse.compensate) return { kind: 'compensate', sentence: reverse.sentence, ...deletes };
  return { kind: 'impossible', sentence: reverse.impossible };
}
