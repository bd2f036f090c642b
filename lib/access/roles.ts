import { NameOf, patternOf } from './pattern';
import { AppResource, namesOf, physicalName } from './resources';
import { Statement, statementsOf } from './statements';

/** A role of a deployment, with every policy of the deployment that stands on it. */
export interface Role {
  readonly name: string;
  readonly path: string;
  readonly arn: string;
  readonly statements: readonly Statement[];
  readonly trust: readonly Statement[];
  /** Policies of the app that were put on the role from outside of it. */
  readonly attached: readonly string[];
  /** Managed policies whose text is not in the app. */
  readonly foreignPolicies: readonly string[];
  readonly boundaryArn: string | undefined;
  /** Text of its boundary, if it is in the app. */
  readonly boundary: readonly Statement[] | undefined;
}

/** Roles by name. Policies on roles that are not in the app stand under the role's name as well, without a trust policy. */
export function rolesOf(resources: readonly AppResource[]): Map<string, Role> {
  const names = namesOf(resources);
  const managed = new Map<string, Statement[]>();
  const attached = new Map<string, Statement[]>();
  for (const resource of resources) {
    if (resource.type !== 'AWS::IAM::ManagedPolicy' && resource.type !== 'AWS::IAM::Policy') continue;
    const nameOf = names(resource.stack);
    const statements = statementsOf(resource.properties.PolicyDocument, nameOf, resource.path);
    if (resource.type === 'AWS::IAM::ManagedPolicy') managed.set(`arn:*:iam::*:policy/${physicalName(resource)}`, statements);
    for (const role of [resource.properties.Roles ?? []].flat().map((each) => patternOf(each, nameOf))) attached.set(role, [...(attached.get(role) ?? []), ...statements]);
  }
  const roles = new Map<string, Role>();
  for (const resource of resources.filter(({ type }) => type === 'AWS::IAM::Role')) {
    const role = roleOf(resource, names(resource.stack), managed, attached);
    roles.set(role.name, role);
  }
  for (const [name, statements] of attached) {
    if (!roles.has(name)) roles.set(name, { name, path: `role ${name} of another app`, arn: `arn:*:iam::*:role/${name}`, statements, attached: [...new Set(statements.map(({ from }) => from))], trust: [], foreignPolicies: ['whatever else it has'], boundaryArn: undefined, boundary: undefined });
  }
  return roles;
}

function roleOf(resource: AppResource, nameOf: NameOf, managed: ReadonlyMap<string, readonly Statement[]>, attached: ReadonlyMap<string, readonly Statement[]>): Role {
  const { properties, path } = resource;
  const name = physicalName(resource);
  const inline = ([properties.Policies ?? []].flat() as { PolicyDocument?: unknown; PolicyName?: unknown }[]).flatMap(({ PolicyDocument, PolicyName }) => statementsOf(PolicyDocument, nameOf, `${path} (${String(PolicyName)})`));
  const arns = [properties.ManagedPolicyArns ?? []].flat().map((each) => patternOf(each, nameOf));
  const known = (arn: string): readonly Statement[] | undefined => managed.get(arn);
  const boundaryArn = properties.PermissionsBoundary === undefined ? undefined : patternOf(properties.PermissionsBoundary, nameOf);
  return {
    name, path, arn: `arn:*:iam::*:role/${name}`, boundaryArn, boundary: boundaryArn === undefined ? undefined : known(boundaryArn),
    statements: [...inline, ...arns.flatMap((arn) => known(arn) ?? []), ...(attached.get(name) ?? [])],
    attached: [...new Set((attached.get(name) ?? []).map(({ from }) => from))],
    trust: statementsOf(properties.AssumeRolePolicyDocument, nameOf, `${path} (trust)`),
    foreignPolicies: arns.filter((arn) => !known(arn)),
  };
}
