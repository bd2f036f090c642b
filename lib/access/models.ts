import { actionFunctionName, handlerName } from '../scope/names';
import { ASKS_A_MODEL } from '../scope/residency-policies';
import { Finding } from './bypass';
import { meets } from './pattern';
import { Role } from './roles';

/** Whether a control plane has a model gateway, so that models are asked through it alone. */
export function hasGateway(roles: ReadonlyMap<string, Role>, controlsName: string): boolean { return roles.has(`role/${handlerName(controlsName, 'gateway')}`); }

/** Ways to a model that do not lead through the gateway: of actions and programs, which hold what agents know, and perhaps of others. */
export function aroundGateway(controlsName: string, { name, path, own, statements, foreignPolicies }: Role, isProgram: boolean): Finding[] {
  const isAction = own && name.startsWith(actionFunctionName(controlsName, ''));
  if (own && !isAction) return [];
  // On whatever resource, whatever a deny leaves of it: one model is enough.
  const allowed = statements.filter(({ effect }) => effect === 'Allow').flatMap(({ actions, notActions }) => (notActions.length > 0 ? ['whatever a NotAction leaves'] : actions.filter((action) => ASKS_A_MODEL.some((asking) => meets(action.toLowerCase(), asking.toLowerCase()) !== 'never'))));
  const open = [...new Set([...allowed, ...foreignPolicies.filter((arn) => /:aws:policy\/[\w/-]*(Bedrock|SageMaker|AmazonQ|DataScientist|AdministratorAccess|PowerUserAccess)/.test(arn))])];
  if (open.length === 0) return [];
  const sentence = `${path} may ask a model by itself (${open.join(', ')})`;
  return [isAction || isProgram
    ? { kind: 'refused', code: 'ModelBypassed', sentence: `${sentence}, and the residency policy is kept by the gateway; take that away, and ask with the address and token of the run (run.models)` }
    : { kind: 'unproven', code: 'ModelBypassed', sentence: `${sentence}, and what it tells the model is not seen here` }];
}
