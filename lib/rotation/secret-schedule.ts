import { CfnResource, Stack } from 'aws-cdk-lib';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { StackRegistration } from '../registration/stack-registration';
import type { IRotationSchedule } from './rotation-schedule';

/**
 * Has a secret rotated. An L1, since the L2 writes a statement for every secret into the function's policy; its id never changes, since a schedule
 * that CloudFormation takes away switches rotation off.
 */
export function addSchedule(scope: Construct, schedule: IRotationSchedule & { readonly _ready?: readonly CfnResource[] }, secretArn: string, id = 'Rotation'): secretsmanager.CfnRotationSchedule {
  const made = new secretsmanager.CfnRotationSchedule(scope, id, {
    secretId: secretArn, rotationLambdaArn: schedule.rotationFunctionArn,
    rotationRules: { scheduleExpression: schedule.scheduleExpression, duration: `${schedule.window.toHours()}h` },
    rotateImmediatelyOnUpdate: false, // what was made a moment ago need not be replaced; a changed schedule replaces nothing
  });
  StackRegistration.of(scope, schedule.broker.auditLog.database).before(made);
  if (Stack.of(schedule) === Stack.of(scope)) for (const ready of schedule._ready ?? []) made.addResourceDependency(ready);
  return made;
}
