import { ArnFormat, Stack } from 'aws-cdk-lib';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';

/** A route that only signed requests reach. L1, because the L2 wants the API as a construct, and an imported broker has an id only. */
export function addSignedRoute(scope: Construct, id: string, apiId: string, method: 'GET' | 'POST', path: string, fn: lambda.IFunction): void {
  addRoute(scope, id, apiId, method, path, fn, 'AWS_IAM');
}

/** A route that any browser reaches; its handler asks who is there. */
export function addOpenRoute(scope: Construct, id: string, apiId: string, method: 'GET' | 'POST', path: string, fn: lambda.IFunction): void {
  addRoute(scope, id, apiId, method, path, fn, 'NONE');
}

function addRoute(scope: Construct, id: string, apiId: string, method: 'GET' | 'POST', path: string, fn: lambda.IFunction, authorizationType: 'AWS_IAM' | 'NONE'): void {
  const integration = new apigatewayv2.CfnIntegration(scope, `${id}Integration`, {
    apiId, integrationType: 'AWS_PROXY', integrationUri: fn.functionArn, integrationMethod: 'POST', payloadFormatVersion: '2.0', timeoutInMillis: 30_000,
  });
  new apigatewayv2.CfnRoute(scope, `${id}Route`, { apiId, routeKey: `${method} ${path}`, authorizationType, target: `integrations/${integration.ref}` });
  fn.addPermission(`${id}Api`, { principal: new iam.ServicePrincipal('apigateway.amazonaws.com'), sourceArn: invokeArn(scope, apiId, method, path.replaceAll(/\{[^}]+\}/g, '*')) });
}

/** ARN of a route in any stage, for policies. */
export function invokeArn(scope: Construct, apiId: string, method: 'GET' | 'POST', path: string): string {
  return Stack.of(scope).formatArn({ service: 'execute-api', resource: apiId, resourceName: `*/${method}${path}`, arnFormat: ArnFormat.SLASH_RESOURCE_NAME });
}
