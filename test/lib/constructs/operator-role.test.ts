import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { describe, expect, it } from 'vitest';
import { AgentControls, OperatorDuty, OperatorRole, OperatorRoleProps } from '../../../lib';
import { statements } from '../../support/stack';

function made(props: Partial<OperatorRoleProps>, other = false): Template {
  const app = new App();
  const stack = new Stack(app, 'Test');
  const controls = other ? AgentControls.fromControlsName(stack, 'Controls', 'agent-controls') : new AgentControls(stack, 'Controls');
  new OperatorRole(stack, 'Operator', { gate: controls.gate, duty: OperatorDuty.AUDITOR, assumedBy: new iam.AccountRootPrincipal(), ...props });
  app.synth();
  return Template.fromStack(stack);
}
const trustOf = (template: Template, description: RegExp): any => Object.values(template.findResources('AWS::IAM::Role')).map(({ Properties }) => Properties as Record<string, any>).filter(({ Description }) => description.test(String(Description))).map(({ AssumeRolePolicyDocument, MaxSessionDuration }) => ({ ...AssumeRolePolicyDocument.Statement[0].Condition, MaxSessionDuration })).at(-1);

describe('a role of people', () => {
  it.each([[OperatorDuty.AUDITOR, /auditor|Reads/i, {}], [OperatorDuty.BREAK_GLASS, /emergencies/, {}], [OperatorDuty.APPROVER, /Decides/, { group: 'finance' }]])('asks for MFA, not long ago, for an hour: %s', (duty, description, more) => {
    expect(trustOf(made({ duty, ...more }), description)).toMatchObject({ Bool: { 'aws:MultiFactorAuthPresent': 'true' }, NumericLessThan: { 'aws:MultiFactorAuthAge': '3600' }, MaxSessionDuration: 3_600 });
  });

  it('signs as its user where it approves', () => {
    expect(trustOf(made({ duty: OperatorDuty.APPROVER, group: 'finance' }), /Decides/)).toMatchObject({ StringEquals: { 'sts:RoleSessionName': '${aws:username}' } });
  });

  it('can do what its duty is, and nothing else', () => {
    expect(statements(made({ duty: OperatorDuty.BREAK_GLASS }), 'agent-controls-break-glass')).toMatchSnapshot();
    expect(statements(made({ duty: OperatorDuty.BREAK_GLASS }), 'agent-controls-witness')).toMatchSnapshot();
    expect(statements(made({ duty: OperatorDuty.APPROVER, group: 'finance' }), 'agent-controls-approver-finance')).toMatchSnapshot();
    expect(statements(made({ duty: OperatorDuty.RESPONDER }), 'agent-controls-responder')).toMatchSnapshot();
  });

  it.each<[string, RegExp, Partial<OperatorRoleProps>]>([
    ['a service', /^OperatorNotAPerson: .*lambda\.amazonaws\.com.*is a service or an agent/, { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }],
    ['an agent', /^OperatorNotAPerson/, { assumedBy: new iam.ArnPrincipal('arn:aws:iam::111122223333:role/agent-controls-agent-refunder') }],
    ['an approver of nothing', /^GroupMismatch: .*duty APPROVER with group null/, { duty: OperatorDuty.APPROVER }],
    ['an auditor of a group', /^GroupMismatch/, { group: 'finance' }],
    ['an emergency that lasts all day', /^SessionDurationInvalid: .*must be an hour, got 8 hours/, { duty: OperatorDuty.BREAK_GLASS, maxSessionDuration: Duration.hours(8) }],
    ['a session of minutes', /^SessionDurationInvalid: .*must be an hour to twelve, got 15 minutes/, { maxSessionDuration: Duration.minutes(15) }],
  ])('is refused for %s', (_what, message, props) => {
    expect(() => made(props)).toThrow(message);
  });

  it('may be of another app', () => {
    expect(() => made({ duty: OperatorDuty.AUDITOR }, true)).not.toThrow();
  });
});
