import { DECISION_VIEW, DECISIONS } from './queries';
import type { LogSource } from './verify-log';

/** What decisions are searched by. All that are given must hold. */
export interface DecisionFilter {
  /** Id of the one. */
  readonly decision?: string;
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
  /** Words of what was asked, said, proposed or answered, as a search engine takes them: all of them, "phrases", -not. */
  readonly text?: string;
}

/**
 * Which entry gives a decision its status, where an index of exceptions has it: few decisions of a good log are among these, and they are
 * what one looks for. What still waits is in the book of holds, which `audit verify` compares with the log. Any other status is found by
 * looking at the newest.
 */
const EXCEPTION = "outcome not in ('permit', 'hold', 'approve', 'executed')";
const exception = (kind: string, outcome?: string): string => `select decision_id from audit.entry where ${EXCEPTION} and kind = '${kind}'${outcome === undefined ? '' : ` and outcome = '${outcome}'`}`;
const CANDIDATES: Readonly<Record<string, string>> = {
  denied: exception('call.intent', 'deny'), refused: exception('call.outcome', 'refused'), failed: exception('call.outcome', 'failed'), rejected: exception('hold.rejected'), expired: exception('hold.expired'), cancelled: exception('hold.cancelled'),
  held: "select decision_id from hold.hold where status = 'pending'",
};

/** One condition a filter. Those on columns of the entry come down to an index of it. */
const CONDITIONS: Readonly<Record<keyof DecisionFilter, string>> = {
  decision: 'decision_id = :decision::uuid',
  agent: 'agent = :agent',
  run: 'run_id = :run',
  action: 'decision = :action',
  reference: 'reference = :reference',
  approver: 'decision_id in (select decision_id from audit.entry where approver = :approver)',
  verdict: 'verdict = :verdict',
  status: 'status = :status',
  from: 'time >= :from::timestamptz',
  until: 'time < :until::timestamptz',
  text: "decision_id in (select e.decision_id from audit.payload p join audit.entry e using (head, seq) where to_tsvector('simple', coalesce(p.inputs, '') || ' ' || coalesce(p.output, '')) @@ websearch_to_tsquery('simple', :text))",
};

/** The newest decisions that a filter lets through, newest first. */
export function searchSql(filter: DecisionFilter, limit: number): { sql: string; values: Record<string, string | number> } {
  const given = (Object.entries(filter) as [keyof DecisionFilter, string | undefined][]).filter((pair): pair is [keyof DecisionFilter, string] => pair[1] !== undefined);
  const candidates = [CANDIDATES[filter.status ?? ''], filter.verdict === 'deny' ? CANDIDATES.denied : undefined].filter((sql) => sql !== undefined);
  const conditions = [...given.map(([name]) => CONDITIONS[name]), ...candidates.map((sql) => `decision_id in (${sql})`)];
  const where = given.length > 0 ? ` where ${conditions.join(' and ')}` : '';
  return {
    sql: `${DECISIONS}${where} order by d.time desc limit :limit::int`,
    values: { ...Object.fromEntries(given.map(([name, value]) => [name, (name === 'from' || name === 'until') && !/(Z|[+-]\d\d:?\d\d)$/.test(value) ? `${value}Z` : value])), limit },
  };
}

/** Columns that hold payload, and may be larger than the Data API returns in a row. */
const LARGE = ['inputs', 'output', 'result', 'downstream_writes'] as const;
const PART = 12_000;

/** Decisions whole, newest first: a row that is too large for the Data API is read in parts. */
export async function searchDecisions(source: LogSource, filter: DecisionFilter, limit: number): Promise<Record<string, unknown>[]> {
  const { sql, values } = searchSql(filter, limit);
  try {
    return await source.rows(sql, values);
  } catch (error) {
    if (!(error instanceof Error) || !/64 ?KB|size limit|UnsupportedResult/i.test(`${error.name} ${error.message}`)) throw error;
  }
  // Found without what is large, then fetched one by one, each large column in parts.
  const small = LARGE.reduce((text, column) => text.replace(`${column}::text`, `null as ${column}`), sql);
  const rows = await source.rows(small, values);
  for (const row of rows) {
    for (const column of LARGE) {
      let text = '';
      for (let at = 1; ; at += PART) {
        const [{ part } = {}] = await source.rows(`select substr(${column}::text, :at::int, ${PART}) as part from (${DECISION_VIEW}) d where decision_id = :decision::uuid`, { at, decision: String(row.decision_id) });
        if (typeof part !== 'string' || part === '') break;
        text += part;
      }
      row[column] = text === '' ? null : text;
    }
  }
  return rows;
}
