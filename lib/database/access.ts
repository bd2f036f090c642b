import { ArnFormat, Aws, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { handlerName } from '../scope/names';

/*
 * Statements that name things by pattern, so that no policy grows with the number of agents and none needs an import. The L2
 * grants are not used: `grantDataApiAccess` would also hand out the cluster's master secret.
 */

/** Statements on this cluster as the login of a secret that is granted apart; with transactions, for handlers that need several. */
export function grantDataApi(grantee: iam.IGrantable, clusterArn: string, how: 'statements' | 'transactions' = 'statements', conditions: Record<string, Record<string, string>> = {}): iam.Grant {
  const actions = ['rds-data:ExecuteStatement', ...(how === 'transactions' ? ['rds-data:BeginTransaction', 'rds-data:CommitTransaction', 'rds-data:RollbackTransaction'] : [])];
  return iam.Grant.addToPrincipal({ grantee, actions, resourceArns: [clusterArn], conditions });
}

/** ARN of secrets by name; Secrets Manager ends each with six characters of its own. */
export function secretArnPattern(scope: Construct, controls: string, name: string): string {
  return Stack.of(scope).formatArn({ service: 'secretsmanager', resource: 'secret', resourceName: `${controls}/${name}${name.endsWith('*') ? '' : '-??????'}`, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
}

/** Actions on secrets of this control plane, by name. */
export function grantSecrets(role: iam.IRole, controls: string, names: readonly string[], actions: readonly string[], conditions: Record<string, unknown> = {}): void {
  role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: [...actions], resources: names.map((name) => secretArnPattern(role, controls, name)), conditions }));
}

/** Decryption of secrets with the control plane's key, known by its alias. */
export function grantDecrypt(grantee: iam.IGrantable, controls: string, ...more: readonly string[]): void {
  grantee.grantPrincipal.addToPrincipalPolicy(new iam.PolicyStatement({
    actions: ['kms:Decrypt', ...more],
    resources: [`arn:${Aws.PARTITION}:kms:${Aws.REGION}:${Aws.ACCOUNT_ID}:key/*`],
    conditions: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': `alias/${controls}` } },
  }));
}

/** ARN of the registrar, by name. */
export function registrarArn(scope: Construct, controls: string): string {
  return Stack.of(scope).formatArn({ service: 'lambda', resource: 'function', resourceName: handlerName(controls, 'registrar'), arnFormat: ArnFormat.COLON_RESOURCE_NAME });
}
