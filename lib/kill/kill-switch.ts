import { ArnFormat, Aws, Duration, IResource, Resource } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { anchored } from '../audit/anchored';
import { grantDecrypt, grantSecrets } from '../database/access';
import { DutyLogin } from '../database/duty-login';
import { addSignedRoute, invokeArn } from '../gate/api-route';
import { IToolGate, ToolGate } from '../gate/tool-gate';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { RunBroker } from '../identity/run-broker';
import { ControlsError, shown } from '../scope/controls-error';
import { agentBoundaryName, agentRoleName, handlerName, KILL_ROUTES } from '../scope/names';

/** Stops agents. */
export interface IKillSwitch extends IResource {
  /** Lets `grantee` stop agents, see what stopped them, and ask for one back, which takes two people. The role must be the responder's: a person, with MFA. */
  grantDisable(grantee: iam.IGrantable): iam.Grant;
}

/** Props of `KillSwitch`. */
export interface KillSwitchProps {
  /** Gate whose agents can be stopped. */
  readonly gate: IToolGate;
}

/**
 * Stops an agent and proves it, lever by lever: no run starts, no call passes, no ticket is redeemed, no login logs in, no hold waits, nothing that
 * began before still runs, and a session of its role from before is seen refused.
 */
export class KillSwitch extends Resource implements IKillSwitch {
  private readonly gate: IToolGate;
  private trigger: lambda.Function | undefined;

  constructor(scope: Construct, id: string, props: KillSwitchProps) {
    super(scope, id);
    const { gate } = props;
    const { broker, holdQueue } = gate;
    if (!(gate instanceof ToolGate) || !(broker instanceof RunBroker)) throw new ControlsError('GateImported', `${this.node.path}: the kill switch belongs to the app that makes gate and broker, got imported ones; make it there`);
    this.gate = gate;
    const { database } = broker.auditLog;
    const controls = database.controlsName;
    const login = new DutyLogin(this, 'Login', database, 'kill');
    const kill = new HandlerFunction(this, 'Kill', {
      functionName: handlerName(controls, 'kill'), code: handlerCode('kill'), description: 'Stops agents, and proves it',
      environment: { ...login.environment, STATE_MACHINE_ARN: holdQueue.stateMachineArn, API_URL: broker.url },
    });
    login.grantUse(kill.role);
    anchored(kill, broker.auditLog);
    const roles = [`arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/${agentRoleName(controls, '*')}`];
    kill.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['iam:GetRolePolicy'], resources: roles }));
    // Only roles that carry the agents' boundary, which no policy widens.
    kill.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['iam:PutRolePolicy'], resources: roles, conditions: { StringEquals: { 'iam:PermissionsBoundary': `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:policy/${agentBoundaryName(controls)}` } } }));
    grantSecrets(kill.role, controls, ['agent/*'], ['secretsmanager:PutSecretValue']); // an agent that comes back has a new password
    grantDecrypt(kill.role, controls, 'kms:GenerateDataKey');
    kill.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['states:StopExecution'], resources: [this.stack.formatArn({ service: 'states', resource: 'execution', resourceName: `${handlerName(controls, 'hold-window')}:*`, arnFormat: ArnFormat.COLON_RESOURCE_NAME })] }));
    kill.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['execute-api:Invoke'], resources: [invokeArn(this, broker.apiId, 'POST', '/agents/*/probe')] }));
    addSignedRoute(this, 'Probe', broker.apiId, 'POST', '/agents/{agent}/probe', broker._function);
    for (const [route, method, path] of [['Agents', 'GET', '/agents'], ['Disable', 'POST', '/agents/{agent}/disable'], ['Stop', 'GET', '/agents/{agent}/stop'], ['Enable', 'POST', '/agents/{agent}/enable'], ['Hold', 'POST', '/agents/{agent}/hold'], ['Release', 'POST', '/agents/{agent}/release']] as const) {
      addSignedRoute(this, route, broker.apiId, method, path, kill.function);
    }
  }

  /**
   * Stops `agentName` when `alarm` goes off.
   *
   * @param agentName without a name every agent is stopped.
   * @throws `AgentNameInvalid`
   */
  public addAlarmTrigger(alarm: cloudwatch.IAlarm, agentName?: string): void {
    if (agentName !== undefined && !/^[a-z][a-z0-9-]{0,23}$/.test(agentName)) throw new ControlsError('AgentNameInvalid', `agentName must be the name of an agent, got ${shown(agentName)}; leave it out to stop every agent`);
    new events.Rule(this, `Alarm-${alarm.node.addr}-${agentName ?? 'all'}`, {
      description: agentName === undefined ? 'Stops every agent' : `Stops ${agentName}`,
      eventPattern: { source: ['aws.cloudwatch'], detailType: ['CloudWatch Alarm State Change'], resources: [alarm.alarmArn], detail: { state: { value: ['ALARM'] } } },
      targets: [new targets.LambdaFunction(this.triggered(), { event: events.RuleTargetInput.fromObject({ source: 'aws.cloudwatch', detail: { agent: agentName ?? '*', reason: `alarm ${alarm.alarmName}` } }) })],
    });
  }

  /** Stops the agent that `detail.agent` of a matching event names, on the bus of the control plane: `detail.reason` says why. */
  public addEventTrigger(pattern: events.EventPattern): void {
    const { controlsName } = this.gate.broker.auditLog.database;
    new events.Rule(this, `Event-${this.node.children.length}`, {
      description: 'Stops the agent that an event names', eventBus: events.EventBus.fromEventBusName(this, `Bus-${this.node.children.length}`, controlsName), eventPattern: pattern, targets: [new targets.LambdaFunction(this.triggered())],
    });
  }

  /** What rules invoke: it may ask for a stop through the API, as a person would, and for nothing else. Made with the first trigger. */
  private triggered(): lambda.Function {
    if (!this.trigger) {
      const { broker } = this.gate as ToolGate & { readonly broker: RunBroker };
      const trigger = new HandlerFunction(this, 'Trigger', {
        functionName: handlerName(broker.auditLog.database.controlsName, 'kill-trigger'), code: handlerCode('kill-trigger'), description: 'Stops the agents that events name', timeout: Duration.minutes(2), environment: { API_URL: broker.url },
      });
      trigger.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['execute-api:Invoke'], resources: KILL_ROUTES.filter(([, path]) => !/\/(enable|hold|release)$/.test(path)).map(([method, path]) => invokeArn(this, broker.apiId, method, path)) }));
      this.trigger = trigger.function;
    }
    return this.trigger;
  }

  public grantDisable(grantee: iam.IGrantable): iam.Grant {
    return iam.Grant.addToPrincipal({ grantee, actions: ['execute-api:Invoke'], resourceArns: KILL_ROUTES.map(([method, path]) => invokeArn(this, this.gate.broker.apiId, method, path)) });
  }
}
