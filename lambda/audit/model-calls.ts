import type { LogSource } from './verify-log';

/** Which calls of models are listed. */
export interface ModelCallFilter {
  readonly agent?: string;
  readonly from?: string;
  readonly until?: string;
  readonly limit: number;
}

/** One call of a model, as the log has it. */
export interface ModelCall {
  readonly time: string;
  readonly agent: string;
  readonly runId: string;
  readonly decisionId: string;
  /** The verifier's own calls say so. */
  readonly by: string;
  /** What was asked for; null where the name was none that is known. */
  readonly asked: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly processesIn: readonly string[];
  readonly classes: readonly string[];
  readonly redacted: readonly string[];
  readonly routedFrom: string | null;
  readonly insteadOf: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** `answered`, `failed`, `broken off`, `stopped`, `unknown`, `open`; of a refused one the reason. */
  readonly outcome: string;
}

const SQL = `select to_char(c.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as time, c.agent, c.run_id, c.decision_id::text as decision_id, c.outcome as verdict, c.facts, o.outcome, o.facts as ended
  from audit.entry c left join lateral (select e.outcome, e.facts from audit.entry e where e.decision_id = c.decision_id and e.kind = 'model.outcome' order by e.at desc limit 1) o on true
  where c.kind = 'model.call' and (:agent = '' or c.agent = :agent) and c.at >= :from::timestamptz and c.at < :until::timestamptz order by c.at desc limit :limit::int`;

/** Calls of models, newest first: who asked whom with which classes, what was taken out, and what it came to. */
export async function modelCalls(log: Pick<LogSource, 'rows'>, { agent = '', from = '-infinity', until = 'infinity', limit }: ModelCallFilter): Promise<ModelCall[]> {
  return (await log.rows(SQL, { agent, from, until, limit })).map((row): ModelCall => {
    const facts = JSON.parse(String(row.facts)) as Readonly<Record<string, unknown>>;
    const ended = JSON.parse(typeof row.ended === 'string' ? row.ended : '{}') as Readonly<Record<string, unknown>>;
    const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
    const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
    const count = (value: unknown): number | null => (typeof value === 'number' ? value : null);
    return {
      time: String(row.time), agent: String(row.agent), runId: String(row.run_id), decisionId: String(row.decision_id), by: text(facts.by) ?? 'agent', asked: text(facts.asked), provider: text(facts.provider), model: text(facts.model), processesIn: list(facts.processes_in),
      classes: list(facts.classes), redacted: list(facts.redacted), routedFrom: text(facts.routed_from), insteadOf: text(facts.instead_of), inputTokens: count(ended.input_tokens), outputTokens: count(ended.output_tokens),
      outcome: row.verdict === 'deny' ? text(facts.reason) ?? 'refused' : text(row.outcome) ?? 'open',
    };
  });
}
