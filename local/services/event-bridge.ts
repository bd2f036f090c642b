import type { Clock } from '../clock';
import type { Principal } from '../identity/principals';
import type { LambdaHost } from '../lambda/host';

/** A rule of the template: roles whose use it tells, how often it tells, or what it tells of a bus of our own. */
export interface Rule {
  readonly roleArns: readonly string[];
  readonly everyMs: number | undefined;
  readonly bus: string | undefined;
  readonly pattern: { readonly source?: readonly string[]; readonly 'detail-type'?: readonly string[] };
  readonly targets: readonly { readonly arn: string; readonly input: unknown }[];
}

/** Reads the rules that are played: uses of roles, as CloudTrail tells them, `rate(n days)`, and events of a bus by source and type. Nothing here raises an alarm. */
export function ruleOf(logicalId: string, { EventBusName: bus, EventPattern: pattern = {}, ScheduleExpression: schedule, Targets }: Record<string, any>): Rule {
  const targets = (Targets as { Arn: string; Input?: string }[]).map(({ Arn, Input }) => ({ arn: Arn, input: Input === undefined ? undefined : JSON.parse(Input) as unknown }));
  const rule = { roleArns: [], everyMs: undefined, bus: undefined, pattern: {}, targets };
  const days = /^rate\((\d+) days?\)$/.exec(String(schedule))?.[1];
  if (days !== undefined) return { ...rule, everyMs: Number(days) * 86_400_000 };
  if (bus !== undefined && Object.entries(pattern as object).every(([key, values]) => ['source', 'detail-type'].includes(key) && Array.isArray(values))) return { ...rule, bus: bus as string, pattern: pattern as Rule['pattern'] };
  const [source] = (pattern.source ?? []) as string[];
  if (source === 'aws.cloudwatch') return rule;
  const roleArns = pattern.detail?.requestParameters?.roleArn as string[] | undefined;
  if (source !== 'aws.sts' || !roleArns) throw new Error(`${logicalId}: the local runtime plays rules for uses of a role, rate(n days), alarms, and events of a bus by source and detail-type, got ${JSON.stringify(schedule ?? pattern)}`);
  return { ...rule, roleArns };
}

/** Tells the functions behind the rules of a bus. Topics have their file. */
export function tellOfEvent(rules: readonly Rule[], event: { readonly bus: string; readonly source: string; readonly 'detail-type': string; readonly detail: unknown }, functions: LambdaHost): void {
  const { bus, ...told } = event;
  for (const { pattern, targets } of rules.filter((rule) => rule.bus === bus)) {
    if (pattern.source?.includes(told.source) === false || pattern['detail-type']?.includes(told['detail-type']) === false) continue;
    for (const { arn, input } of targets) if (functions.find(arn)) void functions.invoke(arn, input ?? told);
  }
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
        for (const { arn, input } of targets) void functions.invoke(arn, input ?? { source: 'aws.events', 'detail-type': 'Scheduled Event', time: new Date(clock.now()).toISOString(), detail: {} });
        arm();
      });
    };
    arm();
  }
}
