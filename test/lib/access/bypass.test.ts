/** Every way around the gate that an app could open, by mistake or on purpose, does not synth. */
import { App, Fn, Stack, Stage } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { Access, AgentAction, AgentControls, AgentIdentity, ScopeCard } from '../../../lib';
import { AccessModel } from '../../../lib/access/access-model';
import { cardFromObject } from '../../../lib/scope/card-file';
import { card, SEND_EMAIL } from '../../support/cards';
import { action } from '../../support/stack';

interface Made {
  readonly app: App;
  readonly stack: Stack;
  readonly controls: AgentControls;
  readonly closer: AgentIdentity;
  readonly send: AgentAction;
  readonly bot: iam.Role;
}

function made(change: (of: Made) => void = () => undefined): Made {
  const app = new App();
  const stack = new Stack(app, 'Test');
  const controls = new AgentControls(stack, 'Controls');
  const send = controls.addAction('Send', { code: action(SEND_EMAIL) });
  const closer = controls.addAgent('Closer', { card: ScopeCard.fromObject(cardFromObject(card())) });
  const bot = new iam.Role(stack, 'Bot', { roleName: 'bot', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
  closer.grantStartRun(bot);
  const all = { app, stack, controls, closer, send, bot };
  change(all);
  return all;
}

const refusal = (change: (of: Made) => void): string => {
  const { app } = made(change);
  try {
    app.synth();
  } catch (error) {
    return (error as Error).message;
  }
  return 'synthesizes';
};
const allow = (role: iam.Role, actions: string[], resources = ['*']): void => { role.addToPolicy(new iam.PolicyStatement({ actions, resources })); };
const stranger = (stack: Stack, id = 'Stranger'): iam.Role => new iam.Role(stack, id, { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
const HANDLER = (name: string): string => `arn:aws:lambda:eu-central-1:111122223333:function:agent-controls-${name}`;

describe('the program of an agent', () => {
  it('may start runs and write its log', () => {
    expect(refusal(({ bot, closer }) => {
      bot.addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSLambdaBasicExecutionRole'));
      allow(bot, ['logs:PutLogEvents', 'bedrock:InvokeModel', 'xray:PutTraceSegments']);
      closer.grantStartRun(bot);
    })).toBe('synthesizes');
  });

  it.each<[string, string, (of: Made) => void]>([
    ['reads a bucket', 'ComputeTooWide: Test/Bot/Resource, which starts runs of outreach-closer, may also s3:GetObject on *', ({ bot }) => allow(bot, ['s3:GetObject'])],
    ['does everything', 'may also * on *', ({ bot }) => allow(bot, ['*'])],
    ['does everything but', 'whatever a statement with NotAction or NotResource leaves', ({ bot }) => bot.addToPolicy(new iam.PolicyStatement({ notActions: ['iam:*'], resources: ['*'] }))],
    ['does something everywhere but', 'whatever a statement with NotAction or NotResource leaves', ({ bot }) => bot.addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], notResources: ['arn:aws:lambda:*:*:function:x'] }))],
    ['is an administrator', 'AdministratorAccess, and what that allows is not seen here', ({ bot }) => bot.addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName('AdministratorAccess'))],
    ['has a policy of the app', 'may also dynamodb:Scan on *', ({ bot, stack }) => new iam.ManagedPolicy(stack, 'More', { roles: [bot], statements: [new iam.PolicyStatement({ actions: ['dynamodb:Scan'], resources: ['*'] })] })],
    ['becomes somebody else', 'may also sts:AssumeRole on', ({ bot, stack }) => stranger(stack).grantAssumeRole(bot)],
    ['is trusted by somebody else', 'may become Test/Stranger/Resource', ({ bot, stack }) => new iam.Role(stack, 'Stranger', { assumedBy: new iam.ArnPrincipal(bot.roleArn) })],
    ['is trusted by condition', 'may become Test/Stranger/Resource', ({ bot, stack }) => new iam.Role(stack, 'Stranger', { assumedBy: new iam.PrincipalWithConditions(new iam.AccountRootPrincipal(), { ArnEquals: { 'aws:PrincipalArn': bot.roleArn } }) })],
    ['says what is asked of it', 'TriggerIsCompute: Test/Bot/Resource, which starts runs of outreach-closer, also says what is asked', ({ bot, closer }) => closer.grantTrigger(bot)],
    ['calls the gate itself', 'may also execute-api:Invoke on', ({ bot, controls }) => controls.gate.grantCall(bot)],
    ['decides holds', 'may also execute-api:Invoke on', ({ bot, controls }) => controls.holdQueue instanceof Object && allow(bot, ['execute-api:Invoke'], ['arn:aws:execute-api:*:*:*/*/POST/approvals/*'])],
    ['calls any route', 'may also execute-api:* on *', ({ bot }) => allow(bot, ['execute-api:*'])],
    ['writes its log and somebody else\'s', 'may also logs:* on *', ({ bot }) => allow(bot, ['logs:*'])],
    ['passes roles', 'may also iam:PassRole on *', ({ bot }) => allow(bot, ['iam:PassRole'])],
  ])('does not synth when it %s', (_what, message, change) => {
    expect(refusal(change)).toContain(message);
  });
});

describe('the role of an agent', () => {
  const role = (closer: AgentIdentity): iam.CfnRole => closer.node.findChild('Role') as iam.CfnRole;
  it.each<[string, string, (of: Made) => void]>([
    ['another boundary by an aspect', 'RoleChanged', ({ stack }) => iam.PermissionsBoundary.of(stack).apply(iam.ManagedPolicy.fromAwsManagedPolicyName('PowerUserAccess'))],
    ['no boundary', 'RoleChanged', ({ closer }) => { role(closer).permissionsBoundary = undefined; }],
    ['one more policy', 'RoleChanged', ({ closer }) => { role(closer).managedPolicyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess']; }],
    ['an inline policy', 'RoleChanged', ({ closer }) => { role(closer).policies = [{ policyName: 'more', policyDocument: {} }]; }],
    ['an override', 'RoleChanged', ({ closer }) => role(closer).addPropertyOverride('AssumeRolePolicyDocument.Statement.0.Condition', {})],
    ['a policy from outside', 'PolicyForeign: the role of agent outreach-closer has Test/More/Resource', ({ stack, closer }) => new iam.Policy(stack, 'More', { roles: [iam.Role.fromRoleArn(stack, 'Imported', closer.roleArn)], statements: [new iam.PolicyStatement({ actions: ['s3:*'], resources: ['*'] })] })],
    ['a managed policy from outside', 'PolicyForeign', ({ stack }) => new iam.CfnManagedPolicy(stack, 'More', { roles: ['agent-controls-agent-outreach-closer'], policyDocument: { Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] } })],
    ['its name on another role', 'IdentityShared', ({ stack }) => new iam.Role(stack, 'Twin', { roleName: 'agent-controls-agent-outreach-closer', assumedBy: new iam.AccountRootPrincipal() })],
  ])('does not synth with %s', (_what, message, change) => {
    expect(refusal(change)).toContain(message);
  });
});

describe('anybody else', () => {
  it.each<[string, string, (of: Made) => void]>([
    ['a role that invokes actions', 'GateBypassed: Test/Stranger/Resource may lambda:InvokeFunction on', ({ stack, send }) => send.function.grantInvoke(stranger(stack))],
    ['a role that invokes everything', 'GateBypassed: Test/Stranger/Resource may lambda:InvokeFunction, lambda:InvokeAsync, lambda:UpdateFunctionCode', ({ stack }) => allow(stranger(stack), ['lambda:*'])],
    ['a role that changes the code of actions', 'may lambda:UpdateFunctionCode on', ({ stack }) => allow(stranger(stack), ['lambda:UpdateFunctionCode'], [HANDLER('action-*')])],
    ['a role that reads the secrets of agents', 'GateBypassed: Test/Stranger/Resource may secretsmanager:GetSecretValue on', ({ stack }) => allow(stranger(stack), ['secretsmanager:GetSecretValue'], ['arn:aws:secretsmanager:*:*:secret:agent-controls/*'])],
    ['a permission on an action', 'FunctionOpened: Test/Controls/Send/Action/Function/More lets', ({ send }) => send.function.addPermission('More', { principal: new iam.ServicePrincipal('events.amazonaws.com') })],
    ['a permission on a handler by its name', 'lets s3.amazonaws.com invoke a handler (agent-controls-executor)', ({ stack }) => new lambda.CfnPermission(stack, 'More', { action: 'lambda:InvokeFunction', functionName: 'agent-controls-executor', principal: 's3.amazonaws.com' })],
    ['the API in front of an action', 'lets apigateway.amazonaws.com invoke a handler (agent-controls-action-send_email)', ({ send }) => send.function.addPermission('More', { principal: new iam.ServicePrincipal('apigateway.amazonaws.com') })],
    ['an address of an action', 'FunctionOpened', ({ send }) => (send.function as lambda.Function).addFunctionUrl()],
    ['a queue in front of a handler', 'feeds a handler from elsewhere', ({ stack }) => new lambda.CfnEventSourceMapping(stack, 'More', { functionName: HANDLER('executor'), eventSourceArn: 'arn:aws:sqs:eu-central-1:111122223333:q' })],
    ['a rule that starts a handler', 'starts a handler from elsewhere', ({ stack }) => new events.CfnRule(stack, 'More', { scheduleExpression: 'rate(1 hour)', targets: [{ id: 'x', arn: HANDLER('executor') }] })],
    ['a secret that is opened', 'SecretOpened', ({ stack, closer }) => new secretsmanager.CfnResourcePolicy(stack, 'More', { secretId: closer.secretArn, resourcePolicy: { Statement: [{ Effect: 'Allow', Principal: '*', Action: 'secretsmanager:GetSecretValue', Resource: '*' }] } })],
    ['a role that invokes a handler', 'GateBypassed: Test/Stranger/Resource may lambda:InvokeFunction on', ({ stack }) => allow(stranger(stack), ['lambda:InvokeFunction'], [HANDLER('decide')])],
    ['a role that reads the login of a handler', 'duty/decide-??????: a secret of the control plane', ({ stack }) => allow(stranger(stack), ['secretsmanager:GetSecretValue'], ['arn:aws:secretsmanager:*:*:secret:agent-controls/duty/*'])],
    ['a role that passes roles', 'iam:PassRole on arn:*:iam::*:role/agent-controls-*', ({ stack }) => allow(stranger(stack), ['iam:PassRole'])],
    ['an administrator', 'AdministratorAccess, which opens functions, secrets or roles', ({ stack }) => stranger(stack).addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName('AdministratorAccess'))],
    ['a user', 'GateBypassed: Test/User/Resource may lambda:InvokeFunction on', ({ stack, send }) => send.function.grantInvoke(new iam.User(stack, 'User'))],
    ['a group', 'ComputeTooWide: Test/Group/Resource, which starts runs of outreach-closer, may also * on *', ({ stack }) => new iam.Group(stack, 'Group').addToPolicy(new iam.PolicyStatement({ actions: ['*'], resources: ['*'] }))],
    ['a policy of the program\'s role alone', 'ComputeTooWide', ({ stack }) => new iam.CfnRolePolicy(stack, 'More', { roleName: 'bot', policyName: 'more', policyDocument: { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] } })],
    ['a policy of the agent\'s role alone', 'PolicyForeign', ({ stack }) => new iam.CfnRolePolicy(stack, 'More', { roleName: 'agent-controls-agent-outreach-closer', policyName: 'more', policyDocument: { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] } })],
    ['a name that is the control plane\'s', 'NameTaken: Test/Stranger/Resource has the name agent-controls-evil', ({ stack }) => new iam.Role(stack, 'Stranger', { roleName: 'agent-controls-evil', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') })],
    ['a program with the name of an approver', 'NameTaken', ({ stack }) => new iam.Role(stack, 'Stranger', { roleName: 'agent-controls-approver-evil', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') })],
    ['a program that may call any route', 'ComputeTooWide: Test/Stranger/Resource, which starts runs of outreach-closer', ({ stack }) => allow(stranger(stack), ['execute-api:Invoke', 's3:*'])],
    ['a program that may start any run', 'TriggerIsCompute: Test/Stranger/Resource', ({ stack, controls }) => allow(stranger(stack), ['execute-api:Invoke'], [stack.formatArn({ service: 'execute-api', resource: controls.broker.apiId, resourceName: '*/POST/agents/*' })])],
    ['an alias of an action', 'may lambda:InvokeFunction on', ({ stack, send }) => new lambda.Alias(stack, 'Alias', { aliasName: 'live', version: (send.function as lambda.Function).currentVersion }).grantInvoke(stranger(stack))],
    ['a version of an action, for a service', 'FunctionOpened', ({ send }) => (send.function as lambda.Function).currentVersion.addPermission('More', { principal: new iam.ServicePrincipal('events.amazonaws.com') })],
    ['a role of another stack', 'may lambda:InvokeFunction on', ({ app, send }) => send.function.grantInvoke(stranger(new Stack(app, 'Other')))],
    ['a permission by account and name', 'FunctionOpened', ({ stack }) => new lambda.CfnPermission(stack, 'More', { action: 'lambda:InvokeFunction', functionName: '111122223333:function:agent-controls-action-send_email', principal: '*' })],
    ['a statement that a condition chooses', 'may also * on *', ({ stack, bot }) => new iam.CfnPolicy(stack, 'More', { policyName: 'more', roles: [bot.roleName], policyDocument: { Statement: [{ 'Fn::If': ['Yes', { Effect: 'Allow', Action: '*', Resource: '*' }, { Ref: 'AWS::NoValue' }] }] } })],
    ['a star that reaches over colons', 'may lambda:InvokeFunction on', ({ stack }) => allow(stranger(stack), ['lambda:InvokeFunction'], ['arn:aws:lambda:eu-central-1:*'])],
    ['a star that swallows the account', 'may lambda:InvokeFunction on', ({ stack }) => allow(stranger(stack), ['lambda:InvokeFunction'], ['arn:aws:lambda:*:function:agent-controls-action-send_email'])],
    ['another API in front of a handler', 'lets apigateway.amazonaws.com invoke a handler (agent-controls-decide)', ({ stack }) => new lambda.CfnPermission(stack, 'More', { action: 'lambda:InvokeFunction', functionName: 'agent-controls-decide', principal: 'apigateway.amazonaws.com' })],
    ['another API in front of a handler, by its ARN', 'lets apigateway.amazonaws.com invoke a handler (agent-controls-gate)', ({ stack }) => new lambda.CfnPermission(stack, 'More', { action: 'lambda:InvokeFunction', functionName: 'agent-controls-gate', principal: 'apigateway.amazonaws.com', sourceArn: 'arn:aws:execute-api:eu-central-1:111122223333:evil/*' })],
    ['a rotation by a stranger', 'hands a secret of the control plane to a function that is none of its own', ({ stack, closer }) => new secretsmanager.CfnRotationSchedule(stack, 'More', { secretId: closer.secretArn, rotationLambdaArn: 'arn:aws:lambda:eu-central-1:111122223333:function:evil' })],
    ['trust in a session of the program', 'may become Test/Stranger/Resource', ({ stack }) => new iam.Role(stack, 'Stranger', { assumedBy: new iam.ArnPrincipal('arn:aws:sts::111122223333:assumed-role/bot/fn') })],
    ['trust in whoever is called like the program', 'may become Test/Stranger/Resource', ({ stack }) => new iam.Role(stack, 'Stranger', { assumedBy: new iam.PrincipalWithConditions(new iam.AccountRootPrincipal(), { StringLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/bo*' } }) })],
    ['a service that becomes an approver', 'HandlerTrusted', ({ controls }) => (controls.node.findAll().find((each) => each instanceof iam.Role && each.node.path.includes('Approver-sales-leads')) as iam.Role).assumeRolePolicy?.addStatements(new iam.PolicyStatement({ actions: ['sts:AssumeRole'], principals: [new iam.ServicePrincipal('lambda.amazonaws.com')] }))],
    ['a machine that becomes a handler', 'HandlerTrusted', ({ controls }) => (controls.broker.role as iam.Role).assumeRolePolicy?.addStatements(new iam.PolicyStatement({ actions: ['sts:AssumeRole'], principals: [new iam.ServicePrincipal('ec2.amazonaws.com')] }))],
    ['a handler that others become', 'HandlerTrusted', ({ controls }) => (controls.broker.role as iam.Role).assumeRolePolicy?.addStatements(new iam.PolicyStatement({ actions: ['sts:AssumeRole'], principals: [new iam.AccountRootPrincipal()] }))],
  ])('does not get past it: %s', (_what, message, change) => {
    expect(refusal(change)).toContain(message);
  });

  it('may do what has nothing to do with agents', () => {
    expect(refusal(({ stack }) => {
      const role = stranger(stack);
      new s3.Bucket(stack, 'Bucket').grantReadWrite(role);
      allow(role, ['lambda:InvokeFunction'], ['arn:aws:lambda:eu-central-1:111122223333:function:something-else']);
      allow(role, ['secretsmanager:GetSecretValue'], ['arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-AbCdEf']);
    })).toBe('synthesizes');
  });
});

describe('what a resource gives by itself', () => {
  it('counts: a bucket that names the agent is open to it, and what its boundary refuses stays refused', () => {
    const { app } = made(({ stack, closer }) => {
      new s3.CfnBucketPolicy(stack, 'Policy', { bucket: 'crown', policyDocument: { Statement: [{ Effect: 'Allow', Principal: { AWS: closer.roleArn }, Action: ['s3:GetObject', 'kms:Decrypt'], Resource: 'arn:aws:s3:::crown/*' }] } });
    });
    const agent = AccessModel.fromApp(app).agent('outreach-closer');
    expect(() => agent.assertCannot(Access.aws('s3:GetObject', 'arn:aws:s3:::crown/x'))).toThrow(/^AccessOpen: outreach-closer can s3:GetObject/);
    agent.assertCannot(Access.aws('s3:GetObject', 'arn:aws:s3:::other/x'));
    agent.assertCannot(Access.aws('kms:Decrypt', 'arn:aws:s3:::crown/x'));
  });
});

describe('what the app does not show', () => {
  it('is said to be unproven: a program of another app, a name that only the deploy knows', () => {
    const { app } = made(({ stack, closer }) => {
      closer.grantStartRun(iam.Role.fromRoleName(stack, 'Imported', 'worker'));
      stranger(stack).addToPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [Fn.importValue('x')] }));
    });
    const access = AccessModel.fromApp(app);
    access.assertNoBypass();
    expect(access.unproven()).toEqual([expect.stringMatching(/^Test\/Stranger.* may lambda:InvokeFunction on .*, if a name that only the deploy knows is such a one$/), 'role worker of another app, which starts runs of outreach-closer, belongs to another app; what else it may do is not seen here']);
  });

  it('looks at an app that has actions of another app\'s control plane, and nothing else', () => {
    const app = new App();
    const stack = new Stack(app, 'Test');
    const send = AgentControls.fromControlsName(stack, 'Controls', 'agent-controls').addAction('Send', { code: action(SEND_EMAIL) });
    send.function.grantInvoke(stranger(stack));
    expect(() => app.synth()).toThrow(/GateBypassed: Test\/Stranger\/Resource may lambda:InvokeFunction/);
  });

  it('keeps stages apart: the same names in two of them are two control planes', () => {
    const app = new App();
    for (const name of ['Dev', 'Prod']) {
      const stack = new Stack(new Stage(app, name), 'Test');
      const controls = new AgentControls(stack, 'Controls');
      controls.addAction('Send', { code: action(SEND_EMAIL) });
      controls.addAgent('Closer', { card: ScopeCard.fromObject(cardFromObject(card())) });
    }
    expect(AccessModel.fromApp(app).agentNames).toEqual(['Dev/outreach-closer', 'Prod/outreach-closer']);
  });
});
