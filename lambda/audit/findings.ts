import type { LogSource } from './verify-log';

/** Something unusual, as its entry tells it. */
export interface Finding {
  readonly id: string;
  readonly time: string;
  readonly rule: string;
  readonly agent: string | null;
  /** Who or what it is about: an agent, an approver, an action, a parameter, an hour. */
  readonly subject: string;
  readonly value: number;
  /** From how much on it is unusual. */
  readonly threshold: number;
  readonly since: string;
  readonly response: string;
  /** How many calls it rests on. */
  readonly total: number;
  /** The newest of them. */
  readonly decisions: readonly string[];
}

/** Which findings. */
export interface FindingFilter { readonly agent?: string; readonly from?: string; readonly until?: string }

const SQL = `select to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as time, e.outcome as rule, e.agent, e.facts from audit.entry e
  where e.kind = 'anomaly.found' and (:agent = '' or e.agent = :agent) and e.at >= :from::timestamptz and e.at < :until::timestamptz and e.outcome not in ('permit', 'hold', 'approve', 'executed') order by e.at desc limit 300`;

/** What was found, newest first. */
export async function findings(log: Pick<LogSource, 'rows'>, { agent = '', from = '-infinity', until = 'infinity' }: FindingFilter = {}): Promise<Finding[]> {
  return (await log.rows(SQL, { agent, from, until })).map((row) => {
    const { finding, ...facts } = JSON.parse(String(row.facts)) as Omit<Finding, 'id' | 'time' | 'rule' | 'agent'> & { finding: string };
    return { id: finding, time: String(row.time), rule: String(row.rule), agent: typeof row.agent === 'string' ? row.agent : null, ...facts };
  });
}
