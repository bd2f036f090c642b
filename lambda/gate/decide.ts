import type { Rule, Tool } from '../../lib/scope/compile';
import type { PolicySet } from './policy-set';
import { Asked, doubts, Lookup, lookup, Provenance } from './doubts';

/** A call as the agent proposed it. */
export interface Proposal {
  readonly action: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly justification?: string | undefined;
  readonly reference?: string | undefined;
}

/** What Postgres knows of the run and the call. */
export interface Known {
  /** Why the run may not call at all. */
  readonly stopped: string | null;
  /** Digest of the action's declaration as it is deployed; absent for gated reads. */
  readonly manifestDigest: string | null;
  /** Rules whose row condition holds for this call. */
  readonly rowsHold: readonly string[];
  /** What was asked of the run, where a trigger asked it or the card trusts its compute; else null. */
  readonly trustedRequest: string | null;
  /** The day, UTC, as the database has it. */
  readonly today: string;
  /** Whether the run has read anything. */
  readonly hasRead: boolean;
  /** What `lookupFor` found to ask. */
  readonly asked?: Lookup;
  /** What the database answered to it; without it nothing was read, and nothing is registered in tables. */
  readonly provenance?: Provenance;
}

/** The gate's verdict, before windowed limits. */
export interface Verdict {
  readonly verdict: 'permit' | 'hold' | 'deny';
  /** `Code: sentence`. */
  readonly reasons: readonly string[];
  readonly ruleId?: string;
  readonly rule?: Rule;
  /** Whether a person must look, whoever else the tier would ask. */
  readonly doubted?: boolean;
  /** How well each sink is vouched for. */
  readonly provenance?: Readonly<Record<string, number>>;
  /** What the call says besides, that nothing vouches for: it stays so when it is stored and read again. */
  readonly unvouched?: readonly { readonly type: string; readonly value: string }[];
}

const deny = (...reasons: string[]): Verdict => ({ verdict: 'deny', reasons });

const NOTHING_KNOWN: Provenance = { levels: [], private: [], quoted: [], unread: false };

/** What the database must be asked before the call can be decided, where the card has such a tool. */
export function lookupFor({ scope }: PolicySet, { action, parameters }: Proposal, { trustedRequest }: Pick<Known, 'trustedRequest'>): Lookup | undefined {
  const tool = Object.hasOwn(scope.tools, action) ? scope.tools[action] : undefined;
  return tool && lookup(scope, tool, parameters, trustedRequest);
}

/** Whether there is anything that only the database knows. */
export const isQuestion = ({ values, phrases, private: closed }: Lookup): boolean => values.length > 0 || phrases.length > 0 || closed;

/** Decides one call. Pure and total: whatever is not clearly permitted is held or denied. The order is docs/life-of-a-call.md's. */
export function decide(policies: PolicySet, proposal: Proposal, known: Known): Verdict {
  const { scope } = policies;
  if (known.stopped !== null) return deny(`${known.stopped}: this run may make no more calls`);
  const tool = Object.hasOwn(scope.tools, proposal.action) ? scope.tools[proposal.action] : undefined;
  if (!tool) return deny('ActionUnknown: the card of this agent calls no such action');
  if (tool.kind === 'action' && known.manifestDigest !== tool.manifestDigest) return deny('ActionChanged: the action is not the one the card was compiled against; deploy the agent again');
  const faults = parameterFaults(tool, policies.validator(proposal.action), proposal.parameters);
  if (faults.length > 0) return deny(...faults);

  const ids = policies.permitting({
    agent: scope.agent,
    action: proposal.action,
    parameters: tool.kind === 'action' ? proposal.parameters : {},
    columns: tool.kind === 'read' ? columnsOf(proposal.parameters) : [],
  });
  if (ids.length === 0) return deny('OutOfScope: no scope of the card permits this call with these parameters');
  const rules = ids.map((id) => [id, scope.rules[id] as Rule] as const).filter(([id, rule]) => !rule.row || known.rowsHold.includes(id));
  if (rules.length === 0) return deny('RowOutOfScope: the row that the call names is not one the card allows');

  const groups = rules.map(([, each]) => each.approvers).filter((approvers) => approvers.length > 0);
  if (groups.some((a) => groups.some((b) => !a.some((group) => b.includes(group))))) return deny('ApproversDisjoint: two scopes permit this call and ask different groups, and no one could answer for both; let them share a group');
  const [ruleId, rule] = rules.reduce(stricter);
  const missing = missingEvidence(rule, proposal);
  if (missing.length > 0) return { ...deny(...missing), ruleId, rule };
  const asked: Asked = { request: known.trustedRequest, today: known.today, hasRead: known.hasRead };
  const { doubts: doubtful, levels, unvouched } = doubts(scope, rule, tool, proposal.parameters, asked, known.asked ?? lookup(scope, tool, proposal.parameters, asked.request), known.provenance ?? NOTHING_KNOWN);
  const reasons = [...(rule.kind === 'verify' || rule.kind === 'human' ? [`TierAsksPeople: ${rule.scope} is of tier ${rule.tier}`] : []), ...doubtful];
  return { verdict: reasons.length > 0 ? 'hold' : 'permit', reasons, ruleId, rule, doubted: doubtful.length > 0, provenance: levels, unvouched };
}

const RANK = { auto: 0, standing: 1, verify: 2, human: 3 } as const;

/** Where scopes overlap all of them count: the scope that asks most of people names the permission, and no demand of the other is lost. */
function stricter([aId, a]: readonly [string, Rule], [bId, b]: readonly [string, Rule]): readonly [string, Rule] {
  const [id, named] = RANK[b.kind] > RANK[a.kind] || (b.kind === a.kind && b.people > a.people) ? [bId, b] as const : [aId, a] as const;
  const windows = [a, b].filter(({ windowSeconds }) => windowSeconds > 0).map(({ windowSeconds }) => windowSeconds);
  const both = a.approvers.length > 0 && b.approvers.length > 0;
  return [id, {
    ...named,
    people: Math.max(a.people, b.people), windowSeconds: windows.length > 0 ? Math.min(...windows) : 0,
    approvers: both ? a.approvers.filter((group) => b.approvers.includes(group)) : [...a.approvers, ...b.approvers],
    ...(named.hours ?? a.hours ?? b.hours ? { hours: named.hours ?? a.hours ?? b.hours } : {}),
    requires: [...new Set([...a.requires, ...b.requires])],
    limits: [...a.limits, ...b.limits],
    bounded: [...new Set([...a.bounded, ...b.bounded])],
    ...(a.until !== undefined && b.until !== undefined && named.until !== undefined ? { until: a.until < b.until ? a.until : b.until } : {}),
    ...(named.row ?? a.row ?? b.row ? { row: named.row ?? a.row ?? b.row } : {}),
  }];
}

function missingEvidence(rule: Rule, { justification, reference }: Proposal): string[] {
  return [
    ...(rule.requires.includes('written-justification') && !justification?.trim() ? ['JustificationMissing: the scope asks for a written justification'] : []),
    ...(rule.requires.includes('ticket') && !reference ? ['ReferenceMissing: the scope asks for a ticket, request or business event'] : []),
  ];
}

/** Faults of the parameters against the very schema that the model is shown. Names of fields only: values may be anybody's. */
function parameterFaults(tool: Tool, validator: { validate(value: unknown): { readonly valid: boolean; readonly errors: readonly { readonly instanceLocation: string }[] } }, parameters: Readonly<Record<string, unknown>>): string[] {
  const known = Object.keys((tool.schema.inputSchema.properties ?? {}));
  const unknown = Object.keys(parameters).filter((name) => !known.includes(name));
  if (unknown.length > 0) return [`ParameterUnknown: ${unknown.length} of the parameters are not declared; declared are ${known.join(', ')}`];
  const missing = ((tool.schema.inputSchema.required ?? []) as string[]).filter((name) => !Object.hasOwn(parameters, name));
  if (missing.length > 0) return [`ParameterMissing: ${missing.join(', ')}`];
  const { valid, errors } = validator.validate(parameters);
  if (valid) return [];
  const fields = new Set(errors.map(({ instanceLocation }) => instanceLocation.split('/')[1]).filter((name): name is string => name !== undefined && known.includes(name)));
  return [...fields].map((name) => `ParameterInvalid: ${name} must match ${JSON.stringify((tool.schema.inputSchema.properties as Record<string, unknown>)[name])}`)
    .concat(fields.size === 0 ? ['ParameterInvalid: the parameters do not match the schema'] : []);
}

/** Every column that a read touches: what is filtered on is read, too. */
function columnsOf(parameters: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...(parameters.columns as string[]), ...Object.keys((parameters.where ?? {}))])];
}
