import { handlerName } from './names';
import { bedrockRegions, bedrockResources, ResidencyPolicy } from './residency';

/** What asks a model, whichever service runs it. */
const ASKS_A_MODEL = ['bedrock:InvokeModel*', 'bedrock:Converse*', 'bedrock:InvokeAgent', 'bedrock:InvokeInlineAgent', 'bedrock:InvokeFlow', 'bedrock:RetrieveAndGenerate*', 'bedrock:CreateModelInvocationJob', 'sagemaker:InvokeEndpoint*'];

type Statement = Readonly<Record<string, unknown>>;

const document = (Statement: readonly Statement[]): string => JSON.stringify({ Version: '2012-10-17', Statement }, null, 2);

/** Denies that hold whatever else a role may: no region outside, no model that is not named. A condition on the region sees where a profile ends up. */
export function deniesOutside(policy: ResidencyPolicy): Statement[] {
  const resources = policy.providers.filter(({ kind }) => kind === 'bedrock').flatMap(bedrockResources);
  return [
    { Sid: 'NoOtherRegion', Effect: 'Deny', Action: ['bedrock:*', 'sagemaker:InvokeEndpoint*'], Resource: '*', Condition: { StringNotEquals: { 'aws:RequestedRegion': bedrockRegions(policy) } } },
    { Sid: 'NoOtherModel', Effect: 'Deny', Action: ASKS_A_MODEL, NotResource: resources.length > 0 ? resources : ['arn:aws:bedrock:::foundation-model/none'] },
  ];
}

/** Whom a service control policy and an endpoint let ask a model. */
const gateway = (controlsName: string): string => `arn:aws:iam::*:role/${handlerName(controlsName, 'gateway')}`;

/** A service control policy for the organisation's owners to attach: nobody but the gateway asks a model, and it asks those that are named. */
export function serviceControlPolicy(policy: ResidencyPolicy, controlsName: string): string {
  return document([...deniesOutside(policy), { Sid: 'OnlyTheGateway', Effect: 'Deny', Action: ASKS_A_MODEL, Resource: '*', Condition: { ArnNotLike: { 'aws:PrincipalArn': gateway(controlsName) } } }]);
}

/** A policy for a VPC endpoint of `bedrock-runtime`. */
export function endpointPolicy(policy: ResidencyPolicy, controlsName: string): string {
  return document([
    { Sid: 'OnlyTheGateway', Effect: 'Allow', Principal: '*', Action: ['bedrock:InvokeModel', 'bedrock:InvokeModelWithResponseStream'], Resource: policy.providers.filter(({ kind }) => kind === 'bedrock').flatMap(bedrockResources), Condition: { ArnLike: { 'aws:PrincipalArn': gateway(controlsName) } } },
  ]);
}
