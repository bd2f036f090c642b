-- The log: chained entries, payload apart. docs/audit-format.md says the same in prose.

create schema audit;

create table audit.entry (
  head smallint not null, seq bigint not null, at timestamptz not null, kind text not null, login text not null,
  agent text, run_id text, decision_id uuid, facts text not null, inputs_digest bytea, output_digest bytea, hash bytea not null
) partition by range (at);

create table audit.payload (
  head smallint not null, seq bigint not null, at timestamptz not null, part text not null check (part in ('inputs', 'output')),
  chunk int not null, salt bytea not null, body text not null
) partition by range (at);

-- fillfactor 10 keeps the updates of a head inside its own page.
create table audit.head (head smallint primary key, seq bigint not null, hash bytea not null) with (fillfactor = 10);

insert into audit.head
  select head, 0, sha256('agent-controls/head/1'::bytea || int2send(head::smallint)) from generate_series(0, 63) head;

-- Months, made ahead. What falls outside them is kept by a default partition and never lost.
create function audit.ensure_partitions(p_months int) returns void language plpgsql as $$
declare
  v_month timestamptz;
  v_name text;
begin
  for v_month in select generate_series(date_trunc('month', controls.now(), 'UTC'), controls.now() + make_interval(months => p_months), interval '1 month') loop
    v_name := to_char(v_month at time zone 'UTC', 'YYYY_MM');
    continue when to_regclass(format('audit.%I', 'entry_' || v_name)) is not null;
    perform audit.make_partition('entry', v_name, v_month);
    perform audit.make_partition('payload', v_name, v_month);
    perform audit.index_partition(v_name);
  end loop;
end $$;

-- Makes one month. Rows of it that came before it was made wait in the default partition, and move.
create function audit.make_partition(p_table text, p_name text, p_month timestamptz) returns void language plpgsql as $$
begin
  execute format('create table audit.%I (like audit.%I including constraints)', p_table || '_' || p_name, p_table);
  execute format('with moved as (delete from audit.%I where at >= $1 and at < $2 returning *) insert into audit.%I select * from moved', p_table || '_default', p_table || '_' || p_name)
    using p_month, p_month + interval '1 month';
  execute format('alter table audit.%I attach partition audit.%I for values from (%L) to (%L)', p_table, p_table || '_' || p_name, p_month, p_month + interval '1 month');
end $$;

-- (head, seq) is unique inside a partition: a fork by a careless writer fails here, one by the superuser fails verification.
create function audit.index_partition(p_name text) returns void language plpgsql as $$
begin
  execute format('create unique index on audit.%I (head, seq)', 'entry_' || p_name);
  execute format('create index on audit.%I (decision_id) where decision_id is not null', 'entry_' || p_name);
  execute format('create index on audit.%I (run_id) where run_id is not null', 'entry_' || p_name);
  execute format('create unique index on audit.%I (head, seq, part, chunk)', 'payload_' || p_name);
end $$;

create table audit.entry_default partition of audit.entry default;

create table audit.payload_default partition of audit.payload default;

select audit.index_partition('default');

select audit.ensure_partitions(15);

-- The way to a head when none was free: this connection's own, waited for a bounded time. A function of its own, because its
-- setting costs more than everything else, and is needed once in a while.
create function audit.wait_for_head(out o_head smallint, out o_seq bigint, out o_hash bytea) language plpgsql set lock_timeout = '5s' as $$
begin
  select head, seq, hash into strict o_head, o_seq, o_hash from audit.head where head = pg_backend_pid() % 64 for update;
end $$;

-- Appends entries to one chain. Digests are computed before a head is taken, so a lock is held for links and inserts only.
-- An entry: {kind, agent, run, decision, facts, inputs, output}; inputs and output are text, kept as payload under a salted digest.
-- The encoding is written out in place: a SQL function a field would cost more than the hashes. Null is four bytes of ones,
-- anything else its length and its bytes, so no two rows have the same encoding.
create function audit.chain(p_entries json) returns void language plpgsql as $$
declare
  v_at timestamptz := controls.now();
  v_prefix bytea := 'agent-controls/entry/1'::bytea || int8send((extract(epoch from v_at) * 1000000)::bigint);
  v_login bytea := int4send(octet_length(session_user::text)) || convert_to(session_user, 'UTF8');
  v_null constant bytea := '\xffffffff';
  v_kind text[]; v_agent text[]; v_run text[]; v_decision uuid[]; v_facts text[];
  v_inputs text[]; v_output text[]; v_salt_in bytea[]; v_salt_out bytea[]; v_in bytea[]; v_out bytea[]; v_leaf bytea[];
  v_hash bytea[]; v_longest int;
  v_head smallint; v_first bigint; v_last bytea; v_link bytea;
begin
  select array_agg(kind), array_agg(agent), array_agg(run), array_agg(decision), array_agg(facts), array_agg(inputs), array_agg(output), array_agg(salt_in), array_agg(salt_out),
         array_agg(digest_in), array_agg(digest_out), max(greatest(length(inputs), length(output))),
         array_agg(sha256(v_prefix || int4send(octet_length(kind)) || convert_to(kind, 'UTF8') || v_login || coalesce(int4send(octet_length(agent)) || convert_to(agent, 'UTF8'), v_null)
           || coalesce(int4send(octet_length(run)) || convert_to(run, 'UTF8'), v_null) || coalesce(int4send(16) || uuid_send(decision), v_null)
           || int4send(octet_length(facts)) || convert_to(facts, 'UTF8') || coalesce(int4send(32) || digest_in, v_null) || coalesce(int4send(32) || digest_out, v_null)))
    into v_kind, v_agent, v_run, v_decision, v_facts, v_inputs, v_output, v_salt_in, v_salt_out, v_in, v_out, v_longest, v_leaf
    from (select *, sha256(salt_in || convert_to(inputs, 'UTF8')) as digest_in, sha256(salt_out || convert_to(output, 'UTF8')) as digest_out
          from (select e.kind, e.agent, e.run, e.decision, e.facts, e.inputs, e.output,
                       case when e.inputs is not null then uuid_send(gen_random_uuid()) end as salt_in,
                       case when e.output is not null then uuid_send(gen_random_uuid()) end as salt_out
                from json_to_recordset(p_entries) as e(kind text, agent text, run text, decision uuid, facts text, inputs text, output text) offset 0) salted offset 0) digested;
  select head, seq, hash into v_head, v_first, v_last from audit.head where head = pg_backend_pid() % 64 for update skip locked;
  if not found then
    select head, seq, hash into v_head, v_first, v_last from audit.head for update skip locked limit 1;
    if not found then select o_head, o_seq, o_hash into v_head, v_first, v_last from audit.wait_for_head(); end if;
  end if;
  v_link := int2send(v_head);
  for i in 1 .. cardinality(v_leaf) loop
    v_last := sha256(v_last || v_link || int8send(v_first + i) || v_leaf[i]);
    v_hash[i] := v_last;
  end loop;
  insert into audit.entry (head, seq, at, kind, login, agent, run_id, decision_id, facts, inputs_digest, output_digest, hash)
    select v_head, v_first + i, v_at, kind, session_user, agent, run, decision, facts, digest_in, digest_out, hash
    from unnest(v_kind, v_agent, v_run, v_decision, v_facts, v_in, v_out, v_hash) with ordinality as u(kind, agent, run, decision, facts, digest_in, digest_out, hash, i);
  if v_longest <= 15000 then
    insert into audit.payload (head, seq, at, part, chunk, salt, body)
      select v_head, v_first + i, v_at, part, 0, salt, body
      from (select i, 'inputs' as part, salt, body from unnest(v_inputs, v_salt_in) with ordinality as u(body, salt, i)
            union all select i, 'output', salt, body from unnest(v_output, v_salt_out) with ordinality as u(body, salt, i)) p
      where body is not null;
  else
    insert into audit.payload (head, seq, at, part, chunk, salt, body)
      select v_head, v_first + i, v_at, part, chunk, salt, substr(body, chunk * 15000 + 1, 15000)
      from unnest(v_inputs, v_output, v_salt_in, v_salt_out) with ordinality as u(inputs, output, salt_in, salt_out, i),
        lateral (values ('inputs', inputs, salt_in), ('output', output, salt_out)) as p(part, body, salt),
        lateral generate_series(0, greatest(length(body) - 1, 0) / 15000) as chunk
      where body is not null;
  end if;
  update audit.head set seq = v_first + cardinality(v_leaf), hash = v_last where head = v_head;
end $$;

-- For applications that write their own decisions. Who appended is the login, which agent is the run's, and the kinds that the
-- control plane itself writes are closed.
create function audit.append(p_entries text) returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_entries json;
  v_bad text;
begin
  select e.kind into v_bad from json_to_recordset(p_entries::json) as e(kind text, run text) where e.kind is null or e.kind not like 'app.%' limit 1;
  if found then
    raise exception 'KindForbidden: login % may append entries of kind app.*, got %', session_user, coalesce(v_bad, 'none') using errcode = '42501';
  end if;
  select e.run into v_bad from json_to_recordset(p_entries::json) as e(run text)
    where e.run is not null and not exists (select from controls.run r where r.run_id = e.run) limit 1;
  if found then
    raise exception 'RunUnknown: %', v_bad using errcode = '22023';
  end if;
  select json_agg(json_build_object('kind', e.kind, 'agent', r.agent, 'run', e.run, 'decision', e.decision, 'facts', coalesce(e.facts::text, '{}'), 'inputs', e.inputs, 'output', e.output) order by e.i)
    into v_entries
    from rows from (json_to_recordset(p_entries::json) as (kind text, run text, decision uuid, facts json, inputs text, output text)) with ordinality as e(kind, run, decision, facts, inputs, output, i)
    left join controls.run r on r.run_id = e.run;
  if v_entries is null then return 0; end if;
  perform audit.chain(v_entries);
  return json_array_length(v_entries);
end $$;

create function audit.text_of(p_head smallint, p_seq bigint, p_part text) returns text language sql stable as
  'select string_agg(body, '''' order by chunk) from audit.payload where head = p_head and seq = p_seq and part = p_part';

-- Text as JSON. What some client managed to write that is no JSON for Postgres is shown as text: one such payload must not close
-- the view to its reader.
create function audit.json_of(p_text text) returns jsonb language plpgsql immutable as $$
begin
  return p_text::jsonb;
exception when others then
  return to_jsonb(p_text);
end $$;

-- One row per call, in the words of a reviewer. What the agent saw is spelled out from the frozen results of this run's earlier decisions.
create view audit.decision as
select
  i.at as time, i.agent, i.run_id, i.decision_id, f.facts ->> 'action' as decision,
  encode(i.inputs_digest, 'hex') as inputs_hash,
  (select case when jsonb_typeof(p.json -> 'saw') = 'array' then p.json || jsonb_build_object('saw', coalesce((
      select jsonb_object_agg(s.value, audit.json_of(audit.text_of(o.head, o.seq, 'output')))
      from jsonb_array_elements_text(p.json -> 'saw') s join audit.entry o on o.decision_id::text = s.value and o.kind = 'call.outcome'), '{}')) else p.json end
   from (select audit.json_of(audit.text_of(i.head, i.seq, 'inputs')) as json) p) as inputs,
  f.facts ->> 'model' as model,
  encode(i.output_digest, 'hex') as output_hash,
  audit.json_of(audit.text_of(i.head, i.seq, 'output')) as output,
  coalesce(o.facts::jsonb -> 'downstream_writes', '[]') as downstream_writes,
  f.facts ->> 'scope' as authorized_by,
  f.facts ->> 'verdict' as verdict,
  f.facts -> 'reasons' as reasons,
  f.facts ->> 'reference' as reference,
  v.approvers as approver,
  case
    when o.facts is not null then o.facts::jsonb ->> 'status'
    when v.last_kind = 'hold.rejected' then 'rejected'
    when v.last_kind = 'hold.expired' then 'expired'
    when v.last_kind = 'hold.approved' then 'approved'
    when f.facts ->> 'verdict' = 'deny' then 'denied'
    when f.facts ->> 'verdict' = 'hold' then 'held'
    else 'unknown'
  end as status,
  encode(o.output_digest, 'hex') as result_hash,
  audit.json_of(audit.text_of(o.head, o.seq, 'output')) as result,
  f.facts ->> 'hold' as hold_id,
  i.head, i.seq
from audit.entry i
cross join lateral (select i.facts::jsonb as facts) f
left join lateral (
  select e.head, e.seq, e.facts, e.output_digest from audit.entry e where e.decision_id = i.decision_id and e.kind = 'call.outcome' order by e.at desc limit 1
) o on true
left join lateral (
  select (array_agg(e.kind order by e.at desc))[1] as last_kind,
         string_agg(e.facts::jsonb ->> 'approver', ', ' order by e.at) filter (where e.facts::jsonb ? 'approver') as approvers
  from audit.entry e where e.decision_id = i.decision_id and e.kind like 'hold.%'
) v on true
where i.kind = 'call.intent';

grant usage on schema audit to {{role.append}}, {{role.auditor}};

revoke all on all functions in schema audit, controls from public;

grant execute on function audit.append(text) to {{role.append}};

grant select on audit.entry, audit.payload, audit.head, audit.decision to {{role.auditor}};

grant execute on function audit.text_of(smallint, bigint, text), audit.json_of(text) to {{role.auditor}};
