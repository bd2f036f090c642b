import { DECISIONS } from './queries';

/** What decisions are searched by. All that are given must hold. */
export interface DecisionFilter {
  readonly agent?: string;
  readonly run?: string;
  readonly action?: string;
  readonly reference?: string;
  readonly approver?: string;
  readonly verdict?: string;
  readonly status?: string;
  /** Not before, and before: ISO 8601, UTC where no zone is written. */
  readonly from?: string;
  readonly until?: string;
  /** Words of the inputs, as a search engine takes them: all of them, "phrases", -not. */
  readonly text?: string;
}

/** One condition a filter. Those on columns of the entry come down to an index of it. */
const CONDITIONS: Readonly<Record<keyof DecisionFilter, string>> = {
  agent: 'agent = :agent',
  run: 'run_id = :run',
  action: 'decision = :action',
  reference: 'reference = :reference',
  approver: 'decision_id in (select decision_id from audit.entry where approver = :approver)',
  verdict: 'verdict = :verdict',
  status: 'status = :status',
  from: 'time >= :from::timestamptz',
  until: 'time < :until::timestamptz',
  text: "(head, seq) in (select head, seq from audit.payload where inputs is not null and to_tsvector('simple', inputs) @@ websearch_to_tsquery('simple', :text))",
};

/** The newest decisions that a filter lets through, newest first. */
export function searchSql(filter: DecisionFilter, limit: number): { sql: string; values: Record<string, string | number> } {
  const given = (Object.entries(filter) as [keyof DecisionFilter, string | undefined][]).filter((pair): pair is [keyof DecisionFilter, string] => pair[1] !== undefined);
  const where = given.length > 0 ? ` where ${given.map(([name]) => CONDITIONS[name]).join(' and ')}` : '';
  return {
    sql: `${DECISIONS}${where} order by audit.decision.time desc limit :limit::int`,
    values: { ...Object.fromEntries(given.map(([name, value]) => [name, (name === 'from' || name === 'until') && !/(Z|[+-]\d\d:?\d\d)$/.test(value) ? `${value}Z` : value])), limit },
  };
}
