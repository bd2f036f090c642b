import { actionFunctionName, handlerName } from '../scope/names';
import { Finding } from './bypass';
import { Role } from './roles';
import { opening } from './statements';

/** What asks a model, of the services of AWS. */
const ASKING = ['bedrock:InvokeModel', 'bedrock:InvokeModelWithResponseStream', 'bedrock:InvokeModelWithBidirectionalStream', 'bedrock:InvokeAgent', 'bedrock:InvokeInlineAgent', 'bedrock:InvokeFlow', 'bedrock:RetrieveAndGenerate', 'bedrock:CreateModelInvocationJob', 'bedrock:CallWithBearerToken', 'bedrock-mantle:CreateInference', 'bedrock-agentcore:InvokeAgentRuntime', 'sagemaker:InvokeEndpoint'];

/** Whether a control plane has a model gateway, so that models are asked through it alone. */
export function hasGateway(roles: ReadonlyMap<string, Role>, controlsName: string): boolean { return roles.has(`role/${handlerName(controlsName, 'gateway')}`); }

/** Ways to a model that do not lead through the gateway: of actions and programs, which hold what agents know, and perhaps of others. */
export function aroundGateway(controlsName: string, { name, path, own, statements, foreignPolicies }: Role, isProgram: boolean): Finding[] {
  const isAction = own && name.startsWith(actionFunctionName(controlsName, ''));
  if (own && !isAction) return [];
  // On whatever resource: one model is enough.
  const open = [...ASKING.filter((action) => opening(statements, action, '*') !== 'closed'), ...foreignPolicies.filter((arn) => /:aws:policy\/\w*(Bedrock|SageMaker|AdministratorAccess|PowerUserAccess)/.test(arn))];
  if (open.length === 0) return [];
  const sentence = `${path} may ask a model by itself (${open.join(', ')})`;
  return [isAction || isProgram
    ? { kind: 'refused', code: 'ModelBypassed', sentence: `${sentence}, and the residency policy is kept by the gateway; take that away, and ask with the address and token of the run (run.models)` }
    : { kind: 'unproven', code: 'ModelBypassed', sentence: `${sentence}, and what it tells the model is not seen here` }];
}
