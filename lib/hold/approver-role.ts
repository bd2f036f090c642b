import { Aws, Duration } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { markOwn } from '../access/own';
import { personWithMfa } from '../identity/person-trust';
import type { HoldQueue } from './hold-queue';

/** Props of `ApproverRole`. */
export interface ApproverRoleProps {
  readonly roleName: string;
  readonly holdQueue: HoldQueue;
}

/**
 * The role that people of one group assume to decide holds. Its trust policy demands MFA and a session named after the IAM user,
 * so a verdict names a person and how the person signed in, and nobody can sign as somebody else.
 */
export class ApproverRole extends Construct {
  public readonly role: iam.Role;

  public constructor(scope: Construct, id: string, props: ApproverRoleProps) {
    super(scope, id);
    this.role = new iam.Role(this, 'Role', {
      roleName: props.roleName,
      description: 'Decides holds; people only, with MFA',
      maxSessionDuration: Duration.hours(1),
      assumedBy: personWithMfa(new iam.AccountPrincipal(Aws.ACCOUNT_ID), Duration.hours(1), { StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }),
    });
    markOwn(this.role);
    props.holdQueue.grantDecide(this.role);
  }
}
