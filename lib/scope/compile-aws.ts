import { Scope } from './card';
import { ControlsError, shown } from './controls-error';
import { iamAction, iamResource } from './encode';

/** One statement of an IAM policy. */
export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: readonly string[];
  readonly Resource?: readonly string[];
}

/**
 * What no agent may ever do itself, whatever its card or a careless colleague adds: become someone else, run or change a
 * handler, open a secret, reach Postgres, move a hold, call a model provider.
 */
export const CROWN_JEWELS: readonly string[] = [
  'iam:*', 'sts:AssumeRole*', 'sts:GetFederationToken', 'organizations:*',
  'lambda:*', 'states:*', 'secretsmanager:*', 'ssm:*', 'kms:*', 'rds:*', 'rds-data:*', 'rds-db:*',
  'cloudformation:*', 'events:*', 'apigateway:*', 'bedrock:*', 'bedrock-mantle:*', 'bedrock-agentcore:*', 'sagemaker:InvokeEndpoint*', 'sagemaker:CreateTransformJob', 'qbusiness:Chat*', 'cognito-identity:*',
];

/** The AWS statements of a scope. @throws `AwsActionForbidden` for an action that the boundary denies anyway. */
export function compileAws(scope: Scope, field: string): Statement[] {
  return (scope.aws ?? []).map(({ actions, resources }, index) => ({
    Effect: 'Allow' as const,
    Action: actions.map((action, i) => allowed(iamAction(action, `${field}.aws[${index}].actions[${i}]`), `${field}.aws[${index}].actions[${i}]`)),
    Resource: resources.map((resource, i) => iamResource(resource, `${field}.aws[${index}].resources[${i}]`)),
  }));
}

function allowed(action: string, field: string): string {
  const denied = CROWN_JEWELS.find((pattern) => new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 'i').test(action));
  if (denied !== undefined || /^execute-api:/i.test(action)) {
    throw new ControlsError('AwsActionForbidden', `${field}: got ${shown(action)}, which every agent's boundary denies; give it to an action instead`);
  }
  return action;
}
