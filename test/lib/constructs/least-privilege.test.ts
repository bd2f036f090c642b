import { Template } from 'aws-cdk-lib/assertions';
import { beforeAll, describe, expect, it } from 'vitest';
import { AgentControls, ScopeCard } from '../../../lib';
import { card, SEND_EMAIL, UPDATE_TIER } from '../../support/cards';
import { action, stack, statements } from '../../support/stack';

let template: Template;
beforeAll(() => {
  const of = stack();
  const controls = new AgentControls(of, 'Controls');
  controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
  controls.addAction('UpdateTier', { code: action(UPDATE_TIER) });
  controls.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
  controls.killSwitch.addEventTrigger({ detailType: ['agent misbehaves'] });
  template = Template.fromStack(of);
}, 60_000);

describe('the role of each handler can do what the handler does, and nothing else', () => {
  it.each(['registrar', 'broker', 'gate', 'executor', 'expiry', 'decide', 'read', 'keeper', 'rollback', 'kill', 'kill-trigger', 'rotate', 'action-send_email', 'action-update_tier'])('%s', (handler) => {
    expect(statements(template, `agent-controls-${handler}`)).toMatchSnapshot();
  });

  it.each(['auditor', 'privacy', 'responder', 'approver-sales-leads'])('and that of a person: %s', (role) => {
    expect(statements(template, `agent-controls-${role}`)).toMatchSnapshot();
  });

  it('has task tokens in one role only', () => {
    const holders = Object.values(template.findResources('AWS::IAM::Policy')).filter((policy) => JSON.stringify(policy).includes('states:SendTask'));
    expect(holders).toHaveLength(1);
  });

  it('lets one role invoke actions', () => {
    const holders = Object.values(template.findResources('AWS::IAM::Policy')).filter((policy) => JSON.stringify(policy).includes('function:agent-controls-action-'));
    expect(holders).toHaveLength(1);
    expect(Object.values(template.findResources('AWS::Lambda::Permission')).filter((permission) => JSON.stringify(permission).includes('SendEmail'))).toEqual([]);
  });

  it('gives no role the managed policy that writes every log', () => {
    expect(JSON.stringify(template.toJSON())).not.toContain('AWSLambdaBasicExecutionRole');
  });
});
