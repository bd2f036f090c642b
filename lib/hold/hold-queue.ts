import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Aws, Duration, IResource, Lazy, RemovalPolicy, Resource } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { markOwn } from '../access/own';
import { anchored } from '../audit/anchored';
import { IAuditLogTable } from '../audit/audit-log-table';
import { grantDecrypt } from '../database/access';
import { DutyLogin } from '../database/duty-login';
import { invokeArn } from '../gate/api-route';
import { Verifier } from '../gate/verifier';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { AppIndex } from '../registration/app-index';
import { StackRegistration } from '../registration/stack-registration';
import { ControlsError, shown } from '../scope/controls-error';
import { actionFunctionName, approverRoleName, handlerName } from '../scope/names';
import { packageRoot } from '../scope/package-root';
import { Approver } from './approver';
import { ApproverRole } from './approver-role';
import { HoldTier } from './hold-tier';

/** Where held calls wait: rows in Postgres decide, a state machine keeps the time, one executor runs what was approved. */
export interface IHoldQueue extends IResource {
  /** Log that verdicts and expiries are written to. */
  readonly auditLog: IAuditLogTable;
  /**
   * ARN of the state machine that keeps the windows.
   *
   * @attribute
   */
  readonly stateMachineArn: string;
  /**
   * The executor: the one principal that may invoke the function of an action, for permitted and approved calls alike.
   *
   * Its policy names actions by prefix, `<controlsName>-action-*`, so the queue knows no action and no action's stack.
   */
  readonly executor: iam.IGrantable;
}

/** Props of `HoldQueue`. */
export interface HoldQueueProps {
  /** Log that verdicts and expiries are written to; its database holds the rows. */
  readonly auditLog: IAuditLogTable;
  /**
   * Tiers a card may name.
   *
   * @default - `verify` and `human`, 5 minutes each; `contract`, 60 minutes; `same-day`, Monday to Friday from 09:00 to 17:00 UTC. A card that names another tier does not synth (`TierUnknown`)
   */
  readonly tiers?: HoldTier[];
  /** Answers holds of a `verify` tier before people are asked. @default - people only */
  readonly verifier?: Verifier;
  /** Where holds are announced, by id: staged, about to expire, expired, rejected, executed, failed. @default - a new topic, see `notificationTopic` */
  readonly notificationTopic?: sns.ITopic;
}

/** What another app must know of a queue whose control plane does not follow the naming rule. */
export interface HoldQueueAttributes {
  /** Log of the control plane. */
  readonly auditLog: IAuditLogTable;
  /** ARN of the state machine. */
  readonly stateMachineArn: string;
  /** ARN of the executor's role. */
  readonly executorRoleArn: string;
}

/** The hold queue: control 3. */
export class HoldQueue extends Resource implements IHoldQueue {
  /** Refers to a hold queue of another app; creates nothing. */
  public static fromHoldQueueAttributes(scope: Construct, id: string, attrs: HoldQueueAttributes): IHoldQueue {
    return new ImportedHoldQueue(scope, id, attrs);
  }

  public readonly auditLog: IAuditLogTable;
  /** @attribute */
  public readonly stateMachineArn: string;
  public readonly executor: iam.IGrantable;
  /** The state machine, for alarms and dashboards. */
  public readonly stateMachine: sfn.IStateMachine;
  /** Where holds are announced: subscribe mail, chat, a queue. Messages carry ids and names, never what a call holds. */
  public readonly notificationTopic: sns.ITopic;
  /** The bus that notices come from, named after the control plane: for rules of your own. Only its handlers may put events on it. */
  public readonly eventBus: events.EventBus;
  /** @internal */
  public readonly _decide: lambda.Function;
  /** @internal */
  public readonly _expiry: lambda.Function;
  /** @internal set by the gate, which has the API. */
  public _apiId: string | undefined;
  private readonly approvers = new Map<string, ApproverRole>();
  private readonly told: ((group: string) => void)[] = [];
  private readonly verdictKey: kms.Key;

  constructor(scope: Construct, id: string, props: HoldQueueProps) {
    super(scope, id);
    this.auditLog = props.auditLog;
    const { database } = props.auditLog;
    const controls = database.controlsName;
    const tiers = props.tiers ?? HoldTier._defaults();
    const twice = tiers.find(({ tierName }, index) => tiers.findIndex((other) => other.tierName === tierName) !== index);
    if (twice) throw new ControlsError('TierDuplicate', `tiers: ${shown(twice.tierName)} is there twice; give each tier its own tierName`);
    const plain = tiers.map(({ _tier }) => _tier);
    StackRegistration.of(this, database).addTiers(plain);
    AppIndex.of(this).addQueue(controls, { path: this.node.path, tiers: plain, approverGroups: () => [...this.approvers.keys()] });
    this.notificationTopic = props.notificationTopic ?? new sns.Topic(this, 'Topic', { enforceSSL: true });
    this.eventBus = new events.EventBus(this, 'Bus', { eventBusName: controls, description: 'What happens to held calls, by id' });
    new events.Rule(this, 'Notices', { eventBus: this.eventBus, eventPattern: { source: ['agent-controls'] }, targets: [new targets.SnsTopic(this.notificationTopic)] });

    const expiryLogin = new DutyLogin(this, 'ExpiryLogin', database, 'expiry');
    const expiry = new HandlerFunction(this, 'Expiry', {
      functionName: handlerName(controls, 'expiry'), code: handlerCode('expiry'), description: 'Opens, attends and ends the windows of holds',
      environment: { ...expiryLogin.environment, ...(props.verifier ? { VERIFIER: 'true' } : {}) },
    });
    this._expiry = expiry.function;
    expiryLogin.grantUse(expiry.role);
    anchored(expiry, props.auditLog);
    this.eventBus.grantPutEventsTo(expiry.role);

    // Who takes verdicts makes codes, who executes checks them, and a database that says otherwise runs nothing.
    this.verdictKey = new kms.Key(this, 'VerdictKey', { keySpec: kms.KeySpec.HMAC_256, keyUsage: kms.KeyUsage.GENERATE_VERIFY_MAC, description: `Authenticates approvals of ${controls}`, removalPolicy: RemovalPolicy.DESTROY });

    const executorLogin = new DutyLogin(this, 'ExecutorLogin', database, 'executor');
    const executor = new HandlerFunction(this, 'Executor', {
      functionName: handlerName(controls, 'executor'), code: handlerCode('executor'), description: 'Redeems tickets and runs actions, once each',
      timeout: Duration.seconds(330), // an action may take 5 minutes
      environment: { ...executorLogin.environment, VERDICT_KEY_ARN: this.verdictKey.keyArn },
    });
    iam.Grant.addToPrincipal({ grantee: executor.role, actions: ['kms:VerifyMac'], resourceArns: [this.verdictKey.keyArn] });
    executorLogin.grantUse(executor.role);
    grantDecrypt(executor.role, controls, 'kms:GenerateDataKey'); // it seals what is staged
    anchored(executor, props.auditLog);
    executor.role.addToPrincipalPolicy(new iam.PolicyStatement({
      actions: ['lambda:InvokeFunction'],
      resources: [actionFunctionName(controls, '*'), handlerName(controls, 'read')].map((name) => `arn:${Aws.PARTITION}:lambda:${Aws.REGION}:${Aws.ACCOUNT_ID}:function:${name}`),
    }));
    this.executor = executor.role;

    const verify = props.verifier && this.verifyHandler(props.verifier);
    this.stateMachine = new sfn.StateMachine(this, 'Window', {
      stateMachineName: handlerName(controls, 'hold-window'),
      // The file's own text, for whatever partition it is deployed to.
      definitionBody: sfn.DefinitionBody.fromString(readFileSync(join(packageRoot(), 'lambda', 'hold', 'window.asl.json'), 'utf8').replaceAll('arn:aws:', `arn:${Aws.PARTITION}:`)),
      definitionSubstitutions: { ExpiryFunction: expiry.function.functionArn, ExecutorFunction: executor.function.functionArn, VerifyFunction: (verify ?? expiry.function).functionArn }, // without a verifier the step is never reached
      comment: 'Keeps the windows of holds',
    });
    markOwn((this.stateMachine as sfn.StateMachine).role);
    this.stateMachineArn = this.stateMachine.stateMachineArn;
    expiry.function.grantInvoke(this.stateMachine);
    executor.function.grantInvoke(this.stateMachine);
    verify?.grantInvoke(this.stateMachine);

    const decideLogin = new DutyLogin(this, 'DecideLogin', database, 'decide');
    const decide = new HandlerFunction(this, 'Decide', {
      functionName: handlerName(controls, 'decide'), code: handlerCode('decide'), description: 'Takes verdicts on holds',
      environment: { ...decideLogin.environment, VERDICT_KEY_ARN: this.verdictKey.keyArn },
    });
    iam.Grant.addToPrincipal({ grantee: decide.role, actions: ['kms:GenerateMac'], resourceArns: [this.verdictKey.keyArn] });
    decideLogin.grantUse(decide.role);
    anchored(decide, props.auditLog);
    // Task tokens have no resource to scope to: this is the one role that has it.
    iam.Grant.addToPrincipal({ grantee: decide.role, actions: ['states:SendTaskSuccess'], resourceArns: ['*'] });
    this._decide = decide.function;

    for (const { _tier } of tiers) for (const group of [..._tier.approvers, ...(_tier.escalateTo === undefined ? [] : [_tier.escalateTo])]) this._approverRole(Approver.group(group));
  }

  /** Lets `grantee` list holds and give verdicts through the API; the group it decides for is that of its approver role. */
  public grantDecide(grantee: iam.IGrantable): iam.Grant {
    const arn = (method: 'GET' | 'POST', path: string): string => invokeArn(this, Lazy.string({ produce: () => this.apiOf() }), method, path);
    return iam.Grant.addToPrincipal({ grantee, actions: ['execute-api:Invoke'], resourceArns: [arn('POST', '/approvals/*/verdict'), arn('GET', '/approvals'), arn('GET', '/approvals/*')] });
  }

  /** @internal The role that people of a group assume; made once. */
  public _approverRole(group: Approver): ApproverRole {
    const made = this.approvers.get(group.groupName) ?? new ApproverRole(this, `Approver-${group.groupName}`, { roleName: approverRoleName(this.auditLog.database.controlsName, group.groupName), holdQueue: this });
    if (!this.approvers.has(group.groupName)) for (const tell of this.told) tell(group.groupName);
    this.approvers.set(group.groupName, made);
    return made;
  }

  /** @internal Every group of approvers. */
  public _groups(): string[] { return [...this.approvers.keys()].sort(); }

  /** @internal Tells of every group of approvers, those that cards add later, too. */
  public _eachGroup(tell: (group: string) => void): void {
    this.told.push(tell);
    [...this.approvers.keys()].forEach(tell);
  }

  /** Shows the verifier a hold and takes its answer, as a login that can do nothing else. */
  private verifyHandler(verifier: Verifier): lambda.IFunction {
    const { database } = this.auditLog;
    const asked = verifier._function(this, database.controlsName);
    const login = new DutyLogin(this, 'VerifierLogin', database, 'verifier');
    const verify = new HandlerFunction(this, 'Verify', {
      functionName: handlerName(database.controlsName, 'verify'), code: handlerCode('verify'), description: 'Asks the verifier about holds', timeout: Duration.seconds(55),
      environment: { ...login.environment, VERIFIER_FUNCTION: asked.functionArn, VERDICT_KEY_ARN: this.verdictKey.keyArn },
    });
    iam.Grant.addToPrincipal({ grantee: verify.role, actions: ['kms:GenerateMac'], resourceArns: [this.verdictKey.keyArn] });
    login.grantUse(verify.role);
    anchored(verify, this.auditLog);
    verify.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [asked.functionArn] }));
    return verify.function;
  }

  private apiOf(): string {
    if (this._apiId === undefined) throw new ControlsError('GateMissing', `${this.node.path} has no ToolGate, so there is no API to decide holds through; make a ToolGate with this hold queue`);
    return this._apiId;
  }
}

class ImportedHoldQueue extends Resource implements IHoldQueue {
  public readonly auditLog: IAuditLogTable;
  public readonly stateMachineArn: string;
  public readonly executor: iam.IGrantable;

  constructor(scope: Construct, id: string, attrs: HoldQueueAttributes) {
    super(scope, id);
    this.auditLog = attrs.auditLog;
    this.stateMachineArn = attrs.stateMachineArn;
    this.executor = iam.Role.fromRoleArn(this, 'Executor', attrs.executorRoleArn, { mutable: false });
  }
}
