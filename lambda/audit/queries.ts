/** What is hashed of an entry after its time, in the order of the format. COPY's binary form of these columns is the format's own encoding. */
const HASHED = 'e.kind, e.login, e.agent, e.run_id, e.decision_id, e.facts, e.inputs_digest, e.output_digest';
const MICROSECONDS = '(extract(epoch from e.at) * 1000000)::bigint';

/** Columns of a verification row for readers of text: bytes as hex. `place` is the stored row itself, so that a copy of an entry is another one. */
const COLUMNS = `e.tableoid::text || e.ctid::text as place, e.head, e.seq, ${MICROSECONDS} as at, e.kind, e.login, e.agent, e.run_id as run, replace(e.decision_id::text, '-', '') as decision, e.facts,
  encode(e.inputs_digest, 'hex') as inputs_digest, encode(e.output_digest, 'hex') as output_digest, encode(e.hash, 'hex') as hash, p.part, encode(p.salt, 'hex') as salt, p.body`;

/** Rows of the whole log for COPY in binary form, in the order the verifier takes them. A payload belongs to its entry by time as well: one that was moved to another month is missing here. */
export const LOG_ROWS = `select e.tableoid, e.ctid, e.head, e.seq, e.hash, ${MICROSECONDS}, ${HASHED}, p.part, p.salt, p.body from audit.entry e left join audit.payload p on p.head = e.head and p.seq = e.seq and p.at = e.at order by e.head, e.seq, e.tableoid, e.ctid, p.part, p.chunk`;

/** The same, a page of entries after `:head` and `:seq`; entries that share a place in the chain are on one page. */
export const LOG_PAGE = `select ${COLUMNS} from (select *, tableoid, ctid from audit.entry where (head, seq) > (:head::smallint, :seq::bigint) order by head, seq fetch first :limit rows with ties) e
  left join audit.payload p on p.head = e.head and p.seq = e.seq and p.at = e.at order by e.head, e.seq, e.tableoid, e.ctid, p.part, p.chunk`;

export const HEADS = "select head, seq, encode(hash, 'hex') as hash from audit.head order by head";

/** Payload whose entry is gone. */
export const ORPHANS = "select distinct p.head || ':' || p.seq as place from audit.payload p where not exists (select from audit.entry e where e.head = p.head and e.seq = p.seq and e.at = p.at) limit 100";

/** Decisions as a reviewer reads them. */
export const DECISIONS = `select to_char(time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as time, agent, run_id, decision_id::text, decision, inputs_hash, inputs::text, model, output_hash, output::text, downstream_writes::text,
  authorized_by, verdict, reasons::text, reference, approver, status, result_hash, result::text, hold_id from audit.decision`;
