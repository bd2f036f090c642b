import { Validator } from '@cfworker/json-schema';
import type { CompiledScope } from '../../lib/scope/compile';
import { canonicalJson, sha256Hex } from '../../lib/scope/canonical-json';
import { demandCedar, preparsePolicySet, statefulIsAuthorized } from './cedar';

/** Most answers that are kept for one action, and the longest question that has one kept: under a megabyte whoever asks. */
const MOST_ANSWERS = 1_000;
const LONGEST_QUESTION = 500;

/** What Cedar is asked about one call. */
export interface CedarRequest {
  readonly agent: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly columns: readonly string[];
}

/** One agent's policies, parsed once and by action: Cedar looks at every policy of a set, and only those of one action can permit it. */
export class PolicySet {
  /** Digest of the policies, recorded on every decision made under them. */
  public readonly digest: string;
  private readonly asked = new Map<string, { readonly ids: readonly string[]; readonly parameters: ReadonlySet<string> | undefined; readonly lengths: boolean; readonly columns: boolean; readonly answers: Map<string, readonly string[]> }>();
  private readonly validators = new Map<string, Validator>();

  /** @throws when a policy does not parse; the caller denies. */
  public constructor(public readonly version: string, public readonly scope: CompiledScope) {
    demandCedar();
    this.digest = sha256Hex(canonicalJson(scope.policies));
    for (const action of Object.keys(scope.tools)) {
      const policies: Record<string, string> = {};
      for (const [id, text] of Object.entries(scope.policies)) if (scope.rules[id] === undefined || scope.rules[id].action === action) policies[id] = text;
      if (preparsePolicySet(`${version} ${action}`, { staticPolicies: policies }).type !== 'success') throw new Error('PolicyUnparsable');
      const parameters = parametersIn(Object.values(policies));
      const looksAt = (name: string): boolean => parameters === undefined || Object.values(policies).some((text) => text.includes(name));
      this.asked.set(action, { ids: Object.keys(policies), parameters, lengths: looksAt('lengths'), columns: looksAt('columns'), answers: new Map() });
    }
  }

  /** Checks parameters against the very schema that the model is shown. */
  public validator(action: string): Validator {
    const made = this.validators.get(action) ?? new Validator(this.scope.tools[action]?.schema.inputSchema ?? false, '2020-12', false);
    this.validators.set(action, made);
    return made;
  }

  /** Digest of what the model is shown of a tool. */
  public schemaDigest(action: string): string | undefined {
    return Object.hasOwn(this.scope.tools, action) ? sha256Hex(canonicalJson(this.scope.tools[action]?.schema)) : undefined;
  }

  /** Ids of the rules that permit the call, in the order of the card; none is a deny, and so is any error. */
  public permitting({ agent, action, parameters, columns }: CedarRequest): readonly string[] {
    const known = this.asked.get(action);
    if (!known) return [];
    // What no policy of the action looks at need not be carried into Cedar: a mail's text, above all.
    const { parameters: names } = known;
    const looked = names ? Object.fromEntries(Object.entries(parameters).filter(([name]) => names.has(name))) : parameters;
    const context = { parameters: looked, ...(known.columns ? { columns } : {}), ...(known.lengths ? { lengths: lengthsOf(looked) } : {}) };
    // What is left is often what it was before. Cedar is given JSON, so the same text is the same question, and its answer rests on nothing else.
    const question = JSON.stringify([agent, context]);
    const before = known.answers.get(question);
    if (before) return before;
    const answer = ask({
      principal: { type: 'Agent', id: agent },
      action: { type: 'Action', id: action },
      resource: { type: 'Tool', id: action },
      context: context as never,
      preparsedPolicySetId: `${this.version} ${action}`,
      entities: [],
    });
    if (answer.type !== 'success' || answer.response.diagnostics.errors.length > 0) return [];
    const { decision, diagnostics: { reason } } = answer.response;
    const ids = decision === 'allow' ? known.ids.filter((id) => reason.includes(id)) : [];
    if (known.answers.size >= MOST_ANSWERS) known.answers.clear();
    if (question.length <= LONGEST_QUESTION) known.answers.set(question, ids);
    return ids;
  }
}

/** Names of the parameters that policies look at; `undefined` where one looks at them in another way than the compiler writes. */
function parametersIn(policies: readonly string[]): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const text of policies as readonly unknown[]) {
    if (typeof text !== 'string') return undefined; // Cedar takes policies as JSON, too
    const written = [...text.matchAll(/context\.(?:parameters|lengths)(?:\[| has )("(?:[^"\\]|\\.)*")/g)];
    if (written.length !== text.split(/context\.(?:parameters|lengths)|context\s*(?:\[|has)/).length - 1) return undefined;
    for (const [, name = ''] of written) {
      if (name.includes('\\')) return undefined;
      names.add(name.slice(1, -1));
    }
  }
  return names;
}

/**
 * The call into Cedar's wasm, in a frame of its own. V8 of Node.js 20 aborts the process when a function into which it has inlined a call to
 * wasm that returns an object is deoptimized meanwhile; a generator is never inlined.
 */
function* asking(call: Parameters<typeof statefulIsAuthorized>[0]): Generator<never, ReturnType<typeof statefulIsAuthorized>> { // oxlint-disable-line require-yield
  return statefulIsAuthorized(call);
}
const ask = (call: Parameters<typeof statefulIsAuthorized>[0]): ReturnType<typeof statefulIsAuthorized> => asking(call).next().value;

/** How many characters each text has, as Postgres counts them; Cedar cannot measure text. */
function lengthsOf(parameters: Readonly<Record<string, unknown>>): Record<string, number> {
  const lengths: Record<string, number> = {};
  for (const [name, text] of Object.entries(parameters)) if (typeof text === 'string') lengths[name] = Array.from(text).length;
  return lengths;
}
