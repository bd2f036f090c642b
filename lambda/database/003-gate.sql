-- Runs, calls and tickets. Each handler calls one function; what must be atomic is inside it.

create schema gate;

create schema hold;

-- The exact bytes of a call, and the answer it got first. A repeated call id gets that answer again.
create table gate.call (
  decision_id uuid primary key, run_id text not null, call_id text not null, agent text not null, action text not null,
  parameters text not null, salt bytea not null, digest text not null, environment text not null, manifest_digest text, bundle_digest text, rule_id text, row_rule text, row_key text, verdict text not null check (verdict in ('permit', 'hold', 'deny')),
  answer text not null, result text, status text not null, justification text, at timestamptz not null, staged text, unique (run_id, call_id)
);

-- The single-use claim without which nothing runs.
create table gate.ticket (
  decision_id uuid primary key references gate.call, digest text not null, issued_for text not null check (issued_for in ('permit', 'approval')),
  issued_at timestamptz not null, redeemed_at timestamptz, settled_at timestamptz, reconciled boolean not null default false
);

-- What counts towards windowed limits; released when there was no effect.
create table gate.usage (
  decision_id uuid not null references gate.call, agent text not null, limit_key text not null, for_each text not null,
  run_id text not null, amount numeric not null, at timestamptz not null, released boolean not null default false,
  primary key (decision_id, limit_key)
);

create index on gate.usage (agent, limit_key, for_each, at) where not released;

-- What runs know of values: how well each is vouched for, what must not leave, and what an agent wrote that nothing vouched for.
create table gate.value (
  decision_id uuid not null references gate.call on delete cascade, run_id text not null, type text not null, value text not null,
  level smallint not null check (level between 0 and 2), private boolean not null default false, written boolean not null default false
);

create index on gate.value (run_id, type, md5(value));

create index on gate.value (md5(lower(value))) where written;

create index on gate.value (decision_id);

create table hold.hold (
  hold_id uuid primary key, decision_id uuid not null unique references gate.call, run_id text not null, agent text not null, action text not null,
  tier text not null, kind text not null check (kind in ('verify', 'human')), approvers text[] not null, people int not null, digest text not null,
  staged_at timestamptz not null, hold_until timestamptz not null, warn_at timestamptz not null, escalate_to text, warned boolean not null default false, staged boolean not null default false,
  status text not null default 'pending' check (status in ('pending', 'approved', 'rejected', 'expired', 'cancelled')), token text
);

create index on hold.hold (agent) where status = 'pending';

-- The authentication code is made with a key that no login has: an approval that somebody wrote here by hand runs nothing.
create table hold.verdict (
  hold_id uuid not null references hold.hold, person text not null, verdict text not null check (verdict in ('approve', 'reject')),
  reason text not null, signed_in text not null, at timestamptz not null, code text not null, name text not null, primary key (hold_id, person)
);

-- A call that a person proposed instead of one that waited: who did, and instead of which.
create table gate.change (decision_id uuid primary key references gate.call on delete cascade, of uuid not null references gate.call on delete cascade, person text not null, names text[] not null);

-- One entry of a run. `p_of` are the columns that some kinds have and others have not: decision, action, reference, approver, outcome.
create function gate.entry(p_kind text, p_run controls.run, p_of json, p_facts json, p_inputs text, p_output text) returns void language sql as $$
  select audit.chain(json_build_array(json_build_object('kind', p_kind, 'agent', p_run.agent, 'run', p_run.run_id, 'decision', p_of ->> 'decision', 'action', p_of ->> 'action',
    'reference', p_of ->> 'reference', 'approver', p_of ->> 'approver', 'outcome', p_of ->> 'outcome', 'facts', p_facts::text, 'inputs', p_inputs, 'output', p_output)))
$$;

-- What a trigger asks of an agent. It is no session: the agent's compute turns it into one run within the hour, and cannot change it.
create function gate.ask(p_agent text, p_body text, p_reference text, p_asked_by text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_request controls.request;
  v_enabled boolean := (select enabled from controls.agent where name = p_agent and not removed);
begin
  if v_enabled is not true then
    perform audit.chain(json_build_array(json_build_object('kind', 'request.refused', 'outcome', case when v_enabled is null then 'AgentUnknown' else 'AgentDisabled' end, 'facts', json_build_object('asked_by', p_asked_by)::text)));
    return json_build_object('refused', case when v_enabled is null then 'AgentUnknown' else 'AgentDisabled' end);
  end if;
  insert into controls.request values (gen_random_uuid(), p_agent, p_body, p_reference, p_asked_by, controls.now()) returning * into v_request;
  perform audit.chain(json_build_array(json_build_object('kind', 'request.asked', 'agent', p_agent, 'reference', p_reference, 'facts',
    json_build_object('request', v_request.request_id, 'asked_by', p_asked_by)::text, 'inputs', audit.canonical(json_build_object('request', p_body)))));
  return json_build_object('requestId', v_request.request_id, 'expiresAt', v_request.asked_at + interval '1 hour');
end $$;

-- Starts a run, or says why not. Both are entries. A request that a trigger asked is trusted; what the compute says itself is only
-- where the card says so.
create function gate.start_run(p_run text, p_agent text, p_starter text, p_digest text, p_body text, p_request uuid, p_reference text, p_model text, p_seconds int, p_prompt text default null)
returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_agent controls.agent := (select a from controls.agent a where a.name = p_agent);
  v_scope controls.scope := (select s from controls.scope s where s.agent = p_agent and s.card_digest = v_agent.card_digest and s.environment = v_agent.environment);
  v_grace int := (select value::int from controls.setting where name = 'review_grace_days');
  v_request controls.request;
  v_run controls.run;
  v_refused text;
begin
  if p_request is not null then select * into v_request from controls.request where request_id = p_request and agent = p_agent for update; end if;
  v_refused := case
    when v_agent.name is null or v_agent.removed then 'AgentUnknown'
    when not v_agent.enabled then 'AgentDisabled'
    when v_scope.approved_by is null then 'CardNotApproved'
    when v_scope.card_digest is distinct from p_digest then 'CardChanged'
    when v_scope.review_by + v_grace < (controls.now() at time zone 'UTC')::date then 'ReviewOverdue'
    when p_request is not null and v_request.request_id is null then 'RequestUnknown'
    when v_request.run_id is not null then 'RequestUsed'
    when v_request.asked_at <= controls.now() - interval '1 hour' then 'RequestExpired'
    when exists (select from controls.run where run_id = p_run) then 'RunIdUsed'
    when p_seconds < 900 or p_seconds >= 3600 then 'SessionTooLong'
  end;
  if v_refused is not null then
    perform audit.chain(json_build_array(json_build_object('kind', 'run.refused', 'agent', v_agent.name, 'outcome', v_refused, 'facts',
      json_build_object('starter', p_starter)::text)));
    return json_build_object('refused', v_refused);
  end if;
  insert into controls.run values (p_run, p_agent, p_digest, v_agent.environment, p_starter, coalesce(v_request.asked_by, p_starter), null, coalesce(v_request.body, p_body),
    (p_request is not null or v_scope.compiled::json ->> 'trustedFrom' = 'compute') and not (v_scope.compiled::json ->> 'directSql')::boolean, coalesce(v_request.reference, p_reference), p_model, p_prompt, controls.now(), controls.now() + make_interval(secs => p_seconds))
    returning * into v_run;
  update controls.request set run_id = p_run where request_id = p_request;
  perform gate.entry('run.started', v_run, json_build_object('reference', v_run.reference), json_build_object('card_digest', p_digest, 'scope_version', encode(sha256(convert_to(v_scope.compiled, 'UTF8')), 'hex'), 'environment', v_run.environment, 'approved_by', v_scope.approved_by,
    'review_overdue', v_scope.review_by < (controls.now() at time zone 'UTC')::date, 'starter', p_starter, 'asked_by', v_run.asked_by, 'request', p_request, 'request_trusted', v_run.request_trusted,
    'model', p_model, 'prompt_digest', p_prompt, 'expires_at', v_run.expires_at),
    audit.canonical(json_build_object('request', v_run.request)), null);
  return json_build_object('run', p_run, 'expiresAt', v_run.expires_at);
end $$;

-- Binds the run to the session that STS made for it: role id and session name, which nobody can choose.
create function gate.bind_run(p_run text, p_principal text) returns boolean language sql security definer set search_path = pg_catalog, pg_temp as
  'with bound as (update controls.run set principal_id = p_principal where run_id = p_run and principal_id is null returning 1) select exists (select from bound)';

-- What the gate must know to decide a call. Scope and results are read apart, in chunks: the Data API returns 64 KB a row.
create function gate.open_call(p_principal text, p_call text, p_action text, p_parameters text)
returns text language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_run controls.run := (select r from controls.run r where r.principal_id = p_principal);
  v_agent controls.agent := (select a from controls.agent a where a.name = v_run.agent);
  v_scope controls.scope := (select s from controls.scope s where s.agent = v_run.agent and s.card_digest = v_run.card_digest and s.environment = v_run.environment);
  v_version text := md5(v_scope.compiled);
begin
  if v_run.run_id is null then return json_build_object('refused', 'RunUnknown'); end if;
  return json_build_object(
    'today', to_char(controls.now() at time zone 'UTC', 'YYYY-MM-DD'), 'run', v_run.run_id, 'agent', v_run.agent, 'cardDigest', v_run.card_digest, 'model', v_run.model, 'reference', v_run.reference,
    'request', v_run.request, 'requestTrusted', v_run.request_trusted,
    'replay', (select json_build_object('answer', c.answer::json, 'status', c.status, 'action', c.action, 'same', c.parameters = p_parameters)
      from gate.call c where c.run_id = v_run.run_id and c.call_id = p_call),
    'stopped', case
      when v_agent.enabled is not true or v_agent.removed then 'AgentDisabled'
      when v_scope.approved_by is null then 'CardNotApproved'
      when v_agent.card_digest is distinct from v_run.card_digest or v_agent.environment is distinct from v_run.environment then 'CardChanged'
      when v_run.expires_at <= controls.now() then 'RunExpired' end, -- the last of them: a person may propose without a session
    'scopeVersion', v_version,
    'manifestDigest', (select manifest_digest from controls.action where name = p_action),
    'rowsHold', coalesce((select json_agg(r.key) from json_each(v_scope.compiled::json -> 'rules') r
      where r.value -> 'row' is not null and r.key like '%/call/%' and r.value ->> 'action' = p_action
        and gate.row_holds(r.value -> 'row' ->> 'sql', p_parameters::json ->> (r.value -> 'row' ->> 'parameter'))), '[]'),
    'saw', coalesce((select json_agg(e.decision_id order by e.at) from audit.entry e
      where e.run_id = v_run.run_id and e.kind = 'call.outcome' and e.outcome = 'executed' and e.facts::json ->> 'effect' = 'read'), '[]'));
end $$;

-- A chunk of the compiled scope of a run, or of the result of one of its decisions; null after the last.
create function gate.read_scope(p_principal text, p_chunk int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select to_json(nullif(substr(s.compiled, p_chunk * 15000 + 1, 15000), ''))::text from controls.run r join controls.scope s on s.agent = r.agent and s.card_digest = r.card_digest and s.environment = r.environment
  where r.principal_id = p_principal
$$;

create function gate.read_result(p_principal text, p_decision uuid, p_chunk int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select to_json(nullif(substr(c.result, p_chunk * 15000 + 1, 15000), ''))::text from gate.call c join controls.run r on r.run_id = c.run_id where c.decision_id = p_decision and r.principal_id = p_principal and (select a.enabled from controls.agent a where a.name = r.agent)
$$;

-- Whether the row that a call names meets its card's condition. The text is the compiler's, kept where only the owner writes.
create function gate.row_holds(p_sql text, p_key text) returns boolean language plpgsql stable as $$
declare
  v_holds boolean;
begin
  execute p_sql into v_holds using p_key;
  return coalesce(v_holds, false);
end $$;

-- How well values are vouched for in a run: by what it read, and by registers in tables. What an agent wrote without anybody's word for it
-- is vouched for by nobody, wherever it is read again. Says as well which words in a row are quotations of what anybody may have written.
create function gate.provenance(p_principal text, p_asked text) returns text language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_run controls.run := (select r from controls.run r where r.principal_id = p_principal);
  v_scope json := (select s.compiled::json from controls.scope s where s.agent = v_run.agent and s.card_digest = v_run.card_digest and s.environment = v_run.environment);
begin
  return json_build_object(
    'levels', coalesce((
      select json_agg(case when exists (select from gate.value w where w.written and md5(lower(w.value)) = md5(lower(a.value))) then 0 else greatest(
        coalesce((select max(v.level) from gate.value v where v.run_id = v_run.run_id and v.type = a.type and md5(v.value) = md5(a.value) and v.value = a.value), 0),
        case when exists (select from json_array_elements(v_scope -> 'counterparties' -> 'queries') q where q.value ->> 'type' = a.type and gate.row_holds(q.value ->> 'sql', a.value)) then 1 else 0 end) end order by a.n)
      from rows from (json_to_recordset(p_asked::json -> 'values') as (type text, value text)) with ordinality a(type, value, n)), '[]'),
    'private', coalesce((select json_agg(p.value) from (select distinct v.value from gate.value v where v.run_id = v_run.run_id and v.private limit 500) p where (p_asked::json ->> 'private')::boolean), '[]'),
    'unread', exists (select from gate.value v where v.run_id = v_run.run_id and v.type = 'cut') or (select count(*) from gate.value v where v.run_id = v_run.run_id and v.private) > 500,
    'quoted', coalesce((select json_agg(q.n - 1 order by q.n) from json_array_elements_text(p_asked::json -> 'phrases') with ordinality q(phrase, n)
      where exists (select from gate.value v where v.run_id = v_run.run_id and v.type = 'prose' and strpos(v.value, ' ' || q.phrase || ' ') > 0)), '[]'));
end $$;

-- The first windowed limit that one more call would exceed, or null. The row of the agent is locked, so that of two calls not both
-- are the last one. It is a row and no advisory lock, which any login could take.
create function gate.exceeded(p_agent text, p_run text, p_limits json, p_parameters json) returns text language plpgsql as $$
declare
  v_limit json;
  v_used numeric;
begin
  if json_array_length(p_limits) = 0 then return null; end if;
  perform from controls.agent where name = p_agent for no key update;
  for v_limit in select value from json_array_elements(p_limits) loop
    select coalesce(sum(u.amount), 0) into v_used from gate.usage u
      where u.agent = p_agent and u.limit_key = v_limit ->> 'key' and not u.released and u.for_each = gate.for_each(v_limit, p_parameters)
        and case when v_limit ->> 'seconds' is null then u.run_id = p_run else u.at > controls.now() - make_interval(secs => (v_limit ->> 'seconds')::int) end;
    if v_used + gate.amount(v_limit, p_parameters) > (v_limit ->> 'atMost')::numeric then return v_limit ->> 'key'; end if;
  end loop;
  return null;
end $$;

-- The value that a limit counts for. Two spellings of one address are one buyer.
create function gate.for_each(p_limit json, p_parameters json) returns text language sql immutable as
  $$ select coalesce(lower(normalize(p_parameters ->> (p_limit ->> 'forEach'), nfkc)), '') $$;

create function gate.amount(p_limit json, p_parameters json) returns numeric language sql immutable as $$
  select case when p_limit ->> 'sumOf' is null then 1
    when p_limit ->> 'currency' is null then (p_parameters ->> (p_limit ->> 'sumOf'))::numeric
    when p_parameters -> (p_limit ->> 'sumOf') ->> 'currency' = p_limit ->> 'currency' then (p_parameters -> (p_limit ->> 'sumOf') ->> 'minorUnits')::numeric
    else 'Infinity'::numeric end
$$;

-- Writes the gate's verdict. Reasons are sentences for the agent; the chained entry keeps their codes only, since a sentence may
-- quote what the agent wrote. Intent entry, reservation, and a ticket or a hold, in one transaction. A call id that was answered
-- before gets its first answer again. A limit turns a permit into a hold; nothing here turns a deny or a hold into less.
create function gate.commit_call(p_call text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  c json := p_call::json;
  v_run controls.run;
  v_rule json := c -> 'rule';
  v_parameters json := (c ->> 'output')::json;
  v_decision uuid := gen_random_uuid();
  v_hold uuid;
  v_until timestamptz; v_warn timestamptz;
  v_hours text := v_rule ->> 'hours'; v_escalate text := v_rule ->> 'escalateTo';
  v_verdict text := c ->> 'verdict';
  v_reasons jsonb := coalesce((c ->> 'reasons')::jsonb, '[]');
  v_limit text;
  v_caution boolean := false;
  v_answer json;
  v_salt bytea := uuid_send(gen_random_uuid());
  v_tier text := v_rule ->> 'tier'; v_kind text := v_rule ->> 'kind'; v_people int := (v_rule ->> 'people')::int; v_window int := (v_rule ->> 'windowSeconds')::int;
  v_approvers text[] := coalesce((select array_agg(value) from json_array_elements_text(v_rule -> 'approvers')), '{}');
begin
  -- Calls of one run queue here, so that a call id has one answer.
  select * into v_run from controls.run where principal_id = c ->> 'principal' for no key update;
  if not found then raise exception 'RunUnknown' using errcode = '42501'; end if;
  select answer::json into v_answer from gate.call where run_id = v_run.run_id and call_id = c ->> 'callId' and (c ->> 'dryRun')::boolean is not true;
  if found then return v_answer; end if;

  -- Whoever stops the agent waits for this, and whatever comes after it finds it stopped.
  perform from controls.agent where name = v_run.agent and enabled for key share;
  if not found and v_verdict is distinct from 'deny' then
    v_verdict := 'deny';
    v_reasons := '["AgentDisabled: this run may make no more calls"]';
  end if;
  if v_verdict is distinct from 'deny' then
    if v_verdict not in ('permit', 'hold') or v_rule is null or c ->> 'ruleId' is null then raise exception 'VerdictInvalid' using errcode = '22023'; end if;
    v_limit := gate.exceeded(v_run.agent, v_run.run_id, v_rule -> 'limits', v_parameters);
    if v_limit is not null then
      v_verdict := 'hold';
      v_reasons := v_reasons || to_jsonb(format('LimitExceeded: the limit %s is used up', v_limit));
    end if;
  end if;
  -- Something unusual was found of the agent: until a person says otherwise, every write is for people.
  if v_verdict is distinct from 'deny' and exists (select from controls.caution where agent = v_run.agent) and exists (select from controls.action a where a.name = c ->> 'action' and a.manifest::json ->> 'effect' = 'write') then
    v_caution := true;
    v_verdict := 'hold';
    v_reasons := v_reasons || '"AnomalyFound: something unusual was found of this agent, so every write of it waits for people"';
  end if;
  if v_verdict = 'permit' and v_kind = 'standing' and controls.now() >= ((v_rule ->> 'until')::date + 1)::timestamp at time zone 'UTC' then
    v_verdict := 'hold';
    v_reasons := v_reasons || to_jsonb(format('StandingExpired: the standing approval of %s ended on %s', v_rule ->> 'grantedBy', v_rule ->> 'until'));
  end if;
  if v_verdict = 'hold' and (v_kind in ('auto', 'standing') or (v_kind = 'verify' and ((c ->> 'doubted')::boolean is true or v_limit is not null or v_caution))) then
    -- Doubt about a call that nobody would have been asked about, or that a verifier would have been, goes to the strictest tier there is for people.
    select name, kind, window_seconds, people, case when cardinality(v_approvers) > 0 then v_approvers else approvers end, hours, escalate_to into v_tier, v_kind, v_window, v_people, v_approvers, v_hours, v_escalate
      from controls.tier where kind = 'human' order by people desc, cardinality(approvers) desc, window_seconds, name limit 1;
    if not found then v_verdict := 'deny'; v_reasons := v_reasons || '"NoTierForPeople: the hold queue has no human tier"'; end if;
  end if;
  if v_verdict = 'hold' then
    -- A hold whose clock never started ends here at the latest, and gives back its place.
    perform hold.expire(h.hold_id) from hold.hold h where h.agent = v_run.agent and h.status = 'pending' and h.hold_until <= controls.now() - interval '1 minute';
    if (select count(*) from hold.hold where agent = v_run.agent and status = 'pending' and decision_id is distinct from (c -> 'change' ->> 'of')::uuid) >= 20 then
      v_verdict := 'deny';
      v_reasons := v_reasons || '"HoldsFull: 20 calls of this agent wait already; a flood is refused, not queued"';
    else
      v_hold := gen_random_uuid();
      select o_until, o_warn into v_until, v_warn from hold.ends(v_window, v_hours::json);
    end if;
  end if;

  if (c ->> 'dryRun')::boolean is true then
    -- Nobody asks the gate without it being known, also where nothing comes of it.
    perform gate.entry('call.tried', v_run, json_build_object('action', c ->> 'action', 'outcome', v_verdict, 'reference', coalesce(c ->> 'reference', v_run.reference)),
      json_build_object('scope', v_rule ->> 'scope', 'rule', c ->> 'ruleId', 'tier', v_tier, 'changes', c -> 'change' ->> 'of', 'changed_by', c -> 'change' ->> 'person', 'reasons', (select jsonb_agg(split_part(r, ':', 1)) from jsonb_array_elements_text(v_reasons) r)), c ->> 'inputs', c ->> 'output');
    return json_strip_nulls(json_build_object('dryRun', true, 'verdict', v_verdict, 'holdUntil', v_until, 'tier', case when v_hold is not null then v_tier end, 'people', case when v_hold is not null then v_people end, 'reasons', case when v_verdict <> 'permit' then v_reasons end));
  end if;

  v_answer := json_strip_nulls(json_build_object('verdict', v_verdict, 'decisionId', v_decision, 'holdId', v_hold, 'holdUntil', v_until,
    'reasons', case when v_verdict <> 'permit' then v_reasons end));
  perform gate.entry('call.intent', v_run, json_build_object('decision', v_decision, 'action', c ->> 'action', 'outcome', v_verdict, 'reference', coalesce(c ->> 'reference', v_run.reference)),
    json_build_object('scope', v_rule ->> 'scope', 'rule', c ->> 'ruleId', 'tier', v_tier, 'reasons', (select jsonb_agg(split_part(r, ':', 1)) from jsonb_array_elements_text(v_reasons) r),
    'hold', v_hold, 'hold_until', v_until, 'escalate_to', case when v_hold is not null then v_escalate end, 'people', case when v_hold is not null then v_people end, 'approvers', case when v_hold is not null then array_to_json(v_approvers) end, 'card_digest', v_run.card_digest, 'policy_digest', c ->> 'policyDigest', 'manifest_digest', c ->> 'manifestDigest', 'schema_digest', c ->> 'schemaDigest', 'gate_digest', c ->> 'gateDigest', 'prompt_digest', v_run.prompt_digest, 'model', v_run.model,
    'changes', c -> 'change' ->> 'of', 'changed_by', c -> 'change' ->> 'person', 'provenance', c -> 'provenance', 'handler_clock', c ->> 'clock', 'redacted', c -> 'redacted', 'inputs_are', case when v_run.request_trusted then 'attested' else 'claimed' end), c ->> 'inputs', c ->> 'output');
  insert into gate.call values (v_decision, v_run.run_id, c ->> 'callId', v_run.agent, c ->> 'action', c ->> 'output', v_salt, encode(sha256(v_salt || convert_to(c ->> 'output', 'UTF8')), 'hex'),
    v_run.environment, c ->> 'manifestDigest', (select a.bundle_digest from controls.action a where a.name = c ->> 'action'), c ->> 'ruleId',
    v_rule -> 'row' ->> 'sql', v_parameters ->> (v_rule -> 'row' ->> 'parameter'), v_verdict, v_answer::text, null,
    case v_verdict when 'permit' then 'permitted' when 'hold' then 'held' else 'denied' end, c ->> 'justification', controls.now());
  insert into gate.change select v_decision, (c -> 'change' ->> 'of')::uuid, c -> 'change' ->> 'person', array(select json_array_elements_text(c -> 'change' -> 'names')) where c -> 'change' is not null;
  if v_verdict <> 'deny' then
    -- A sum in another currency is not counted against this one; it was held for that.
    insert into gate.usage
      select v_decision, v_run.agent, l.value ->> 'key', gate.for_each(l.value, v_parameters), v_run.run_id, gate.amount(l.value, v_parameters), controls.now()
      from json_array_elements(v_rule -> 'limits') l where gate.amount(l.value, v_parameters) < 'Infinity';
  end if;
  insert into gate.value select v_decision, v_run.run_id, u.type, u.value, 0 from json_to_recordset(c -> 'unvouched') as u(type text, value text) where v_verdict <> 'deny';
  if v_verdict = 'permit' then
    insert into gate.ticket select decision_id, digest, 'permit', controls.now() from gate.call where decision_id = v_decision;
  elsif v_verdict = 'hold' then
    insert into hold.hold select v_hold, v_decision, v_run.run_id, v_run.agent, c ->> 'action', v_tier, v_kind, v_approvers, v_people, digest, controls.now(), v_until, v_warn, v_escalate
      from gate.call where decision_id = v_decision;
  end if;
  return v_answer;
end $$;

-- What an approval and a ticket are bound to: the parameters and, of a hold, what was fixed and shown when it was staged.
create function gate.digest(p_salt bytea, p_parameters text, p_staged text) returns text language sql immutable as
  $$ select encode(sha256(p_salt || convert_to(p_parameters || coalesce(E'\n' || p_staged, ''), 'UTF8')), 'hex') $$;

-- Spends a ticket. Everything that could have changed since the verdict is asked again in this transaction; a refusal settles the
-- ticket, so it cannot be tried twice.
create function gate.redeem(p_decision uuid) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ticket gate.ticket;
  v_call gate.call;
  v_run controls.run;
  v_agent controls.agent;
  v_tool json;
  v_action controls.action;
  v_refused text;
begin
  select * into v_ticket from gate.ticket where decision_id = p_decision for update;
  if not found then return json_build_object('refused', 'TicketMissing'); end if;
  if v_ticket.redeemed_at is not null then return json_build_object('refused', 'TicketSpent'); end if;
  v_call := (select c from gate.call c where c.decision_id = p_decision);
  if exists (select from undo.rollback where decision_id = p_decision) then return undo.begin(v_call, v_ticket); end if;
  v_run := (select r from controls.run r where r.run_id = v_call.run_id);
  -- Whoever stops the agent waits for this, and whatever comes after it finds it stopped.
  select * into v_agent from controls.agent where name = v_call.agent for key share;
  v_tool := (select s.compiled::json -> 'tools' -> v_call.action from controls.scope s where s.agent = v_run.agent and s.card_digest = v_run.card_digest and s.environment = v_run.environment);
  v_action := (select a from controls.action a where a.name = v_call.action);
  v_refused := case
    when v_call.status not in ('permitted', 'held') or v_call.verdict is distinct from (case v_ticket.issued_for when 'permit' then 'permit' else 'hold' end) then 'NotPermitted'
    when v_agent.enabled is not true or v_agent.removed then 'AgentDisabled'
    when v_run.started_at <= v_agent.stopped_at then 'RunStopped' -- it came back since, its runs did not
    when v_agent.card_digest is distinct from v_run.card_digest or v_agent.environment is distinct from v_call.environment then 'CardChanged'
    when (select s.approved_by from controls.scope s where s.agent = v_run.agent and s.card_digest = v_run.card_digest and s.environment = v_run.environment) is null then 'CardNotApproved'
    -- Something unusual was found since, and no person has agreed to this.
    when exists (select from controls.caution c where c.agent = v_call.agent) and v_tool ->> 'effect' = 'write' and not exists (select from hold.hold h join hold.verdict d using (hold_id) where h.decision_id = p_decision and d.verdict = 'approve' and d.person not like 'verifier:%') then 'AgentCautioned'
    when v_ticket.issued_for = 'permit' and v_run.expires_at <= controls.now() then 'RunExpired'
    when v_tool is null then 'ActionChanged'
    when v_ticket.digest is distinct from v_call.digest or v_call.digest is distinct from gate.digest(v_call.salt, v_call.parameters, v_call.staged) then 'DigestChanged'
    when v_tool ->> 'kind' = 'action' and (v_action.manifest_digest is distinct from v_call.manifest_digest or v_action.bundle_digest is distinct from v_call.bundle_digest) then 'ActionChanged'
    when v_call.row_rule is not null and not gate.row_holds(v_call.row_rule, v_call.row_key) then 'RowChanged'
  end;
  update gate.ticket set redeemed_at = controls.now() where decision_id = p_decision;
  if v_refused is not null then
    perform gate.settle(v_call, v_run, 'refused', json_build_object('refused', v_refused)::text, '[]', null);
    return json_build_object('refused', v_refused);
  end if;
  update gate.call set status = 'executing' where decision_id = p_decision;
  return json_build_object('decisionId', p_decision, 'agent', v_call.agent, 'run', v_call.run_id, 'action', v_call.action, 'kind', v_tool ->> 'kind', 'table', v_tool ->> 'table', 'columns', v_tool -> 'columns',
    'function', v_action.function_name, 'loginSecretArn', v_agent.secret_arn, 'parameters', v_call.parameters, 'salt', encode(v_call.salt, 'hex'), 'digest', v_call.digest, 'staged', v_call.staged, 'justification', v_call.justification,
    'request', case when v_run.request_trusted then v_run.request end, 'effect', v_tool ->> 'effect', 'idempotent', coalesce((v_action.manifest::json ->> 'idempotent')::boolean, false), 'returns', v_tool -> 'returns',
    'registered', (select s.compiled::json -> 'counterparties' -> 'values' from controls.scope s where s.agent = v_run.agent and s.card_digest = v_run.card_digest and s.environment = v_run.environment),
    'redact', (select s.compiled::json -> 'redact' from controls.scope s where s.agent = v_run.agent and s.card_digest = v_run.card_digest and s.environment = v_run.environment));
end $$;

create function gate.settle(p_call gate.call, p_run controls.run, p_status text, p_result text, p_writes json, p_more json) returns void language plpgsql as $$
begin
  update gate.ticket set settled_at = controls.now() where decision_id = p_call.decision_id;
  update gate.call set status = p_status, result = p_result, staged = null where decision_id = p_call.decision_id;
  -- A failed or unknown outcome keeps its reservation: it may have had an effect.
  -- What a person approved, the person vouched for: also what an agent had stored before without anybody's word. A verifier has read no more than the agent.
  if p_status <> 'refused' and exists (select from hold.hold h join hold.verdict d using (hold_id) where h.decision_id = p_call.decision_id and d.verdict = 'approve' and d.person not like 'verifier:%') then
    update gate.value w set written = false where w.written and exists (select from gate.value u where u.decision_id = p_call.decision_id and md5(lower(u.value)) = md5(lower(w.value)));
  elsif p_status <> 'refused' then
    update gate.value set written = true where decision_id = p_call.decision_id;
  end if;
  if p_status = 'refused' then update gate.usage set released = true where decision_id = p_call.decision_id; end if;
  perform gate.entry('call.outcome', p_run, json_build_object('decision', p_call.decision_id, 'action', p_call.action, 'outcome', p_status), json_build_object('bundle_digest', p_more ->> 'bundle', 'handler_clock', p_more ->> 'clock', 'redacted', p_more -> 'redacted',
    'effect', (select s.compiled::json -> 'tools' -> p_call.action ->> 'effect' from controls.scope s where s.agent = p_run.agent and s.card_digest = p_run.card_digest and s.environment = p_run.environment)),
    case when json_array_length(p_writes) > 0 then audit.canonical(json_build_object('downstream_writes', p_writes)) end, p_result);
end $$;

-- Records what came of a redeemed ticket, once. Where nobody reported for so long that the intent was closed as unknown, a report is what
-- really happened, and still counts.
create function gate.outcome(p_decision uuid, p_status text, p_result text, p_writes text, p_bundle text, p_redacted text, p_values text, p_clock text) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ticket gate.ticket;
  v_call gate.call;
  v_run controls.run;
begin
  if p_status not in ('executed', 'failed', 'unknown') then raise exception 'StatusUnknown: %', p_status using errcode = '22023'; end if;
  select * into v_ticket from gate.ticket where decision_id = p_decision for update;
  if not found or v_ticket.redeemed_at is null or (v_ticket.settled_at is not null and not v_ticket.reconciled) then return false; end if;
  update gate.ticket set reconciled = false where decision_id = p_decision;
  v_call := (select c from gate.call c where c.decision_id = p_decision);
  v_run := (select r from controls.run r where r.run_id = v_call.run_id);
  perform gate.settle(v_call, v_run, p_status, p_result, p_writes::json, json_build_object('bundle', p_bundle, 'redacted', p_redacted::json, 'clock', p_clock));
  insert into gate.value select p_decision, v_run.run_id, u.type, u.value, u.level, coalesce(u.private, false) from json_to_recordset(p_values::json) as u(type text, value text, level smallint, private boolean);
  return true;
end $$;

-- What the gate answers when asked for a call or a hold of this run, and of no other.
create function gate.read_hold(p_principal text, p_hold uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('holdId', h.hold_id, 'status', h.status, 'holdUntil', h.hold_until, 'outcome', c.status, 'decisionId', c.decision_id)
  from hold.hold h join gate.call c using (decision_id) join controls.run r on r.run_id = h.run_id
  where h.hold_id = p_hold and r.principal_id = p_principal and (select a.enabled from controls.agent a where a.name = r.agent)
$$;

-- The run and the call that a person wants changed: while it waits, to ask what would come of it; to propose it, once that person has rejected it.
create function gate.open_change(p_hold uuid, p_person text, p_dry boolean) returns text language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select json_build_object('principal', r.principal_id, 'decisionId', h.decision_id, 'action', h.action, 'justification', c.justification, 'reference', (select e.reference from audit.entry e where e.decision_id = h.decision_id and e.kind = 'call.intent'))
  from hold.hold h join gate.call c using (decision_id) join controls.run r on r.run_id = h.run_id
  where h.hold_id = p_hold and not exists (select from undo.rollback u where u.decision_id = h.decision_id)
    and case when p_dry then h.status = 'pending' else exists (select from hold.verdict v where v.hold_id = p_hold and v.person = p_person and v.verdict = 'reject') end);
end $$;

-- Records a refusal before there is a run to record it under.
create function gate.refuse(p_principal text, p_reason text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  select audit.chain(json_build_array(json_build_object('kind', 'call.refused', 'outcome', p_reason, 'facts', json_build_object('principal', p_principal)::text)))
$$;
