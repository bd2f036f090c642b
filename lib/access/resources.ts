import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfnOutput, CfnResource, Stack, Stage } from 'aws-cdk-lib';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { IConstruct } from 'constructs';
import { Registration } from '../scope/registration';
import { OWN } from './own';
import { NameOf, patternOf } from './pattern';

/** A resource of a template. */
export interface AppResource {
  readonly stack: string;
  readonly id: string;
  /** Where the app made it, for people. */
  readonly path: string;
  readonly type: string;
  /** Whether this library made it. */
  readonly own: boolean;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The stacks that are deployed together: those of one stage. */
export interface Deployment {
  readonly name: string;
  readonly resources: readonly AppResource[];
  readonly registrations: readonly Registration[];
}

/** Types that say who may do what. Others are not looked at, so that a large app costs little. */
const TELLING = /^AWS::(IAM::\w+|Lambda::(Function|Permission|Url|EventSourceMapping|Alias|Version)|SecretsManager::(Secret|ResourcePolicy|RotationSchedule)|SQS::QueuePolicy|SNS::(Topic|TopicPolicy)|KMS::(Key|Alias)|StepFunctions::StateMachine|Events::Rule|Scheduler::Schedule|ApiGatewayV2::Api|RDS::DBCluster|S3::BucketPolicy|SSM::Parameter)$/;

/** Resources of a stage that is complete but not yet written. @param vouched resources that others vouch for. */
export function resourcesOfTree(stage: IConstruct, vouched: (resource: CfnResource) => boolean): AppResource[] {
  const found: AppResource[] = [];
  for (const node of stage.node.findAll()) {
    if (node instanceof CfnOutput && node.exportName !== undefined && Stage.of(node) === stage) {
      const stack = Stack.of(node);
      found.push(exported(stack.artifactId, node.node.id, stack.resolve(node.exportName), stack.resolve(node.value)));
    }
    if (!(node instanceof CfnResource) || !TELLING.test(node.cfnResourceType) || Stage.of(node) !== stage) continue;
    const stack = Stack.of(node);
    if (vouched(node)) {
      // Its name is enough, for what others say of it; a role's policies are its construct's word.
      if (node instanceof CfnSecret) found.push({ stack: stack.artifactId, id: stack.getLogicalId(node), path: node.node.path, type: node.cfnResourceType, own: true, properties: { Name: node.name } });
      continue;
    }
    const id = stack.resolve(node.logicalId) as string;
    const { Resources } = stack.resolve((node as unknown as { _toCloudFormation(): object })._toCloudFormation()) as { Resources: Record<string, { Properties?: Record<string, unknown> }> };
    found.push({ stack: stack.artifactId, id, path: node.node.path, type: node.cfnResourceType, own: node.getMetadata(OWN) === true, properties: Resources[id]?.Properties ?? {} });
  }
  return found;
}

/** What a cloud assembly deploys, stage by stage. */
export function deploymentsOf(assembly: string, name = ''): Deployment[] {
  if (!existsSync(join(assembly, 'manifest.json'))) return [];
  const inside = readdirSync(assembly, { withFileTypes: true });
  const resources = inside.filter(({ name: file }) => file.endsWith('.template.json')).flatMap(({ name: file }) => {
    const { Resources = {}, Outputs = {} } = JSON.parse(readFileSync(join(assembly, file), 'utf8')) as { Resources?: Record<string, { Type: string; Properties?: Record<string, unknown>; Metadata?: Record<string, unknown> }>; Outputs?: Record<string, { Value?: unknown; Export?: { Name?: unknown } }> };
    const stack = file.slice(0, -'.template.json'.length);
    return Object.entries(Resources).map(([id, { Type, Properties = {}, Metadata }]): AppResource => ({ stack, id, path: typeof Metadata?.['aws:cdk:path'] === 'string' ? Metadata['aws:cdk:path'] : `${stack}/${id}`, type: Type, own: Metadata?.[OWN] === true, properties: Properties }))
      .concat(Object.entries(Outputs).map(([id, output]) => exported(stack, id, output.Export?.Name, output.Value)));
  });
  const registrations = resources.filter(({ type }) => type === 'Custom::AgentControlsRegistration').map(({ properties }) => JSON.parse(readFileSync(join(assembly, `asset.${String(properties.Key)}`), 'utf8')) as Registration);
  const stages = inside.filter((entry) => entry.isDirectory() && entry.name.startsWith('assembly-')).flatMap(({ name: folder }) => deploymentsOf(join(assembly, folder), folder.slice('assembly-'.length)));
  return [...(resources.length > 0 ? [{ name, resources: resources.filter(({ type }) => TELLING.test(type) || type === EXPORT), registrations }] : []), ...stages];
}

/** A value that other stacks import. */
function exported(stack: string, id: string, name: unknown, value: unknown): AppResource {
  return { stack, id: `Output-${id}`, path: `${stack}/${id}`, type: EXPORT, own: false, properties: { Name: name, Value: value } };
}

const EXPORT = 'Export';

const NAME_PROPERTY: Readonly<Record<string, string>> = {
  'AWS::IAM::Role': 'RoleName', 'AWS::IAM::User': 'UserName', 'AWS::IAM::Group': 'GroupName', 'AWS::IAM::ManagedPolicy': 'ManagedPolicyName', 'AWS::Lambda::Function': 'FunctionName', 'AWS::SecretsManager::Secret': 'Name',
  'AWS::StepFunctions::StateMachine': 'StateMachineName', 'AWS::SSM::Parameter': 'Name',
};

const ARN_OF: Readonly<Record<string, (name: string) => string>> = {
  'AWS::IAM::Role': (name) => `arn:~:iam::~:role/${name}`, 'AWS::IAM::User': (name) => `arn:~:iam::~:user/${name}`, 'AWS::IAM::ManagedPolicy': (name) => `arn:~:iam::~:policy/${name}`,
  'AWS::Lambda::Function': (name) => `arn:~:lambda:~:~:function:${name}`, 'AWS::SecretsManager::Secret': (name) => `arn:~:secretsmanager:~:~:secret:${name}-??????`,
  'AWS::StepFunctions::StateMachine': (name) => `arn:~:states:~:~:stateMachine:${name}`, 'AWS::KMS::Key': (name) => `arn:~:kms:~:~:key/${name}`, 'AWS::RDS::DBCluster': (name) => `arn:~:rds:~:~:cluster:${name}`,
  'AWS::SNS::Topic': (name) => `arn:~:sns:~:~:${name}`,
};

/** The types whose `Ref` is an ARN and not a name. */
const REF_IS_ARN = new Set(['AWS::IAM::ManagedPolicy', 'AWS::SecretsManager::Secret', 'AWS::SNS::Topic', 'AWS::StepFunctions::StateMachine']);

/** Physical names of the resources of a deployment, or what stands for them: stack and logical id, which nothing else has. */
export function namesOf(resources: readonly AppResource[]): (stack: string) => NameOf {
  const byId = new Map(resources.map((resource) => [`${resource.stack}/${resource.id}`, resource]));
  const exports = new Map(resources.filter(({ type }) => type === EXPORT).map((resource) => [String(resource.properties.Name), resource]));
  const scope = (stack: string): NameOf => (id, attribute) => {
    if (attribute === EXPORT) {
      const output = exports.get(id);
      return output && patternOf(output.properties.Value, scope(output.stack));
    }
    const resource = byId.get(`${stack}/${id}`);
    if (!resource) return undefined;
    if (resource.type === 'AWS::Lambda::Version' || resource.type === 'AWS::Lambda::Alias') {
      return `arn:~:lambda:~:~:function:${functionName(patternOf(resource.properties.FunctionName, scope(stack)))}:*`;
    }
    const arn = ARN_OF[resource.type];
    const name = physicalName(resource);
    return arn && (attribute === 'Arn' || attribute === 'DBClusterArn' || (attribute === undefined && REF_IS_ARN.has(resource.type))) ? arn(name) : attribute === undefined ? name : undefined;
  };
  return scope;
}

/** The name in an ARN of a function, in `account:function:name` or in `name:alias`; names stay what they are. */
export function functionName(identifier: string): string {
  const text = identifier.replace(/^.*?function:/, '');
  return text.includes(':') ? text.slice(0, text.indexOf(':')) : text;
}

/** The physical name of a resource, or what stands for it. */
export function physicalName({ stack, id, type, properties }: AppResource): string {
  const name = properties[NAME_PROPERTY[type] ?? ''];
  return typeof name === 'string' ? name : `${stack}-${id}`;
}
