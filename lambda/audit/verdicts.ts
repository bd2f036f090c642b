import type { LogSource } from './verify-log';

/** Which verdicts are counted. */
export interface VerdictFilter {
  readonly agent?: string;
  readonly from?: string;
  readonly until?: string;
}

/** What somebody made of the holds of one agent; `nobody` is who did not answer. */
export interface VerdictCount {
  readonly agent: string;
  /** A person's name, `verifier:TIER`, or `nobody`. */
  readonly by: string;
  readonly approved: number;
  readonly rejected: number;
  /** Left to people: a verifier was unsure, down, or gave no answer that is one. */
  readonly unsure: number;
  readonly expired: number;
  /** Half of the verdicts took no longer; null where there was none. */
  readonly medianSeconds: number | null;
}

const SQL = `select v.agent, v.by, count(*) filter (where v.outcome = 'approve')::int as approved, count(*) filter (where v.outcome = 'reject')::int as rejected, count(*) filter (where v.outcome = 'unsure')::int as unsure, count(*) filter (where v.outcome = 'expired')::int as expired,
    percentile_cont(0.5) within group (order by v.seconds) filter (where v.outcome in ('approve', 'reject')) as median
  from (select e.agent, e.outcome, coalesce(e.approver, case e.kind when 'verifier.unsure' then 'verifier:' || coalesce(i.facts::json ->> 'tier', '') else 'nobody' end) as by, extract(epoch from e.at - i.at)::float8 as seconds
    from audit.entry e left join lateral (select i.at, i.facts from audit.entry i where i.decision_id = e.decision_id and i.kind = 'call.intent' limit 1) i on true
    where e.kind in ('hold.approved', 'hold.seconded', 'hold.rejected', 'hold.expired', 'verifier.unsure') and (:agent = '' or e.agent = :agent) and e.at >= :from::timestamptz and e.at < :until::timestamptz) v group by 1, 2 order by 1, 2`;

/** Who decided how often, and how fast: also what a verifier caught, and who approves everything. */
export async function countVerdicts(log: Pick<LogSource, 'rows'>, { agent = '', from = '-infinity', until = 'infinity' }: VerdictFilter): Promise<VerdictCount[]> {
  return (await log.rows(SQL, { agent, from, until })).map((row) => ({
    agent: String(row.agent), by: String(row.by), approved: Number(row.approved), rejected: Number(row.rejected), unsure: Number(row.unsure), expired: Number(row.expired), medianSeconds: row.median === null ? null : Math.round(Number(row.median)),
  }));
}
