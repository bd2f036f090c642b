import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { HandlerFunction } from '../handler/handler-function';

/** Props of `AuditAlarms`. */
export interface AuditAlarmsProps {
  readonly controlsName: string;
  readonly keeper: lambda.IFunction;
  readonly stateMachine: sfn.IStateMachine;
  readonly alarmTopic?: sns.ITopic | undefined;
  readonly dashboard: boolean;
}

const NAMESPACE = 'AgentControls';

/** Alarms of the log: $0.10 a month each, and $0.30 for the one metric that AWS does not have by itself. */
export class AuditAlarms extends Construct {
  private readonly appendErrors: cloudwatch.Metric;

  public constructor(scope: Construct, id: string, private readonly props: AuditAlarmsProps) {
    super(scope, id);
    const { controlsName, keeper, stateMachine } = props;
    this.appendErrors = new cloudwatch.Metric({ namespace: NAMESPACE, metricName: `${controlsName}-append-errors`, statistic: 'Sum', period: Duration.minutes(5) });
    const metrics = {
      Keeper: keeper.metricErrors({ period: Duration.minutes(5) }),
      Checkpoint: stateMachine.metricFailed({ period: Duration.minutes(5) }),
      Daily: keeper.metricInvocations({ period: Duration.days(1) }),
      Append: this.appendErrors,
    };
    this.alarm('Keeper', metrics.Keeper, 'The audit log does not verify, was rewound, or could not be kept; run agent-controls audit verify');
    this.alarm('Checkpoint', metrics.Checkpoint, 'A checkpoint of the audit log is late: what was appended since is not anchored');
    this.alarm('Append', metrics.Append, 'Entries could not be appended to the audit log, or their checkpoint could not be asked for; calls of agents are refused meanwhile');
    this.alarm('Daily', metrics.Daily, 'The keeper of the audit log has not run for a day: nothing is verified, dropped or caught up', cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD);
    if (props.dashboard) {
      new cloudwatch.Dashboard(this, 'Dashboard', { widgets: [Object.entries(metrics).map(([title, metric]) => new cloudwatch.GraphWidget({ title, left: [metric] }))] });
    }
  }

  /** Counts the appends of a handler that failed. */
  public watch(handler: HandlerFunction): void {
    new logs.MetricFilter(handler, 'AppendErrors', {
      logGroup: handler.logGroup, filterPattern: logs.FilterPattern.any(...['AuditUnavailable', 'CheckpointNotAsked'].map((error) => logs.FilterPattern.stringValue('$.error', '=', error))), metricNamespace: NAMESPACE, metricName: this.appendErrors.metricName, metricValue: '1',
    });
  }

  private alarm(id: string, metric: cloudwatch.IMetric, alarmDescription: string, comparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD): void {
    // Silence is the fault where something is expected, and rest where a fault is counted.
    const treatMissingData = comparisonOperator === cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING;
    const alarm = new cloudwatch.Alarm(this, id, { metric, threshold: 1, evaluationPeriods: 1, comparisonOperator, treatMissingData, alarmDescription });
    const { alarmTopic } = this.props;
    if (alarmTopic) alarm.addAlarmAction({ bind: () => ({ alarmActionArn: alarmTopic.topicArn }) });
  }
}
