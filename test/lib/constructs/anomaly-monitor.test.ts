/** What is watched for, and who else is handed data: what synth takes, refuses and warns of. */
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as sns from 'aws-cdk-lib/aws-sns';
import { describe, expect, it } from 'vitest';
import { AgentControls, AnomalyMonitor, AnomalyResponse, AnomalyRule, ScopeCard } from '../../../lib';
import { card, SEND_EMAIL } from '../../support/cards';
import { action, stack } from '../../support/stack';

const minute = Duration.minutes(1);
const rulesOf = (of: Stack): { rule: string; response: string; quietSeconds: number }[] => {
  const [keeper] = Object.values(Template.fromStack(of).findResources('AWS::Lambda::Function', { Properties: { FunctionName: 'agent-controls-keeper' } })) as { Properties: { Environment: { Variables: { ANOMALY_RULES: string } } } }[];
  return JSON.parse(keeper?.Properties.Environment.Variables.ANOMALY_RULES ?? '[]') as never;
};

describe('the anomaly monitor', () => {
  it('watches by default for ten things, tells, and does nothing else', () => {
    const of = stack();
    new AgentControls(of, 'Controls');
    const rules = rulesOf(of);
    expect(rules.map(({ rule }) => rule).sort()).toEqual(['bulk-writes', 'drift', 'never-rejects', 'new-behaviour', 'rate-spike', 'repeated-failures', 'replaced-credential', 'rubber-stamp', 'sum-spike', 'unusual-hours']);
    expect(new Set(rules.map(({ response }) => response))).toEqual(new Set(['notify']));
    Template.fromStack(of).resourcePropertiesCountIs('AWS::Lambda::Function', { FunctionName: 'agent-controls-kill-trigger' }, 0);
  });

  it('makes no function, login, alarm, metric or schedule of its own', () => {
    const of = stack();
    const { anomalyMonitor } = new AgentControls(of, 'Controls');
    expect(anomalyMonitor.node.findAll().filter((node) => 'cfnResourceType' in node)).toEqual([]);
  });

  it('has agents stopped through the kill switch of its app, and announces where it is told', () => {
    const of = stack();
    const topic = new sns.Topic(of, 'Alarms');
    new AgentControls(of, 'Controls', { anomalyTopic: topic, anomalyRules: [AnomalyRule.bulkWrites(5, minute, { response: AnomalyResponse.DISABLE, quiet: Duration.hours(2), agents: ['refunder'] })] });
    expect(rulesOf(of)).toEqual([{ rule: 'bulk-writes', count: 5, seconds: 60, response: 'disable', quietSeconds: 7_200, agents: ['refunder'] }]);
    const template = Template.fromStack(of);
    template.hasResourceProperties('AWS::Events::Rule', { EventPattern: { source: ['agent-controls.anomaly'], 'detail-type': ['agent to stop'] } });
    template.hasResourceProperties('AWS::Events::Rule', { EventPattern: { source: ['agent-controls'], 'detail-type': ['anomaly found'] }, Targets: [Match.objectLike({ Arn: { Ref: Match.stringLikeRegexp('^Alarms') } })] });
  });

  it.each([
    ['KillSwitchMissing', (of: Stack, auditLog: AgentControls['auditLog']) => new AnomalyMonitor(of, 'M', { auditLog, rules: [AnomalyRule.bulkWrites(5, minute, { response: AnomalyResponse.DISABLE })] })],
    ['AnomalyRuleTwice', (of: Stack, auditLog: AgentControls['auditLog']) => new AnomalyMonitor(of, 'M', { auditLog, rules: [AnomalyRule.bulkWrites(5, minute), AnomalyRule.bulkWrites(9, minute)] })],
    ['AnomalyRuleMissing', (of: Stack, auditLog: AgentControls['auditLog']) => new AnomalyMonitor(of, 'M', { auditLog, rules: [] })],
    ['AnomalyMonitorTwice', (of: Stack, auditLog: AgentControls['auditLog']) => new AnomalyMonitor(of, 'M', { auditLog })],
    ['AnomalyRulesTooLarge', (of: Stack, auditLog: AgentControls['auditLog']) => new AnomalyMonitor(of, 'M', { auditLog, rules: Array.from({ length: 40 }, (_, index) => AnomalyRule.bulkWrites(5, minute, { agents: [`agent-${index}`] })) })],
    ['AuditLogImported', (of: Stack) => new AnomalyMonitor(of, 'M', { auditLog: AgentControls.fromControlsName(of, 'Other', 'other').auditLog })],
  ])('refuses what could not work: %s', (code, make) => {
    const of = stack();
    const { auditLog } = new AgentControls(of, 'Controls');
    expect(() => make(of, auditLog)).toThrow(new RegExp(`^${code}: `));
  });

  it.each([
    ['a stop for what a person did', () => AnomalyRule.rubberStamp(5, minute, { response: AnomalyResponse.DISABLE })], ['an agent for what a person did', () => AnomalyRule.neverRejects(5, minute, { agents: ['refunder'] })], ['a count of nothing', () => AnomalyRule.bulkWrites(0, minute)], ['half a count', () => AnomalyRule.repeatedFailures(1.5, minute)], ['a day and more', () => AnomalyRule.rubberStamp(5, Duration.days(2))], ['a share of everything', () => AnomalyRule.drift(1, 100)],
    ['a factor that lowers', () => AnomalyRule.sumSpike(0.5)], ['no number', () => AnomalyRule.unusualHours(NaN, 0.1)], ['a quiet second', () => AnomalyRule.newBehaviour({ quiet: Duration.seconds(1) })], ['a name that is none', () => AnomalyRule.newBehaviour({ agents: ['Not A Name'] })], ['nobody', () => AnomalyRule.newBehaviour({ agents: [] })],
  ])('refuses %s, and says what is expected', (_what, make) => { expect(make).toThrow(/^AnomalyRuleInvalid: .*, got /); });

  it('is what a card may rely on, and nothing that it does not watch for', () => {
    const made = (anomaly: string): (() => void) => {
      const of = stack();
      const controls = new AgentControls(of, 'Controls', { anomalyRules: [AnomalyRule.bulkWrites(5, minute)] });
      controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
      controls.addAgent('Closer', { card: ScopeCard.fromObject({ ...card(), 'failure-modes': [{ bad: 'It does too much.', 'found-by': { anomaly } }] }) });
      return () => (of.node.root as App).synth();
    };
    expect(made('bulk-writes')).not.toThrow();
    expect(made('astrology')).toThrow(/AnomalyUnknown: the card of outreach-closer relies on the anomaly astrology, and the monitor watches for bulk-writes/);
  });
});

describe('a vendor of an action', () => {
  const vendor = { name: 'Mailer Inc.', dataClasses: ['contact'], subProcessors: [], review: { by: 'appsec@example.com', until: '2999-12-31' }, escalation: 'support@mailer.example' };
  const made = (of: object): Stack => {
    const into = stack();
    new AgentControls(into, 'Controls').addAction('SendEmail', { code: action({ ...SEND_EMAIL, vendor: { ...vendor, ...of } }) });
    return into;
  };

  it('is warned of when its review is over', () => {
    Annotations.fromStack(made({})).hasNoWarning('*', Match.stringLikeRegexp('VendorReviewOver'));
    Annotations.fromStack(made({ review: { by: 'appsec@example.com', until: '2026-01-31' } })).hasWarning('*', Match.stringLikeRegexp('send_email hands data to Mailer Inc\\., whose review by appsec@example.com counted until 2026-01-31'));
  });

  it.each([['name', { name: ' ' }], ['dataClasses', { dataClasses: 'contact' }], ['subProcessors', { subProcessors: undefined }], ['review.by', { review: { until: '2999-01-01' } }], ['review.until', { review: { by: 'x', until: 'soon' } }], ['escalation', { escalation: '' }]])('needs %s', (_what, of) => {
    expect(() => made(of)).toThrow(/^VendorInvalid: the vendor of send_email needs /);
  });
});
