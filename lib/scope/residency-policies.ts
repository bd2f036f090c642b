import { handlerName } from './names';
import { bedrockRegions, bedrockResources, partitionOf, ResidencyPolicy } from './residency';

/** What asks a model, or hands data to one, whichever service of AWS runs it. */
export const ASKS_A_MODEL = [
  'bedrock:Invoke*', 'bedrock:Converse*', 'bedrock:RetrieveAndGenerate*', 'bedrock:Rerank', 'bedrock:Generate*', 'bedrock:OptimizePrompt', 'bedrock:StartFlowExecution', 'bedrock:Create*Job', 'bedrock:CallWithBearerToken', 'bedrock-mantle:*',
  'bedrock-agentcore:Invoke*', 'sagemaker:InvokeEndpoint*', 'sagemaker:CreateTransformJob', 'qbusiness:Chat*',
];

type Statement = Readonly<Record<string, unknown>>;

const document = (Statement: readonly Statement[]): string => JSON.stringify({ Version: '2012-10-17', Statement }, null, 2);

/** Denies that hold whatever else a role may: no region outside, no model that is not named. A condition on the region sees where a profile ends up. */
export function deniesOutside(policy: ResidencyPolicy): Statement[] {
  const resources = policy.providers.filter(({ kind }) => kind === 'bedrock').flatMap(bedrockResources);
  if (resources.length === 0) return [{ Sid: 'NoModel', Effect: 'Deny', Action: ['bedrock:*', ...ASKS_A_MODEL.filter((action) => !action.startsWith('bedrock:'))], Resource: '*' }];
  return [
    { Sid: 'NoOtherRegion', Effect: 'Deny', Action: ['bedrock:*', 'sagemaker:InvokeEndpoint*'], Resource: '*', Condition: { StringNotEquals: { 'aws:RequestedRegion': bedrockRegions(policy) } } },
    { Sid: 'NoOtherModel', Effect: 'Deny', Action: ASKS_A_MODEL, NotResource: resources },
  ];
}

/** Whom a service control policy and an endpoint let ask a model: a name alone is anybody's who may make roles in another account. */
const gatewayRole = ({ regions }: ResidencyPolicy, controlsName: string, accountId: string): string => `arn:${partitionOf(regions[0] as string)}:iam::${accountId}:role/${handlerName(controlsName, 'gateway')}`;

/** A service control policy for the organisation's owners to attach: nobody but the gateway asks a model, and it asks those that are named. */
export function serviceControlPolicy(policy: ResidencyPolicy, controlsName: string, accountId: string): string {
  return document([...deniesOutside(policy), { Sid: 'OnlyTheGateway', Effect: 'Deny', Action: ASKS_A_MODEL, Resource: '*', Condition: { ArnNotEquals: { 'aws:PrincipalArn': gatewayRole(policy, controlsName, accountId) } } }]);
}

/** A policy for a VPC endpoint of `bedrock-runtime`. */
export function endpointPolicy(policy: ResidencyPolicy, controlsName: string, accountId: string): string {
  const resources = policy.providers.filter(({ kind }) => kind === 'bedrock').flatMap(bedrockResources);
  if (resources.length === 0) return document([{ Sid: 'NoModel', Effect: 'Deny', Principal: '*', Action: '*', Resource: '*' }]);
  return document([{ Sid: 'OnlyTheGateway', Effect: 'Allow', Principal: '*', Action: ['bedrock:InvokeModel', 'bedrock:InvokeModelWithResponseStream'], Resource: resources, Condition: { ArnEquals: { 'aws:PrincipalArn': gatewayRole(policy, controlsName, accountId) } } }]);
}
