import audit from '../database/002-audit.sql';

/** What is hashed of an entry, as one row: its binary form is what the format hashes. */
const RECORD = "row('agent-controls/entry/1'::text, e.at, e.kind, e.login, e.agent, e.run_id, e.decision_id, e.action, e.reference, e.approver, e.outcome, e.facts, e.inputs_digest, e.output_digest)";

/** A payload belongs to its entry by time as well: one that was moved to another month is missing here. */
const PAYLOAD = 'left join audit.payload p on p.head = e.head and p.seq = e.seq and p.at = e.at';
const ORDER = 'order by e.head, e.seq, e.tableoid, e.ctid, p.chunk';

/** Whether an entry comes after a place in its own chain: `{head: seq}` as JSON. */
const after = (since: string): string => `e.seq > coalesce((${since} ->> e.head::text)::bigint, 0)`;

/**
 * Rows of the log for COPY in binary form, in the order the verifier takes them. `place` is the stored row itself, so that a copy of an
 * entry is another one.
 *
 * @param chainOnly leaves payload unread.
 * @param since places after which entries are read, chain by chain; a number each, so that COPY, which takes no parameters, is safe.
 */
export const logRows = (since: Readonly<Record<number, bigint>> = {}, chainOnly = false): string => {
  const places = JSON.stringify(Object.fromEntries(Object.entries(since).map(([head, seq]) => [Number(head), Number(seq)])));
  if (chainOnly) return `select e.tableoid, e.ctid, e.head, e.seq, e.hash, ${RECORD}, row(null::bytea, null::text), row(null::bytea, null::text) from audit.entry e${Object.keys(since).length > 0 ? ` where ${after(`'${places}'::json`)}` : ''} order by e.head, e.seq, e.tableoid, e.ctid`;
  return `select e.tableoid, e.ctid, e.head, e.seq, e.hash, ${RECORD}, row(p.inputs_salt, p.inputs), row(p.output_salt, p.output) from audit.entry e ${PAYLOAD}${Object.keys(since).length > 0 ? ` where ${after(`'${places}'::json`)}` : ''} ${ORDER}`;
};

/** The same for readers of text, a page of entries after `:head` and `:seq`; entries that share a place in the chain are on one page. */
export const LOG_PAGE = `select e.tableoid::text || e.ctid::text as place, e.head, e.seq, encode(e.hash, 'hex') as hash, encode(record_send(${RECORD}), 'hex') as record,
  encode(p.inputs_salt, 'hex') as inputs_salt, p.inputs, encode(p.output_salt, 'hex') as output_salt, p.output
  from (select *, tableoid, ctid from audit.entry e where (head, seq) > (:head::smallint, :seq::bigint) and ${after(':since::json')} order by head, seq fetch first :limit rows with ties) e ${PAYLOAD} ${ORDER}`;

export const HEADS = "select head, seq, encode(hash, 'hex') as hash from audit.head order by head";

/** What no reader of chains would come by: chains that there are not, numbers that no entry has. */
export const STRAYS = "select coalesce(head::text, 'null') || ':' || coalesce(seq::text, 'null') as place from (select head, seq from audit.entry where (head between 0 and 63 and seq > 0) is not true union all select head, seq from audit.head where (head between 0 and 63 and seq >= 0) is not true union all select head, seq from audit.payload where (head between 0 and 63 and seq > 0) is not true) s limit 100";

/** Payload whose entry is gone. */
export const ORPHANS = "select distinct p.head || ':' || p.seq as place from audit.payload p where not exists (select from audit.entry e where e.head = p.head and e.seq = p.seq and e.at = p.at) limit 100";

/** What `audit.decision` is made as. Readers of ours ask this and not the view, which somebody could have altered. */
export const DECISION_VIEW = /^create view audit\.decision as\n([\s\S]*?);\n\n/m.exec(audit)?.[1] ?? '';

/** Decisions as a reviewer reads them, as `d`. */
export const DECISIONS = `select to_char(time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as time, agent, run_id, decision_id::text, decision, inputs_hash, inputs::text, inputs_are, model, output_hash, output::text, downstream_writes::text,
  authorized_by, verdict, reasons::text, policy_digest, card_digest, versions::text, reference, approver, status, result_hash, result::text, redacted::text, hold_id from (${DECISION_VIEW}) d`;
