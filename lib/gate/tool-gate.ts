import { ArnFormat, IResource, Resource, Size } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { grantDataApi, grantDecrypt, grantSecrets } from '../database/access';
import { anchored } from '../audit/anchored';
import { DutyLogin } from '../database/duty-login';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { HoldQueue, IHoldQueue } from '../hold/hold-queue';
import { IRunBroker } from '../identity/run-broker';
import { ControlsError } from '../scope/controls-error';
import { handlerName, RUN_ROUTES } from '../scope/names';
import { addSignedRoute, invokeArn } from './api-route';

/** The policy layer between a model and its tools: permit, hold or deny. */
export interface IToolGate extends IResource {
  /** Broker whose runs may call. */
  readonly broker: IRunBroker;
  /** Queue that held calls wait in. */
  readonly holdQueue: IHoldQueue;
  /** Lets `grantee` call the gate as itself; agents have this already. The gate answers to sessions of runs only. */
  grantCall(grantee: iam.IGrantable): iam.Grant;
}

/** Props of `ToolGate`. */
export interface ToolGateProps {
  /** Broker whose runs may call; the gate adds its routes to the broker's API. */
  readonly broker: IRunBroker;
  /** Queue that held calls wait in. It must share the broker's audit log (`TwoAuditLogs`). */
  readonly holdQueue: IHoldQueue;
}

/** What another app must know of a gate whose control plane does not follow the naming rule. */
export interface ToolGateAttributes {
  /** Broker of the control plane. */
  readonly broker: IRunBroker;
  /** Queue of the control plane. */
  readonly holdQueue: IHoldQueue;
}

abstract class ToolGateBase extends Resource implements IToolGate {
  public abstract readonly broker: IRunBroker;
  public abstract readonly holdQueue: IHoldQueue;

  public grantCall(grantee: iam.IGrantable): iam.Grant {
    return iam.Grant.addToPrincipal({ grantee, actions: ['execute-api:Invoke'], resourceArns: RUN_ROUTES.map(([method, path]) => invokeArn(this, this.broker.apiId, method, path)) });
  }
}

/** The tool gate: control 5. */
export class ToolGate extends ToolGateBase {
  /** Refers to a gate of another app; creates nothing. */
  public static fromToolGateAttributes(scope: Construct, id: string, attrs: ToolGateAttributes): IToolGate {
    return new ImportedToolGate(scope, id, attrs);
  }

  public readonly broker: IRunBroker;
  public readonly holdQueue: IHoldQueue;
  /** @internal */
  public readonly _function: lambda.IFunction;

  constructor(scope: Construct, id: string, props: ToolGateProps) {
    super(scope, id);
    this.broker = props.broker;
    this.holdQueue = props.holdQueue;
    if (props.broker.auditLog !== props.holdQueue.auditLog) {
      throw new ControlsError('TwoAuditLogs', `${props.broker.node.path} and ${props.holdQueue.node.path} write to different audit logs; give both the same one, or a decision and its verdict are told in two places`);
    }
    const { database } = props.broker.auditLog;
    const controls = database.controlsName;

    const login = new DutyLogin(this, 'Login', database, 'gate');
    const gate = new HandlerFunction(this, 'Gate', {
      functionName: handlerName(controls, 'gate'), code: handlerCode('gate'), description: 'Decides what agents propose',
      memorySize: Size.mebibytes(1_024), // Cedar's wasm starts twice as fast
      environment: { ...login.environment, STATE_MACHINE_ARN: props.holdQueue.stateMachineArn, EXECUTOR_FUNCTION: handlerName(controls, 'executor') },
    });
    this._function = gate.function;
    login.grantUse(gate.role);
    anchored(gate, props.broker.auditLog);
    iam.Grant.addToPrincipal({ grantee: gate.role, actions: ['states:StartExecution'], resourceArns: [props.holdQueue.stateMachineArn] });
    gate.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [this.stack.formatArn({ service: 'lambda', resource: 'function', resourceName: handlerName(controls, 'executor'), arnFormat: ArnFormat.COLON_RESOURCE_NAME })] }));
    addSignedRoute(this, 'Call', props.broker.apiId, 'POST', '/calls', gate.function);
    addSignedRoute(this, 'Tools', props.broker.apiId, 'GET', '/tools', gate.function);
    addSignedRoute(this, 'Mcp', props.broker.apiId, 'POST', '/mcp', gate.function);
    addSignedRoute(this, 'OpenApi', props.broker.apiId, 'GET', '/openapi.json', gate.function);
    addSignedRoute(this, 'Hold', props.broker.apiId, 'GET', '/holds/{holdId}', gate.function);

    const read = new HandlerFunction(this, 'Read', {
      functionName: handlerName(controls, 'read'), code: handlerCode('read'), description: 'Reads tables for agents, as their own Postgres login',
      environment: { CLUSTER_ARN: database.clusterArn, DATABASE_NAME: database.databaseName },
    });
    grantDataApi(read.role, database.clusterArn, 'transactions');
    grantSecrets(read.role, controls, ['agent/*'], ['secretsmanager:GetSecretValue']);
    grantDecrypt(read.role, controls);

    if (props.holdQueue instanceof HoldQueue) {
      props.holdQueue._apiId = props.broker.apiId;
      addSignedRoute(this, 'Verdict', props.broker.apiId, 'POST', '/approvals/{holdId}/verdict', props.holdQueue._decide);
      addSignedRoute(this, 'Approvals', props.broker.apiId, 'GET', '/approvals', props.holdQueue._decide);
      addSignedRoute(this, 'Approval', props.broker.apiId, 'GET', '/approvals/{holdId}', props.holdQueue._decide);
    }
  }
}

class ImportedToolGate extends ToolGateBase {
  public readonly broker: IRunBroker;
  public readonly holdQueue: IHoldQueue;

  constructor(scope: Construct, id: string, attrs: ToolGateAttributes) {
    super(scope, id);
    this.broker = attrs.broker;
    this.holdQueue = attrs.holdQueue;
  }
}
