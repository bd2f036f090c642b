import { ArnFormat, Aws, Duration, Fn, IResource, RemovalPolicy, Resource, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { markOwn } from '../access/own';
import { ActionCatalog } from '../action/action-catalog';
import { ActionCode } from '../action/action-code';
import { AgentAction } from '../action/agent-action';
import { AnomalyMonitor } from '../anomaly/anomaly-monitor';
import { AnomalyRule } from '../anomaly/anomaly-rule';
import { EVIDENCE_ROUTE, KEEPER_ROUTES } from '../audit/audit-keeper';
import { AuditLogTable, IAuditLogTable } from '../audit/audit-log-table';
import { CardApprover } from '../card/card-approver';
import { ScopeCard } from '../card/scope-card';
import { ControlsCluster } from '../database/controls-cluster';
import { ControlsDatabase, IControlsDatabase } from '../database/controls-database';
import { invokeArn } from '../gate/api-route';
import { IToolGate, ToolGate } from '../gate/tool-gate';
import { Verifier } from '../gate/verifier';
import { ApprovalPage } from '../hold/approval-page';
import { Approver } from '../hold/approver';
import { ApproverDirectory } from '../hold/approver-directory';
import { HoldQueue, IHoldQueue } from '../hold/hold-queue';
import { HoldTier } from '../hold/hold-tier';
import { AgentIdentity } from '../identity/agent-identity';
import { personWithMfa } from '../identity/person-trust';
import { IRunBroker, RunBroker } from '../identity/run-broker';
import { KillSwitch } from '../kill/kill-switch';
import { ModelGateway } from '../residency/model-gateway';
import { ResidencyBoundary } from '../residency/residency-boundary';
import { Rollback } from '../rollback/rollback';
import { RotatedCredential } from '../rotation/rotated-credential';
import { IRotationSchedule, RotationSchedule } from '../rotation/rotation-schedule';
import { auditorRoleName, dutySecretName, handlerName, parameterName, privacyRoleName, responderRoleName } from '../scope/names';

/** A whole control plane, here or in another app. */
export interface IAgentControls extends IResource {
  /** Name of the control plane. */
  readonly controlsName: string;
  /** Its database and registrar. */
  readonly database: IControlsDatabase;
  /** Its audit log. */
  readonly auditLog: IAuditLogTable;
  /** Its hold queue. */
  readonly holdQueue: IHoldQueue;
  /** Its broker. */
  readonly broker: IRunBroker;
  /** Its gate. */
  readonly gate: IToolGate;
  /** Its rotation schedule. */
  readonly rotation: IRotationSchedule;
  /** Adds an agent below this construct, so in its stack. In another stack use `new AgentIdentity(stack, ...)`. */
  addAgent(id: string, options: AddAgentOptions): AgentIdentity;
  /** Adds an action below this construct, so in its stack. In another stack use `new AgentAction(stack, ...)`. */
  addAction(id: string, options: AddActionOptions): AgentAction;
}

/** Options of `addAgent`. */
export interface AddAgentOptions {
  /** What the agent may read and call. */
  readonly card: ScopeCard;
  /** Declarations of its actions. @default - the `AgentAction`s of this app */
  readonly catalog?: ActionCatalog;
  /** Environment of the card to compile. @default - that of the control plane; 'dev' when it belongs to another app */
  readonly environment?: string;
}

/** Options of `addAction`. */
export interface AddActionOptions {
  /** Code and declaration. */
  readonly code: ActionCode;
  /** Environment of the function. @default - none */
  readonly environment?: { [key: string]: string };
}

/** Props of `AgentControls`. Nothing is required. */
export interface AgentControlsProps {
  /** Name of the control plane, see `ControlsDatabaseProps.controlsName`. @default 'agent-controls' */
  readonly controlsName?: string;
  /** Environment of the cards to compile. @default 'dev' - production data is closed until you ask for it */
  readonly environment?: string;
  /** Where Postgres comes from. @default ControlsCluster.serverless() */
  readonly cluster?: ControlsCluster;
  /** Tiers a card may name. @default - `verify` and `human`, 5 minutes each; `contract`, 60 minutes; `same-day`; decided by the groups that cards name */
  readonly tiers?: HoldTier[];
  /** Answers holds of a `verify` tier before people are asked. @default - people only */
  readonly verifier?: Verifier;
  /** How long a run's credentials live. @default Duration.minutes(30) */
  readonly sessionDuration?: Duration;
  /** Security owners, whose signature puts a card in force; once somebody is named, no card is in force without. @default - nobody: cards of environments with synthetic data are in force at once, others never */
  readonly cardApprovers?: CardApprover[];
  /** People who grant standing approvals, by name on a card. @default - nobody */
  readonly standingApprovers?: CardApprover[];
  /** How long after its `review-by` date a card still starts runs; whole days. @default - for ever; synth warns, and every run says so in the log */
  readonly reviewGrace?: Duration;
  /** Where approvers sign in. @default ApproverDirectory.newUserPool(), with the `removalPolicy` of this control plane */
  readonly directory?: ApproverDirectory;
  /** Where holds are announced. @default - a new topic, see `notificationTopic` */
  readonly notificationTopic?: sns.ITopic;
  /** How long decisions are kept, see `AuditLogTableProps.retention`. @default Duration.days(403) - 13 months */
  readonly auditRetention?: Duration;
  /** How long writes can be undone by command, see `AuditLogTableProps.imageRetention`. @default Duration.days(30) */
  readonly imageRetention?: Duration;
  /** From how many decisions on a rollback is held for people, see `RollbackProps.bulkFrom`. @default 10 */
  readonly rollbackBulkFrom?: number;
  /** Longest time between two rotations of a credential, see `RotationScheduleProps.every`. @default Duration.days(30) */
  readonly rotateEvery?: Duration;
  /** Credentials that are rotated besides those of agents and handlers. @default - none */
  readonly rotatedCredentials?: RotatedCredential[];
  /** Which data may be where, and which model provider may see it; with it agents ask models through a gateway. @default - agents ask no model through this control plane */
  readonly residency?: ResidencyBoundary;
  /** What is watched for, see `AnomalyMonitorProps.rules`. @default AnomalyRule.defaults() */
  readonly anomalyRules?: AnomalyRule[];
  /** Where findings are announced besides the notification topic. @default - nowhere else */
  readonly anomalyTopic?: sns.ITopic;
  /** Where a rotation that failed or is late is announced. @default - `auditAlarmTopic` */
  readonly rotationAlarmTopic?: sns.ITopic;
  /** Where a log that is late, altered or cannot be written is announced. @default - alarms exist, but tell nobody */
  readonly auditAlarmTopic?: sns.ITopic;
  /** Bucket of signed statements, see `AuditLogTableProps.statementBucket`; another one after the database was restored. @default - a new bucket, which is retained */
  readonly statementBucket?: s3.IBucket;
  /** What happens to the database. Signed statements and their key are retained whatever this says. @default RemovalPolicy.RETAIN */
  readonly removalPolicy?: RemovalPolicy;
}

/** The controls with sensible defaults. Everything it makes is public, and everything can be made one by one instead. */
export class AgentControls extends Resource implements IAgentControls {
  /**
   * Refers to a control plane that `cdk deploy` made in this account and region, by its name; creates nothing.
   *
   * Nothing is looked up at synth and nothing is exported or imported by CloudFormation: ARNs follow from the name, and what
   * does not (the API's id, the cluster's ARN) is read at deploy from the parameters under `/<controlsName>/`.
   */
  public static fromControlsName(scope: Construct, id: string, controlsName: string): IAgentControls {
    return new ImportedAgentControls(scope, id, controlsName);
  }

  public readonly controlsName: string;
  public readonly database: IControlsDatabase;
  public readonly auditLog: IAuditLogTable;
  public readonly holdQueue: IHoldQueue;
  public readonly broker: IRunBroker;
  public readonly gate: IToolGate;
  public readonly rotation: IRotationSchedule;
  /** Address of the API that agents and programs talk to; that of the page is `approvalPage.url`. */
  public readonly url: string;
  /** Where holds are announced: subscribe mail, chat, a queue. */
  public readonly notificationTopic: sns.ITopic;
  /** Role that auditors assume, with MFA: it reads and verifies the log, and decides nothing. */
  public readonly auditorRole: iam.Role;
  /** Where people decide holds. */
  public readonly approvalPage: ApprovalPage;
  /** Stops agents. */
  public readonly killSwitch: KillSwitch;
  /** Watches what agents and approvers do. */
  public readonly anomalyMonitor: AnomalyMonitor;
  /** The only way from an agent to a model, where there is a `residency`. */
  public readonly modelGateway?: ModelGateway;
  /** Undoes what agents did. */
  public readonly rollback: Rollback;
  /** Role that people assume, with MFA, to erase subjects and to place legal holds; it reads nothing. */
  public readonly privacyRole: iam.Role;
  /** Role that people assume, with MFA, when an agent did the wrong thing: it stops agents, plans rollbacks and asks for them. */
  public readonly responderRole: iam.Role;
  private readonly environment: string;
  private readonly queue: HoldQueue;

  constructor(scope: Construct, id: string, props: AgentControlsProps = {}) {
    super(scope, id);
    this.environment = props.environment ?? 'dev';
    this.database = new ControlsDatabase(this, 'Database', { controlsName: props.controlsName, cluster: props.cluster, removalPolicy: props.removalPolicy });
    this.controlsName = this.database.controlsName;
    this.auditLog = new AuditLogTable(this, 'AuditLog', { database: this.database, retention: props.auditRetention, imageRetention: props.imageRetention, immutable: this.environment !== 'dev', alarmTopic: props.auditAlarmTopic, statementBucket: props.statementBucket });
    const broker = new RunBroker(this, 'Broker', { auditLog: this.auditLog, sessionDuration: props.sessionDuration, cardApprovers: props.cardApprovers, standingApprovers: props.standingApprovers, reviewGrace: props.reviewGrace });
    this.broker = broker;
    this.url = broker.url;
    this.queue = new HoldQueue(this, 'Holds', { auditLog: this.auditLog, tiers: props.tiers, verifier: props.verifier, notificationTopic: props.notificationTopic });
    this.holdQueue = this.queue;
    this.notificationTopic = this.queue.notificationTopic;
    this.gate = new ToolGate(this, 'Gate', { broker: this.broker, holdQueue: this.holdQueue });
    this.approvalPage = new ApprovalPage(this, 'Approvals', { gate: this.gate, directory: props.directory ?? ApproverDirectory.newUserPool({ removalPolicy: props.removalPolicy }) });
    this.auditorRole = new iam.Role(this, 'Auditor', {
      roleName: auditorRoleName(this.controlsName),
      description: 'Reads and verifies the audit log; people only, with MFA',
      assumedBy: personWithMfa(new iam.AccountPrincipal(Aws.ACCOUNT_ID), Duration.hours(12)),
    });
    markOwn(this.auditorRole);
    this.auditLog.grantVerify(this.auditorRole);
    this.auditorRole.addToPolicy(new iam.PolicyStatement({ actions: ['execute-api:Invoke'], resources: [invokeArn(this, this.broker.apiId, EVIDENCE_ROUTE[1], EVIDENCE_ROUTE[2])] }));
    this.privacyRole = this.personRole('Privacy', privacyRoleName(this.controlsName), 'Erases subjects and places legal holds; people only, with MFA');
    this.privacyRole.addToPolicy(new iam.PolicyStatement({ actions: ['execute-api:Invoke'], resources: KEEPER_ROUTES.map(([, method, path]) => invokeArn(this, this.broker.apiId, method, path.replaceAll(/\{[^}]+\}/g, '*'))) }));
    this.rollback = new Rollback(this, 'Rollback', { gate: this.gate, bulkFrom: props.rollbackBulkFrom });
    this.responderRole = this.personRole('Responder', responderRoleName(this.controlsName), 'Rolls back what agents did; people only, with MFA');
    this.rollback.grantRollback(this.responderRole);
    this.killSwitch = new KillSwitch(this, 'KillSwitch', { gate: this.gate });
    this.killSwitch.grantDisable(this.responderRole);
    this.anomalyMonitor = new AnomalyMonitor(this, 'Anomalies', { auditLog: this.auditLog, rules: props.anomalyRules, alarmTopic: props.anomalyTopic, killSwitch: this.killSwitch });
    this.rotation = new RotationSchedule(this, 'Rotation', { broker, every: props.rotateEvery, credentials: [...props.rotatedCredentials ?? [], ...props.residency?.rotatedCredentials ?? []], alarmTopic: props.rotationAlarmTopic ?? props.auditAlarmTopic });
    this.rotation.grantRotateLeaked(this.responderRole);
    if (props.residency) this.modelGateway = new ModelGateway(this, 'ModelGateway', { boundary: props.residency, broker });
    // The command line finds the log by the name of the control plane.
    for (const role of [this.auditorRole, this.privacyRole, this.responderRole]) role.addToPolicy(new iam.PolicyStatement({ actions: ['ssm:GetParameter'], resources: [this.stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName: `${this.controlsName}/*` })] }));
  }

  public addAgent(id: string, options: AddAgentOptions): AgentIdentity {
    // The groups on a card can decide without being named a second time; a queue with tiers of its own says for itself.
    for (const { call } of options.card._card.scopes) {
      for (const group of (call ?? []).flatMap(({ approval }) => approval.approvers ?? [])) this.queue._approverRole(Approver.group(group));
    }
    return new AgentIdentity(this, id, { broker: this.broker, rotation: this.rotation, environment: this.environment, ...options });
  }

  public addAction(id: string, options: AddActionOptions): AgentAction {
    return new AgentAction(this, id, { gate: this.gate, ...options });
  }

  /** A role that people assume under their own name, which stands in whatever they do. */
  private personRole(id: string, roleName: string, description: string): iam.Role {
    const role = new iam.Role(this, id, { roleName, description, assumedBy: personWithMfa(new iam.AccountPrincipal(Aws.ACCOUNT_ID), Duration.hours(1), { StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }) });
    markOwn(role);
    return role;
  }
}

class ImportedAgentControls extends Resource implements IAgentControls {
  public readonly controlsName: string;
  public readonly database: IControlsDatabase;
  public readonly auditLog: IAuditLogTable;
  public readonly holdQueue: IHoldQueue;
  public readonly broker: IRunBroker;
  public readonly gate: IToolGate;
  public readonly rotation: IRotationSchedule;

  constructor(scope: Construct, id: string, controlsName: string) {
    super(scope, id);
    this.controlsName = controlsName;
    const read = (what: Parameters<typeof parameterName>[1]): string => ssm.StringParameter.valueForStringParameter(this, parameterName(controlsName, what));
    const role = (handler: string): string => Fn.sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:role/${handlerName(controlsName, handler)}`);
    const secret = (duty: 'append' | 'auditor'): string => Stack.of(this).formatArn({ service: 'secretsmanager', resource: 'secret', resourceName: `${dutySecretName(controlsName, duty)}-??????`, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
    this.database = ControlsDatabase.fromControlsDatabaseAttributes(this, 'Database', { controlsName, clusterArn: read('cluster-arn'), databaseName: read('database') });
    this.auditLog = AuditLogTable.fromAuditLogTableAttributes(this, 'AuditLog', { database: this.database, appendSecretArn: secret('append'), readSecretArn: secret('auditor'), statementBucketArn: `arn:${Aws.PARTITION}:s3:::${read('statement-bucket')}`, signingKeyArn: read('signing-key') });
    this.broker = RunBroker.fromRunBrokerAttributes(this, 'Broker', { auditLog: this.auditLog, roleArn: role('broker'), apiId: read('api-id') });
    this.holdQueue = HoldQueue.fromHoldQueueAttributes(this, 'Holds', { auditLog: this.auditLog, stateMachineArn: Stack.of(this).formatArn({ service: 'states', resource: 'stateMachine', resourceName: `${controlsName}-hold-window`, arnFormat: ArnFormat.COLON_RESOURCE_NAME }), executorRoleArn: role('executor') });
    this.gate = ToolGate.fromToolGateAttributes(this, 'Gate', { broker: this.broker, holdQueue: this.holdQueue });
    this.rotation = RotationSchedule.fromRotationScheduleAttributes(this, 'Rotation', { broker: this.broker });
  }

  public addAgent(id: string, options: AddAgentOptions): AgentIdentity {
    return new AgentIdentity(this, id, { broker: this.broker, rotation: this.rotation, ...options });
  }

  public addAction(id: string, options: AddActionOptions): AgentAction {
    return new AgentAction(this, id, { gate: this.gate, ...options });
  }
}
