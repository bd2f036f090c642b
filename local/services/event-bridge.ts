import type { Principal } from '../identity/principals';
import type { LambdaHost } from '../lambda/host';

/** A rule of the template: roles whose use it tells, and functions that are told. */
export interface Rule {
  readonly roleArns: readonly string[];
  readonly targets: readonly string[];
}

/** Reads the one kind of rule that is played: uses of roles, as CloudTrail tells them. Another pattern is refused. */
export function ruleOf(logicalId: string, { EventPattern: pattern, Targets }: Record<string, any>): Rule {
  const roleArns = pattern?.detail?.requestParameters?.roleArn as string[] | undefined;
  if (JSON.stringify(pattern?.source) !== '["aws.sts"]' || !roleArns) throw new Error(`${logicalId}: the local runtime plays rules for uses of a role alone, got ${JSON.stringify(pattern)}`);
  return { roleArns, targets: (Targets as { Arn: string }[]).map(({ Arn }) => Arn) };
}

/** Tells the rules of a session that was handed out. */
export function tellOfSession(rules: readonly Rule[], session: Principal, by: string, at: Date, functions: LambdaHost): void {
  for (const { targets } of rules.filter(({ roleArns }) => roleArns.includes(session.role?.arn ?? ''))) {
    const detail = { eventName: 'AssumeRole', sourceIPAddress: '127.0.0.1', userIdentity: { arn: by }, requestParameters: { roleArn: session.role?.arn, roleSessionName: session.arn.split('/').pop() } };
    for (const target of targets) void functions.invoke(target, { source: 'aws.sts', 'detail-type': 'AWS API Call via CloudTrail', time: at.toISOString(), detail });
  }
}
