import { Resource } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { AuditLogTable, IAuditLogTable } from '../audit/audit-log-table';
import { IKillSwitch, KillSwitch } from '../kill/kill-switch';
import { AppIndex } from '../registration/app-index';
import { ControlsError, shown } from '../scope/controls-error';
import { STOP_EVENT } from '../scope/names';
import { AnomalyResponse, AnomalyRule } from './anomaly-rule';

/** Props of `AnomalyMonitor`. */
export interface AnomalyMonitorProps {
  /** Log that is watched. */
  readonly auditLog: IAuditLogTable;
  /** What is watched for; each kind once, or once for each of some agents. @default AnomalyRule.defaults() */
  readonly rules?: AnomalyRule[];
  /** Where findings are announced besides the topic of the hold queue: rule, agent and ids, never what a call holds. @default - nowhere else */
  readonly alarmTopic?: sns.ITopic;
  /** Switch that stops the agents of findings whose response is to disable. @default - none; such a rule does not synth */
  readonly killSwitch?: IKillSwitch;
}

/** Largest set of rules: the keeper knows them from its environment, which takes 4 KB. */
const LARGEST_RULES = 2_600;

/**
 * Watches what agents and approvers do, each against its own history. It looks whenever the keeper is awake because something was appended, so it
 * wakes no database, and it costs no function, login, alarm or metric of its own.
 */
export class AnomalyMonitor extends Resource {
  /** Names of the rules. */
  public readonly ruleNames: string[];

  constructor(scope: Construct, id: string, props: AnomalyMonitorProps) {
    super(scope, id);
    const { auditLog, rules = AnomalyRule.defaults(), killSwitch, alarmTopic } = props;
    if (!(auditLog instanceof AuditLogTable)) throw new ControlsError('AuditLogImported', `${this.node.path}: the monitor belongs to the app that makes the audit log, got an imported one; make it there`);
    const { controlsName } = auditLog.database;
    this.ruleNames = rules.map(({ ruleName }) => ruleName);
    const specs = JSON.stringify(rules.map(({ _spec }) => _spec));
    const twice = rules.find((rule, index) => rules.findIndex((other) => JSON.stringify([other.ruleName, (other._spec as { agents?: string[] }).agents]) === JSON.stringify([rule.ruleName, (rule._spec as { agents?: string[] }).agents])) !== index);
    if (twice) throw new ControlsError('AnomalyRuleTwice', `${this.node.path}: rules: ${shown(twice.ruleName)} is there twice for the same agents; keep one`);
    if (rules.length === 0) throw new ControlsError('AnomalyRuleMissing', `${this.node.path}: rules is empty; leave it out for the defaults, or make no monitor`);
    if (specs.length > LARGEST_RULES) throw new ControlsError('AnomalyRulesTooLarge', `${this.node.path}: rules have ${specs.length} characters, at most ${LARGEST_RULES} are taken; watch more agents with one rule`);
    const disabling = rules.find(({ _response }) => _response === AnomalyResponse.DISABLE);
    if (disabling && !(killSwitch instanceof KillSwitch)) throw new ControlsError('KillSwitchMissing', `${this.node.path}: ${disabling.ruleName} is to stop agents; give the killSwitch of this app`);
    if (disabling) (killSwitch as KillSwitch).addEventTrigger({ source: [STOP_EVENT.source], detailType: [STOP_EVENT.detailType] });
    auditLog._watch(specs);
    AppIndex.of(this).addRules(controlsName, this.ruleNames);
    if (alarmTopic) {
      new events.Rule(this, 'Findings', { description: 'Announces what is unusual', eventBus: events.EventBus.fromEventBusName(this, 'Bus', controlsName), eventPattern: { source: ['agent-controls'], detailType: ['anomaly found'] }, targets: [new targets.SnsTopic(alarmTopic)] });
    }
  }
}
