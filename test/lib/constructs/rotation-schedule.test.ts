/** What is rotated, when, and by a function that can do that and nothing else. */
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { AccessModel, AgentControls, AgentIdentity, Approver, CredentialIssuer, HoldTier, RotatedCredential, RotationSchedule, RotationScheduleProps, ScopeCard } from '../../../lib';
import { nextNight } from '../../../local/services/secret-rotation';
import { card, SEND_EMAIL } from '../../support/cards';
import { action, statements } from '../../support/stack';

type Options = NonNullable<ConstructorParameters<typeof AgentControls>[2]>;
function made(options: Options = {}): { app: App; stack: Stack; controls: AgentControls } {
  const app = new App();
  const stack = new Stack(app, 'Test');
  return { app, stack, controls: new AgentControls(stack, 'Controls', options) };
}
/** A schedule of its own, beside everything but another one. */
const refused = (props: Omit<RotationScheduleProps, 'broker'>): (() => unknown) => () => {
  const { stack, controls } = made();
  return RotationSchedule.fromRotationScheduleAttributes(stack, 'Other', { broker: controls.broker, ...props });
};

describe('every secret of the control plane', () => {
  it('has a schedule that a deploy does not make replace anything, once its login is there', () => {
    const { stack, controls } = made();
    controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
    controls.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    const template = Template.fromStack(stack);
    const secrets = Object.keys(template.findResources('AWS::SecretsManager::Secret', { Properties: { GenerateSecretString: { SecretStringTemplate: Match.stringLikeRegexp('agent-controls-(?!owner)') } } }));
    const schedules = template.findResources('AWS::SecretsManager::RotationSchedule');
    expect(Object.values(schedules).map(({ Properties: { SecretId } }: any) => SecretId.Ref).sort()).toEqual(secrets.sort());
    for (const { Properties, DependsOn } of Object.values(schedules)) {
      expect(Properties).toMatchObject({ RotateImmediatelyOnUpdate: false, RotationRules: { ScheduleExpression: 'cron(0 3 1/16 * ? *)', Duration: '2h' } });
      expect((DependsOn as string[]).map((id) => template.toJSON().Resources[id].Type).sort()).toEqual(['AWS::IAM::Policy', 'AWS::Lambda::Permission', 'Custom::AgentControlsRegistration']);
    }
  });

  it('keeps the ids of schedules: one that CloudFormation takes away switches rotation off', () => {
    const { stack, controls } = made();
    controls.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
    expect(Object.keys(Template.fromStack(stack).findResources('AWS::SecretsManager::RotationSchedule')).sort()).toMatchSnapshot();
  });

  it('is rotated by one function, whose policy is the same with one agent and with twenty', () => {
    const policyOf = (agents: number): string[] => {
      const { stack, controls } = made();
      controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
      for (let n = 0; n < agents; n += 1) controls.addAgent(`Agent${n}`, { card: ScopeCard.fromObject(card((of) => { of.agent = `agent-${n}`; })) });
      return statements(Template.fromStack(stack), 'agent-controls-rotate');
    };
    expect(policyOf(20)).toEqual(policyOf(1));
  });

  it('is called for by Secrets Manager of this account alone', () => {
    const { app, stack } = made();
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Permission', { Principal: 'secretsmanager.amazonaws.com', SourceAccount: { Ref: 'AWS::AccountId' } });
    AccessModel.fromApp(app).assertNoBypass();
  });

  it('of an agent in another app is scheduled by name', () => {
    const stack = new Stack(new App(), 'Agents');
    const controls = AgentControls.fromControlsName(stack, 'Controls', 'agent-controls');
    controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
    controls.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    Template.fromStack(stack).hasResourceProperties('AWS::SecretsManager::RotationSchedule', { RotationLambdaARN: { 'Fn::Sub': Match.stringLikeRegexp('function:agent-controls-rotate$') } });
  });

  it('of an agent without a schedule is warned of', () => {
    const { stack, controls } = made({ tiers: [HoldTier.verify({ approvers: [Approver.group('sales-leads')] })] });
    controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
    new AgentIdentity(stack, 'Closer', { broker: controls.broker, card: ScopeCard.fromObject(card()) });
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('the password of outreach-closer is never replaced; give it a rotation'));
  });
});

describe('other credentials', () => {
  it('add what their kind needs, on their own user, secret and function', () => {
    const app = new App();
    const stack = new Stack(app, 'Test');
    const user = new iam.User(stack, 'User', { userName: 'exporter' });
    const issuer = new lambda.Function(stack, 'Issuer', { functionName: 'issuer', runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
    new AgentControls(stack, 'Controls', { rotatedCredentials: [RotatedCredential.accessKeys(user, new secretsmanager.Secret(stack, 'Keys')), RotatedCredential.issued(new secretsmanager.Secret(stack, 'Key'), CredentialIssuer.function(issuer))] });
    const template = Template.fromStack(stack);
    const with2 = statements(template, 'agent-controls-rotate');
    const without = statements(Template.fromStack(made().stack), 'agent-controls-rotate');
    expect(with2.filter((line) => !without.includes(line))).toMatchSnapshot();
    template.resourceCountIs('AWS::SecretsManager::RotationSchedule', Object.keys(Template.fromStack(made().stack).findResources('AWS::SecretsManager::RotationSchedule')).length + 2);
  });

  it('are at most twelve', () => {
    const stack = new Stack(new App(), 'Test');
    const keys = Array.from({ length: 13 }, (_, n) => RotatedCredential.accessKeys(new iam.User(stack, `U${n}`), new secretsmanager.Secret(stack, `S${n}`)));
    expect(() => new AgentControls(stack, 'Controls', { rotatedCredentials: keys })).toThrow(/^CredentialsTooMany: .*at most 12.*got 13/);
  });
});

describe('a schedule', () => {
  const days = (every: number, hour = 3): number => {
    const { stack, controls } = made();
    const { scheduleExpression } = RotationSchedule.fromRotationScheduleAttributes(stack, 'Other', { broker: controls.broker, every: Duration.days(every), windowStartsAtHourUtc: hour });
    let [longest, last] = [0, nextNight(scheduleExpression, Date.UTC(2027, 0, 1))];
    for (let n = 0; n < 800; n += 1) {
      const next = nextNight(scheduleExpression, last);
      longest = Math.max(longest, (next - last) / 86_400_000);
      last = next;
    }
    return longest;
  };
  it.each([1, 2, 7, 10, 15, 16, 29, 30, 31, 45, 61, 62, 90])('of %i days never lets more than that pass', (every) => expect(days(every)).toBeLessThanOrEqual(every), 60_000);

  it.each([[{ every: Duration.hours(12) }, 'RotationTooRare', '12 hours'], [{ every: Duration.days(91) }, 'RotationTooRare', '91 days'], [{ window: Duration.minutes(30) }, 'WindowInvalid', '30 minutes'], [{ windowStartsAtHourUtc: 23 }, 'WindowInvalid', '23'], [{ windowStartsAtHourUtc: -1 }, 'WindowInvalid', '-1']])('is refused as %j', (props, code, got) => {
    expect(refused(props)).toThrow(new RegExp(`^${code}: .*got.*${got}.*;`));
  });

  it('is there once', () => {
    const { stack, controls } = made();
    expect(() => new RotationSchedule(stack, 'Again', { broker: controls.broker })).toThrow(/^RotationScheduleDuplicate: .*Test\/Controls\/Rotation/);
  });

  it('is told by an alarm, of one credential', () => {
    const { app, stack, controls } = made();
    const alarm = new cloudwatch.Alarm(stack, 'Alarm', { metric: new cloudwatch.Metric({ namespace: 'n', metricName: 'm' }), threshold: 1, evaluationPeriods: 1 });
    (controls.rotation as RotationSchedule).addAlarmTrigger(alarm, 'refunder');
    expect(JSON.stringify(Object.values(Template.fromStack(stack).findResources('AWS::Events::Rule', { Properties: { Description: 'Replaces refunder' } })))).toContain('\\"credential\\":\\"refunder\\"');
    AccessModel.fromApp(app).assertNoBypass();
  });
});
