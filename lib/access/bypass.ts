import { CROWN_JEWELS } from '../scope/compile-aws';
import { agentBoundaryName, agentPolicyName, agentRoleName, approverRoleName, breakGlassRoleName, DUTIES, handlerName } from '../scope/names';
import { aroundGateway, hasGateway } from './models';
import { covers, HERE, meets, patternOf } from './pattern';
import { AppResource, functionName, namesOf, physicalName } from './resources';
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
  /** Where others are not to reach, when that is less: an application may well read the log, or append to it. */
  readonly ofOthers?: readonly ((controls: string) => string)[];
  /** Other programs of an app may well do this to things of their own, and the name says nothing: then it is listed, not refused. */
  readonly common?: true;
}

const DANGERS: readonly Danger[] = [
  {
    what: 'a function of the control plane', resource: (controls) => `arn:*:lambda:*:*:function:${controls}-*`,
    actions: ['lambda:InvokeFunction', 'lambda:InvokeAsync', 'lambda:UpdateFunctionCode', 'lambda:UpdateFunctionConfiguration', 'lambda:AddPermission', 'lambda:CreateFunctionUrlConfig', 'lambda:UpdateAlias', 'lambda:PutFunctionEventInvokeConfig'],
  },
  { what: 'a function of the control plane', actions: ['lambda:CreateEventSourceMapping', 'lambda:UpdateEventSourceMapping'], resource: () => '*', common: true },
  {
    what: 'a secret of the control plane', resource: (controls) => `arn:*:secretsmanager:*:*:secret:${controls}/*`,
    actions: ['secretsmanager:GetSecretValue', 'secretsmanager:BatchGetSecretValue', 'secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecret', 'secretsmanager:UpdateSecretVersionStage', 'secretsmanager:RotateSecret', 'secretsmanager:PutResourcePolicy', 'secretsmanager:DeleteSecret'],
    ofOthers: ['agent/*', ...DUTIES.filter((duty) => duty !== 'append' && duty !== 'auditor').map((duty) => `duty/${duty}-??????`)].map((name) => (controls: string) => `arn:*:secretsmanager:*:*:secret:${controls}/${name}`),
  },
  { what: 'a database', actions: ['rds-data:ExecuteStatement', 'rds-data:BatchExecuteStatement', 'rds-data:BeginTransaction'], resource: () => 'arn:*:rds:*:*:cluster:*', common: true },
  { what: 'a database', actions: ['rds-db:connect'], resource: () => 'arn:*:rds-db:*:*:dbuser:*', common: true },
  { what: 'the windows of holds', actions: ['states:StartExecution', 'states:StopExecution', 'states:UpdateStateMachine'], resource: (controls) => `arn:*:states:*:*:stateMachine:${controls}-*` },
  { what: 'the windows of holds', actions: ['states:SendTaskSuccess', 'states:SendTaskFailure'], resource: () => '*', common: true },
  { what: 'a role of the control plane', actions: ['sts:AssumeRole', 'iam:PassRole', 'iam:PutRolePolicy', 'iam:AttachRolePolicy', 'iam:UpdateAssumeRolePolicy', 'iam:DeleteRolePermissionsBoundary', 'iam:PutRolePermissionsBoundary', 'iam:DeleteRolePolicy', 'iam:DetachRolePolicy'], resource: (controls) => `arn:*:iam::*:role/${controls}-*` },
  { what: 'a policy of the control plane', actions: ['iam:CreatePolicyVersion', 'iam:SetDefaultPolicyVersion'], resource: (controls) => `arn:*:iam::*:policy/${controls}-*` },
  { what: 'where the control plane is found', actions: ['ssm:PutParameter', 'ssm:DeleteParameter'], resource: (controls) => `arn:*:ssm:*:*:parameter/${controls}/*` },
  { what: 'what is stated of the log', actions: ['kms:Sign', 'kms:ScheduleKeyDeletion', 'kms:PutKeyPolicy'], resource: () => 'arn:*:kms:*:*:key/*', common: true },
  { what: 'the API', actions: ['apigateway:PATCH', 'apigateway:POST', 'apigateway:PUT', 'apigateway:DELETE'], resource: () => 'arn:*:apigateway:*::/*', common: true },
  { what: 'the stacks', actions: ['cloudformation:UpdateStack', 'cloudformation:CreateChangeSet', 'cloudformation:ExecuteChangeSet'], resource: () => 'arn:*:cloudformation:*:*:stack/*', common: true },
  { what: 'a verdict on a hold', actions: ['execute-api:Invoke'], resource: (_, api) => `arn:*:execute-api:*:*:${api}/$default/POST/approvals/hold/verdict` },
];

/** What the program of an agent may have besides the right to start runs: its own log, traces, figures, a network, and the model it thinks with. */
const HARMLESS = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents', 'xray:*', 'cloudwatch:PutMetricData', 'ec2:CreateNetworkInterface', 'ec2:DescribeNetworkInterfaces', 'ec2:DeleteNetworkInterface', 'ec2:DescribeSubnets', 'ec2:AssignPrivateIpAddresses', 'ec2:UnassignPrivateIpAddresses', 'bedrock:InvokeModel', 'bedrock:InvokeModelWithResponseStream'];
const HARMLESS_POLICIES = /:aws:policy\/(service-role\/AWSLambda(BasicExecutionRole|VPCAccessExecutionRole)|AWSXRayDaemonWriteAccess)$/;

/** What a deployment says of one control plane. */
interface Scene extends Plane {
  /** Id of its API, or what stands for it. */
  readonly api: string;
  /** The API of the approval page, which takes requests that nobody signed, for one function alone. */
  readonly page: string;
  /** Whether models are asked through a gateway of its own. */
  readonly gateway: boolean;
  readonly roles: ReadonlyMap<string, Role>;
  readonly names: ReturnType<typeof namesOf>;
}

/** What rules tell handlers: uses of the break-glass role, that a day is over, and which agent to stop. Any other event could be made up to look like a person's request. */
function expected(handler: string, input: unknown): boolean {
  return handler === 'kill-trigger' || handler === 'rotate' || (handler === 'witness' ? input === undefined : handler === 'keeper' && input === '{"job":"daily"}');
}

/** Every way around the gate that a deployment opens to an agent, to its program, or to anybody but the handlers. */
export function bypasses(resources: readonly AppResource[], planes: readonly Plane[]): Finding[] {
  const [roles, names] = [rolesOf(resources), namesOf(resources)];
  return planes.flatMap((plane) => {
    const api = resources.filter(({ type, properties }) => type === 'AWS::ApiGatewayV2::Api' && properties.Name === plane.controlsName).map(physicalName)[0] ?? 'api';
    const page = resources.filter(({ type, own, properties }) => type === 'AWS::ApiGatewayV2::Api' && own && properties.Name === `${plane.controlsName}-approvals`).map(physicalName)[0] ?? 'page';
    const scene = { ...plane, api, page, gateway: hasGateway(roles, plane.controlsName), roles, names };
    const programs = new Set<Role>();
    const found = plane.agents.flatMap((agent) => [...ofAgent(scene, agent), ...ofPrograms(scene, agent, programs)]);
    const strangers = [...roles.values()].flatMap((role) => [...ofAnybody(scene, role, programs), ...(scene.gateway && !programs.has(role) && !role.name.startsWith(agentRoleName(plane.controlsName, '')) ? aroundGateway(plane.controlsName, role, false) : [])]);
    return [...found, ...strangers, ...resources.flatMap((resource) => ofResource(scene, resource))];
  });
}

/** Whether a role may do something, with its boundary. */
export function roleOpening({ statements, boundary }: Pick<Role, 'statements' | 'boundary'>, action: string, resource: string): Opening {
  const openings = [opening(statements, action, resource), ...(boundary ? [opening(boundary, action, resource)] : [])];
  return openings.includes('closed') ? 'closed' : openings.includes('unproven') ? 'unproven' : 'open';
}

function ofAgent({ controlsName, api, roles }: Scene, agent: string): Finding[] {
  const role = roles.get(`role/${agentRoleName(controlsName, agent)}`);
  if (!role) return []; // vouched for where it is made
  const who = `the role of agent ${agent}`;
  const policy = (name: string): string => `arn:~:iam::~:policy/${name}`;
  return [
    // A policy on a role that its construct vouches for stands alone here.
    ...(!role.here || role.boundaryArn === policy(agentBoundaryName(controlsName)) ? [] : [refused('BoundaryMissing', `${who} has not the boundary of this control plane; remove whatever replaces it`)]),
    ...[...role.attached, ...role.foreignPolicies.filter((arn) => arn !== policy(agentPolicyName(controlsName)))].map((arn) => refused('PolicyForeign', `${who} has ${arn}, which its card does not name; detach it, or write AWS actions on the card`)),
    ...dangersOf(controlsName, api, who, false, (action, resource) => roleOpening(withRefusals(role), action, resource)),
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

/** Who may start runs of an agent, or ask something of it: its programs and its triggers. */
export function programsOf({ api, roles }: Pick<Scene, 'api' | 'roles'>, agent: string, route: 'runs' | 'requests' = 'runs'): Role[] {
  const path = `/POST/agents/${agent}/${route}`;
  const named = ({ effect, actions, resources }: Statement): boolean => effect === 'Allow' && actions.some((action) => /^execute-api:/i.test(action)) && resources.some((resource) => resource.endsWith(path));
  return [...roles.values()].filter((role) => !role.own && (role.statements.some(named) || roleOpening(role, 'execute-api:Invoke', `arn:*:execute-api:*:*:${api}/$default${path}`) === 'open'));
}

function ofPrograms(scene: Scene, agent: string, seen: Set<Role>): Finding[] {
  const triggers = programsOf(scene, agent, 'requests');
  return programsOf(scene, agent).flatMap((role) => {
    const who = `${role.path}, which starts runs of ${agent},`;
    const first = !seen.has(role);
    seen.add(role);
    return [
      ...(triggers.includes(role) ? [refused('TriggerIsCompute', `${who} also says what is asked of it; a trigger is another principal, or the card says trusted-from: compute`)] : []),
      ...(first ? tooWide(scene, role, who) : []),
      ...(first && scene.gateway ? aroundGateway(scene.controlsName, role, true) : []),
    ];
  });
}

function tooWide({ agents, roles }: Scene, role: Role, who: string): Finding[] {
  const more = role.statements.filter(({ effect }) => effect === 'Allow').flatMap((statement) => tooMuch(statement, agents));
  return [
    ...[...new Set(more)].map((what) => refused('ComputeTooWide', `${who} may also ${what}; a program of an agent starts runs and writes its log: give that to an action`)),
    ...(role.here ? [] : [unproven('ComputeForeign', `${who} belongs to another app; what else it may do is not seen here`)]),
    ...role.foreignPolicies.filter((arn) => !HARMLESS_POLICIES.test(arn)).map((arn) => refused('ComputeTooWide', `${who} has ${arn}, and what that allows is not seen here; write what it needs into the app`)),
    ...[...roles.values()].filter((other) => other !== role && other.trust.some((statement) => admits(statement, role)))
      .map((other) => refused('ComputeTooWide', `${who} may become ${other.path}; remove it from that trust policy`)),
  ];
}

/** What a statement opens beyond starting runs, in words. */
function tooMuch({ actions, notActions, resources, notResources }: Statement, agents: readonly string[]): string[] {
  if (notActions.length > 0 || notResources.length > 0) return ['do whatever a statement with NotAction or NotResource leaves'];
  const routes = agents.flatMap((agent) => ['runs', 'requests'].map((route) => `/POST/agents/${agent}/${route}`));
  return actions.filter((action) => !HARMLESS.some((pattern) => covers(pattern.toLowerCase(), action.toLowerCase())))
    .filter((action) => !(/^execute-api:invoke$/i.test(action) && resources.every((resource) => routes.some((route) => resource.endsWith(route)))))
    .map((action) => `${action} on ${resources.join(', ').replaceAll(HERE, '*')}`);
}

/** Whether a trust policy names a role itself, which then needs no permission of its own. */
function admits({ effect, principals, condition }: Statement, role: Role): boolean {
  if (effect !== 'Allow') return false;
  const named = Object.entries(condition ?? {}).filter(([operator]) => !/Not/.test(operator)).flatMap(([, keys]) => Object.values(keys).flat());
  return principals.some((name) => name === '*' || name === 'AWS:*' || meets(name.replace(/^AWS:/, ''), role.arn) === 'surely' || name.includes(`:assumed-role/${role.name}/`))
    || named.some((name) => name.includes(':role/') && meets(name, role.arn) === 'surely');
}

/** What somebody may do to the control plane who is neither an agent nor a part of it. */
function ofAnybody({ controlsName, api }: Scene, role: Role, programs: ReadonlySet<Role>): Finding[] {
  if (role.name.startsWith(`${controlsName}-agent-`)) return [];
  if (role.own) return role.trust.filter((statement) => statement.effect === 'Allow' && !isTrustOfItsOwn(controlsName, role, statement)).map(({ from }) => refused('HandlerTrusted', `${from} lets somebody become a part of the control plane who is not meant to; remove the statement`));
  const taken = role.here && role.name.startsWith(`${controlsName}-`) ? [refused('NameTaken', `${role.path} has the name ${role.name}, and what begins with ${controlsName}- is the control plane's; rename it`)] : [];
  if (programs.has(role)) return taken; // held to more than this already
  return [
    ...taken,
    ...role.foreignPolicies.filter((arn) => /:aws:policy\/(AdministratorAccess|PowerUserAccess|IAMFullAccess|AWSLambda_FullAccess|SecretsManagerReadWrite|AmazonRDSDataFullAccess|AWSStepFunctionsFullAccess)$/.test(arn)).map((arn) => refused('GateBypassed', `${role.path} has ${arn}, which opens functions, secrets or roles of the control plane; give it what it needs`)),
    ...role.foreignPolicies.filter((arn) => !/:aws:policy\//.test(arn)).map((arn) => unproven('PolicyForeign', `${role.path} has ${arn}, whose text is not in the app`)),
    ...dangersOf(controlsName, api, role.path, true, (action, resource) => roleOpening(role, action, resource)),
  ];
}

/** Handlers are for their service, roles of people for people who signed in with MFA. */
function isTrustOfItsOwn(controlsName: string, { name }: Role, { principals, condition }: Statement): boolean {
  const people = name.startsWith(approverRoleName(controlsName, '')) || name === breakGlassRoleName(controlsName) || condition?.Bool?.['aws:MultiFactorAuthPresent']?.[0] === 'true';
  if (people) return principals.every((principal) => !principal.startsWith('Service:')) && condition?.Bool?.['aws:MultiFactorAuthPresent']?.[0] === 'true';
  return principals.every((principal) => principal === 'Service:lambda.amazonaws.com' || (principal.startsWith('Service:states.') && !name.startsWith(`${controlsName}-`)));
}

function dangersOf(controlsName: string, api: string, who: string, stranger: boolean, may: (action: string, resource: string) => Opening): Finding[] {
  return DANGERS.flatMap(({ what, actions, resource, ofOthers, common }) => (stranger && ofOthers ? ofOthers : [resource]).map((of) => ({ what, actions, common, target: of(controlsName, api) }))).flatMap(({ what, actions, common, target }) => {
    const answers = actions.map((action) => [action, may(action, target)] as const).filter(([, opened]) => opened !== 'closed');
    if (answers.length === 0) return [];
    const open = answers.filter(([, opened]) => opened === 'open').map(([action]) => action);
    const sentence = (names: readonly string[]): string => `${who} may ${names.join(', ')} on ${target}: ${what}`;
    if (open.length === 0) return [unproven('GateBypassed', `${sentence(answers.map(([action]) => action))}, if a name that only the deploy knows is such a one`)];
    return [stranger && common ? unproven('GateBypassed', `${sentence(open)}, if it is the control plane's`) : refused('GateBypassed', `${sentence(open)}; the way leads through the gate alone`)];
  });
}

/** Services that may invoke handlers, and which: nobody invokes an action but the executor. */
const INVOKERS: ReadonlyMap<string, RegExp> = new Map([['apigateway.amazonaws.com', /^(broker|gate|decide|keeper|kill|rollback|rotate)$/], ['secretsmanager.amazonaws.com', /^rotat/], ['cloudformation.amazonaws.com', /^registrar$/], ['events.amazonaws.com', /^(witness|keeper|kill-trigger|rotate)$/]]);

/** Ways to handlers, actions and secrets that no role has to take. */
function ofResource({ controlsName, api, page, names }: Scene, resource: AppResource): Finding[] {
  const { type, properties, path } = resource;
  const nameOf = names(resource.stack);
  const own = (name: string): 'surely' | 'perhaps' | 'never' => meets(functionName(name), `${controlsName}-*`);
  const opened = (value: unknown, code: string, sentence: string): Finding[] => {
    const name = patternOf(value, nameOf);
    return own(name) === 'surely' ? [refused(code, `${path} ${sentence} (${functionName(name)}); remove it`)] : own(name) === 'perhaps' ? [unproven(code, `${path} ${sentence}, if a name that only the deploy knows is such a one`)] : [];
  };
  const secret = (value: unknown): string => patternOf(value, nameOf).replace(/^.*?secret:/, '');
  const isSecret = (value: unknown): boolean => meets(secret(value), `${controlsName}/*`) === 'surely';
  switch (type) {
    case 'AWS::Lambda::Permission': {
      const service = patternOf(properties.Principal, nameOf);
      const handler = functionName(patternOf(properties.FunctionName, nameOf)).slice(controlsName.length + 1);
      const from = patternOf(properties.SourceArn, nameOf);
      const known = INVOKERS.get(service)?.test(handler) === true
        && (service !== 'apigateway.amazonaws.com' || meets(from, `arn:*:execute-api:*:*:${api}/*`) !== 'never' || (handler === 'decide' && meets(from, `arn:*:execute-api:*:*:${page}/*`) === 'surely'))
        && (properties.SourceArn !== undefined || properties.SourceAccount !== undefined);
      const isGateway = handler === 'gateway' && service === '*' && (properties.FunctionUrlAuthType === 'NONE' || properties.InvokedViaFunctionUrl === true);
      return known || isGateway ? [] : opened(properties.FunctionName, 'FunctionOpened', `lets ${service} invoke a handler`);
    }
    // The model gateway is reached from anywhere and asks for a token first.
    case 'AWS::Lambda::Url': return functionName(patternOf(properties.TargetFunctionArn, nameOf)) === `${controlsName}-gateway` ? [] : opened(properties.TargetFunctionArn, 'FunctionOpened', 'gives a handler an address of its own');
    case 'AWS::Lambda::EventSourceMapping': return opened(properties.FunctionName, 'FunctionOpened', 'feeds a handler from elsewhere');
    case 'AWS::Events::Rule': case 'AWS::Scheduler::Schedule': return ([properties.Targets ?? properties.Target ?? []].flat() as { Arn?: unknown; Input?: unknown }[])
      .filter(({ Arn, Input }) => !expected(functionName(patternOf(Arn, nameOf)).slice(controlsName.length + 1), Input)).flatMap(({ Arn }) => opened(Arn, 'FunctionOpened', 'starts a handler from elsewhere'));
    case 'AWS::SecretsManager::ResourcePolicy': return isSecret(properties.SecretId) && JSON.stringify(properties.ResourcePolicy).includes('"Allow"') ? [refused('SecretOpened', `${path} opens a secret of the control plane; remove it`)] : [];
    case 'AWS::SecretsManager::RotationSchedule': return isSecret(properties.SecretId) && own(patternOf(properties.RotationLambdaARN, nameOf)) !== 'surely' ? [refused('SecretOpened', `${path} hands a secret of the control plane to a function that is none of its own; remove it`)] : [];
    default: return [];
  }
}

const refused = (code: string, sentence: string): Finding => ({ kind: 'refused', code, sentence });
const unproven = (code: string, sentence: string): Finding => ({ kind: 'unproven', code, sentence });
