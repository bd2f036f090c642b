import type { Log } from '../log';
import type { Period } from '../period';

/** An entry of the log, as a page tells it. */
export interface Entry {
  readonly time: string;
  readonly kind: string;
  readonly agent: string | null;
  readonly run: string | null;
  readonly decision: string | null;
  readonly action: string | null;
  readonly outcome: string | null;
  readonly approver: string | null;
  readonly reference: string | null;
  readonly login: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Most entries of a kind that a page tells; it says so when there are more. */
export const MOST = 400;
const PAGE = 100;

/** The newest entries of some kinds, newest first. */
export async function entriesOf(log: Pick<Log, 'rows'>, kinds: readonly string[], { from = '-infinity', until = 'infinity' }: Period, where = 'true', values: Readonly<Record<string, string>> = {}): Promise<Entry[]> {
  const all: Entry[] = [];
  // In pages: the Data API answers with 1 MiB at most.
  while (all.length < MOST) {
    const rows = await log.rows(
      `select to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time, e.kind, e.agent, e.run_id, e.decision_id::text as decision_id, e.action, e.outcome, e.approver, e.reference, e.login, e.facts from audit.entry e
        where e.kind in (select json_array_elements_text(:kinds::json)) and e.at >= :from::timestamptz and e.at < :until::timestamptz and ${where} order by e.at desc, e.head, e.seq desc limit ${PAGE} offset :skip::int`,
      { kinds: JSON.stringify(kinds), from, until, skip: all.length, ...values },
    );
    all.push(...rows.map((row): Entry => {
      const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
      return { time: text('time') ?? '', kind: text('kind') ?? '', agent: text('agent'), run: text('run_id'), decision: text('decision_id'), action: text('action'), outcome: text('outcome'), approver: text('approver'), reference: text('reference'), login: text('login') ?? '', facts: JSON.parse(text('facts') ?? '{}') as Entry['facts'] };
    }));
    if (rows.length < PAGE) break;
  }
  return all;
}

/** Says under a table that it does not tell everything. */
export const newest = (all: readonly unknown[], most = MOST): string[] => (all.length >= most ? ['', `**These are the newest ${most}; there are more.** A shorter period, with --from and --until, tells them.`] : []);

/** A time as a table has it. */
export const when = (time: string): string => time.slice(0, 19).replace('T', ' ');

/** What a table has of a value: text, a number, yes or no; nothing for what is none of these. */
export const said = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : '');
