/** Where people decide, and where they sign in for it. */
import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as cognito from 'aws-cdk-lib/aws-cognito';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { describe, expect, it } from 'vitest';
import { AgentControls, AgentControlsProps, ApprovalPage, Approver, ApproverDirectory, HoldTier } from '../../../lib';
import { statements } from '../../support/stack';

function made(props: AgentControlsProps | ((stack: Stack) => AgentControlsProps) = {}): { stack: Stack; controls: AgentControls; template: () => Template } {
  const stack = new Stack(new App(), 'Test');
  const controls = new AgentControls(stack, 'Controls', typeof props === 'function' ? props(stack) : props);
  return { stack, controls, template: () => Template.fromStack(stack) };
}
const settings = (template: Template): string => JSON.stringify(Object.values(template.findResources('AWS::Lambda::Function', { Properties: { FunctionName: 'agent-controls-decide' } }))[0]);
const DIRECTORY = { issuerUrl: 'https://login.example.com/tenant', clientId: 'page', audience: 'https://approvals.example.com' };

describe('a new directory', () => {
  it('asks everybody for a second factor, lets nobody in by themselves, and is kept', () => {
    const template = made().template();
    template.hasResource('AWS::Cognito::UserPool', {
      DeletionPolicy: 'Retain',
      Properties: { MfaConfiguration: 'ON', EnabledMfas: ['SOFTWARE_TOKEN_MFA'], AdminCreateUserConfig: { AllowAdminCreateUserOnly: true }, DeletionProtection: 'ACTIVE', AccountRecoverySetting: { RecoveryMechanisms: [{ Name: 'admin_only', Priority: 1 }] } },
    });
    template.hasResourceProperties('AWS::Cognito::UserPoolClient', { AllowedOAuthFlows: ['code'], AllowedOAuthScopes: ['openid'], SupportedIdentityProviders: ['COGNITO'], AccessTokenValidity: 15, WriteAttributes: ['nickname'], ExplicitAuthFlows: ['ALLOW_REFRESH_TOKEN_AUTH'], LogoutURLs: Match.anyValue(), GenerateSecret: false, PreventUserExistenceErrors: 'ENABLED' });
  });

  it('has the groups that tiers and cards name, those that are named later, too', () => {
    const { controls, template } = made({ tiers: [HoldTier.human({ approvers: [Approver.group('legal')], escalateTo: Approver.group('legal-heads') })], directory: ApproverDirectory.newUserPool({ groups: ['legal', 'watchers'], removalPolicy: RemovalPolicy.DESTROY }) });
    expect(controls.approvalPage.userPool).toBeDefined();
    expect(Object.values(template().findResources('AWS::Cognito::UserPoolGroup')).map(({ Properties }) => (Properties as { GroupName: string }).GroupName).sort()).toEqual(['legal', 'legal-heads', 'watchers']);
  });

  it('lets the handler ask who somebody is now, and change nobody', () => {
    expect(statements(made().template(), 'agent-controls-decide').filter((line) => /cognito|ListExecutions|\/changes/.test(line)).map((line) => line.replace(/ on .*/, ''))).toEqual(['cognito-idp:AdminGetUser', 'cognito-idp:AdminListGroupsForUser', 'cognito-idp:GetUserPoolMfaConfig', 'execute-api:Invoke', 'states:ListExecutions']);
  });
});

describe('a user pool that exists', () => {
  it.each([cognito.Mfa.OFF, cognito.Mfa.OPTIONAL])('of this app with MFA %s does not synthesize', (mfa) => {
    expect(() => made((stack) => ({ directory: ApproverDirectory.userPool(new cognito.UserPool(stack, 'Staff', { mfa })) }))).toThrow(/MfaNotRequired/);
  });

  it('of another app is asked at deploy', () => {
    const template = made((stack) => ({ directory: ApproverDirectory.userPool(cognito.UserPool.fromUserPoolId(stack, 'Staff', 'us-east-1_abc')) })).template();
    template.hasResourceProperties('Custom::AgentControlsDirectory', { UserPoolId: 'us-east-1_abc' });
    expect(settings(template)).toContain('us-east-1_abc');
  });
});

describe('an issuer', () => {
  it('is told to the handler as it was given, and no pool is made', () => {
    const template = made({ directory: ApproverDirectory.openIdConnect(DIRECTORY) }).template();
    expect(settings(template)).toContain('{\\"kind\\":\\"oidc\\",\\"issuer\\":\\"https://login.example.com/tenant\\",\\"clientId\\":\\"page\\",\\"audience\\":\\"https://approvals.example.com\\",\\"groupsClaim\\":\\"groups\\",\\"amr\\":[\\"mfa\\"],\\"acr\\":[],\\"scopes\\":[\\"openid\\",\\"profile\\",\\"email\\"]}');
    template.resourceCountIs('AWS::Cognito::UserPool', 0);
  });

  it.each<[string, object, RegExp]>([
    ['without TLS', { issuerUrl: 'http://login.example.com' }, /IssuerInvalid/],
    ['with a slash at its end', { issuerUrl: 'https://login.example.com/' }, /IssuerInvalid/],
    ['with a query', { issuerUrl: 'https://login.example.com?x=1' }, /IssuerInvalid/],
    ['whose ID tokens would pass', { audience: 'page' }, /AudienceInvalid/],
    ['without an audience', { audience: '' }, /AudienceInvalid/],
    ['that proves nothing', { mfaMethods: [] }, /MfaNotRequired/],
  ])('%s is refused', (_, change, expected) => expect(() => ApproverDirectory.openIdConnect({ ...DIRECTORY, ...change })).toThrow(expected));
});

describe('the page', () => {
  it.each([Duration.seconds(30), Duration.minutes(61)])('refuses a sign-in within %s', (signInWithin) => {
    const { stack, controls } = made();
    expect(() => new ApprovalPage(stack, 'Again', { gate: controls.gate, signInWithin })).toThrow(/SignInWithinInvalid/);
  });

  it('belongs to the app that makes the gate', () => {
    const stack = new Stack(new App(), 'Other');
    expect(() => new ApprovalPage(stack, 'Page', { gate: AgentControls.fromControlsName(stack, 'Controls', 'agent-controls').gate })).toThrow(/GateImported/);
  });

  it('has an API of its own that a flood of calls does not reach', () => {
    made().template().hasResourceProperties('AWS::ApiGatewayV2::Stage', { DefaultRouteSettings: { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 }, ApiId: Match.anyValue() });
  });

  it('is the only API without signatures that may reach a handler, and reaches one', () => {
    const { stack } = made();
    const api = new apigatewayv2.HttpApi(stack, 'Mine', { apiName: 'agent-controls-approvals' });
    new lambda.CfnPermission(stack, 'Let', { action: 'lambda:InvokeFunction', functionName: 'agent-controls-decide', principal: 'apigateway.amazonaws.com', sourceArn: stack.formatArn({ service: 'execute-api', resource: api.apiId, resourceName: '*/POST/approvals/hold/verdict' }) });
    expect(() => (stack.node.root as App).synth()).toThrow(/FunctionOpened: Test\/Let/);
  });

  it('opens no other handler', () => {
    const { stack, controls } = made();
    const { ref } = controls.approvalPage.node.findChild('Api').node.defaultChild as apigatewayv2.CfnApi;
    new lambda.CfnPermission(stack, 'Let', { action: 'lambda:InvokeFunction', functionName: 'agent-controls-gate', principal: 'apigateway.amazonaws.com', sourceArn: stack.formatArn({ service: 'execute-api', resource: ref, resourceName: '*/POST/approve' }) });
    expect(() => (stack.node.root as App).synth()).toThrow(/FunctionOpened: Test\/Let/);
  });
});
