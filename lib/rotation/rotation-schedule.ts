import { CfnResource, Duration, IResource, Resource, Token } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { invokeArn } from '../gate/api-route';
import { IRunBroker, RunBroker } from '../identity/run-broker';
import { AppIndex } from '../registration/app-index';
import { ControlsError, shown } from '../scope/controls-error';
import { ROTATION_ROUTES } from '../scope/names';
import { RotatedCredential } from './rotated-credential';
import { Rotator, rotatorArn } from './rotator';
import { addSchedule } from './secret-schedule';

/** A schedule, and the one function that rotates for it. */
export interface IRotationSchedule extends IResource {
  /** Broker of the control plane whose credentials are rotated. */
  readonly broker: IRunBroker;
  /**
   * ARN of the rotation function. Its policy is scoped by name and does not grow with the number of secrets.
   *
   * @attribute
   */
  readonly rotationFunctionArn: string;
  /** Longest time between two rotations. */
  readonly every: Duration;
  /** The nights on which it rotates, as Secrets Manager takes them: the same for every secret, so that a paused database wakes once. */
  readonly scheduleExpression: string;
  /** Length of the window that begins then. */
  readonly window: Duration;
  /**
   * Lets `grantee` replace a credential, and declare a leak: the credentials from before end, with the sessions that were opened with them. The role
   * must be the responder's: a person, with MFA.
   */
  grantRotateLeaked(grantee: iam.IGrantable): iam.Grant;
}

/** What another app must know of a schedule. */
export interface RotationScheduleAttributes {
  /** Broker of the control plane. */
  readonly broker: IRunBroker;
  /** Longest time between two rotations. @default Duration.days(30) */
  readonly every?: Duration;
  /** Length of the window. @default Duration.hours(2) */
  readonly window?: Duration;
  /** Start of the window, hours after midnight UTC. @default 3 */
  readonly windowStartsAtHourUtc?: number;
}

/** Props of `RotationSchedule`. */
export interface RotationScheduleProps {
  /** Broker of the control plane whose handlers' logins are rotated, and those of agents that name this schedule. */
  readonly broker: IRunBroker;
  /** What is rotated besides the handlers and the agents that name this schedule; at most twelve. @default - nothing else */
  readonly credentials?: RotatedCredential[];
  /**
   * Longest time between two rotations, whole days, 1 to 90 (`RotationTooRare`).
   *
   * Rotations fall on the same nights of the month for every secret, so that a paused database wakes once: the default is the 1st and the 17th, and
   * from 31 days on the 1st of a month.
   *
   * @default Duration.days(30)
   */
  readonly every?: Duration;
  /** Length of the window in which Secrets Manager rotates; whole hours, and it ends before midnight UTC (`WindowInvalid`). @default Duration.hours(2) */
  readonly window?: Duration;
  /** Start of the window, hours after midnight UTC. @default 3 */
  readonly windowStartsAtHourUtc?: number;
  /** Where a rotation that failed or is late is announced. @default - alarms exist, but tell nobody */
  readonly alarmTopic?: sns.ITopic;
}

abstract class RotationScheduleBase extends Resource implements IRotationSchedule {
  public abstract readonly broker: IRunBroker;
  public abstract readonly rotationFunctionArn: string;
  public abstract readonly every: Duration;
  public abstract readonly scheduleExpression: string;
  public abstract readonly window: Duration;

  public grantRotateLeaked(grantee: iam.IGrantable): iam.Grant {
    return iam.Grant.addToPrincipal({ grantee, actions: ['execute-api:Invoke'], resourceArns: ROTATION_ROUTES.map(([method, path]) => invokeArn(this, this.broker.apiId, method, path)) });
  }
}

/**
 * Rotates credentials on a schedule and after a leak: control 4.
 *
 * One per control plane. It rotates the logins of the control plane's own handlers by itself.
 */
export class RotationSchedule extends RotationScheduleBase {
  /** Refers to the schedule of another app; creates nothing. */
  public static fromRotationScheduleAttributes(scope: Construct, id: string, attrs: RotationScheduleAttributes): IRotationSchedule {
    return new ImportedRotationSchedule(scope, id, attrs);
  }

  public readonly broker: IRunBroker;
  /** @attribute */
  public readonly rotationFunctionArn: string;
  public readonly every: Duration;
  public readonly scheduleExpression: string;
  public readonly window: Duration;
  /** @internal */
  public readonly _ready: readonly CfnResource[];
  private readonly rotator: Rotator;

  constructor(scope: Construct, id: string, props: RotationScheduleProps) {
    super(scope, id);
    const { broker } = props;
    if (!(broker instanceof RunBroker)) throw new ControlsError('BrokerImported', `${this.node.path}: the schedule belongs to the app that makes the broker, got an imported one; make it there, and refer to it with fromRotationScheduleAttributes`);
    const { controlsName } = broker.auditLog.database;
    const other = AppIndex.of(this).claim(`rotation:${controlsName}`, this.node.path);
    if (other !== undefined) throw new ControlsError('RotationScheduleDuplicate', `${this.node.path}: ${other} rotates for ${controlsName} already, and one function does; add the credentials there`);
    this.broker = broker;
    this.every = props.every ?? Duration.days(30);
    this.window = props.window ?? Duration.hours(2);
    this.scheduleExpression = expressionOf(this, this.every, this.window, props.windowStartsAtHourUtc ?? 3);
    const credentials = props.credentials ?? [];
    this.rotator = new Rotator(this, 'Rotator', broker, credentials, props.alarmTopic);
    this._ready = this.rotator.ready;
    this.rotationFunctionArn = rotatorArn(controlsName);
    AppIndex.of(this).eachDuty(controlsName, ({ scope: of, secretArn }) => addSchedule(of, this, secretArn));
    credentials.forEach(({ _secret: { secretArn } }, index) => addSchedule(this, this, secretArn, `Credential${index}`));
  }

  /** Answers a leak of `credential` when `alarm` goes off: an agent's name, `duty/NAME`, or `secret/NAME` of another secret. */
  public addAlarmTrigger(alarm: cloudwatch.IAlarm, credential: string): void {
    new events.Rule(this, `Alarm-${alarm.node.addr}-${credential}`, {
      description: `Replaces ${credential}`,
      eventPattern: { source: ['aws.cloudwatch'], detailType: ['CloudWatch Alarm State Change'], resources: [alarm.alarmArn], detail: { state: { value: ['ALARM'] } } },
      targets: [new targets.LambdaFunction(this.rotator.handler.function, { event: events.RuleTargetInput.fromObject({ source: 'aws.cloudwatch', detail: { credential, reason: `alarm ${alarm.alarmName}` } }) })],
    });
  }
}

class ImportedRotationSchedule extends RotationScheduleBase {
  public readonly broker: IRunBroker;
  public readonly rotationFunctionArn: string;
  public readonly every: Duration;
  public readonly scheduleExpression: string;
  public readonly window: Duration;

  constructor(scope: Construct, id: string, attrs: RotationScheduleAttributes) {
    super(scope, id);
    this.broker = attrs.broker;
    this.rotationFunctionArn = rotatorArn(attrs.broker.auditLog.database.controlsName);
    this.every = attrs.every ?? Duration.days(30);
    this.window = attrs.window ?? Duration.hours(2);
    this.scheduleExpression = expressionOf(this, this.every, this.window, attrs.windowStartsAtHourUtc ?? 3);
  }
}

/** Nights of the month, none further apart than `every`. */
function expressionOf(scope: Construct, every: Duration, window: Duration, hour: number): string {
  const days = every.toDays({ integral: false });
  if (!Number.isInteger(days) || days < 1 || days > 90) throw new ControlsError('RotationTooRare', `${scope.node.path}: every must be whole days, 1 to 90, got ${every.toHumanString()}; shorten it`);
  const hours = window.toHours({ integral: false });
  if (Token.isUnresolved(hour) || !Number.isInteger(hour) || hour < 0 || hour > 23 || !Number.isInteger(hours) || hours < 1 || hour + hours > 24) throw new ControlsError('WindowInvalid', `${scope.node.path}: the window must be whole hours that end before midnight UTC, got ${window.toHumanString()} from hour ${shown(hour)}; begin earlier, or shorten it`);
  const nights = days === 1 ? '*' : days < 16 ? `1/${days}` : days < 31 ? '1/16' : '1';
  return `cron(0 ${hour} ${nights} ${days < 62 ? '*' : '1/2'} ? *)`;
}
