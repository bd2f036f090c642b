import { Duration, Expiration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import { beforeAll, describe, expect, it } from 'vitest';
import { AgentControls, AuditLogTable, AuditLogTableProps, ControlsDatabase, OperatorDuty, OperatorRole } from '../../../lib';
import { stack } from '../../support/stack';

type More = Omit<AuditLogTableProps, 'database'>;
function made(more: More | ((of: ReturnType<typeof stack>) => More) = {}): { template: Template; log: AuditLogTable } {
  const of = stack();
  const log = new AuditLogTable(of, 'Audit', { database: new ControlsDatabase(of, 'Db'), ...(typeof more === 'function' ? more(of) : more) });
  return { log, template: Template.fromStack(of) };
}

let template: Template;
beforeAll(() => { template = made().template; }, 60_000);

describe('the bucket of signed statements', () => {
  it('locks everything for longer than anything is kept, against everybody, and outlives the stack', () => {
    template.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain',
      Properties: {
        ObjectLockEnabled: true, ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 434 } } },
        BucketEncryption: Match.anyValue(), PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
      },
    });
    template.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'agent-controls-keeper', Environment: { Variables: { LOCK_MODE: 'COMPLIANCE', LOCK_DAYS: '434', RETENTION_MONTHS: '13', BACKUP_DAYS: '7' } } });
  });

  it('is reached over TLS alone', () => {
    template.hasResourceProperties('AWS::S3::BucketPolicy', { PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Effect: 'Deny', Action: 's3:*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })]) } });
  });

  it('can be lifted with a right of its own where a stack is an experiment', () => {
    made({ immutable: false }).template.hasResourceProperties('AWS::S3::Bucket', { ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'GOVERNANCE' } } } });
    const dev = stack();
    new AgentControls(dev, 'Controls');
    Template.fromStack(dev).hasResourceProperties('AWS::S3::Bucket', { ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'GOVERNANCE' } } } });
    const prod = stack();
    new AgentControls(prod, 'Controls', { environment: 'prod' });
    Template.fromStack(prod).hasResourceProperties('AWS::S3::Bucket', { ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE' } } } });
  });
});

it('signs with a key that can only sign, and that outlives the stack', () => {
  template.hasResource('AWS::KMS::Key', { DeletionPolicy: 'RetainExceptOnCreate', Properties: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } });
});

it('has one role that signs, and no role that deletes a statement or lifts a lock', () => {
  const policies = Object.values(template.findResources('AWS::IAM::Policy')).map((policy) => JSON.stringify(policy));
  expect(policies.filter((policy) => policy.includes('kms:Sign'))).toHaveLength(1);
  for (const policy of policies) expect(policy).not.toMatch(/s3:(Delete|Bypass|\*)|kms:\*/);
});

describe('what is watched', () => {
  it('are failed verifications and refused checkpoints, late checkpoints, failed appends, and a keeper that is silent', () => {
    template.resourceCountIs('AWS::CloudWatch::Alarm', 4);
    template.resourceCountIs('AWS::CloudWatch::Dashboard', 0);
    template.hasResourceProperties('AWS::CloudWatch::Alarm', { TreatMissingData: 'breaching', ComparisonOperator: 'LessThanThreshold', MetricName: 'Invocations' });
  });

  it('is told where somebody says so, and drawn where somebody pays for it', () => {
    const { template: told } = made((of) => ({ alarmTopic: new sns.Topic(of, 'OnCall'), dashboard: true }));
    told.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: [Match.anyValue()] });
    told.resourceCountIs('AWS::CloudWatch::Dashboard', 1);
  });

  it('is every handler that appends', () => {
    const of = stack();
    new AgentControls(of, 'Controls');
    const whole = Template.fromStack(of);
    whole.resourceCountIs('AWS::Logs::MetricFilter', 8);
    for (const handler of ['broker', 'gate', 'executor', 'expiry', 'decide']) whole.hasResourceProperties('AWS::Lambda::Function', { FunctionName: `agent-controls-${handler}`, Environment: { Variables: Match.objectLike({ CHECKPOINT_SECONDS: '240' }) } });
  });
});

it('waits as long for a checkpoint as it is told', () => {
  const { template: hourly } = made({ checkpointEvery: Duration.hours(1) });
  expect(JSON.stringify(hourly.findResources('AWS::StepFunctions::StateMachine'))).toContain('\\"Seconds\\": 3600');
});

it.each<[string, More, RegExp]>([
  ['a retention that answers no reviewer', { retention: Duration.days(30) }, /^RetentionTooShort: Test\/Audit: retention must be at least 93 days, got 30 days/],
  ['a retention of no whole months', { retention: Duration.days(400) }, /^RetentionInvalid: Test\/Audit: retention must be whole months of 31 days, got 400 days; for 13 months write Duration.days\(403\)/],
  ['checkpoints every second', { checkpointEvery: Duration.seconds(1) }, /^CheckpointIntervalInvalid/],
  ['checkpoints every week', { checkpointEvery: Duration.days(7) }, /^CheckpointIntervalInvalid/],
])('refuses %s', (_, more, message) => {
  expect(() => made(more)).toThrow(message);
});

it('refuses a key that cannot sign and a bucket that forgets, where this app makes them', () => {
  expect(() => made((of) => ({ signingKey: new kms.Key(of, 'Key') }))).toThrow(/^SigningKeyInvalid: Test\/Audit: signingKey must have keySpec ECC_NIST_P256/);
  expect(() => made((of) => ({ statementBucket: new s3.Bucket(of, 'Bucket') }))).toThrow(/^BucketNotLocked/);
  expect(() => made((of) => ({ signingKey: new kms.Key(of, 'Key', { keySpec: kms.KeySpec.ECC_NIST_P256, keyUsage: kms.KeyUsage.SIGN_VERIFY }), statementBucket: new s3.Bucket(of, 'Bucket', { objectLockEnabled: true }) }))).not.toThrow();
});

describe('a grant that ends by itself', () => {
  it('has not ended already', () => {
    const of = stack();
    const { auditLog } = new AgentControls(of, 'Controls');
    expect(() => auditLog.grantVerifyUntil(new iam.Role(of, 'R', { assumedBy: new iam.AccountPrincipal('111122223333') }), Expiration.atDate(new Date('2020-01-01')))).toThrow(/GrantOver/);
  });

  it('is conditioned statement by statement on the time, so no open session outlives it', () => {
    const of = stack();
    const controls = new AgentControls(of, 'Controls');
    new OperatorRole(of, 'Firm', { gate: controls.gate, duty: OperatorDuty.AUDITOR, assumedBy: new iam.AccountPrincipal('111122223333'), until: Expiration.atDate(new Date('2027-01-31T00:00:00Z')) });
    const policies = Object.values(Template.fromStack(of).findResources('AWS::IAM::Policy')) as { Properties: { Roles: { Ref: string }[]; PolicyDocument: { Statement: { Action: string | string[]; Condition?: object }[] } } }[];
    const statements = policies.filter(({ Properties }) => Properties.Roles.some(({ Ref }) => Ref.startsWith('Firm'))).flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
    const ended = statements.filter(({ Condition }) => JSON.stringify(Condition ?? {}).includes('"DateLessThan":{"aws:CurrentTime":"2027-01-31T00:00:00Z"}')).flatMap(({ Action }) => Action);
    expect(ended.sort()).toEqual(['kms:GetPublicKey', 'rds-data:ExecuteStatement', 's3:GetObject', 's3:GetObjectVersion', 's3:ListBucketVersions', 'secretsmanager:GetSecretValue']);
  });

  it('is for auditors', () => {
    const of = stack();
    const controls = new AgentControls(of, 'Controls');
    expect(() => new OperatorRole(of, 'Fire', { gate: controls.gate, duty: OperatorDuty.BREAK_GLASS, assumedBy: new iam.AccountPrincipal('111122223333'), until: Expiration.after(Duration.days(1)) })).toThrow(/DutyNeverEnds/);
  });
});

it('lets people with the privacy role ask for erasures and legal holds, and read nothing', () => {
  const of = stack();
  const controls = new AgentControls(of, 'Controls');
  new OperatorRole(of, 'Dpo', { gate: controls.gate, duty: OperatorDuty.AUDITOR, assumedBy: new iam.AccountPrincipal('111122223333') });
  const policies = Object.values(Template.fromStack(of).findResources('AWS::IAM::Policy')) as { Properties: { Roles: { Ref: string }[]; PolicyDocument: { Statement: { Action: string | string[] }[] } } }[];
  const actions = policies.filter(({ Properties }) => Properties.Roles.some(({ Ref }) => Ref.startsWith('ControlsPrivacy'))).flatMap(({ Properties }) => Properties.PolicyDocument.Statement.flatMap(({ Action }) => Action));
  expect(actions.sort()).toEqual(['execute-api:Invoke', 'ssm:GetParameter']);
});
