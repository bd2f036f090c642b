import { covers, meets, NameOf, patternOf } from './pattern';

/** A statement of a policy, with patterns for what it names. */
export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly notActions: readonly string[];
  readonly resources: readonly string[];
  readonly notResources: readonly string[];
  /** `AWS:<arn>`, `Service:<name>`, `Federated:<arn>` or `*`; of a resource policy. */
  readonly principals: readonly string[];
  /** Values by operator and key. */
  readonly condition: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> | undefined;
  /** Where the policy stands. */
  readonly from: string;
}

/** What a set of statements says of one action on one resource. */
export type Opening = 'open' | 'unproven' | 'closed';

/** The statements of a policy document of a template. */
export function statementsOf(document: unknown, nameOf: NameOf, from: string): Statement[] {
  const texts = (value: unknown): string[] => (value === undefined ? [] : [value].flat().map((each) => patternOf(each, nameOf)));
  return [(document as { Statement?: unknown } | undefined)?.Statement ?? []].flat().flatMap(branches).map((statement) => {
    const of = statement as Readonly<Record<string, unknown>>;
    const principal = of.Principal;
    return {
      effect: of.Effect === 'Deny' ? 'Deny' : 'Allow',
      actions: texts(of.Action), notActions: texts(of.NotAction), resources: texts(of.Resource), notResources: texts(of.NotResource),
      principals: typeof principal === 'string' ? [principal] : Object.entries((principal ?? {}) as Record<string, unknown>).flatMap(([kind, names]) => texts(names).map((name) => `${kind}:${name}`)),
      condition: of.Condition === undefined ? undefined : Object.fromEntries(Object.entries(of.Condition as Record<string, Record<string, unknown>>).map(([operator, keys]) => [operator, Object.fromEntries(Object.entries(keys).map(([key, values]) => [key, texts(values)]))])),
      from,
    };
  });
}

/**
 * Whether statements open an action on a resource. A condition is taken to hold where it would open something, and not to hold where it would
 * refuse: what depends on it is open. What depends on a name that only the deploy knows is unproven.
 */
export function opening(statements: readonly Statement[], action: string, resource: string): Opening {
  if (statements.some((statement) => statement.effect === 'Deny' && denies(statement, action, resource))) return 'closed';
  const openings = statements.filter(({ effect }) => effect === 'Allow').map((statement) => allows(statement, action, resource));
  return openings.includes('open') ? 'open' : openings.includes('unproven') ? 'unproven' : 'closed';
}

/** A statement that a condition of the template chooses is taken to be there either way. */
function branches(statement: unknown): unknown[] {
  const chosen = (statement as { 'Fn::If'?: unknown } | null)?.['Fn::If'];
  return Array.isArray(chosen) ? chosen.slice(1).flatMap(branches) : (statement as { Ref?: unknown } | null)?.Ref === 'AWS::NoValue' ? [] : [statement];
}

function namesAction({ actions, notActions }: Statement, action: string): Opening {
  const fits = (pattern: string): ReturnType<typeof meets> => meets(pattern.toLowerCase(), action.toLowerCase());
  if (actions.length === 0) return notActions.length > 0 && !notActions.some((pattern) => fits(pattern) === 'surely') ? 'open' : 'closed';
  const found = actions.map(fits);
  return found.includes('surely') ? 'open' : found.includes('perhaps') ? 'unproven' : 'closed';
}

function allows(statement: Statement, action: string, resource: string): Opening {
  const named = namesAction(statement, action);
  if (named === 'closed') return 'closed';
  const opened = onResource(statement, resource);
  return opened === 'open' ? named : opened;
}

function onResource(statement: Statement, resource: string): Opening {
  if (statement.notResources.length > 0) return statement.notResources.some((pattern) => covers(pattern, resource)) ? 'closed' : 'open';
  const meetings = statement.resources.map((pattern) => meets(pattern, resource));
  return meetings.includes('surely') ? 'open' : meetings.includes('perhaps') ? 'unproven' : 'closed';
}

function denies(statement: Statement, action: string, resource: string): boolean {
  if (statement.condition !== undefined || namesAction(statement, action) !== 'open') return false;
  if (statement.notResources.length > 0) return statement.notResources.every((pattern) => meets(pattern, resource) === 'never');
  return statement.resources.some((pattern) => covers(pattern, resource));
}
