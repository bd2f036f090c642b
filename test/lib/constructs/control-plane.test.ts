import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { beforeAll, describe, expect, it } from 'vitest';
import { ActionCatalog, ActionCode, AgentAction, AgentControls, AgentIdentity, Approver, AuditLogTable, ControlsCluster, ControlsDatabase, HoldQueue, HoldTier, RotationSchedule, RunBroker, ScopeCard, ToolGate } from '../../../lib';
import { card, ISSUE_REFUND, SEND_EMAIL } from '../../support/cards';
import { action, short, stack } from '../../support/stack';

describe('a control plane with its defaults', () => {
  let template: Template;
  beforeAll(() => {
    const of = stack();
    new AgentControls(of, 'Controls');
    template = Template.fromStack(of);
  }, 60_000);
  const resources = (): Record<string, { Type: string; Properties: Record<string, unknown>; DeletionPolicy?: string }> => template.toJSON().Resources as never;

  it('has an encrypted Aurora that sleeps, answers the Data API, and is kept', () => {
    template.hasResource('AWS::RDS::DBCluster', {
      Properties: { StorageEncrypted: true, EnableHttpEndpoint: true, DeletionProtection: true, ServerlessV2ScalingConfiguration: { MinCapacity: 0, MaxCapacity: 2, SecondsUntilAutoPause: 300 }, EngineVersion: '17.9' },
      DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain',
    });
    template.resourceCountIs('AWS::RDS::DBInstance', 1);
  });

  it('writes neither statements nor values into the log of its database', () => {
    template.hasResourceProperties('AWS::RDS::DBClusterParameterGroup', { Family: 'aurora-postgresql17', Parameters: { log_statement: 'none', log_min_messages: 'fatal', log_min_error_statement: 'panic', log_parameter_max_length_on_error: '0', log_error_verbosity: 'terse' } });
    template.hasResourceProperties('AWS::RDS::DBCluster', { DBClusterParameterGroupName: Match.anyValue() });
  });

  it('has no way in or out of its network', () => {
    for (const type of ['AWS::EC2::NatGateway', 'AWS::EC2::InternetGateway', 'AWS::EC2::VPCEndpoint', 'AWS::EC2::EIP']) template.resourceCountIs(type, 0);
  });

  it('asks every caller of every route for a signature, but on the page, which asks for a token and has an API of its own', () => {
    const routes = Object.values(template.findResources('AWS::ApiGatewayV2::Route')).map(({ Properties }) => Properties as { AuthorizationType: string; RouteKey: string; ApiId: { Ref: string } });
    const keys = (type: string): string[] => routes.filter(({ AuthorizationType }) => AuthorizationType === type).map(({ RouteKey }) => RouteKey).sort();
    expect(keys('AWS_IAM')).toEqual(['GET /agents', 'GET /agents/{agent}/stop', 'GET /approvals', 'GET /approvals/{holdId}', 'GET /holds/{holdId}', 'GET /legal-holds', 'GET /openapi.json', 'GET /rollbacks/{rollbackId}', 'GET /tools', 'POST /agents/{agent}/disable', 'POST /agents/{agent}/enable', 'POST /agents/{agent}/hold', 'POST /agents/{agent}/probe', 'POST /agents/{agent}/release', 'POST /agents/{agent}/requests', 'POST /agents/{agent}/runs', 'POST /approvals/{holdId}/verdict', 'POST /calls', 'POST /changes', 'POST /checkpoints', 'POST /decisions/{decisionId}/outcome', 'POST /erasures', 'POST /evidence', 'POST /legal-holds', 'POST /legal-holds/{legalHoldId}/release', 'POST /mcp', 'POST /rollbacks', 'POST /rollbacks/{rollbackId}/reversals/{reversalId}', 'POST /rotations']);
    expect(keys('NONE')).toEqual(['GET /approve', 'GET /approve/holds', 'GET /approve/holds/{holdId}', 'GET /approve/holds/{holdId}/saw/{decisionId}', 'GET /approve/open', 'GET /approve/page.css', 'GET /approve/page.js', 'POST /approve/holds/{holdId}/changes', 'POST /approve/holds/{holdId}/verdict', 'POST /approve/token']);
    const apis = (type: string): string[] => [...new Set(routes.filter(({ AuthorizationType }) => AuthorizationType === type).map(({ ApiId }) => ApiId.Ref))];
    expect(apis('NONE')).toHaveLength(1);
    expect(apis('AWS_IAM')).not.toContain(apis('NONE')[0]);
  });

  it('gives names only to what another stack must find', () => {
    const nameOf: Record<string, string> = { 'AWS::RDS::DBCluster': 'DBClusterIdentifier', 'AWS::SNS::Topic': 'TopicName', 'AWS::Logs::LogGroup': 'LogGroupName', 'AWS::EC2::VPC': 'VpcName' };
    for (const { Type, Properties } of Object.values(resources())) if (nameOf[Type] !== undefined) expect(Properties?.[nameOf[Type]], Type).toBeUndefined();
    const named = Object.values(resources()).flatMap(({ Properties }) => ['RoleName', 'FunctionName', 'ManagedPolicyName', 'StateMachineName', 'AliasName'].map((key) => Properties?.[key]).filter((name): name is string => typeof name === 'string'));
    expect(named.filter((name) => !/^(alias\/)?agent-controls/.test(name))).toEqual([]);
  });

  it('exports nothing', () => {
    expect(Object.values((template.toJSON().Outputs ?? {}) as Record<string, { Export?: unknown }>).filter((output) => output.Export)).toEqual([]);
  });

  it('runs its functions on arm64 with Node 24, with an environment under 4 KB', () => {
    for (const { Properties } of Object.values(template.findResources('AWS::Lambda::Function')) as { Properties: { Runtime: string; Architectures: string[]; Environment: { Variables: Record<string, unknown> } } }[]) {
      expect([Properties.Runtime, Properties.Architectures]).toEqual(['nodejs24.x', ['arm64']]);
      expect(JSON.stringify(Properties.Environment.Variables).length).toBeLessThan(2_000);
    }
  });

  it('never changes the template of a generated password', () => {
    const templates = Object.values(template.findResources('AWS::SecretsManager::Secret')).map(({ Properties }) => JSON.stringify((Properties as { GenerateSecretString: unknown }).GenerateSecretString)).sort();
    expect(templates).toMatchSnapshot();
  });

  it('migrates after the writer is there, and registers after the migration', () => {
    const [[migration, { DependsOn }]] = Object.entries(template.findResources('Custom::AgentControlsMigration')) as [[string, { DependsOn: string[] }]];
    const [writer] = Object.keys(template.findResources('AWS::RDS::DBInstance'));
    expect(DependsOn).toContain(writer);
    const [registration] = Object.values(template.findResources('Custom::AgentControlsRegistration')) as { DependsOn: string[] }[];
    expect(registration?.DependsOn).toContain(migration);
  });

  it('keeps the logical ids of what holds state: under another one it would be replaced', () => {
    const stateful = ['AWS::RDS::DBCluster', 'AWS::RDS::DBInstance', 'AWS::S3::Bucket', 'AWS::KMS::Key', 'AWS::Cognito::UserPool', 'AWS::SecretsManager::Secret'];
    expect(stateful.flatMap((type) => Object.keys(template.findResources(type)).sort())).toMatchSnapshot();
  });

  it('does both again for another cluster, as after a restore, and imports none into stacks of agents', () => {
    const clusterOf = (type: string): unknown[] => Object.values(template.findResources(type)).map(({ Properties }) => short((Properties as { Cluster: unknown }).Cluster));
    expect([clusterOf('Custom::AgentControlsMigration'), clusterOf('Custom::AgentControlsRegistration')]).toEqual([[expect.stringContaining(':cluster:<ControlsDatabaseCluster')], [expect.stringContaining(':cluster:<ControlsDatabaseCluster')]]);
  });

  it('keeps the window of holds in a state machine that sees ids only', () => {
    const [machine] = Object.values(template.findResources('AWS::StepFunctions::StateMachine', { Properties: { StateMachineName: 'agent-controls-hold-window' } })) as { Properties: { DefinitionString: unknown; LoggingConfiguration?: unknown } }[];
    expect(short(machine?.Properties.DefinitionString)).toContain('arn:<Partition>:states:::lambda:invoke.waitForTaskToken');
    expect(machine?.Properties.LoggingConfiguration).toBeUndefined();
  });

  it('lets people in with MFA, under their own name', () => {
    const of = stack();
    new HoldQueue(of, 'Holds', { auditLog: new AuditLogTable(of, 'Audit', { database: new ControlsDatabase(of, 'Db') }), tiers: [HoldTier.human({ approvers: [Approver.group('legal')] })] })._apiId = 'api';
    Template.fromStack(of).hasResourceProperties('AWS::IAM::Role', {
      RoleName: 'agent-controls-approver-legal',
      AssumeRolePolicyDocument: { Statement: [{ Action: 'sts:AssumeRole', Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' }, NumericLessThan: { 'aws:MultiFactorAuthAge': '3600' }, StringEquals: { 'sts:RoleSessionName': '${aws:username}' } } }] },
    });
  });
});

describe('piece by piece, in a stack that has its own cluster', () => {
  it('creates no cluster, and takes the given login', () => {
    const of = stack();
    const vpc = new ec2.Vpc(of, 'Vpc', { natGateways: 0 });
    const cluster = new rds.DatabaseCluster(of, 'Cluster', { engine: rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.VER_17_9 }), writer: rds.ClusterInstance.serverlessV2('w'), vpc, vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED }, enableDataApi: true, storageEncrypted: true });
    const owner = secretsmanager.Secret.fromSecretNameV2(of, 'OwnerSecret', 'controls-owner');
    const database = new ControlsDatabase(of, 'Database', { controlsName: 'billing', cluster: ControlsCluster.existing({ cluster, ownerSecret: owner, databaseName: 'agents' }) });
    const auditLog = new AuditLogTable(of, 'Audit', { database });
    const broker = new RunBroker(of, 'Broker', { auditLog, sessionDuration: Duration.minutes(15) });
    const holdQueue = new HoldQueue(of, 'Holds', { auditLog, tiers: [HoldTier.verify({ approvers: [Approver.group('sales-leads')] }), HoldTier.human({ tierName: 'contract', window: Duration.minutes(60), approvers: [Approver.group('legal')] })] });
    const gate = new ToolGate(of, 'Gate', { broker, holdQueue });
    new AgentAction(of, 'SendEmail', { gate, code: action(SEND_EMAIL) });
    expect(() => new AgentIdentity(of, 'Unrotated', { card: ScopeCard.fromObject(card()), broker, environment: 'prod' })).toThrow(/^AgentNotRotated: .*outreach-closer.*give it a rotation/);
    new AgentIdentity(of, 'Closer', { card: ScopeCard.fromObject(card((of) => { of.agent = 'other'; })), broker, environment: 'prod', rotation: new RotationSchedule(of, 'Rotation', { broker }) });
    const template = Template.fromStack(of);
    template.resourceCountIs('AWS::RDS::DBCluster', 1);
    template.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'billing-broker', Environment: { Variables: { SESSION_SECONDS: '900' } } });
    expect(JSON.stringify(template.findResources('AWS::Lambda::Function', { Properties: { FunctionName: 'billing-registrar' } }))).toContain('controls-owner');
  });

  it('refers to a control plane of another app by name, and creates nothing', () => {
    const of = stack();
    const controls = AgentControls.fromControlsName(of, 'Controls', 'agents-prod');
    expect(Object.keys(Template.fromStack(of).toJSON().Resources ?? {})).toEqual([]);
    expect(controls.database.controlsName).toBe('agents-prod');
  });

  it('takes agents and actions in other stacks, without exports', () => {
    const app = new App();
    const of = new Stack(app, 'Fleet');
    const controls = AgentControls.fromControlsName(of, 'Controls', 'agents-prod');
    controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
    controls.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    const template = Template.fromStack(of);
    template.hasResourceProperties('Custom::AgentControlsRegistration', { ServiceToken: { 'Fn::Join': ['', Match.arrayWith([':function:agents-prod-registrar'])] } });
    expect(template.toJSON().Outputs).toBeUndefined();
    expect(JSON.stringify(template.toJSON())).not.toContain('Fn::ImportValue');
  });
});

describe('what is given is checked', () => {
  const database = (of = stack()): ControlsDatabase => new ControlsDatabase(of, 'Db');
  const audit = (of = stack()): AuditLogTable => new AuditLogTable(of, 'Audit', { database: database(of) });

  it.each(['', 'Agents', 'a-b-', '1x', 'x'.repeat(17), "x'; --"])('refuses %j as the name of a control plane', (controlsName) => {
    expect(() => new ControlsDatabase(stack(), 'Db', { controlsName })).toThrow(/^ControlsNameInvalid/);
  });

  it('refuses sessions that reach an hour, or are shorter than AWS gives', () => {
    for (const sessionDuration of [Duration.minutes(60), Duration.minutes(14)]) expect(() => new RunBroker(stack(), 'Broker', { auditLog: audit(), sessionDuration })).toThrow(/^SessionDurationInvalid: .*15 to 59 minutes/);
  });

  it('refuses windows that are too short or too long, with what was got', () => {
    expect(() => HoldTier.verify({ window: Duration.seconds(10) })).toThrow('HoldWindowTooShort: hold must be at least 1 minute, got 10 seconds; raise window of tier verify');
    expect(() => HoldTier.human({ window: Duration.days(8) })).toThrow(/^HoldWindowTooLong/);
    expect(() => HoldTier.human({ approvalsRequired: 0 })).toThrow(/^TierInvalid/);
    expect(() => HoldTier.human({ tierName: 'auto' })).toThrow(/^TierInvalid/);
    expect(() => Approver.group('Sales Leads')).toThrow(/^ApproverInvalid/);
  });

  it('refuses two tiers of one name', () => {
    expect(() => new HoldQueue(stack(), 'Holds', { auditLog: audit(), tiers: [HoldTier.verify(), HoldTier.verify()] })).toThrow(/^TierDuplicate/);
  });

  it('refuses a gate over two logs', () => {
    const of = stack();
    const [first, second] = [audit(of), new AuditLogTable(of, 'Other', { database: new ControlsDatabase(of, 'OtherDb', { controlsName: 'other' }) })];
    expect(() => new ToolGate(of, 'Gate', { broker: new RunBroker(of, 'Broker', { auditLog: first }), holdQueue: new HoldQueue(of, 'Holds', { auditLog: second }) })).toThrow(/^TwoAuditLogs/);
  });

  it('refuses public subnets and pauses that Aurora does not take', () => {
    const of = stack();
    const vpc = new ec2.Vpc(of, 'Vpc', { natGateways: 0 });
    expect(() => new ControlsDatabase(of, 'Db', { cluster: ControlsCluster.serverless({ vpc, vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC } }) })).toThrow(/^PublicSubnet/);
    expect(() => new ControlsDatabase(stack(), 'Db', { cluster: ControlsCluster.serverless({ pauseAfter: Duration.minutes(1) }) })).toThrow(/^PauseInvalid/);
  });

  it('refuses an engine that is not Aurora PostgreSQL 16 or later', () => {
    const of = stack();
    const cluster = rds.DatabaseCluster.fromDatabaseClusterAttributes(of, 'C', { clusterIdentifier: 'c', engine: rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.VER_15_5 }) });
    expect(() => ControlsCluster.existing({ cluster, ownerSecret: secretsmanager.Secret.fromSecretNameV2(of, 'S', 's'), databaseName: 'x' })).toThrow(/^EngineUnsupported: .*got "aurora-postgresql 15\.5"/);
  });

  it('refuses an action twice, a secret in its environment, and a time-out too long', () => {
    const of = stack();
    const controls = new AgentControls(of, 'Controls', { removalPolicy: RemovalPolicy.DESTROY });
    const { gate } = controls;
    new AgentAction(of, 'One', { gate, code: action(SEND_EMAIL) });
    expect(() => new AgentAction(of, 'Two', { gate, code: action(SEND_EMAIL) })).toThrow(/^ActionDuplicate: Test\/Two: Test\/One is the action send_email already/);
    expect(() => new AgentAction(of, 'Three', { gate, code: action(ISSUE_REFUND), timeout: Duration.minutes(6) })).toThrow(/^TimeoutInvalid/);
    const environments: Record<string, string>[] = [{ STRIPE_API_KEY: 'x' }, { THING: 'sk_live_0123456789abcdef' }, { X: 'AKIAIOSFODNN7EXAMPLE' }];
    environments.forEach((environment, index) => {
      const refused = expect(() => new AgentAction(of, `Env${index}`, { gate, code: action({ ...ISSUE_REFUND, name: `refund_${index}` }), environment }));
      refused.toThrow(/^SecretInEnvironment: environment\.\w+ of refund_\d looks like a secret; put it into Secrets Manager/); // and never the value
    });
  });

  it('refuses an action without handler or reverse, or with a sink that is no parameter', () => {
    const { reverse: _, ...bare } = SEND_EMAIL;
    expect(() => action(bare)).toThrow(/^ReverseMissing: send_email/);
    expect(() => action({ ...SEND_EMAIL, sinks: ['recipient'] })).toThrow(/^ActionInvalid: send_email\.sinks: "recipient" is no parameter/);
    expect(() => action({ ...SEND_EMAIL, name: 'Send-Email' })).toThrow(/^ActionInvalid: name/);
    expect(() => ActionCode.fromEntry('nowhere.ts')).toThrow(/^ActionUnreadable/);
    expect(() => ActionCode.fromEntry(__filename.replace('constructs/control-plane.test.ts', 'constructs/no-action.fixture.ts'))).toThrow(/^ActionInvalid: .*must export one defineAction or defineQuery by default/);
  });

  it('reads a catalog for actions that another app deploys', () => {
    expect(() => ActionCatalog.fromFile(`${__dirname}/../../../package.json`)).toThrow(/^CatalogInvalid/);
  });

  it('grants no one the deletion of the log', () => {
    expect(Object.getOwnPropertyNames(Object.getPrototypeOf(AuditLogTable.prototype)).filter((name) => name.startsWith('grant')).sort()).toEqual(['grantAppend', 'grantRead', 'grantUse', 'grantVerify', 'grantVerifyUntil']);
    const of = stack();
    const role = new iam.Role(of, 'App', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    audit(of).grantAppend(role);
    Template.fromStack(of).hasResourceProperties('AWS::SecretsManager::Secret', { Name: 'agent-controls/duty/append' });
  });
});
