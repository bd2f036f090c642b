-- Models and what they may see: the policy as it was deployed, and every call of a model.

-- Each policy that was ever deployed; a call says by which it was decided.
create table controls.residency (digest text primary key, policy text not null, registered_at timestamptz not null);

create table gate.model_call (
  decision_id uuid primary key, run_id text not null, agent text not null, begun_at timestamptz not null, ended_at timestamptz
);

create index on gate.model_call (agent) where ended_at is null;

-- Registers a policy. Answers whether it is another one than before.
create function controls.register_residency(p_digest text, p_policy text) returns boolean language plpgsql as $$
declare
  v_changed boolean := (select value from controls.setting where name = 'residency') is distinct from p_digest;
begin
  insert into controls.residency values (p_digest, p_policy, controls.now()) on conflict (digest) do nothing;
  insert into controls.setting values ('residency', p_digest) on conflict (name) do update set value = excluded.value;
  return v_changed;
end $$;

-- Whether a run may ask a model at all, and why not. About a hold the verifier asks, for as long as the hold is undecided: then the run may be over.
create function gate.model_refused(p_run text, p_hold uuid) returns text language sql stable as $$
  select case
    when r.run_id is null or r.principal_id is null then 'RunUnknown'
    when a.enabled is not true or a.removed then 'AgentDisabled'
    when p_hold is not null then (select 'HoldDecided' from hold.hold h where h.hold_id = p_hold and h.status <> 'pending')
    when s.approved_by is null then 'CardNotApproved'
    when a.card_digest is distinct from r.card_digest or a.environment is distinct from r.environment then 'CardChanged'
    when r.expires_at <= controls.now() then 'RunExpired' end
  from (select p_run as run_id) asked left join controls.run r using (run_id) left join controls.agent a on a.name = r.agent
    left join controls.scope s on s.agent = r.agent and s.card_digest = r.card_digest and s.environment = r.environment
$$;

-- The run that a hold came from.
create function gate.run_of_hold(p_hold uuid) returns text language sql stable as 'select c.run_id from hold.hold h join gate.call c using (decision_id) where h.hold_id = p_hold';

-- What the gateway must know to decide a call of a model: who asks, what its card names, by which policy, and what the run has read so far. Every action
-- and column counts; of calls, those from the newest on that fit into one answer are named, so that their values can be asked for. The verifier asks about a
-- hold, whose run is not its own, and is bound by no card.
create function gate.open_model(p_run text, p_hold uuid) returns text language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_run controls.run := (select r from controls.run r where r.run_id = case when p_hold is null then p_run else gate.run_of_hold(p_hold) end);
  v_refused text := gate.model_refused(v_run.run_id, p_hold);
  v_card json := (select s.card::json from controls.scope s where s.agent = v_run.agent and s.card_digest = v_run.card_digest and s.environment = v_run.environment);
begin
  if v_refused is not null then return json_build_object('run', v_run.run_id, 'refused', v_refused); end if;
  return (with called as (
    select c.decision_id, c.action, c.at, length(c.result) as length,
      case when c.action like 'read\_%' and json_typeof(c.parameters::json -> 'columns') = 'array' then c.parameters::json -> 'columns' end as columns,
      case when c.action like 'read\_%' and json_typeof(c.parameters::json -> 'where') = 'object' then c.parameters::json -> 'where' end as compared
    from gate.call c where c.run_id = v_run.run_id and c.status = 'executed'
  ), sized as (
    select called.*, sum(200 + coalesce(octet_length(columns::text), 0) + coalesce(octet_length(compared::text), 0)) over (order by at desc, decision_id) as size from called
  ), touched as (
    select distinct action, column_name from called left join lateral (
      select left(x, 63) as column_name from json_array_elements_text(columns) x union select left(k, 63) from json_object_keys(compared) k) named on true
  )
  select json_build_object('run', v_run.run_id, 'agent', v_run.agent, 'models', case when p_hold is null then v_card -> 'models' end,
    'columns', (select coalesce(json_agg(distinct (r.value ->> 'table') || '.' || c.value), '[]') from json_array_elements(v_card -> 'scopes') s, json_array_elements(coalesce(s.value -> 'read', '[]')) r, json_array_elements_text(r.value -> 'columns') c),
    'policy', (select value from controls.setting where name = 'residency'),
    'calls', (select count(*) from called),
    'touched', coalesce((select json_agg(json_build_object('action', action, 'column', column_name)) from touched), '[]'),
    'reads', coalesce((select json_agg(json_build_object('decision', decision_id, 'action', action, 'columns', columns, 'where', compared, 'length', length) order by at) from sized where size <= 30000), '[]'),
    'staged', coalesce((select a.manifest::json -> 'reads' from hold.hold h join gate.call c using (decision_id) join controls.action a on a.name = c.action where h.hold_id = p_hold), '[]'),
    'returns', coalesce((select json_object_agg(a.name, a.manifest::json -> 'returns') from controls.action a where a.name in (select action from touched)), '{}')));
end $$;

-- A chunk of the policy of a digest; null after the last.
create function gate.model_policy(p_digest text, p_chunk int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select to_json(nullif(substr(policy, p_chunk * 15000 + 1, 15000), ''))::text from controls.residency where digest = p_digest
$$;

-- A chunk of what a call of the run returned; null after the last.
create function gate.model_result(p_run text, p_decision uuid, p_chunk int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select to_json(nullif(substr(c.result, p_chunk * 15000 + 1, 15000), ''))::text from gate.call c where c.decision_id = p_decision and c.run_id = p_run and c.status = 'executed'
$$;

-- Records that a model is about to be asked, before anything is sent. Asks once more whether the run may: a stop locks the agent's row.
create function gate.begin_model(p_run text, p_hold uuid, p_facts text, p_inputs text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_run controls.run := (select r from controls.run r where r.run_id = p_run);
  v_decision uuid := gen_random_uuid();
  v_refused text;
begin
  perform from controls.agent where name = v_run.agent for key share;
  v_refused := gate.model_refused(p_run, p_hold);
  if v_refused is not null then return json_build_object('refused', v_refused); end if;
  insert into gate.model_call values (v_decision, p_run, v_run.agent, controls.now(), null);
  perform audit.chain(json_build_array(json_build_object('kind', 'model.call', 'agent', v_run.agent, 'run', p_run, 'decision', v_decision, 'reference', v_run.reference, 'outcome', 'permit', 'facts', p_facts, 'inputs', p_inputs)));
  return json_build_object('decision', v_decision);
end $$;

-- Records a call that was refused; of what it would have sent only the classes are told.
create function gate.refuse_model(p_run text, p_facts text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  select audit.chain(json_build_array(json_build_object('kind', 'model.call', 'agent', r.agent, 'run', p_run, 'decision', gen_random_uuid(), 'reference', r.reference, 'outcome', 'deny', 'facts', p_facts))) from controls.run r where r.run_id = p_run
$$;

-- Whether a call that has begun may go on: its agent was not stopped.
create function gate.model_goes_on(p_decision uuid) returns boolean language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce((select a.enabled and not a.removed from gate.model_call m join controls.agent a on a.name = m.agent where m.decision_id = p_decision and m.ended_at is null), false)
$$;

-- Records how a call ended, once.
create function gate.end_model(p_decision uuid, p_outcome text, p_facts text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_call gate.model_call;
begin
  update gate.model_call set ended_at = controls.now() where decision_id = p_decision and ended_at is null returning * into v_call;
  if not found then return; end if;
  perform audit.chain(json_build_array(json_build_object('kind', 'model.outcome', 'agent', v_call.agent, 'run', v_call.run_id, 'decision', p_decision, 'outcome', p_outcome, 'facts', p_facts)));
end $$;

-- Ends calls of which nobody said how they ended: the gateway itself lives a quarter of an hour at most. Answers how many.
create function gate.end_lost_models() returns int language plpgsql as $$
declare
  v_call gate.model_call;
  v_count int := 0;
begin
  for v_call in select * from gate.model_call where ended_at is null and begun_at < controls.now() - interval '20 minutes' for update skip locked loop
    perform gate.end_model(v_call.decision_id, 'unknown', '{}');
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

revoke all on function gate.end_lost_models(), gate.model_policy(text, int), controls.register_residency(text, text), gate.model_refused(text, uuid), gate.run_of_hold(uuid), gate.open_model(text, uuid), gate.model_result(text, uuid, int), gate.begin_model(text, uuid, text, text), gate.refuse_model(text, text), gate.model_goes_on(uuid), gate.end_model(uuid, text, text) from public;

grant usage on schema gate to {{role.gateway}};

grant execute on function gate.open_model(text, uuid), gate.model_policy(text, int), gate.model_result(text, uuid, int), gate.begin_model(text, uuid, text, text), gate.refuse_model(text, text), gate.model_goes_on(uuid), gate.end_model(uuid, text, text) to {{role.gateway}};
