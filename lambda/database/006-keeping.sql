-- What keeps the log: checkpoints, retention, erasure, legal holds, and the outcomes that nobody reported. Statements about all of it are
-- signed outside the database; what stands here is how far each came, so that a process may die between any two steps.

insert into controls.setting values ('log_id', gen_random_uuid()::text);

-- Where checkpoints lie; they themselves are in a bucket, and nothing here is believed of them.
create table audit.checkpoint (number bigint primary key, at timestamptz not null, digest text not null, entries numeric not null);

create table audit.erasure (
  erasure_id uuid primary key, status text not null default 'ordered' check (status in ('ordered', 'done')), ordered_by text not null, reference text not null, ordered_at timestamptz not null,
  places text[] not null, decisions uuid[] not null, runs text[] not null, requests uuid[] not null
);

-- While one is open nothing that mentions its subject is erased, and no month is dropped. The subject is kept as long as the hold is open.
create table audit.legal_hold (
  legal_hold_id uuid primary key, everything boolean not null, subject text, reference text not null, placed_by text not null, placed_at timestamptz not null, released_by text, released_at timestamptz
);

create table audit.dropped (month text primary key, statement text not null, dropped_at timestamptz not null);

-- Which log this is, and whether anything came since the last checkpoint, or went. Nothing that is signed rests on it.
create function audit.state() returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('log', (select value from controls.setting where name = 'log_id'), 'at', to_char(controls.now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'changed', (select coalesce(sum(seq), 0) from audit.head) <> coalesce((select entries from audit.checkpoint order by number desc limit 1), 0))
$$;

create function audit.record_checkpoint(p_number bigint, p_at text, p_digest text, p_entries text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into audit.checkpoint values (p_number, p_at::timestamptz, p_digest, p_entries::numeric) on conflict (number) do nothing
$$;

-- Closes intents whose outcome never came: an executor has six minutes at most. What was begun may have had an effect, and is unknown; what was
-- never begun had none. An outcome that is reported later than this is still recorded, once.
create function gate.reconcile() returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ticket gate.ticket;
  v_call gate.call;
  v_run controls.run;
  v_count int := undo.reconcile() + gate.end_lost_models();
begin
  -- A window whose clock never started, or stopped, ends here.
  perform hold.expire(h.hold_id) from hold.hold h where h.status = 'pending' and h.hold_until <= controls.now() - interval '1 minute';
  for v_ticket in select * from gate.ticket t where settled_at is null and coalesce(redeemed_at, issued_at) < controls.now() - interval '10 minutes' and not exists (select from undo.rollback r where r.decision_id = t.decision_id and t.redeemed_at is not null) order by issued_at limit 200 for update skip locked loop
    v_call := (select c from gate.call c where c.decision_id = v_ticket.decision_id);
    v_run := (select r from controls.run r where r.run_id = v_call.run_id);
    update gate.ticket set redeemed_at = coalesce(redeemed_at, controls.now()), reconciled = v_ticket.redeemed_at is not null where decision_id = v_ticket.decision_id;
    perform gate.settle(v_call, v_run, case when v_ticket.redeemed_at is null then 'refused' else 'unknown' end,
      case when v_ticket.redeemed_at is null then '{"refused":"NeverBegun"}' else '{"error":"OutcomeNeverReported"}' end, '[]', null);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- White space of any kind and length is one space; characters that nobody sees are none.
create function audit.folded(p_text text) returns text language sql immutable as
  $$ select regexp_replace(regexp_replace(lower(normalize(p_text, nfkc)), '[\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'), '(\s|\\[nrt])+', ' ', 'g') $$;

-- A subject as text is searched for it: case and compatibility forms folded, and only where no word goes on.
create function audit.subject_pattern(p_subject text) returns text language sql immutable as $$
  -- A quote or backslash of the subject stands behind any number of backslashes, as JSON has it, or JSON inside of JSON.
  select '(?<![[:alnum:]])' || regexp_replace(regexp_replace(audit.folded(p_subject), '([^[:alnum:]_ ])', '\\\1', 'g'), '(\\["\\])', '\\\\*\1', 'g') || '(?![[:alnum:]])'
$$;

create function audit.mentions(p_text text, p_pattern text) returns boolean language sql immutable as 'select audit.folded(p_text) ~ p_pattern';

-- Whether a text mentions the subject of an open legal hold.
create function audit.mentions_held(p_text text) returns boolean language sql stable as $$
  select exists (select from audit.legal_hold where released_at is null and subject is not null and audit.mentions(p_text, audit.subject_pattern(subject)))
$$;

-- Finds everything that mentions a subject, and orders its erasure; or says what it would be. Nothing is erased before a signed statement
-- says what will be.
create function audit.order_erasure(p_subject text, p_by text, p_reference text, p_dry boolean) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_pattern text := audit.subject_pattern(p_subject);
  v_erasure audit.erasure;
  v_open int;
begin
  if length(p_subject) < 3 then raise exception 'SubjectTooShort: at least 3 characters are expected' using errcode = '22023'; end if;
  if exists (select from audit.legal_hold where released_at is null and everything) or audit.mentions_held(p_subject) or exists (select from audit.legal_hold where released_at is null and audit.mentions(subject, v_pattern)) then
    perform audit.chain(json_build_array(json_build_object('kind', 'erasure.refused', 'reference', p_reference, 'outcome', 'LegalHold', 'facts', json_build_object('by', p_by)::text)));
    return json_build_object('refused', 'LegalHold');
  end if;
  v_erasure.erasure_id := gen_random_uuid(); v_erasure.status := 'ordered'; v_erasure.ordered_by := p_by; v_erasure.reference := p_reference; v_erasure.ordered_at := controls.now();
  v_erasure.decisions := array(select decision_id from gate.call where audit.mentions(parameters, v_pattern) or audit.mentions(justification, v_pattern) or audit.mentions(result, v_pattern) or audit.mentions(answer, v_pattern)
    union select h.decision_id from hold.verdict v join hold.hold h using (hold_id) where audit.mentions(v.reason, v_pattern));
  v_erasure.runs := array(select run_id from controls.run where audit.mentions(request, v_pattern));
  v_erasure.requests := array(select request_id from controls.request where audit.mentions(body, v_pattern));
  -- Chunks are put together before they are searched: a name may be cut in two.
  v_erasure.places := array(
    select place || part from (
      select p.head || ':' || p.seq as place, p.inputs, p.output from audit.payload p where p.chunk = 0 and not exists (select from audit.payload m where m.head = p.head and m.seq = p.seq and m.at = p.at and m.chunk = 1)
      union all select p.head || ':' || p.seq, string_agg(p.inputs, '' order by p.chunk), string_agg(p.output, '' order by p.chunk) from audit.payload p
        where (p.head, p.seq, p.at) in (select head, seq, at from audit.payload where chunk = 1) group by p.head, p.seq, p.at) whole,
      lateral (values (':inputs', inputs), (':output', output)) parts(part, text) where audit.mentions(text, v_pattern) order by 1);
  if exists (select from audit.legal_hold where released_at is null) and exists (select from unnest(v_erasure.places) place, lateral (select case when place like '%:inputs' then audit.inputs_of(split_part(place, ':', 1)::smallint, split_part(place, ':', 2)::bigint)
      else audit.output_of(split_part(place, ':', 1)::smallint, split_part(place, ':', 2)::bigint) end as text) t where audit.mentions_held(t.text)) then
    perform audit.chain(json_build_array(json_build_object('kind', 'erasure.refused', 'reference', p_reference, 'outcome', 'LegalHold', 'facts', json_build_object('by', p_by)::text)));
    return json_build_object('refused', 'LegalHold');
  end if;
  v_open := (select count(*) from gate.call where decision_id = any (v_erasure.decisions) and status in ('permitted', 'held', 'approved', 'executing'));
  if p_dry then return json_build_object('payloads', cardinality(v_erasure.places), 'calls', cardinality(v_erasure.decisions), 'runs', cardinality(v_erasure.runs), 'waiting', v_open); end if;
  if v_open > 0 then return json_build_object('refused', 'CallsOpen', 'open', v_open); end if;
  if cardinality(v_erasure.places) + cardinality(v_erasure.decisions) + cardinality(v_erasure.runs) + cardinality(v_erasure.requests) = 0 then return json_build_object('refused', 'SubjectUnknown'); end if;
  insert into audit.erasure values (v_erasure.*);
  perform audit.chain(json_build_array(json_build_object('kind', 'erasure.ordered', 'reference', p_reference,
    'facts', json_build_object('erasure', v_erasure.erasure_id, 'by', p_by, 'payloads', cardinality(v_erasure.places), 'calls', cardinality(v_erasure.decisions))::text)));
  return json_build_object('erasure', v_erasure.erasure_id);
end $$;

-- Erasures that were ordered and not yet carried out.
create function audit.ordered_erasures() returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(erasure_id order by ordered_at), '[]') from audit.erasure where status = 'ordered'
$$;

-- A part of what an order is about, for the keeper to look at and to state.
create function audit.erasure_places(p_erasure uuid, p_from int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('log', (select value from controls.setting where name = 'log_id'), 'orderedAt', to_char(ordered_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'calls', cardinality(decisions), 'runs', cardinality(runs), 'places', places[p_from + 1 : p_from + 500]) from audit.erasure where erasure_id = p_erasure and status = 'ordered'
$$;

-- Takes text and salts away, as a signed statement says. What stays is digests without a salt, which nobody can look up. A legal hold that came
-- after the order still stops it.
create function audit.carry_out_erasure(p_erasure uuid, p_places text, p_statement text, p_digest text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_erasure audit.erasure;
  v_places text[] := array(select json_array_elements_text(p_places::json));
begin
  select * into v_erasure from audit.erasure where erasure_id = p_erasure and status = 'ordered' for update;
  if not found then return json_build_object('refused', 'ErasureUnknown'); end if;
  lock table audit.legal_hold in share mode;
  if exists (select from audit.legal_hold where released_at is null and placed_at >= v_erasure.ordered_at) then return json_build_object('refused', 'LegalHold'); end if;
  update audit.payload p set inputs = null, inputs_salt = null
    from unnest(v_places) place where p.head = split_part(place, ':', 1)::smallint and p.seq = split_part(place, ':', 2)::bigint and place like '%:inputs';
  update audit.payload p set output = null, output_salt = null
    from unnest(v_places) place where p.head = split_part(place, ':', 1)::smallint and p.seq = split_part(place, ':', 2)::bigint and place like '%:output';
  update gate.call set parameters = '{}', salt = '\x', result = null, justification = null, answer = (answer::jsonb - 'reasons')::text, row_key = null where decision_id = any (v_erasure.decisions);
  delete from gate.value where decision_id = any (v_erasure.decisions);
  delete from undo.image where decision_id = any (v_erasure.decisions);
  update gate.usage set for_each = 'erased ' || gen_random_uuid() where decision_id = any (v_erasure.decisions) and for_each <> '';
  update hold.verdict v set reason = '' from hold.hold h where h.hold_id = v.hold_id and h.decision_id = any (v_erasure.decisions);
  update controls.run set request = null where run_id = any (v_erasure.runs);
  update controls.request set body = '' where request_id = any (v_erasure.requests);
  update audit.erasure set status = 'done' where erasure_id = p_erasure;
  perform audit.chain(json_build_array(json_build_object('kind', 'erasure.done', 'reference', v_erasure.reference,
    'facts', json_build_object('erasure', p_erasure, 'statement', p_statement, 'statement_digest', p_digest, 'payloads', cardinality(v_places), 'calls', cardinality(v_erasure.decisions))::text)));
  return json_build_object('erasure', p_erasure);
end $$;

create function audit.place_legal_hold(p_subject text, p_by text, p_reference text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id uuid := gen_random_uuid();
begin
  insert into audit.legal_hold values (v_id, p_subject is null, p_subject, p_reference, p_by, controls.now());
  perform audit.chain(json_build_array(json_build_object('kind', 'legal-hold.placed', 'reference', p_reference, 'facts', json_build_object('legal_hold', v_id, 'by', p_by, 'everything', p_subject is null)::text)));
  return json_build_object('legalHold', v_id);
end $$;

create function audit.release_legal_hold(p_hold uuid, p_by text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update audit.legal_hold set released_by = p_by, released_at = controls.now(), subject = null where legal_hold_id = p_hold and released_at is null;
  if not found then return json_build_object('refused', 'LegalHoldUnknown'); end if;
  perform audit.chain(json_build_array(json_build_object('kind', 'legal-hold.released', 'facts', json_build_object('legal_hold', p_hold, 'by', p_by)::text)));
  return json_build_object('legalHold', p_hold);
end $$;

create function audit.legal_holds() returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(json_build_object('legalHold', legal_hold_id, 'everything', everything, 'subject', subject, 'reference', reference, 'placedBy', placed_by, 'placedAt', placed_at) order by placed_at), '[]') from audit.legal_hold where released_at is null
$$;

-- What is in a month, chain by chain: `[head, from, to, hash of the last]`. Writers that waited for a head may have left a chain's times out of
-- order, so a chain may have several ranges.
create function audit.ranges_of(p_month text) returns json language plpgsql stable as $$
declare
  v_ranges json;
begin
  execute format($q$select coalesce(json_agg(json_build_array(head, first, last, (select encode(hash, 'hex') from audit.%1$I e where e.head = r.head and e.seq = r.last)) order by head, first), '[]')
    from (select head, min(seq) as first, max(seq) as last from (select head, seq, seq - row_number() over (partition by head order by seq) as island from audit.%1$I) i group by head, island) r$q$, 'entry_' || p_month) into v_ranges;
  return v_ranges;
end $$;

-- The oldest month that is over and was kept long enough, with what its statement says; null when there is none.
create function audit.due_month(p_months int) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_month text;
begin
  if p_months < 3 then raise exception 'RetentionTooShort: entries are kept for 3 months at least, got %', p_months using errcode = '22023'; end if;
  select substr(c.relname, 7) into v_month from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit.entry'::regclass and c.relname ~ '^entry_\d{4}_\d{2}$' and (to_date(substr(c.relname, 7), 'YYYY_MM') + make_interval(months => p_months + 1)) at time zone 'UTC' <= controls.now() order by 1 limit 1;
  if v_month is null then return null; end if;
  if exists (select from audit.legal_hold where released_at is null) then return json_build_object('refused', 'LegalHold', 'month', v_month); end if;
  return json_build_object('log', (select value from controls.setting where name = 'log_id'), 'month', v_month, 'keptMonths', p_months, 'ranges', audit.ranges_of(v_month));
end $$;

-- Drops a month as its signed statement says, with the calls, holds and runs of it that are settled.
create function audit.drop_month(p_months int, p_statement text, p_name text, p_digest text) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  v_month text := p_statement::json ->> 'month';
  v_end timestamptz := (to_date(v_month, 'YYYY_MM') + interval '1 month') at time zone 'UTC';
begin
  if v_month is distinct from (audit.due_month(p_months)::json ->> 'month') then return false; end if;
  if audit.ranges_of(v_month)::jsonb is distinct from (p_statement::jsonb -> 'ranges') then raise exception 'StatementDiffers: % is not what the statement says', v_month using errcode = '22023'; end if;
  delete from hold.verdict v using hold.hold h, gate.call c where h.hold_id = v.hold_id and c.decision_id = h.decision_id and c.at < v_end and h.status <> 'pending';
  delete from hold.hold h using gate.call c where c.decision_id = h.decision_id and c.at < v_end and h.status <> 'pending';
  delete from gate.usage u using gate.call c where c.decision_id = u.decision_id and c.at < v_end;
  delete from gate.ticket t using gate.call c where c.decision_id = t.decision_id and c.at < v_end and t.settled_at is not null;
  delete from gate.call c where c.at < v_end and not exists (select from gate.ticket t where t.decision_id = c.decision_id) and not exists (select from hold.hold h where h.decision_id = c.decision_id);
  delete from controls.run r where r.expires_at < v_end and not exists (select from gate.call c where c.run_id = r.run_id);
  delete from controls.request q where q.asked_at < v_end;
  execute format('alter table audit.entry detach partition audit.%I', 'entry_' || v_month);
  execute format('alter table audit.payload detach partition audit.%I', 'payload_' || v_month);
  execute format('drop table audit.%I, audit.%I', 'entry_' || v_month, 'payload_' || v_month);
  insert into audit.dropped values (v_month, p_statement, controls.now());
  perform audit.chain(json_build_array(json_build_object('kind', 'retention.dropped', 'facts', json_build_object('month', v_month, 'kept_months', p_months, 'statement', p_name, 'statement_digest', p_digest)::text)));
  return true;
end $$;

-- Records that evidence was made, by whom, and which.
create function audit.record_evidence(p_by text, p_manifest text, p_statement text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  select audit.chain(json_build_array(json_build_object('kind', 'evidence.made', 'facts', json_build_object('by', p_by, 'manifest', p_manifest, 'statement', p_statement)::text)))
$$;

create function audit.make_months() returns void language sql security definer set search_path = pg_catalog, pg_temp as 'select audit.ensure_partitions(15)';

-- Partitions whose dead rows and index words are to be swept after an erasure.
create function audit.swept_partitions(p_erasure uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(distinct p.tableoid::regclass::text), '[]') from audit.payload p, audit.erasure e, unnest(e.places) place
  where e.erasure_id = p_erasure and p.head = split_part(place, ':', 1)::smallint and p.seq = split_part(place, ':', 2)::bigint
$$;

revoke all on all functions in schema audit, gate from public;

grant usage on schema audit, gate to {{role.keeper}};

grant execute on function audit.state(), audit.record_checkpoint(bigint, text, text, text), gate.reconcile(), audit.order_erasure(text, text, text, boolean), audit.ordered_erasures(),
  audit.erasure_places(uuid, int), audit.carry_out_erasure(uuid, text, text, text), audit.place_legal_hold(text, text, text), audit.release_legal_hold(uuid, text), audit.legal_holds(), audit.due_month(int), audit.drop_month(int, text, text, text), audit.make_months(), audit.record_evidence(text, text, text),
  audit.swept_partitions(uuid) to {{role.keeper}};

-- What an auditor compares with the entries.
create view audit.log as select value as log_id from controls.setting where name = 'log_id';

grant usage on schema gate, hold, controls to {{role.auditor}};

grant select on audit.checkpoint, audit.log, audit.dropped to {{role.auditor}};

grant select (run_id, agent, card_digest, environment, starter, asked_by, request, request_trusted, reference, model, prompt_digest, started_at, expires_at) on controls.run to {{role.auditor}};

grant select (agent, card_digest, environment, compiled, registered_at) on controls.scope to {{role.auditor}};

grant select (decision_id, run_id, agent, action, parameters, salt, verdict, status, result, at) on gate.call to {{role.auditor}};

grant select (decision_id, issued_for, issued_at) on gate.ticket to {{role.auditor}};

grant select (hold_id, decision_id, status, tier, people, approvers, escalate_to, staged_at, hold_until) on hold.hold to {{role.auditor}};

grant select (hold_id, person, verdict, at) on hold.verdict to {{role.auditor}};
