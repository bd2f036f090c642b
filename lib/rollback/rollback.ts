import { ArnFormat, IResource, Resource } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { anchored } from '../audit/anchored';
import { DutyLogin } from '../database/duty-login';
import { addSignedRoute, invokeArn } from '../gate/api-route';
import { IToolGate } from '../gate/tool-gate';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { ControlsError, shown } from '../scope/controls-error';
import { handlerName, ROLLBACK_ROUTES } from '../scope/names';

/** Undoes what agents did: the reverses of their actions, newest first. */
export interface IRollback extends IResource {
  /** Lets `grantee` plan rollbacks, ask for them and follow them, through the API. The role must be the responder's: a person, with MFA. */
  grantRollback(grantee: iam.IGrantable): iam.Grant;
}

/** Props of `Rollback`. */
export interface RollbackProps {
  /** Gate whose effects are undone; its API gets the routes. */
  readonly gate: IToolGate;
  /**
   * From how many decisions on a rollback is held for people other than who asks for it, 2 to 1,000. Below, it is held only where one of its
   * effects was.
   *
   * @default 10
   */
  readonly bulkFrom?: number;
}

/**
 * Rollback: control 6. Every write keeps, in its own transaction, a sealed image of what it changed; a rollback puts it back where nobody
 * has changed it since, and names where somebody has. It needs neither the agent nor its card, and works when both are gone.
 */
export class Rollback extends Resource implements IRollback {
  private readonly gate: IToolGate;

  constructor(scope: Construct, id: string, props: RollbackProps) {
    super(scope, id);
    const { gate, bulkFrom = 10 } = props;
    if (!Number.isInteger(bulkFrom) || bulkFrom < 2 || bulkFrom > 1_000) throw new ControlsError('BulkInvalid', `bulkFrom must be a whole number from 2 to 1,000, got ${shown(bulkFrom)}; correct it`);
    this.gate = gate;
    const { auditLog } = gate.broker;
    const { database } = auditLog;
    const controls = database.controlsName;
    // The login of reversals is used by actions, and by nothing here.
    new DutyLogin(this, 'ReverseLogin', database, 'reverse');
    const login = new DutyLogin(this, 'Login', database, 'rollback');
    const handler = new HandlerFunction(this, 'Rollback', {
      functionName: handlerName(controls, 'rollback'), code: handlerCode('rollback'), description: 'Plans and asks for rollbacks',
      environment: { ...login.environment, STATE_MACHINE_ARN: gate.holdQueue.stateMachineArn, EXECUTOR_FUNCTION: handlerName(controls, 'executor'), BULK_FROM: String(bulkFrom) },
    });
    login.grantUse(handler.role);
    anchored(handler, auditLog);
    iam.Grant.addToPrincipal({ grantee: handler.role, actions: ['states:StartExecution'], resourceArns: [gate.holdQueue.stateMachineArn] });
    iam.Grant.addToPrincipal({ grantee: handler.role, actions: ['lambda:InvokeFunction'], resourceArns: [this.stack.formatArn({ service: 'lambda', resource: 'function', resourceName: handlerName(controls, 'executor'), arnFormat: ArnFormat.COLON_RESOURCE_NAME })] });
    addSignedRoute(this, 'Ask', gate.broker.apiId, 'POST', '/rollbacks', handler.function);
    addSignedRoute(this, 'Resolve', gate.broker.apiId, 'POST', '/rollbacks/{rollbackId}/reversals/{reversalId}', handler.function);
    addSignedRoute(this, 'Outcome', gate.broker.apiId, 'POST', '/decisions/{decisionId}/outcome', handler.function);
    addSignedRoute(this, 'Follow', gate.broker.apiId, 'GET', '/rollbacks/{rollbackId}', handler.function);
  }

  public grantRollback(grantee: iam.IGrantable): iam.Grant {
    return iam.Grant.addToPrincipal({ grantee, actions: ['execute-api:Invoke'], resourceArns: ROLLBACK_ROUTES.map(([method, path]) => invokeArn(this, this.gate.broker.apiId, method, path)) });
  }
}
