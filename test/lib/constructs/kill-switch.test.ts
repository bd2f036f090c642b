/** What stops agents, and what may ask for it. */
import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as events from 'aws-cdk-lib/aws-events';
import { describe, expect, it } from 'vitest';
import { AgentControls, KillSwitch } from '../../../lib';
import { statements } from '../../support/stack';

function made(): { stack: Stack; controls: AgentControls } {
  const stack = new Stack(new App(), 'Test');
  return { stack, controls: new AgentControls(stack, 'Controls') };
}

describe('the kill switch', () => {
  it('writes policies to roles that carry the boundary of agents, and to no other', () => {
    const { stack } = made();
    expect(statements(Template.fromStack(stack), 'agent-controls-kill').filter((line) => line.includes('iam:Put'))).toEqual([
      expect.stringMatching(/^iam:PutRolePolicy on arn:.*role\/agent-controls-agent-\* if \{"StringEquals":\{"iam:PermissionsBoundary":.*policy\/agent-controls-agent-boundary/),
    ]);
  });

  it('has no function for events until there is a trigger, and that one cannot bring an agent back', () => {
    const { stack, controls } = made();
    const without = made();
    Template.fromStack(without.stack).resourcePropertiesCountIs('AWS::Lambda::Function', { FunctionName: 'agent-controls-kill-trigger' }, 0);
    controls.killSwitch.addEventTrigger({ detailType: ['agent misbehaves'] });
    controls.killSwitch.addEventTrigger({ detailType: ['something else'] });
    Template.fromStack(stack).resourcePropertiesCountIs('AWS::Lambda::Function', { FunctionName: 'agent-controls-kill-trigger' }, 1);
    const asks = statements(Template.fromStack(stack), 'agent-controls-kill-trigger').filter((line) => line.startsWith('execute-api'));
    expect(asks.map((line) => line.replace(/.*>\//, '/'))).toEqual(['/*/GET/agents', '/*/GET/agents/*/stop', '/*/POST/agents/*/disable']);
  });

  it('is triggered by an alarm, for one agent or for all, and says so', () => {
    const { stack, controls } = made();
    const alarm = new cloudwatch.Alarm(stack, 'Alarm', { metric: new cloudwatch.Metric({ namespace: 'n', metricName: 'm' }), threshold: 1, evaluationPeriods: 1 });
    controls.killSwitch.addAlarmTrigger(alarm, 'refunder');
    controls.killSwitch.addAlarmTrigger(alarm);
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::Events::Rule', { Description: 'Stops refunder', EventPattern: { source: ['aws.cloudwatch'], detail: { state: { value: ['ALARM'] } } } });
    template.hasResourceProperties('AWS::Events::Rule', { Description: 'Stops every agent', Targets: [{ Input: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('"agent":"\\*"')])] } }] });
    expect(() => controls.killSwitch.addAlarmTrigger(alarm, 'Not A Name')).toThrow(/AgentNameInvalid/);
    expect(() => (stack.node.root as App).synth()).not.toThrow();
  });

  it('belongs to the app that makes the gate', () => {
    const stack = new Stack(new App(), 'Other');
    expect(() => new KillSwitch(stack, 'Kill', { gate: AgentControls.fromControlsName(stack, 'Controls', 'agent-controls').gate })).toThrow(/GateImported/);
  });

  it('is reached by no rule directly: what a rule makes up could be a person who brings an agent back', () => {
    const { stack } = made();
    const kill = lambda.Function.fromFunctionName(stack, 'Kill', 'agent-controls-kill');
    new events.CfnRule(stack, 'Rule', { eventPattern: { source: ['mine'] }, targets: [{ id: 't', arn: kill.functionArn, input: '{"routeKey":"POST /agents/{agent}/enable"}' }] });
    expect(() => (stack.node.root as App).synth()).toThrow(/FunctionOpened: Test\/Rule/);
  });
});
