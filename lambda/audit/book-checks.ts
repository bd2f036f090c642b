/**
 * What the tables that handlers work with say, against the entries. Each query names what differs; `:from` is where retention ended. They
 * are the verifier's own, since whatever the database offers could have been altered with the rest.
 */
export interface BookCheck {
  readonly sentence: string;
  readonly sql: string;
}

const intent = "select from audit.entry e where e.kind = 'call.intent' and e.decision_id = c.decision_id and e.run_id = c.run_id and e.agent = c.agent and e.action = c.action and e.outcome = c.verdict";
const text = '(select string_agg(p.output, \'\' order by p.chunk) from audit.payload p where p.head = e.head and p.seq = e.seq and p.at = e.at)';

export const BOOK_CHECKS: readonly BookCheck[] = [
  {
    sentence: 'a run that no entry started as it is',
    sql: `select r.run_id as what from controls.run r where r.started_at >= :from::timestamptz and not exists (select from audit.entry e where e.kind = 'run.started' and e.run_id = r.run_id and e.agent = r.agent
      and e.facts::json ->> 'card_digest' = r.card_digest and e.facts::json ->> 'environment' = r.environment and e.facts::json ->> 'starter' = r.starter and e.facts::json ->> 'asked_by' = r.asked_by
      and e.facts::json ->> 'model' is not distinct from r.model and e.facts::json ->> 'prompt_digest' is not distinct from r.prompt_digest and e.reference is not distinct from r.reference and (e.facts::json ->> 'expires_at')::timestamptz >= r.expires_at and (e.facts::json ->> 'request_trusted')::boolean = r.request_trusted) limit 20`,
  },
  {
    // What was erased says nothing.
    sentence: 'a run whose request is not the one it started with',
    sql: `select distinct r.run_id as what from controls.run r join audit.entry e on e.kind = 'run.started' and e.run_id = r.run_id cross join lateral (select string_agg(p.inputs, '' order by p.chunk) as inputs from audit.payload p where p.head = e.head and p.seq = e.seq and p.at = e.at) p
      where r.started_at >= :from::timestamptz and r.request is not null and p.inputs is not null and p.inputs::json ->> 'request' is distinct from r.request limit 20`,
  },
  { sentence: 'a run that was started and is gone', sql: "select e.run_id as what from audit.entry e where e.kind = 'run.started' and e.at >= :from::timestamptz and not exists (select from controls.run r where r.run_id = e.run_id) limit 20" },
  { sentence: 'a call that no entry decided as it is', sql: `select c.decision_id::text as what from gate.call c where c.at >= :from::timestamptz and not exists (${intent}) limit 20` },
  { sentence: 'a call whose parameters are not those that were decided on', sql: `select c.decision_id::text as what from gate.call c join audit.entry e on e.kind = 'call.intent' and e.decision_id = c.decision_id where c.at >= :from::timestamptz and c.parameters is distinct from coalesce(${text}, case when c.salt = '' then '{}' end) and not (c.salt = '' and c.parameters = '{}') limit 20` },
  { sentence: 'a call that answers with what its outcome is not', sql: `select c.decision_id::text as what from gate.call c join lateral (select e.head, e.seq, e.at from audit.entry e where e.kind = 'call.outcome' and e.decision_id = c.decision_id order by e.at desc limit 1) e on true where c.at >= :from::timestamptz and c.result is not null and c.result is distinct from ${text} limit 20` },
  { sentence: 'a decision with two ends, or one that nobody let through', sql: `select o.decision_id::text as what from (select decision_id, count(*) filter (where outcome <> 'unknown') as ends, bool_or(outcome in ('executed', 'failed')) as ran from audit.entry where kind = 'call.outcome' and at >= :from::timestamptz group by 1) o
      where o.ends > 1 or (o.ran and not exists (select from audit.entry e where e.decision_id = o.decision_id and e.kind = 'call.intent' and (e.outcome = 'permit' or (e.outcome = 'hold' and exists (select from audit.entry v where v.decision_id = e.decision_id and v.kind = 'hold.approved'))))) limit 20` },
  {
    sentence: 'a hold that is not what its decision says',
    sql: `select h.hold_id::text as what from hold.hold h where h.staged_at >= :from::timestamptz and not exists (select from audit.entry e where e.decision_id = h.decision_id and e.kind = 'call.intent' and e.outcome = 'hold' and e.facts::json ->> 'hold' = h.hold_id::text
      and e.facts::json ->> 'tier' = h.tier and (e.facts::json ->> 'hold_until')::timestamptz = h.hold_until and (e.facts::json ->> 'people')::int = h.people and e.facts::json ->> 'approvers' = array_to_json(h.approvers)::text and e.facts::json ->> 'escalate_to' is not distinct from h.escalate_to) limit 20`,
  },
  {
    sentence: 'an agent whose writes wait otherwise than the log says',
    sql: `select a.name as what from audit.agent a left join lateral (select e.kind from audit.entry e where e.agent = a.name and e.kind in ('agent.cautioned', 'agent.trusted-again') and e.at >= :from::timestamptz order by e.at desc limit 1) e on true
      where a.cautious is distinct from (e.kind is not distinct from 'agent.cautioned') limit 20`,
  },
  {
    sentence: 'a run whose scope or approval is not what it started under',
    sql: `select r.run_id as what from controls.run r join audit.entry e on e.kind = 'run.started' and e.run_id = r.run_id join controls.scope s on s.agent = r.agent and s.card_digest = r.card_digest and s.environment = r.environment
      where r.started_at >= :from::timestamptz and e.facts::json ->> 'scope_version' is distinct from encode(sha256(convert_to(s.compiled, 'UTF8')), 'hex') and s.registered_at <= r.started_at limit 20`,
  },
  { sentence: 'a call that was decided and is gone', sql: "select e.decision_id::text as what from audit.entry e where e.kind = 'call.intent' and e.at >= :from::timestamptz and not exists (select from gate.call c where c.decision_id = e.decision_id) limit 20" },
  {
    sentence: 'a call whose status is not its last outcome',
    sql: `select c.decision_id::text as what from gate.call c left join lateral (select e.outcome from audit.entry e where e.kind = 'call.outcome' and e.decision_id = c.decision_id order by e.at desc limit 1) o on true
      where c.at >= :from::timestamptz and o.outcome is distinct from case when c.status in ('executed', 'failed', 'unknown', 'refused') then c.status end limit 20`,
  },
  {
    sentence: 'a hold whose status no entry gave it',
    sql: `select h.hold_id::text as what from hold.hold h where h.staged_at >= :from::timestamptz and (select string_agg(distinct e.kind, ',') from audit.entry e where e.decision_id = h.decision_id and e.kind in ('hold.approved', 'hold.rejected', 'hold.expired', 'hold.cancelled'))
      is distinct from case when h.status <> 'pending' then 'hold.' || h.status end limit 20`,
  },
  {
    sentence: 'a verdict that no entry tells of',
    sql: `select v.hold_id::text || ' of ' || v.person as what from hold.verdict v join hold.hold h using (hold_id) where v.at >= :from::timestamptz and not exists (select from audit.entry e
      where e.decision_id = h.decision_id and e.kind in ('hold.approved', 'hold.seconded', 'hold.rejected') and e.approver = v.person and e.outcome = v.verdict) limit 20`,
  },
  {
    sentence: 'a rollback of other decisions than were agreed to',
    sql: `select r.decision_id::text as what from undo.rollback r join audit.entry e on e.kind = 'call.intent' and e.decision_id = r.decision_id where e.at >= :from::timestamptz and ${text} is not null
      and (${text})::json ->> 'digest' is distinct from encode(sha256(convert_to(array_to_string(array(select v.decision_id from undo.reversal v where v.rollback = r.decision_id order by v.position), ','), 'UTF8')), 'hex') limit 20`,
  },
  {
    sentence: 'a reversal that is not what its outcome says',
    sql: `select v.reversal_id::text as what from undo.reversal v join undo.rollback r on r.decision_id = v.rollback join gate.call c on c.decision_id = r.decision_id where c.at >= :from::timestamptz and (v.settled or v.status in ('reversed', 'unknown'))
      and coalesce((select e.outcome from audit.entry e where e.kind = 'reversal.resolved' and e.decision_id = v.reversal_id order by e.at desc limit 1), (select e.facts::json ->> 'reversal' from audit.entry e where e.kind = 'call.outcome' and e.decision_id = v.reversal_id order by e.at desc limit 1), case when not v.settled then v.status end) is distinct from v.status limit 20`,
  },
  {
    sentence: 'a reversal of a decision that its rollback is not about',
    sql: `select e.decision_id::text as what from audit.entry e where e.kind = 'call.intent' and e.at >= :from::timestamptz and e.facts::json ->> 'reverses' is not null and not exists (select from undo.reversal v where v.reversal_id = e.decision_id and v.decision_id::text = e.facts::json ->> 'reverses' and v.rollback::text = e.facts::json ->> 'rollback') limit 20`,
  },
  {
    sentence: 'a ticket that no decision issued',
    sql: `select t.decision_id::text as what from gate.ticket t where t.issued_at >= :from::timestamptz and not exists (select from audit.entry e where e.decision_id = t.decision_id
      and ((t.issued_for = 'permit' and e.kind = 'call.intent' and e.outcome = 'permit') or (t.issued_for = 'approval' and e.kind = 'hold.approved'))) limit 20`,
  },
];

/** Rows of the view that people read, and of what the view was made as, month by month: how many, and a digest of all. */
export const viewCheck = (definition: string): string => {
  const digest = (rows: string): string => `(select count(*) || ':' || coalesce(sum(('x' || left(md5(d::text), 15))::bit(60)::bigint), 0) from ${rows} d where d.time >= :from::timestamptz and d.time < :until::timestamptz)`;
  return `select ${digest('audit.decision')} as shown, ${digest(`(${definition})`)} as made`;
};

export const MONTHS = "select to_char(m, 'YYYY-MM-01') as from_day, to_char(m + interval '1 month', 'YYYY-MM-01') as until_day from (select date_trunc('month', min(at) at time zone 'UTC') as first, max(at) at time zone 'UTC' as last from audit.entry) s, generate_series(s.first, s.last, interval '1 month') m";

/** Rows of the view, of whatever time, and of what it is made from. */
export const VIEW_COUNT = "select (select count(*)::text from audit.decision) as shown, (select count(*)::text from audit.entry where kind = 'call.intent') as made";
