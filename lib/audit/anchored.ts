import { ArnFormat, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { HandlerFunction } from '../handler/handler-function';
import { handlerName } from '../scope/names';
import { AuditLogTable, IAuditLogTable } from './audit-log-table';

/**
 * Lets a handler that appends have a checkpoint made soon. The state machine is known by name, so a handler of another app needs no import.
 */
export function anchored(handler: HandlerFunction, auditLog: IAuditLogTable): void {
  const arn = Stack.of(handler).formatArn({ service: 'states', resource: 'stateMachine', resourceName: handlerName(auditLog.database.controlsName, 'checkpoint'), arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  handler.function.addEnvironment('CHECKPOINT_MACHINE_ARN', arn);
  // Of another app's log the interval is not known here; no interval is shorter than this.
  handler.function.addEnvironment('CHECKPOINT_SECONDS', String(auditLog instanceof AuditLogTable ? auditLog._checkpointSeconds : 60));
  iam.Grant.addToPrincipal({ grantee: handler.role, actions: ['states:StartExecution'], resourceArns: [arn] });
  if (auditLog instanceof AuditLogTable) auditLog._alarms.watch(handler);
}
