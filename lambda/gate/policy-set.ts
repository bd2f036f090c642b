import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import type { CompiledScope } from '../../lib/scope/compile';
import { canonicalJson, sha256Hex } from '../../lib/scope/canonical-json';

/** What Cedar is asked about one call. */
export interface CedarRequest {
  readonly agent: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly columns: readonly string[];
}

/** One agent's policies, parsed once: asking a small parsed set is several times faster than one big text. */
export class PolicySet {
  /** Digest of the policies, recorded on every decision made under them. */
  public readonly digest: string;

  /** @throws when a policy does not parse; the caller denies. */
  public constructor(public readonly version: string, public readonly scope: CompiledScope) {
    this.digest = sha256Hex(canonicalJson(scope.policies));
    const answer = preparsePolicySet(version, { staticPolicies: { ...scope.policies } });
    if (answer.type !== 'success') throw new Error('PolicyUnparsable');
  }

  /** Ids of the rules that permit the call, in the order of the card; none is a deny, and so is any error. */
  public permitting({ agent, action, parameters, columns }: CedarRequest): string[] {
    const answer = statefulIsAuthorized({
      principal: { type: 'Agent', id: agent },
      action: { type: 'Action', id: action },
      resource: { type: 'Tool', id: action },
      context: { parameters, columns, lengths: lengthsOf(parameters) } as never,
      preparsedPolicySetId: this.version,
      entities: [],
    });
    if (answer.type !== 'success' || answer.response.diagnostics.errors.length > 0 || answer.response.decision !== 'allow') return [];
    const reasons = new Set(answer.response.diagnostics.reason);
    return Object.keys(this.scope.policies).filter((id) => reasons.has(id));
  }
}

/** How many characters each text has, as Postgres counts them; Cedar cannot measure text. */
function lengthsOf(parameters: Readonly<Record<string, unknown>>): Record<string, number> {
  return Object.fromEntries(Object.entries(parameters).filter((entry): entry is [string, string] => typeof entry[1] === 'string').map(([name, text]) => [name, [...text].length]));
}
