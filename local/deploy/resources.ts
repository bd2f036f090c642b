import { join } from 'node:path';
import { PolicyDocument, Role, stableId } from '../identity/principals';
import { ruleOf } from '../services/event-bridge';
import { generatedPassword } from '../services/secret-store';
import type { Account } from './account';

/** A resource whose references are resolved. */
export interface ResolvedResource {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Record<string, any>;
}

/** What a template may ask of a resource once it is there. */
export interface Provisioned {
  readonly ref: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

type Provision = (resource: ResolvedResource, account: Account) => Provisioned | Promise<Provisioned>;

/** Resources that do nothing on one machine: networks, log groups, and what only describes other resources. */
const INERT = new Set([
  'AWS::CDK::Metadata', 'AWS::EC2::VPC', 'AWS::EC2::Subnet', 'AWS::EC2::RouteTable', 'AWS::EC2::SubnetRouteTableAssociation', 'AWS::EC2::SecurityGroup',
  'AWS::EC2::SecurityGroupIngress', 'AWS::EC2::SecurityGroupEgress', 'AWS::RDS::DBSubnetGroup', 'AWS::RDS::DBInstance', 'AWS::SecretsManager::SecretTargetAttachment',
  'AWS::Logs::LogGroup', 'AWS::SNS::TopicPolicy', 'AWS::ApiGatewayV2::Stage', 'AWS::S3::BucketPolicy', 'AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard', 'AWS::Cognito::UserPoolDomain', 'AWS::Logs::MetricFilter',
]);

/** Makes one resource. A type that is not known here is refused by name. */
export async function provision(resource: ResolvedResource, account: Account): Promise<Provisioned> {
  if (resource.type.startsWith('Custom::') || resource.type === 'AWS::CloudFormation::CustomResource') return customResource(resource, account);
  const make = TYPES[resource.type];
  if (make) return make(resource, account);
  if (INERT.has(resource.type)) return inert(resource, account);
  throw new Error(`${resource.logicalId}: the local runtime does not play ${resource.type}; it plays ${[...Object.keys(TYPES), ...INERT].sort().join(', ')}`);
}

const physical = ({ stack, logicalId }: ResolvedResource): string => `${stack}-${logicalId}`;
const arn = (account: Account, service: string, rest: string): string => `arn:aws:${service}:${account.region}:${account.id}:${rest}`;

const TYPES: Readonly<Record<string, Provision>> = {
  'AWS::IAM::Role': (resource, account) => {
    const { RoleName, AssumeRolePolicyDocument, Policies = [], ManagedPolicyArns = [], PermissionsBoundary, MaxSessionDuration = 3_600 } = resource.properties;
    const name = (RoleName as string | undefined) ?? physical(resource).slice(0, 64);
    if (account.principals.roles.has(name)) throw new Error(`${resource.logicalId}: there is a role ${name} already`);
    const role: Role = {
      name, arn: `arn:aws:iam::${account.id}:role/${name}`, id: stableId('AROA', name), trust: AssumeRolePolicyDocument as PolicyDocument,
      policies: (Policies as { PolicyName: string; PolicyDocument: PolicyDocument }[]).map((policy) => ({ name: policy.PolicyName, policy: policy.PolicyDocument })),
      managedPolicyArns: ManagedPolicyArns as string[], boundaryArn: PermissionsBoundary as string | undefined, maxSessionSeconds: Number(MaxSessionDuration),
    };
    account.principals.roles.set(name, role);
    return { ref: name, attributes: { Arn: role.arn, RoleId: role.id } };
  },
  'AWS::IAM::Policy': (resource, account) => {
    const { PolicyName, PolicyDocument: policy, Roles = [] } = resource.properties;
    for (const name of (resource.properties.Users ?? []) as string[]) account.principals.users.get(name)?.policies.push({ name: PolicyName as string, policy: policy as PolicyDocument });
    for (const name of Roles as string[]) account.principals.roles.get(name)?.policies.push({ name: PolicyName as string, policy: policy as PolicyDocument });
    return { ref: physical(resource) };
  },
  'AWS::IAM::ManagedPolicy': (resource, account) => {
    const { ManagedPolicyName, PolicyDocument: policy } = resource.properties;
    const text = JSON.stringify(policy);
    if (text.length > 6_144) throw new Error(`${resource.logicalId}: the policy has ${text.length} characters; IAM takes 6,144`);
    const own = `arn:aws:iam::${account.id}:policy/${(ManagedPolicyName as string | undefined) ?? physical(resource)}`;
    account.principals.managedPolicies.set(own, policy as PolicyDocument);
    return { ref: own };
  },
  'AWS::SecretsManager::Secret': (resource, account) => {
    const { Name, SecretString, GenerateSecretString: generate, KmsKeyId } = resource.properties;
    const aliases = [...account.keyAliases].filter(([alias, key]) => KmsKeyId !== undefined && (alias === KmsKeyId || key === KmsKeyId || key.endsWith(`/${String(KmsKeyId)}`))).map(([alias]) => alias);
    // A key that is named by itself may get its alias later in the same deploy.
    const value = (): string => {
      if (!generate) return (SecretString as string | undefined) ?? '';
      const password = generatedPassword(Number(generate.PasswordLength ?? 32));
      return generate.GenerateStringKey === undefined ? password : JSON.stringify({ ...(JSON.parse((generate.SecretStringTemplate as string | undefined) ?? '{}') as object), [generate.GenerateStringKey as string]: password });
    };
    return { ref: account.secrets.create((Name as string | undefined) ?? physical(resource), value, aliases) };
  },
  'AWS::SecretsManager::RotationSchedule': async (resource, account) => {
    const { SecretId, RotationLambdaARN, RotationRules, RotateImmediatelyOnUpdate } = resource.properties;
    if (RotateImmediatelyOnUpdate !== false) throw new Error(`${resource.logicalId}: the local runtime plays schedules that replace nothing at once: RotateImmediatelyOnUpdate must be false`);
    await account.rotation.schedule(SecretId as string, RotationLambdaARN as string, RotationRules.ScheduleExpression as string);
    return { ref: SecretId as string };
  },
  'AWS::IAM::User': (resource, account) => {
    const name = (resource.properties.UserName as string | undefined) ?? physical(resource).slice(0, 64);
    account.principals.users.set(name, { policies: [] });
    return { ref: name, attributes: { Arn: `arn:aws:iam::${account.id}:user/${name}` } };
  },
  'AWS::KMS::Key': (resource, account) => {
    const id = stableId('', physical(resource)).toLowerCase();
    const own = arn(account, 'kms', `key/${id}`);
    account.keyPolicies.set(own, resource.properties.KeyPolicy as PolicyDocument);
    return { ref: id, attributes: { Arn: own, KeyId: id } };
  },
  'AWS::KMS::Alias': ({ properties }, account) => {
    const { AliasName, TargetKeyId } = properties;
    account.keyAliases.set(AliasName as string, String(TargetKeyId).startsWith('arn:') ? String(TargetKeyId) : arn(account, 'kms', `key/${String(TargetKeyId)}`));
    return { ref: AliasName as string };
  },
  'AWS::S3::Bucket': (resource, account) => {
    const { BucketName, ObjectLockEnabled } = resource.properties;
    const name = (BucketName as string | undefined) ?? physical(resource).toLowerCase();
    if (ObjectLockEnabled !== true) throw new Error(`${resource.logicalId}: the local runtime plays buckets with Object Lock, where nothing is written over`);
    account.buckets.set(name, join(account.folder, 'buckets', name));
    return { ref: name, attributes: { Arn: `arn:aws:s3:::${name}` } };
  },
  'AWS::SSM::Parameter': ({ properties }, account) => {
    account.parameters.set(properties.Name as string, properties.Value as string);
    return { ref: properties.Name as string };
  },
  'AWS::Events::Rule': (resource, account) => {
    account.rules.push(ruleOf(resource.logicalId, resource.properties));
    return { ref: physical(resource), attributes: { Arn: arn(account, 'events', `rule/${physical(resource)}`) } };
  },
  'AWS::Events::EventBus': ({ properties: { Name } }, account) => ({ ref: Name as string, attributes: { Arn: arn(account, 'events', `event-bus/${String(Name)}`), Name } }),
  'AWS::SNS::Topic': (resource, account) => {
    const name = (resource.properties.TopicName as string | undefined) ?? physical(resource);
    return { ref: arn(account, 'sns', name), attributes: { TopicName: name, TopicArn: arn(account, 'sns', name) } };
  },
  'AWS::RDS::DBClusterParameterGroup': (resource, account) => {
    const name = physical(resource).toLowerCase();
    account.clusterParameters.set(name, Object.fromEntries(Object.entries(resource.properties.Parameters as object).map(([key, value]) => [key, String(value)])));
    return { ref: name, attributes: {} };
  },
  'AWS::RDS::DBCluster': async (resource, account) => {
    const { DatabaseName, MasterUsername, MasterUserPassword, EnableHttpEndpoint, StorageEncrypted, DBClusterParameterGroupName: group } = resource.properties;
    if (EnableHttpEndpoint !== true || StorageEncrypted !== true) throw new Error(`${resource.logicalId}: the cluster must have EnableHttpEndpoint and StorageEncrypted`);
    const id = physical(resource).toLowerCase();
    const own = arn(account, 'rds', `cluster:${id}`);
    account.clusters.set(own, await account.createDatabase({ database: DatabaseName as string, owner: MasterUsername as string, password: MasterUserPassword as string, parameters: account.clusterParameters.get(String(group)) ?? {} }));
    return { ref: id, attributes: { DBClusterArn: own, 'Endpoint.Address': '127.0.0.1', 'Endpoint.Port': '5432' } };
  },
  'AWS::Lambda::Function': (resource, account) => {
    const { FunctionName, Code, Handler, Role: roleArn, Timeout = 3, MemorySize = 128, Environment } = resource.properties;
    const name = (FunctionName as string | undefined) ?? physical(resource);
    const folder = account.assembly.asset(Code.S3Key as string);
    if (folder === undefined) throw new Error(`${resource.logicalId}: the assembly has no asset ${String(Code.S3Key)}`);
    const own = arn(account, 'lambda', `function:${name}`);
    account.functions.add({
      name, arn: own, folder: join(folder), handler: Handler as string, timeoutSeconds: Number(Timeout), memoryMiB: Number(MemorySize),
      environment: Object.fromEntries(Object.entries((Environment?.Variables ?? {}) as Record<string, unknown>).map(([key, value]) => [key, String(value)])), roleArn: roleArn as string,
    });
    return { ref: name, attributes: { Arn: own } };
  },
  'AWS::Lambda::Permission': (resource, account) => {
    const { FunctionName, Principal, SourceArn } = resource.properties;
    account.permissions.push({ functionArn: account.functions.find(FunctionName as string)?.arn ?? String(FunctionName), service: Principal as string, sourceArn: SourceArn as string | undefined });
    return { ref: physical(resource) };
  },
  'AWS::Lambda::Url': (resource, account) => {
    const { TargetFunctionArn, AuthType, InvokeMode } = resource.properties;
    if (AuthType !== 'NONE' || InvokeMode !== 'RESPONSE_STREAM') throw new Error(`${resource.logicalId}: the local runtime plays addresses of functions that ask for a token themselves and answer in streams`);
    return { ref: physical(resource), attributes: { FunctionUrl: account.functionUrls.add(String(TargetFunctionArn).split(':function:').pop() ?? '') } };
  },
  'AWS::Cognito::UserPool': (resource, account) => {
    const { id, arn: own, issuer } = account.cognito.addPool(physical(resource), (resource.properties.MfaConfiguration as string | undefined) ?? 'OFF');
    return { ref: id, attributes: { UserPoolId: id, Arn: own, ProviderURL: issuer, ProviderName: issuer.replace(/^https?:\/\//, '') } };
  },
  'AWS::Cognito::UserPoolGroup': ({ properties: { UserPoolId, GroupName } }, account) => {
    account.cognito.addGroup(UserPoolId as string, GroupName as string);
    return { ref: GroupName as string };
  },
  'AWS::Cognito::UserPoolClient': (resource, account) => {
    const id = account.cognito.addClient(resource.properties.UserPoolId as string, physical(resource), resource.properties.CallbackURLs as string[]);
    return { ref: id, attributes: { ClientId: id } };
  },
  'AWS::ApiGatewayV2::Api': (resource, account) => {
    const id = stableId('', physical(resource)).slice(0, 10).toLowerCase();
    return { ref: id, attributes: { ApiId: id, ApiEndpoint: account.url() } };
  },
  'AWS::ApiGatewayV2::Integration': ({ properties }) => ({ ref: properties.IntegrationUri as string }),
  'AWS::ApiGatewayV2::Route': (resource, account) => {
    const { ApiId, RouteKey, Target, AuthorizationType } = resource.properties;
    if (AuthorizationType !== 'AWS_IAM' && AuthorizationType !== 'NONE') throw new Error(`${resource.logicalId}: the route ${String(RouteKey)} has the authorisation ${String(AuthorizationType)}; the local runtime plays AWS_IAM and NONE`);
    account.routes.push({ apiId: ApiId as string, key: RouteKey as string, functionArn: String(Target).replace(/^integrations\//, ''), open: AuthorizationType === 'NONE' });
    return { ref: physical(resource) };
  },
  'AWS::StepFunctions::StateMachine': (resource, account) => {
    const { StateMachineName, DefinitionString, DefinitionSubstitutions = {}, RoleArn } = resource.properties;
    const own = arn(account, 'states', `stateMachine:${(StateMachineName as string | undefined) ?? physical(resource)}`);
    const role = account.principals.roleByArn(RoleArn as string);
    if (!role) throw new Error(`${resource.logicalId}: there is no role ${String(RoleArn)}`);
    const text = Object.entries(DefinitionSubstitutions as Record<string, string>).reduce((all, [key, value]) => all.replaceAll(`\${${key}}`, value), DefinitionString as string);
    account.stateMachines.addMachine(own, text, account.principals.addSession(role, 'states'));
    return { ref: own, attributes: { Arn: own, Name: own.split(':').pop() } };
  },
};

function inert(resource: ResolvedResource, account: Account): Provisioned {
  const id = physical(resource).toLowerCase();
  // Whoever asks an inert resource for an attribute gets a name that says where it came from.
  return { ref: id, attributes: new Proxy({}, { get: (_, name) => (name === 'Arn' ? arn(account, 'logs', `log-group:${id}:*`) : `${id}.${String(name)}`) }) };
}

async function customResource({ stack, logicalId, type, properties }: ResolvedResource, account: Account): Promise<Provisioned> {
  const { ServiceToken, ServiceTimeout, ...rest } = properties;
  const stackId = arn(account, 'cloudformation', `stack/${stack}/local`);
  // Always Create: every local deploy starts from an empty record of stacks, and the handlers must bear repetition.
  await account.customResource(ServiceToken as string, {
    RequestType: 'Create', StackId: stackId, RequestId: `${logicalId}-local`, LogicalResourceId: logicalId, ResourceType: type, ResourceProperties: { ServiceToken: ServiceToken as string, ...(ServiceTimeout === undefined ? {} : { ServiceTimeout: ServiceTimeout as string }), ...rest },
  });
  return { ref: `${stack}-${logicalId}` };
}
