import { Duration, Expiration, Resource } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { markOwn } from '../access/own';
import { anchored } from '../audit/anchored';
import { EVIDENCE_ROUTE, KEEPER_ROUTES } from '../audit/audit-keeper';
import { invokeArn } from '../gate/api-route';
import { IToolGate } from '../gate/tool-gate';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { ControlsError, shown } from '../scope/controls-error';
import { approverRoleName, breakGlassRoleName, handlerName, KILL_ROUTES, privacyRoleName, responderRoleName, ROLLBACK_ROUTES, ROTATION_ROUTES } from '../scope/names';
import { personWithMfa } from './person-trust';

/** What a person does with the control plane. */
export enum OperatorDuty {
  /** Decides holds of one group; `assumedBy` are IAM users, who sign as themselves. */
  APPROVER = 'APPROVER',
  /** Searches, exports and verifies the log; decides nothing. */
  AUDITOR = 'AUDITOR',
  /** Erases subjects, places and releases legal holds; reads nothing. */
  PRIVACY = 'PRIVACY',
  /** Stops agents, and rolls back what they did. */
  RESPONDER = 'RESPONDER',
  /** Reads the log and decides any hold, for an hour, with an alarm and an audit entry on every use. */
  BREAK_GLASS = 'BREAK_GLASS',
}

/** Props of `OperatorRole`. */
export interface OperatorRoleProps {
  /** Control plane the duty is about. */
  readonly gate: IToolGate;
  /** What the person may do. */
  readonly duty: OperatorDuty;
  /** Who may assume the role; MFA is required on top. A service or an agent's role is refused (`OperatorNotAPerson`). */
  readonly assumedBy: iam.IPrincipal;
  /** Group that an approver decides for; needed for that duty, and for no other. @default - none */
  readonly group?: string;
  /** When what an `AUDITOR` may read ends by itself, whatever session is open; for that duty alone. @default - never */
  readonly until?: Expiration;
  /** Longest session, an hour to twelve; of `BREAK_GLASS` an hour. @default Duration.hours(1) */
  readonly maxSessionDuration?: Duration;
  /** Where the use of `BREAK_GLASS` is told, besides the topic of the hold queue. @default - there alone */
  readonly alarmTopic?: sns.ITopic;
}

/** Whose sessions are named after the IAM user: the name stands in the log. */
const SIGN_AS_THEMSELVES = [OperatorDuty.APPROVER, OperatorDuty.PRIVACY, OperatorDuty.RESPONDER, OperatorDuty.BREAK_GLASS];

/** A role for a person, MFA required in its trust policy. */
export class OperatorRole extends Resource {
  /** The role. */
  public readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: OperatorRoleProps) {
    super(scope, id);
    const { gate, duty, group } = props;
    const { auditLog } = gate.broker;
    const controls = auditLog.database.controlsName;
    const longest = props.maxSessionDuration ?? Duration.hours(1);
    if ((duty === OperatorDuty.APPROVER) !== (group !== undefined)) throw new ControlsError('GroupMismatch', `${this.node.path}: duty ${duty} with group ${shown(group ?? null)}; an approver decides for one group, and nobody else has one`);
    if (longest.toSeconds() < 3_600 || longest.toSeconds() > (duty === OperatorDuty.BREAK_GLASS ? 3_600 : 43_200)) throw new ControlsError('SessionDurationInvalid', `${this.node.path}: maxSessionDuration must be an hour${duty === OperatorDuty.BREAK_GLASS ? '' : ' to twelve'}, got ${longest.toHumanString()}; correct it`);
    if (props.until && duty !== OperatorDuty.AUDITOR) throw new ControlsError('DutyNeverEnds', `${this.node.path}: until is for auditors, got duty ${duty}; leave it out`);
    this.role = new iam.Role(this, 'Role', {
      ...(duty === OperatorDuty.BREAK_GLASS ? { roleName: breakGlassRoleName(controls) } : duty === OperatorDuty.PRIVACY ? { roleName: privacyRoleName(controls) } : duty === OperatorDuty.RESPONDER ? { roleName: responderRoleName(controls) } : group === undefined ? {} : { roleName: approverRoleName(controls, group) }),
      description: { [OperatorDuty.APPROVER]: 'Decides holds; people only, with MFA', [OperatorDuty.AUDITOR]: 'Reads and verifies the audit log; people only, with MFA', [OperatorDuty.PRIVACY]: 'Erases subjects and places legal holds; people only, with MFA', [OperatorDuty.RESPONDER]: 'Rolls back what agents did; people only, with MFA', [OperatorDuty.BREAK_GLASS]: 'For emergencies; every use is told and recorded' }[duty],
      maxSessionDuration: longest,
      assumedBy: personWithMfa(props.assumedBy, Duration.hours(1), SIGN_AS_THEMSELVES.includes(duty) ? { StringEquals: { 'sts:RoleSessionName': '${aws:username}' } } : {}),
    });
    markOwn(this.role);
    const route = (method: 'GET' | 'POST', path: string): string => invokeArn(this, gate.broker.apiId, method, path.replaceAll(/\{[^}]+\}/g, '*'));
    const mayInvoke = (...resources: string[]): void => { this.role.addToPolicy(new iam.PolicyStatement({ actions: ['execute-api:Invoke'], resources })); };
    if (duty === OperatorDuty.AUDITOR || duty === OperatorDuty.BREAK_GLASS) {
      if (props.until) auditLog.grantVerifyUntil(this.role, props.until);
      else auditLog.grantVerify(this.role);
      // The command line finds the log by the name of the control plane.
      this.role.addToPolicy(new iam.PolicyStatement({ actions: ['ssm:GetParameter'], resources: [this.stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName: `${controls}/*` })] }));
    }
    if (duty === OperatorDuty.AUDITOR) mayInvoke(route(EVIDENCE_ROUTE[1], EVIDENCE_ROUTE[2]));
    if (duty === OperatorDuty.APPROVER || duty === OperatorDuty.BREAK_GLASS) mayInvoke(route('POST', '/approvals/*/verdict'), route('GET', '/approvals'), route('GET', '/approvals/*'));
    if (duty === OperatorDuty.PRIVACY) mayInvoke(...KEEPER_ROUTES.map(([, method, path]) => route(method, path)));
    if (duty === OperatorDuty.RESPONDER) mayInvoke(...[...ROLLBACK_ROUTES, ...KILL_ROUTES, ...ROTATION_ROUTES].map(([method, path]) => route(method, path)));
    if (duty === OperatorDuty.BREAK_GLASS) this.witness(gate, props.alarmTopic);
  }

  /** Has every use told and recorded. STS calls reach EventBridge through CloudTrail, so the account must have a trail. */
  private witness(gate: IToolGate, alarmTopic: sns.ITopic | undefined): void {
    const { auditLog } = gate.broker;
    const { database } = auditLog;
    const bus = events.EventBus.fromEventBusName(this, 'Bus', database.controlsName);
    if (alarmTopic) new events.Rule(this, 'Alarm', { eventBus: bus, eventPattern: { source: ['agent-controls'], detailType: ['break-glass used'] }, targets: [new targets.SnsTopic(alarmTopic)] });
    const witness = new HandlerFunction(this, 'Witness', {
      functionName: handlerName(database.controlsName, 'witness'), code: handlerCode('witness'), description: 'Tells and records every use of the break-glass role',
      environment: { CONTROLS_NAME: database.controlsName, CLUSTER_ARN: database.clusterArn, DATABASE_NAME: database.databaseName, LOGIN_SECRET_ARN: auditLog.appendSecretArn },
    });
    auditLog.grantAppend(witness.role);
    anchored(witness, auditLog);
    bus.grantPutEventsTo(witness.role);
    const rule = new events.CfnRule(this, 'Uses', {
      description: 'Every use of the break-glass role',
      eventPattern: { source: ['aws.sts'], 'detail-type': ['AWS API Call via CloudTrail'], detail: { eventName: ['AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity'], requestParameters: { roleArn: [this.role.roleArn] } } },
      targets: [{ id: 'witness', arn: witness.function.functionArn }],
    });
    witness.function.addPermission('Uses', { principal: new iam.ServicePrincipal('events.amazonaws.com'), sourceArn: rule.attrArn });
  }
}
