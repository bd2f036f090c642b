import type { Clock } from '../clock';
import type { Principal } from '../identity/principals';
import type { LambdaHost } from '../lambda/host';

/** A rule of the template: roles whose use it tells, or how often it tells; and functions that are told. */
export interface Rule {
  readonly roleArns: readonly string[];
  readonly everyMs: number | undefined;
  readonly targets: readonly { readonly arn: string; readonly input: unknown }[];
}

/** Reads the rules that are played: uses of roles, as CloudTrail tells them, and `rate(n days)`. Another is refused. */
export function ruleOf(logicalId: string, { EventPattern: pattern, ScheduleExpression: schedule, Targets }: Record<string, any>): Rule {
  const targets = (Targets as { Arn: string; Input?: string }[]).map(({ Arn, Input }) => ({ arn: Arn, input: Input === undefined ? undefined : JSON.parse(Input) as unknown }));
  const days = /^rate\((\d+) days?\)$/.exec(String(schedule))?.[1];
  if (days !== undefined) return { roleArns: [], everyMs: Number(days) * 86_400_000, targets };
  const roleArns = pattern?.detail?.requestParameters?.roleArn as string[] | undefined;
  if (JSON.stringify(pattern?.source) !== '["aws.sts"]' || !roleArns) throw new Error(`${logicalId}: the local runtime plays rules for uses of a role, and rate(n days), got ${JSON.stringify(pattern ?? schedule)}`);
  return { roleArns, everyMs: undefined, targets };
}

/** Tells the rules of a session that was handed out. */
export function tellOfSession(rules: readonly Rule[], session: Principal, by: string, at: Date, functions: LambdaHost): void {
  for (const { targets } of rules.filter(({ roleArns }) => roleArns.includes(session.role?.arn ?? ''))) {
    const detail = { eventName: 'AssumeRole', sourceIPAddress: '127.0.0.1', userIdentity: { arn: by }, requestParameters: { roleArn: session.role?.arn, roleSessionName: session.arn.split('/').pop() } };
    for (const { arn } of targets) void functions.invoke(arn, { source: 'aws.sts', 'detail-type': 'AWS API Call via CloudTrail', time: at.toISOString(), detail });
  }
}

/** Has rules of a schedule tell their functions, again and again. A clock that jumps over several times tells once. */
export function keepTime(rules: readonly Rule[], clock: Clock, functions: LambdaHost): void {
  for (const { everyMs, targets } of rules) {
    if (everyMs === undefined) continue;
    const arm = (): void => {
      clock.at(clock.now() + everyMs, () => {
        for (const { arn, input } of targets) void functions.invoke(arn, input);
        arm();
      });
    };
    arm();
  }
}
