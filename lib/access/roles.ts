import { NameOf, patternOf, UNKNOWN } from './pattern';
import { AppResource, namesOf, physicalName } from './resources';
import { Statement, statementsOf } from './statements';

/** A role, user or group of a deployment, with every policy of the deployment that stands on it. */
export interface Role {
  readonly name: string;
  readonly path: string;
  readonly arn: string;
  /** Whether this library made it. */
  readonly own: boolean;
  /** Whether it is in the app, and not only policies on it. */
  readonly here: boolean;
  readonly statements: readonly Statement[];
  readonly trust: readonly Statement[];
  /** Policies of the app that were put on it from outside of it. */
  readonly attached: readonly string[];
  /** Managed policies whose text is not in the app. */
  readonly foreignPolicies: readonly string[];
  readonly boundaryArn: string | undefined;
  /** Text of its boundary, if it is in the app. */
  readonly boundary: readonly Statement[] | undefined;
}

/** Kinds of principals that carry policies, and how a policy names those it stands on. */
const CARRIERS = [
  { type: 'AWS::IAM::Role', own: 'AWS::IAM::RolePolicy', property: 'RoleName', list: 'Roles', word: 'role' },
  { type: 'AWS::IAM::User', own: 'AWS::IAM::UserPolicy', property: 'UserName', list: 'Users', word: 'user' },
  { type: 'AWS::IAM::Group', own: 'AWS::IAM::GroupPolicy', property: 'GroupName', list: 'Groups', word: 'group' },
] as const;

/** Everybody who carries policies, by kind and name: `role/bot`. Policies on those that are not in the app stand under their name as well. */
export function rolesOf(resources: readonly AppResource[]): Map<string, Role> {
  const names = namesOf(resources);
  const managed = new Map<string, Statement[]>();
  const attached = new Map<string, Statement[]>();
  const attach = (who: string, statements: readonly Statement[]): void => { attached.set(who, [...(attached.get(who) ?? []), ...statements]); };
  for (const resource of resources) {
    const { type, properties, path, stack } = resource;
    const nameOf = names(stack);
    const statements = (): Statement[] => statementsOf(properties.PolicyDocument, nameOf, path);
    if (type === 'AWS::IAM::ManagedPolicy') managed.set(`arn:~:iam::~:policy/${physicalName(resource)}`, statements());
    for (const { own, property, list, word } of CARRIERS) {
      if (type === own) attach(`${word}/${patternOf(properties[property], nameOf)}`, statements());
      if (type === 'AWS::IAM::Policy' || type === 'AWS::IAM::ManagedPolicy') for (const each of [properties[list] ?? []].flat()) attach(`${word}/${patternOf(each, nameOf)}`, statements());
    }
  }
  const roles = new Map<string, Role>();
  for (const resource of resources) {
    const carrier = CARRIERS.find(({ type }) => type === resource.type);
    if (!carrier) continue;
    const name = physicalName(resource);
    roles.set(`${carrier.word}/${name}`, carrierOf(resource, name, carrier.word, names(resource.stack), managed, attached.get(`${carrier.word}/${name}`) ?? []));
  }
  for (const [who, statements] of attached) {
    if (roles.has(who)) continue;
    const name = who.slice(who.indexOf('/') + 1);
    roles.set(who, { name, path: `${who.replace('/', ' ').replaceAll(UNKNOWN, '?')} of another app`, arn: `arn:~:iam::~:${who}`, own: false, here: false, statements, attached: paths(statements), trust: [], foreignPolicies: [], boundaryArn: undefined, boundary: undefined });
  }
  return roles;
}

function carrierOf({ properties, path, own }: AppResource, name: string, word: string, nameOf: NameOf, managed: ReadonlyMap<string, readonly Statement[]>, attached: readonly Statement[]): Role {
  const inline = ([properties.Policies ?? []].flat() as { PolicyDocument?: unknown; PolicyName?: unknown }[]).flatMap(({ PolicyDocument, PolicyName }) => statementsOf(PolicyDocument, nameOf, `${path} (${String(PolicyName)})`));
  const arns = [properties.ManagedPolicyArns ?? []].flat().map((each) => patternOf(each, nameOf));
  const boundaryArn = properties.PermissionsBoundary === undefined ? undefined : patternOf(properties.PermissionsBoundary, nameOf);
  return {
    name, path, arn: `arn:~:iam::~:${word}/${name}`, own, here: true, boundaryArn, boundary: boundaryArn === undefined ? undefined : managed.get(boundaryArn),
    statements: [...inline, ...arns.flatMap((arn) => managed.get(arn) ?? []), ...attached], attached: paths(attached),
    trust: statementsOf(properties.AssumeRolePolicyDocument, nameOf, `${path} (trust)`),
    foreignPolicies: arns.filter((arn) => !managed.has(arn)),
  };
}

const paths = (statements: readonly Statement[]): string[] => [...new Set(statements.map(({ from }) => from))];
