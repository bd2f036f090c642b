import { CROWN_JEWELS } from '../scope/compile-aws';
import { agentBoundaryName, agentPolicyName, agentRoleName, handlerName } from '../scope/names';
import { covers, meets, patternOf } from './pattern';
import { AppResource, namesOf, physicalName } from './resources';
import { Role, rolesOf } from './roles';
import { Opening, opening, Statement } from './statements';

/** A control plane and its agents, as a deployment declares them. */
export interface Plane {
  readonly controlsName: string;
  readonly agents: readonly string[];
}

/** A way around the gate, or one that cannot be ruled out. */
export interface Finding {
  /** `refused`: synth does not let it pass. `unproven`: it leads through something that the app does not show. */
  readonly kind: 'refused' | 'unproven';
  readonly code: string;
  readonly sentence: string;
}

/** What somebody could do to a control plane from outside of it. */
interface Danger {
  readonly what: string;
  readonly actions: readonly string[];
  readonly resource: (controls: string, api: string) => string;
}

const DANGERS: readonly Danger[] = [
  { what: 'a function of the control plane', actions: ['lambda:InvokeFunction', 'lambda:UpdateFunctionCode', 'lambda:UpdateFunctionConfiguration', 'lambda:AddPermission', 'lambda:CreateEventSourceMapping', 'lambda:CreateFunctionUrlConfig'], resource: (controls) => `arn:*:lambda:*:*:function:${controls}-*` },
  { what: 'a secret of the control plane', actions: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecret', 'secretsmanager:RotateSecret', 'secretsmanager:PutResourcePolicy'], resource: (controls) => `arn:*:secretsmanager:*:*:secret:${controls}/*` },
  { what: 'a database', actions: ['rds-data:ExecuteStatement', 'rds-data:BatchExecuteStatement', 'rds-data:BeginTransaction'], resource: () => 'arn:*:rds:*:*:cluster:*' },
  { what: 'a database', actions: ['rds-db:connect'], resource: () => 'arn:*:rds-db:*:*:dbuser:*' },
  { what: 'the windows of holds', actions: ['states:StartExecution', 'states:StopExecution', 'states:UpdateStateMachine'], resource: (controls) => `arn:*:states:*:*:stateMachine:${controls}-*` },
  { what: 'the windows of holds', actions: ['states:SendTaskSuccess', 'states:SendTaskFailure'], resource: () => '*' },
  { what: 'a role of the control plane', actions: ['sts:AssumeRole', 'iam:PassRole', 'iam:PutRolePolicy', 'iam:AttachRolePolicy', 'iam:UpdateAssumeRolePolicy', 'iam:DeleteRolePermissionsBoundary', 'iam:PutRolePermissionsBoundary', 'iam:DeleteRolePolicy', 'iam:DetachRolePolicy'], resource: (controls) => `arn:*:iam::*:role/${controls}-*` },
  { what: 'a policy of the control plane', actions: ['iam:CreatePolicyVersion', 'iam:SetDefaultPolicyVersion'], resource: (controls) => `arn:*:iam::*:policy/${controls}-*` },
  { what: 'where the control plane is found', actions: ['ssm:PutParameter'], resource: (controls) => `arn:*:ssm:*:*:parameter/${controls}/*` },
  { what: 'the API', actions: ['apigateway:PATCH', 'apigateway:POST', 'apigateway:PUT', 'apigateway:DELETE'], resource: () => 'arn:*:apigateway:*::/*' },
  { what: 'the stacks', actions: ['cloudformation:UpdateStack', 'cloudformation:CreateChangeSet', 'cloudformation:ExecuteChangeSet'], resource: () => 'arn:*:cloudformation:*:*:stack/*' },
  { what: 'a verdict on a hold', actions: ['execute-api:Invoke'], resource: (_, api) => `arn:*:execute-api:*:*:${api}/$default/POST/approvals/hold/verdict` },
];

/** What the program of an agent may have besides the right to start runs: its own log, traces, figures, a network, and the model it thinks with. */
const HARMLESS = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents', 'xray:*', 'cloudwatch:PutMetricData', 'ec2:CreateNetworkInterface', 'ec2:DescribeNetworkInterfaces', 'ec2:DeleteNetworkInterface', 'ec2:DescribeSubnets', 'ec2:AssignPrivateIpAddresses', 'ec2:UnassignPrivateIpAddresses', 'bedrock:InvokeModel', 'bedrock:InvokeModelWithResponseStream'];
const HARMLESS_POLICIES = /:aws:policy\/(service-role\/AWSLambda(BasicExecutionRole|VPCAccessExecutionRole)|AWSXRayDaemonWriteAccess)$/;

/** Every way around the gate that a deployment opens to an agent, to its program, or to anybody but the executor. */
export function bypasses(resources: readonly AppResource[], planes: readonly Plane[]): Finding[] {
  const roles = rolesOf(resources);
  const apiOf = (controlsName: string): string => resources.filter(({ type, properties }) => type === 'AWS::ApiGatewayV2::Api' && properties.Name === controlsName).map(physicalName)[0] ?? 'api';
  return planes.flatMap((plane) => [...aroundTheGate(plane, resources, roles), ...plane.agents.flatMap((agent) => [...ofAgent(plane, apiOf(plane.controlsName), agent, roles), ...ofPrograms(plane, agent, roles)])]);
}

/** Whether a role may do something, with its boundary. */
export function roleOpening({ statements, boundary }: Pick<Role, 'statements' | 'boundary'>, action: string, resource: string): Opening {
  const openings = [opening(statements, action, resource), ...(boundary ? [opening(boundary, action, resource)] : [])];
  return openings.includes('closed') ? 'closed' : openings.includes('unproven') ? 'unproven' : 'open';
}

function ofAgent({ controlsName }: Plane, api: string, agent: string, roles: ReadonlyMap<string, Role>): Finding[] {
  const role = roles.get(agentRoleName(controlsName, agent));
  if (!role) return []; // vouched for where it is made
  const who = `the role of agent ${agent}`;
  const policy = (name: string): string => `arn:*:iam::*:policy/${name}`;
  const ours = policy(agentPolicyName(controlsName));
  return [
    // A policy on a role that its construct vouches for stands alone here.
    ...(role.trust.length === 0 || role.boundaryArn === policy(agentBoundaryName(controlsName)) ? [] : [refused('BoundaryMissing', `${who} has not the boundary of this control plane; remove whatever replaces it`)]),
    ...[...role.attached, ...role.foreignPolicies.filter((arn) => arn !== ours && role.trust.length > 0)].map((arn) => refused('PolicyForeign', `${who} has ${arn}, which its card does not name; detach it, or write AWS actions on the card`)),
    ...dangersOf(controlsName, api, who, (action, resource) => roleOpening(withRefusals(role), action, resource)),
    ...role.trust.filter((statement) => statement.effect === 'Allow' && !isBroker(controlsName, statement))
      .map(({ from }) => refused('TrustWidened', `${from} lets somebody else than the broker become agent ${agent}; remove the statement`)),
  ];
}

/** Where the control plane is another app's, the refusals are those of this version. */
export function withRefusals(role: Role): Pick<Role, 'statements' | 'boundary'> {
  if (role.boundary) return role;
  const allow = { effect: 'Allow', notActions: [], resources: ['*'], notResources: [], principals: [], condition: undefined, from: 'boundary' } as const;
  return { statements: role.statements, boundary: [{ ...allow, actions: ['*'] }, { ...allow, effect: 'Deny', actions: CROWN_JEWELS }, { ...allow, effect: 'Deny', actions: ['execute-api:Invoke'], resources: ['*/POST/approvals/*', '*/POST/agents/*'] }] };
}

/** By the root of the account and the broker's name. IAM would pin a role that stands there as principal to an id. */
function isBroker(controlsName: string, { principals, condition }: Statement): boolean {
  const names = condition?.ArnEquals?.['aws:PrincipalArn'] ?? [];
  return principals.every((name) => /^AWS:arn:[^:]+:iam::[^:]+:root$/.test(name)) && names.length === 1 && names[0]?.endsWith(`:role/${handlerName(controlsName, 'broker')}`) === true;
}

/** The roles that may start runs of an agent: its programs. */
export function programsOf(controlsName: string, agent: string, roles: ReadonlyMap<string, Role>, route: 'runs' | 'requests' = 'runs'): Role[] {
  return [...roles.values()].filter(({ name, statements }) => !name.startsWith(`${controlsName}-`) && statements.some(({ effect, actions, resources }) =>
    effect === 'Allow' && actions.some((action) => /^execute-api:invoke$/i.test(action)) && resources.some((resource) => resource.endsWith(`/POST/agents/${agent}/${route}`))));
}

function ofPrograms({ controlsName, agents }: Plane, agent: string, roles: ReadonlyMap<string, Role>): Finding[] {
  return programsOf(controlsName, agent, roles).flatMap((role) => {
    const who = `${role.path}, which starts runs of ${agent},`;
    const more = role.statements.filter(({ effect }) => effect === 'Allow').flatMap((statement) => tooMuch(statement, agents));
    return [
      ...[...new Set(more)].map((what) => refused('ComputeTooWide', `${who} may also ${what}; a program of an agent starts runs and writes its log: give that to an action`)),
      ...role.foreignPolicies.filter((arn) => !HARMLESS_POLICIES.test(arn)).map((arn) => (role.trust.length === 0
        ? unproven('ComputeForeign', `${who} belongs to another app; what else it may do is not seen here`)
        : refused('ComputeTooWide', `${who} has ${arn}, and what that allows is not seen here; write what it needs into the app`))),
      ...[...roles.values()].filter((other) => other !== role && other.trust.some((statement) => admits(statement, role)))
        .map((other) => refused('ComputeTooWide', `${who} may become ${other.path}; remove it from that trust policy`)),
      ...(programsOf(controlsName, agent, roles, 'requests').includes(role) ? [refused('TriggerIsCompute', `${who} also says what is asked of it; a trigger is another principal, or the card says trusted-from: compute`)] : []),
    ];
  });
}

/** What a statement opens beyond starting runs, in words. */
function tooMuch({ actions, notActions, resources, notResources }: Statement, agents: readonly string[]): string[] {
  if (notActions.length > 0 || notResources.length > 0) return ['do whatever a statement with NotAction or NotResource leaves'];
  const routes = agents.flatMap((agent) => ['runs', 'requests'].map((route) => `/POST/agents/${agent}/${route}`));
  return actions.filter((action) => !HARMLESS.some((pattern) => covers(pattern.toLowerCase(), action.toLowerCase())))
    .filter((action) => !(/^execute-api:invoke$/i.test(action) && resources.every((resource) => routes.some((route) => resource.endsWith(route)))))
    .map((action) => `${action} on ${resources.join(', ')}`);
}

/** Whether a trust policy names a role itself, which then needs no permission of its own. */
function admits({ effect, principals, condition }: Statement, role: Role): boolean {
  if (effect !== 'Allow') return false;
  const named = Object.values(condition ?? {}).flatMap((keys) => Object.values(keys).flat());
  return principals.some((name) => name === '*' || name === 'AWS:*' || meets(name.replace(/^AWS:/, ''), role.arn) === 'surely') || named.some((name) => name.endsWith(`:role/${role.name}`));
}

function dangersOf(controlsName: string, api: string, who: string, may: (action: string, resource: string) => Opening): Finding[] {
  return DANGERS.flatMap(({ what, actions, resource }) => actions.flatMap((action) => {
    const target = resource(controlsName, api);
    const opened = may(action, target);
    if (opened === 'closed') return [];
    const sentence = `${who} may ${action} on ${target}: ${what}`;
    return [opened === 'open' ? refused('GateBypassed', `${sentence}; the way leads through the gate alone`) : unproven('GateBypassed', `${sentence}, if a name that only the deploy knows is such a one`)];
  }));
}

/** Services that may invoke handlers, and which: nobody invokes an action but the executor. */
const INVOKERS: ReadonlyMap<string, RegExp> = new Map([['apigateway.amazonaws.com', /^(?!action-|registrar$)/], ['secretsmanager.amazonaws.com', /^rotat/], ['cloudformation.amazonaws.com', /^registrar$/], ['events.amazonaws.com', /^witness$/]]);

/** Ways to the functions of actions, to the logins of agents and to the handlers, whoever takes them. */
function aroundTheGate({ controlsName }: Plane, resources: readonly AppResource[], roles: ReadonlyMap<string, Role>): Finding[] {
  const names = namesOf(resources);
  const own = (name: string): boolean => name.startsWith(`${controlsName}-`);
  const functionsOf = (resource: AppResource, value: unknown): string => patternOf(value, names(resource.stack)).replace(/^arn:.*:function:/, '');
  return [
    ...[...roles.values()].flatMap((role) => [
      ...(role.name === `${controlsName}-executor` ? [] : through(role, `${role.path} may`, ['lambda:InvokeFunction', 'lambda:UpdateFunctionCode', 'lambda:AddPermission'], `arn:*:lambda:*:*:function:${controlsName}-action-*`, 'only the executor runs actions')),
      ...(own(role.name) ? [] : through(role, `${role.path} may`, ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'], `arn:*:secretsmanager:*:*:secret:${controlsName}/agent/*`, 'the login of an agent is for handlers alone')),
      ...(own(role.name) && !isForPeople(controlsName, role.name) ? role.trust.filter(({ effect, principals }) => effect === 'Allow' && !role.name.startsWith(`${controlsName}-agent-`) && principals.some((name) => !name.startsWith('Service:')))
        .map(({ from }) => refused('HandlerTrusted', `${from} lets more than a service become a handler; remove the statement`)) : []),
    ]),
    ...resources.flatMap((resource): Finding[] => {
      const { type, properties, path } = resource;
      switch (type) {
        case 'AWS::Lambda::Permission': {
          const name = functionsOf(resource, properties.FunctionName);
          const service = patternOf(properties.Principal, names(resource.stack));
          const known = INVOKERS.get(service)?.test(name.slice(controlsName.length + 1)) === true;
          return own(name) && !known ? [refused('FunctionOpened', `${path} lets ${service} invoke ${name}; remove it`)] : [];
        }
        case 'AWS::Lambda::Url': return own(functionsOf(resource, properties.TargetFunctionArn)) ? [refused('FunctionOpened', `${path} gives a handler an address of its own; remove it`)] : [];
        case 'AWS::Lambda::EventSourceMapping': return own(functionsOf(resource, properties.FunctionName)) ? [refused('FunctionOpened', `${path} feeds a handler from elsewhere; remove it`)] : [];
        case 'AWS::Events::Rule': case 'AWS::Scheduler::Schedule': {
          const targets = [properties.Targets ?? properties.Target ?? []].flat() as { Arn?: unknown }[];
          return targets.some(({ Arn }) => own(functionsOf(resource, Arn)) && functionsOf(resource, Arn) !== handlerName(controlsName, 'witness')) ? [refused('FunctionOpened', `${path} starts a handler from elsewhere; remove it`)] : [];
        }
        case 'AWS::SecretsManager::ResourcePolicy': return meets(patternOf(properties.SecretId, names(resource.stack)), `arn:*:secretsmanager:*:*:secret:${controlsName}/*`) === 'surely' && JSON.stringify(properties.ResourcePolicy).includes('"Allow"')
          ? [refused('SecretOpened', `${path} opens a secret of the control plane; remove it`)] : [];
        default: return [];
      }
    }),
  ];
}

const isForPeople = (controlsName: string, name: string): boolean => ['-approver-', '-auditor', '-break-glass'].some((role) => name.startsWith(`${controlsName}${role}`));

function through(role: Role, who: string, actions: readonly string[], target: string, why: string): Finding[] {
  return actions.flatMap((action) => {
    const opened = roleOpening(role, action, target);
    if (opened === 'closed') return [];
    return [opened === 'open' ? refused('GateBypassed', `${who} ${action} on ${target}; ${why}`) : unproven('GateBypassed', `${who} ${action} on ${target}, if a name that only the deploy knows is such a one`)];
  });
}

const refused = (code: string, sentence: string): Finding => ({ kind: 'refused', code, sentence });
const unproven = (code: string, sentence: string): Finding => ({ kind: 'unproven', code, sentence });
