-- The log: chained entries, payload apart. docs/audit-format.md says the same in prose.

create schema audit;

create table audit.entry (
  head smallint not null, seq bigint not null, at timestamptz not null, kind text not null, login text not null, agent text, run_id text, decision_id uuid,
  action text, reference text, approver text, outcome text, facts text not null, inputs_digest bytea, output_digest bytea, hash bytea not null
) partition by range (at);

-- The frozen inputs and output of an entry, in chunks that the Data API returns. Erasure empties it.
create table audit.payload (
  head smallint not null, seq bigint not null, at timestamptz not null, chunk int not null, inputs_salt bytea, inputs text, output_salt bytea, output text
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

-- (head, seq) is unique inside a partition: a fork by a careless writer fails here, one by the superuser fails verification. The
-- others are what a reviewer searches by.
create function audit.index_partition(p_name text) returns void language plpgsql as $$
begin
  execute format('create unique index on audit.%I (head, seq)', 'entry_' || p_name);
  execute format('create index on audit.%I (decision_id) where decision_id is not null', 'entry_' || p_name);
  execute format('create index on audit.%I (run_id) where run_id is not null', 'entry_' || p_name);
  execute format('create index on audit.%I (agent, at)', 'entry_' || p_name);
  execute format('create index on audit.%I (action, at) where action is not null', 'entry_' || p_name);
  execute format('create index on audit.%I (reference) where reference is not null', 'entry_' || p_name);
  execute format('create index on audit.%I (approver) where approver is not null', 'entry_' || p_name);
  execute format('create index on audit.%I (at) where kind = ''call.intent''', 'entry_' || p_name);
  execute format('create index on audit.%I (kind, at) where outcome not in (''permit'', ''hold'', ''approve'', ''executed'')', 'entry_' || p_name);
  execute format('create unique index on audit.%I (head, seq, chunk)', 'payload_' || p_name);
  -- Sweeping what an erasure left behind is a right that Postgres gives apart from 17 on.
  if current_setting('server_version_num')::int >= 170000 then execute format('grant maintain on audit.%I to %I', 'payload_' || p_name, {{name.keeper}}); end if;
  execute format('create index %I on audit.%I using gin (to_tsvector(''simple'', coalesce(inputs, '''') || '' '' || coalesce(output, '''')))', 'payload_' || p_name || '_words', 'payload_' || p_name);
end $$;

create table audit.entry_default partition of audit.entry default;

create table audit.payload_default partition of audit.payload default;

select audit.index_partition('default');

select audit.ensure_partitions(15);

-- The three rules of the format: what is hashed is a row in Postgres' binary form. A function that is one expression is inlined where it
-- stands: it costs no call.
create function audit.digest(p_salt bytea, p_text text) returns bytea language sql stable as 'select sha256(record_send(row(p_salt, p_text)))';

create function audit.leaf(p_at timestamptz, p_kind text, p_login text, p_agent text, p_run text, p_decision uuid, p_action text, p_reference text, p_approver text, p_outcome text, p_facts text, p_inputs bytea, p_output bytea)
returns bytea language sql stable as
  $$ select sha256(record_send(row('agent-controls/entry/1'::text, p_at, p_kind, p_login, p_agent, p_run, p_decision, p_action, p_reference, p_approver, p_outcome, p_facts, p_inputs, p_output))) $$;

create function audit.link(p_before bytea, p_head smallint, p_seq bigint, p_leaf bytea) returns bytea language sql immutable as
  'select sha256(p_before || int2send(p_head) || int8send(p_seq) || p_leaf)';

-- The way to a head when this connection's own is taken: any that nobody holds, or its own after a bounded wait. The wait is a function
-- of its own, because its setting costs more than everything else.
create function audit.wait_for_head(out o_head smallint, out o_seq bigint, out o_hash bytea) language plpgsql set lock_timeout = '5s' as $$
begin
  select head, seq, hash into strict o_head, o_seq, o_hash from audit.head where head = pg_backend_pid() % 64 for update;
end $$;

create function audit.other_head(out o_head smallint, out o_seq bigint, out o_hash bytea) language plpgsql as $$
begin
  select head, seq, hash into o_head, o_seq, o_hash from audit.head for update skip locked limit 1;
  if not found then select w.o_head, w.o_seq, w.o_hash into o_head, o_seq, o_hash from audit.wait_for_head() w; end if;
  perform set_config('agent_controls.head', o_head::text, true);
end $$;

-- Payload that one row would make too large for the Data API.
create function audit.keep_in_chunks(p_head smallint, p_seq bigint, p_at timestamptz, p_inputs_salt bytea, p_inputs text, p_output_salt bytea, p_output text) returns void language sql as $$
  insert into audit.payload
    select p_head, p_seq, p_at, chunk, case when inputs is not null then p_inputs_salt end, inputs, case when output is not null then p_output_salt end, output
    from (select chunk, nullif(substr(p_inputs, chunk * 6000 + 1, 6000), '') as inputs, nullif(substr(p_output, chunk * 6000 + 1, 6000), '') as output
          from generate_series(0, (greatest(length(p_inputs), length(p_output)) - 1) / 6000) chunk) c
$$;

-- What is to be appended, while its digests are known and its place is not.
create type audit.draft as (
  kind text, agent text, run text, decision uuid, action text, reference text, approver text, outcome text, facts text, inputs text, output text,
  inputs_salt bytea, output_salt bytea, inputs_digest bytea, output_digest bytea
);

-- Appends entries to one chain, in their order. Digests are computed before a head is taken, so a lock is held for links and inserts only.
-- An entry: {kind, agent, run, decision, action, reference, approver, outcome, facts, inputs, output}; inputs and output are canonical JSON
-- text, kept as payload under a salted digest. One entry is the common case, and takes a way without arrays.
create function audit.chain(p_entries json) returns void language plpgsql as $$
declare
  v_at timestamptz := controls.now();
  v_login text := session_user;
  e record;
  v_in bytea; v_out bytea; v_salt_in bytea; v_salt_out bytea; v_leaf bytea;
  v_drafts audit.draft[]; v_leaves bytea[]; v_hashes bytea[]; v_longest int;
  v_head smallint; v_seq bigint; v_hash bytea;
  -- One head a transaction, however many entries it appends: nobody holds several.
  v_own smallint := coalesce(nullif(current_setting('agent_controls.head', true), '')::smallint, pg_backend_pid() % 64);
begin
  -- A leaf is of bytes that this setting decides about.
  if pg_client_encoding() <> 'UTF8' then raise exception 'EncodingInvalid: client_encoding must be UTF8 to append, got %; leave it alone', pg_client_encoding() using errcode = '22021'; end if;

  if json_array_length(p_entries) = 1 then
    select * into e from json_to_record(p_entries -> 0) as e(kind text, agent text, run text, decision uuid, action text, reference text, approver text, outcome text, facts text, inputs text, output text);
    if e.inputs is not null then
      v_salt_in := uuid_send(gen_random_uuid());
      v_in := audit.digest(v_salt_in, e.inputs);
    end if;
    if e.output is not null then
      v_salt_out := uuid_send(gen_random_uuid());
      v_out := audit.digest(v_salt_out, e.output);
    end if;
    v_leaf := audit.leaf(v_at, e.kind, v_login, e.agent, e.run, e.decision, e.action, e.reference, e.approver, e.outcome, e.facts, v_in, v_out);
    select head, seq, hash into v_head, v_seq, v_hash from audit.head where head = v_own for update skip locked;
    if not found then select o_head, o_seq, o_hash into v_head, v_seq, v_hash from audit.other_head(); end if;
    v_seq := v_seq + 1;
    v_hash := audit.link(v_hash, v_head, v_seq, v_leaf);
    insert into audit.entry values (v_head, v_seq, v_at, e.kind, v_login, e.agent, e.run, e.decision, e.action, e.reference, e.approver, e.outcome, e.facts, v_in, v_out, v_hash);
    v_longest := greatest(length(e.inputs), length(e.output));
    if v_longest <= 6000 then insert into audit.payload values (v_head, v_seq, v_at, 0, v_salt_in, e.inputs, v_salt_out, e.output);
    elsif v_longest > 6000 then perform audit.keep_in_chunks(v_head, v_seq, v_at, v_salt_in, e.inputs, v_salt_out, e.output); end if;
    update audit.head set seq = v_seq, hash = v_hash where head = v_head;
    return;
  end if;

  select array_agg(row(digested.*)::audit.draft), array_agg(audit.leaf(v_at, kind, v_login, agent, run, decision, action, reference, approver, outcome, facts, digest_in, digest_out)), max(greatest(length(inputs), length(output)))
    into v_drafts, v_leaves, v_longest
    from (select *, case when inputs is not null then audit.digest(salt_in, inputs) end as digest_in, case when output is not null then audit.digest(salt_out, output) end as digest_out
          from (select a.*, case when a.inputs is not null then uuid_send(gen_random_uuid()) end as salt_in, case when a.output is not null then uuid_send(gen_random_uuid()) end as salt_out
                from json_to_recordset(p_entries) as a(kind text, agent text, run text, decision uuid, action text, reference text, approver text, outcome text, facts text, inputs text, output text) offset 0) salted offset 0) digested;
  if v_drafts is null then return; end if;
  select head, seq, hash into v_head, v_seq, v_hash from audit.head where head = v_own for update skip locked;
  if not found then select o_head, o_seq, o_hash into v_head, v_seq, v_hash from audit.other_head(); end if;
  for i in 1 .. cardinality(v_leaves) loop
    v_hash := audit.link(v_hash, v_head, v_seq + i, v_leaves[i]);
    v_hashes[i] := v_hash;
  end loop;
  with d as materialized (select * from unnest(v_drafts) with ordinality as d(kind, agent, run, decision, action, reference, approver, outcome, facts, inputs, output, salt_in, salt_out, digest_in, digest_out, i)),
    chained as (insert into audit.entry select v_head, v_seq + i, v_at, kind, v_login, agent, run, decision, action, reference, approver, outcome, facts, digest_in, digest_out, v_hashes[i] from d)
  insert into audit.payload select v_head, v_seq + i, v_at, 0, salt_in, inputs, salt_out, output from d where greatest(length(inputs), length(output)) <= 6000;
  if v_longest > 6000 then
    perform audit.keep_in_chunks(v_head, v_seq + i, v_at, d.inputs_salt, d.inputs, d.output_salt, d.output)
      from generate_series(1, cardinality(v_drafts)) i, lateral (select (v_drafts[i]).*) d where greatest(length(d.inputs), length(d.output)) > 6000;
  end if;
  update audit.head set seq = v_seq + cardinality(v_leaves), hash = v_hash where head = v_head;
end $$;

-- Text as UTF-16 has it, which is the order of keys in RFC 8785.
create function audit.code_units(p_text text) returns int[] language sql immutable as $$
  select array_agg(unit order by i, half) from (
    select i, half, case when point < 65536 then point when half = 0 then 55296 + ((point - 65536) >> 10) else 56320 + ((point - 65536) & 1023) end as unit
    from (select i, ascii(c) as point from regexp_split_to_table(p_text, '') with ordinality as t(c, i) where c <> '') p, generate_series(0, case when point < 65536 then 0 else 1 end) half) u
$$;

-- A number as RFC 8785 writes it. What a double cannot hold, and whole numbers that one may confuse with their neighbours, are refused.
create function audit.canonical_number(p_text text) returns text language plpgsql immutable as $$
declare
  v_exact numeric;
  v_number numeric;
  v_digits text;
begin
  begin
    v_exact := p_text::numeric;
    v_number := (p_text::float8)::text::numeric;
  exception when numeric_value_out_of_range then v_number := null;
  end;
  if v_number is distinct from v_exact or (v_exact = trunc(v_exact) and abs(v_exact) > 9007199254740991) then
    raise exception 'JsonNumberInexact: a number with up to 15 digits is expected, whole ones within 2^53, got one of % characters; send it as a string', length(p_text) using errcode = '22003';
  end if;
  if v_number = 0 then return '0'; end if;
  if abs(v_number) >= 0.000001 then return trim_scale(v_number)::text; end if;
  v_digits := ltrim(substr(trim_scale(abs(v_number))::text, 3), '0');
  return case when v_number < 0 then '-' else '' end || left(v_digits, 1) || case when length(v_digits) > 1 then '.' || substr(v_digits, 2) else '' end
    || 'e-' || (length(trim_scale(abs(v_number))::text) - 1 - length(v_digits));
end $$;

-- The one text of a JSON value (RFC 8785), or a refusal: no key twice, no number that changes, no NUL, no half of a surrogate pair.
create function audit.canonical(p_value json) returns text language plpgsql immutable as $$
declare
  v_twice text;
begin
  case json_typeof(p_value)
    when 'object' then
      select key into v_twice from json_each(p_value) group by key having count(*) > 1 limit 1;
      if found then raise exception 'JsonKeyTwice: a key of an object is there twice; send it once' using errcode = '22030'; end if;
      return '{' || coalesce((select string_agg(to_json(key)::text || ':' || audit.canonical(value), ',' order by audit.code_units(key)) from json_each(p_value)), '') || '}';
    when 'array' then
      return '[' || coalesce((select string_agg(audit.canonical(value), ',' order by i) from json_array_elements(p_value) with ordinality as a(value, i)), '') || ']';
    when 'string' then return to_json(p_value #>> '{}')::text;
    when 'number' then return audit.canonical_number(p_value::text);
    else return p_value::text;
  end case;
end $$;

-- For applications that write their own decisions. Who appended is the login, which agent is the run's, the kinds that the control plane
-- itself writes are closed, and what is chained is identifiers: anything else is payload, which can be erased.
create function audit.append(p_entries text) returns int language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_entries json;
  v_bad text;
begin
  if pg_catalog.pg_column_size(p_entries) > 4194304 then raise exception 'EntriesTooLarge: at most 4 MiB are appended at once; send fewer' using errcode = '22023'; end if;
  select e.kind into v_bad from json_to_recordset(p_entries::json) as e(kind text) where e.kind is null or e.kind !~ '^app\.[a-z0-9.-]{1,60}$' limit 1;
  if found then
    raise exception 'KindForbidden: login % may append entries of kind app.*, got %', session_user, coalesce(v_bad, 'none') using errcode = '42501';
  end if;
  select e.run into v_bad from json_to_recordset(p_entries::json) as e(run text)
    where e.run is not null and not exists (select from controls.run r where r.run_id = e.run) limit 1;
  if found then
    raise exception 'RunUnknown: %', v_bad using errcode = '22023';
  end if;
  select left(e.facts::text, 40) into v_bad from json_to_recordset(p_entries::json) as e(facts json) where octet_length(e.facts::text) > 8192 limit 1;
  if found then raise exception 'FactsTooLarge: facts of up to 8 KiB are expected; put what is larger into inputs or output' using errcode = '22023'; end if;
  select e.decision::text into v_bad from json_to_recordset(p_entries::json) as e(run text, decision uuid)
    where e.decision is not null and not exists (select from gate.call c where c.decision_id = e.decision and c.run_id = e.run) limit 1;
  if found then raise exception 'DecisionUnknown: % is no decision of the run', v_bad using errcode = '22023'; end if;
  select 'approver' into v_bad from json_to_recordset(p_entries::json) as e(approver text) where e.approver !~ '^[!-~]{1,200}$' limit 1;
  if found then raise exception 'NotAnIdentifier: approver is chained for ever: the name somebody signs in with is expected, without spaces' using errcode = '22023'; end if;
  -- Everything of facts down to its leaves: an identifier has no spaces, and no address of a person.
  select f.field into v_bad from json_to_recordset(p_entries::json) as e(facts json, action text, reference text, outcome text),
    lateral (select 'facts' as field, to_jsonb(v) #>> '{}' as text from jsonb_path_query(e.facts::jsonb, 'strict $.**') v where jsonb_typeof(v) = 'string'
      union all select 'facts', k from jsonb_path_query(e.facts::jsonb, 'strict $.** ? (@.type() == "object")') o, jsonb_object_keys(o) k
      union all values ('action', e.action), ('reference', e.reference), ('outcome', e.outcome)) f
    where f.text !~ '^[!-?A-~]{1,200}$' limit 1;
  if found then
    raise exception 'NotAnIdentifier: % of an entry is chained for ever, so identifiers of up to 200 characters without spaces and @ are expected; put text into inputs or output', v_bad using errcode = '22023';
  end if;
  select json_agg(json_build_object('kind', e.kind, 'agent', r.agent, 'run', e.run, 'decision', e.decision, 'action', e.action, 'reference', e.reference, 'approver', e.approver, 'outcome', e.outcome,
      'facts', coalesce(audit.canonical(e.facts), '{}'), 'inputs', audit.canonical(e.inputs), 'output', audit.canonical(e.output)) order by e.i)
    into v_entries
    from rows from (json_to_recordset(p_entries::json) as (kind text, run text, decision uuid, action text, reference text, approver text, outcome text, facts json, inputs json, output json))
      with ordinality as e(kind, run, decision, action, reference, approver, outcome, facts, inputs, output, i)
    left join controls.run r on r.run_id = e.run;
  if v_entries is null then return 0; end if;
  perform audit.chain(v_entries);
  return json_array_length(v_entries);
end $$;

-- The payload of an entry as one text.
create function audit.inputs_of(p_head smallint, p_seq bigint) returns text language sql stable as
  'select string_agg(inputs, '''' order by chunk) from audit.payload where head = p_head and seq = p_seq';

create function audit.output_of(p_head smallint, p_seq bigint) returns text language sql stable as
  'select string_agg(output, '''' order by chunk) from audit.payload where head = p_head and seq = p_seq';

-- Text as JSON. What is no JSON for Postgres is shown as text: one such payload must not close the view to its reader.
create function audit.json_of(p_text text) returns jsonb language plpgsql immutable as $$
begin
  return p_text::jsonb;
exception when others then
  return to_jsonb(p_text);
end $$;

-- One row per call, in the words of a reviewer. What the agent saw is spelled out from the frozen results of this run's earlier decisions.
create view audit.decision as
select
  i.at as time, i.agent, i.run_id, i.decision_id, i.action as decision,
  encode(i.inputs_digest, 'hex') as inputs_hash,
  (select case when jsonb_typeof(p.json -> 'saw') = 'array' then p.json || jsonb_build_object('saw', coalesce((
      select jsonb_object_agg(s.value, audit.json_of(audit.output_of(o.head, o.seq)))
      from jsonb_array_elements_text(p.json -> 'saw') s join audit.entry o on o.decision_id = case when s.value ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then s.value::uuid end and o.kind = 'call.outcome'), '{}')) else p.json end
   from (select audit.json_of(audit.inputs_of(i.head, i.seq)) as json) p) as inputs,
  f.facts ->> 'inputs_are' as inputs_are,
  f.facts ->> 'model' as model,
  encode(i.output_digest, 'hex') as output_hash,
  audit.json_of(audit.output_of(i.head, i.seq)) as output,
  coalesce(audit.json_of(audit.inputs_of(o.head, o.seq)) -> 'downstream_writes', '[]') as downstream_writes,
  f.facts ->> 'scope' as authorized_by,
  i.outcome as verdict,
  f.facts -> 'reasons' as reasons,
  f.facts ->> 'policy_digest' as policy_digest,
  f.facts ->> 'card_digest' as card_digest,
  jsonb_strip_nulls(jsonb_build_object('card', f.facts -> 'card_digest', 'policies', f.facts -> 'policy_digest', 'declaration', f.facts -> 'manifest_digest', 'schema', f.facts -> 'schema_digest', 'prompt', f.facts -> 'prompt_digest', 'gate', f.facts -> 'gate_digest', 'action', o.facts -> 'bundle_digest')) as versions,
  i.reference,
  v.approvers as approver,
  case
    when o.outcome is not null then o.outcome
    when v.last_kind = 'hold.rejected' then 'rejected'
    when v.last_kind = 'hold.expired' then 'expired'
    when v.last_kind = 'hold.cancelled' then 'cancelled'
    when v.last_kind = 'hold.approved' then 'approved'
    when i.outcome = 'deny' then 'denied'
    when i.outcome = 'hold' then 'held'
    else 'unknown'
  end as status,
  encode(o.output_digest, 'hex') as result_hash,
  audit.json_of(audit.output_of(o.head, o.seq)) as result,
  f.facts -> 'redacted' as redacted,
  f.facts ->> 'handler_clock' as handler_clock,
  f.facts ->> 'hold' as hold_id,
  i.head, i.seq
from audit.entry i
cross join lateral (select i.facts::jsonb as facts) f
left join lateral (
  select e.head, e.seq, e.outcome, e.output_digest, e.facts::jsonb as facts from audit.entry e where e.decision_id = i.decision_id and e.kind = 'call.outcome' order by e.at desc limit 1
) o on true
left join lateral (
  select (array_agg(e.kind order by e.at desc))[1] as last_kind, string_agg(e.approver, ', ' order by e.at) as approvers
  from audit.entry e where e.decision_id = i.decision_id and e.kind like 'hold.%'
) v on true
where i.kind = 'call.intent';

grant usage on schema audit to {{role.append}}, {{role.auditor}};

revoke all on all functions in schema audit, controls from public;

grant execute on function audit.append(text) to {{role.append}};

grant select on audit.entry, audit.payload, audit.head, audit.decision to {{role.auditor}};

grant execute on function audit.inputs_of(smallint, bigint), audit.output_of(smallint, bigint), audit.json_of(text) to {{role.auditor}};
