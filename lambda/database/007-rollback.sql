-- Undoing: before-images as actions left them, and rollbacks, which run reverses newest first. A rollback is a call like any other: it is
-- decided, perhaps held, and a ticket lets it run once; so is each of its reversals, with an intent before and an outcome after.

create schema undo;

-- What a write would need to be undone, sealed by the action in the transaction of the write. Nothing here can be read without the key.
create table undo.image (
  decision_id uuid not null references gate.call on delete cascade, chunk int not null, sealed text not null, kept_at timestamptz not null, primary key (decision_id, chunk)
);

create index on undo.image (kept_at);

create table undo.rollback (decision_id uuid primary key references gate.call on delete cascade, requested_by text not null, advanced_at timestamptz not null);

create table undo.reversal (
  reversal_id uuid primary key, rollback uuid not null references undo.rollback on delete cascade, position int not null, decision_id uuid not null references gate.call on delete cascade, action text not null, kind text not null check (kind in ('restore', 'compensate')),
  status text not null default 'waiting' check (status in ('waiting', 'running', 'reversed', 'conflict', 'failed', 'unknown', 'skipped')), why text, claimed_at timestamptz, settled boolean not null default false, begun boolean not null default false, unique (rollback, position)
);

-- No decision is reversed twice, whoever asks for it at the same time. What failed, or found a conflict, may be tried again.
create unique index on undo.reversal (decision_id) where status in ('running', 'reversed', 'unknown');

-- Keeps the image of a write that this login is making now, once.
create function undo.keep(p_decision uuid, p_sealed text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if length(p_sealed) > 1000000 then raise exception 'ImageTooLarge: a before-image may have 1 MB, got % characters; read less in before', length(p_sealed) using errcode = '22023'; end if;
  perform from gate.call c join controls.login l on l.agent = c.agent and l.login = session_user where c.decision_id = p_decision and c.status = 'executing';
  if not found then raise exception 'ImageRefused: login % is making no such write', session_user using errcode = '42501'; end if;
  insert into undo.image select p_decision, n, substr(p_sealed, n * 30000 + 1, 30000), controls.now() from generate_series(0, (length(p_sealed) - 1) / 30000) n;
  return '{}';
end $$;

create function undo.images(p_decisions text) returns table (decision text, sealed text) language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select i.decision_id::text, i.sealed from undo.image i where i.decision_id in (select value::uuid from json_array_elements_text(p_decisions::json)) order by i.decision_id, i.chunk
$$;

-- Takes away what is too old to be undone.
create function undo.expire(p_days int) returns int language sql security definer set search_path = pg_catalog, pg_temp as $$
  with gone as (delete from undo.image where kept_at < controls.now() - make_interval(days => p_days) returning 1) select count(*)::int from gone
$$;

-- The writes that a selection means, newest effect first, and what stands in the way of undoing each. A selection is one of
-- {decision}, {run}, {agent, since, until}.
create function undo.candidates(p_of json) returns table (decision_id uuid, agent text, action text, at timestamptz, kind text, sentence text, asks boolean, people int, approvers json, state text) language sql stable as $$
  with actions as materialized (select name, manifest_digest, manifest::json ->> 'effect' as effect, manifest::json -> 'reverse' ->> 'kind' as kind, manifest::json -> 'reverse' ->> 'sentence' as sentence from controls.action),
  calls as materialized (
    select c.*, r.card_digest from gate.call c join controls.run r on r.run_id = c.run_id
    where c.status in ('executed', 'unknown') and c.manifest_digest is not null
      and (c.decision_id = (p_of ->> 'decision')::uuid or c.run_id = p_of ->> 'run' or (c.agent = p_of ->> 'agent' and c.at >= (p_of ->> 'since')::timestamptz and c.at <= coalesce((p_of ->> 'until')::timestamptz, 'infinity')))
      and c.run_id not like 'rollback-%'),
  rules as materialized (
    select d.agent, d.card_digest, d.environment, d.rule_id, s.compiled::json -> 'rules' -> d.rule_id as rule
    from (select distinct c.agent, c.card_digest, c.environment, c.rule_id from calls c) d join controls.scope s on s.agent = d.agent and s.card_digest = d.card_digest and s.environment = d.environment)
  select c.decision_id, c.agent, c.action, c.at, a.kind, a.sentence,
    -- Whoever had to agree to the write, for its tier or in doubt, agrees to its reversal.
    c.verdict = 'hold' or r.rule ->> 'kind' is distinct from 'auto', greatest((r.rule ->> 'people')::int, h.people), case when cardinality(h.approvers) > 0 then array_to_json(h.approvers) else r.rule -> 'approvers' end,
    case
      when v.status = 'reversed' then 'AlreadyReversed' when v.status = 'running' then 'InProgress' when v.status = 'unknown' then 'ReversalUnknown'
      when a.kind = 'impossible' then 'Impossible' when a.name is null then 'ActionGone' when a.manifest_digest <> c.manifest_digest then 'ActionChanged'
      when i.kept_at is not null then 'ready'
      when c.status = 'unknown' then 'OutcomeUnknown' when c.salt = '\x' then 'ImageErased' else 'ImageGone' end
  from calls c left join actions a on a.name = c.action left join rules r on r.agent = c.agent and r.card_digest = c.card_digest and r.environment = c.environment and r.rule_id = c.rule_id
    left join hold.hold h on h.decision_id = c.decision_id left join undo.image i on i.decision_id = c.decision_id and i.chunk = 0 left join undo.reversal v on v.decision_id = c.decision_id and v.status in ('running', 'reversed', 'unknown')
  where a.effect is distinct from 'read' order by coalesce(i.kept_at, c.at) desc, c.at desc
$$;

create function undo.digest(p_decisions uuid[]) returns text language sql immutable as $$ select encode(sha256(convert_to(array_to_string(p_decisions, ','), 'UTF8')), 'hex') $$;

-- What a rollback would do. Its digest names the very decisions, so that what is asked for is what was looked at.
create function undo.plan(p_of text) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with c as materialized (select * from undo.candidates(p_of::json) with ordinality as c(decision_id, agent, action, at, kind, sentence, asks, people, approvers, state, n))
  select json_build_object('total', (select count(*) from c), 'ready', (select count(*) from c where state = 'ready'), 'agent', (select min(agent) from c),
    'digest', undo.digest(array(select decision_id from c where state = 'ready' order by n)),
    'actions', coalesce((select json_agg(g order by g.action, g.state) from (select action, kind, sentence, state, count(*)::int as count from c group by 1, 2, 3, 4) g), '[]'),
    'decisions', coalesce((select json_agg(json_build_object('decision', decision_id, 'action', action, 'at', at, 'state', state) order by n) from c where n <= 200), '[]'))
$$;

-- The newest decisions of a plan whose rows can be looked at, by the action and function that know how.
create function undo.looks(p_of text, p_most int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(json_build_object('action', l.action, 'function', l.function_name, 'decisions', l.decisions)), '[]') from (
    select s.action, s.function_name, json_agg(s.decision_id order by s.n) as decisions from (
      select c.action, a.function_name, c.decision_id, c.n, (row_number() over w - 1) / 100 as batch, div(sum((select sum(length(i.sealed)) from undo.image i where i.decision_id = c.decision_id)) over w, 500000) as size
      from undo.candidates(p_of::json) with ordinality as c(decision_id, agent, action, at, kind, sentence, asks, people, approvers, state, n) join controls.action a on a.name = c.action
      where c.state = 'ready' and c.kind = 'restore' and c.n <= p_most window w as (partition by c.action order by c.n)) s group by s.action, s.function_name, s.batch, s.size) l
$$;

-- Decides a rollback that a person asks for. It runs at once where each of its effects did, and there are few; people decide the rest, others
-- than who asks. It needs no session of the agent, and works when the agent is disabled, changed or gone.
create function undo.commit(p_of text, p_digest text, p_person text, p_reason text, p_reference text, p_bulk int) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  v_rollback uuid := gen_random_uuid();
  v_hold uuid; v_until timestamptz; v_warn timestamptz; v_hours text; v_escalate text; v_tier text := 'auto'; v_kind text; v_window int; v_people int; v_approvers text[]; v_verdict text := 'permit'; v_reasons jsonb := '[]';
  v_agent controls.agent;
  v_scope controls.scope;
  v_run controls.run;
  v_parameters text;
  v_salt bytea := uuid_send(gen_random_uuid());
  v_all undo.reversal[];
  v_decisions uuid[];
  v_groups json[];
  v_before int;
  v_asks boolean;
  v_most int;
  v_actions json;
  v_name text;
begin
  select array_agg(row(gen_random_uuid(), v_rollback, n, c.decision_id, c.action, c.kind, 'waiting', null, null, false, false)::undo.reversal order by n), array_agg(c.decision_id order by n), max(c.agent),
      array_agg(c.approvers) filter (where json_array_length(c.approvers) > 0), bool_or(c.asks), max(c.people) filter (where c.asks)
    into v_all, v_decisions, v_name, v_groups, v_asks, v_most from undo.candidates(p_of::json) with ordinality as c(decision_id, agent, action, at, kind, sentence, asks, people, approvers, state, n) where c.state = 'ready';
  if v_all is null then return json_build_object('refused', 'NothingToReverse'); end if;
  if p_digest is distinct from undo.digest(v_decisions) then return json_build_object('refused', 'PlanChanged'); end if;
  v_agent := (select a from controls.agent a where a.name = v_name);
  v_scope := (select s from controls.scope s where s.agent = v_agent.name and s.card_digest = v_agent.card_digest and s.environment = v_agent.environment);
  -- Many small ones are a large one: what this person, or anybody of this agent, reversed in the last day without others counts, too.
  perform from controls.setting where name = 'log_id' for update;
  v_before := (select count(*) from undo.reversal v join undo.rollback r on r.decision_id = v.rollback join gate.call c on c.decision_id = v.rollback
    where c.verdict = 'permit' and r.advanced_at > controls.now() - interval '1 day' and v.status <> 'skipped' and (r.requested_by = p_person or c.agent = v_agent.name));
  if cardinality(v_all) + v_before >= p_bulk or v_asks then
    v_verdict := 'hold';
    v_reasons := v_reasons || case when cardinality(v_all) + v_before >= p_bulk then jsonb_build_array(format('Bulk: %s decisions are reversed at once, and %s were in the last day', cardinality(v_all), v_before)) else '[]' end
      || case when v_asks then '["TierAsksPeople: people or a verifier had to agree to what is reversed"]'::jsonb else '[]' end;
    -- Groups that may decide for every one of the effects; where none of them names a group, those of the strictest tier.
    select name, kind, window_seconds, greatest(people, v_most), case when v_groups is null then approvers else array(select distinct g from json_array_elements_text(v_groups[1]) g where not exists (select from unnest(v_groups) o where not exists (select from json_array_elements_text(o) m where m = g))) end,
        hours, case when v_groups is null then escalate_to end
      into v_tier, v_kind, v_window, v_people, v_approvers, v_hours, v_escalate from controls.tier where kind = 'human' order by people desc, cardinality(approvers) desc, window_seconds, name limit 1;
    if not found then return json_build_object('refused', 'NoTierForPeople'); end if;
    if v_groups is not null and cardinality(v_approvers) = 0 then return json_build_object('refused', 'NoCommonApprovers'); end if;
    v_hold := gen_random_uuid();
    select o_until, o_warn into v_until, v_warn from hold.ends(v_window, v_hours::json);
  end if;
  insert into controls.run values ('rollback-' || v_rollback, v_agent.name, v_agent.card_digest, v_agent.environment, p_person, p_person, null, p_reason, true, p_reference, null, null, controls.now(), controls.now() + interval '1 hour') returning * into v_run;
  perform gate.entry('run.started', v_run, json_build_object('reference', v_run.reference), json_build_object('card_digest', v_run.card_digest, 'scope_version', encode(sha256(convert_to(v_scope.compiled, 'UTF8')), 'hex'), 'environment', v_run.environment,
    'starter', p_person, 'asked_by', p_person, 'request_trusted', true, 'model', null, 'prompt_digest', null, 'expires_at', v_run.expires_at), audit.canonical(json_build_object('request', p_reason)), null);
  select json_object_agg(action, count) into v_actions from (select r.action, count(*) as count from unnest(v_all) r group by 1) g;
  v_parameters := audit.canonical(json_build_object('of', p_of::json, 'reversals', cardinality(v_all), 'actions', v_actions, 'digest', p_digest));
  perform gate.entry('call.intent', v_run, json_build_object('decision', v_rollback, 'action', 'rollback', 'outcome', v_verdict, 'reference', p_reference), json_build_object('scope', 'rollback', 'rule', 'rollback', 'tier', v_tier,
    'reasons', (select coalesce(jsonb_agg(split_part(r, ':', 1)), '[]') from jsonb_array_elements_text(v_reasons) r), 'hold', v_hold, 'hold_until', v_until, 'escalate_to', v_escalate, 'people', v_people, 'approvers', array_to_json(v_approvers), 'card_digest', v_run.card_digest, 'inputs_are', 'attested'),
    audit.canonical(json_build_object('request', p_reason, 'reason', p_reason, 'saw', '[]'::json)), v_parameters);
  insert into gate.call values (v_rollback, v_run.run_id, 'rollback', v_agent.name, 'rollback', v_parameters, v_salt, encode(sha256(v_salt || convert_to(v_parameters, 'UTF8')), 'hex'), v_run.environment, null, null, null, null, null, v_verdict,
    json_strip_nulls(json_build_object('verdict', v_verdict, 'decisionId', v_rollback, 'holdId', v_hold, 'holdUntil', v_until))::text, null, case v_verdict when 'permit' then 'permitted' else 'held' end, p_reason, controls.now());
  insert into undo.rollback values (v_rollback, p_person, controls.now());
  insert into undo.reversal select (r).* from unnest(v_all) r;
  if v_hold is null then insert into gate.ticket select decision_id, digest, 'permit', controls.now() from gate.call where decision_id = v_rollback;
  else insert into hold.hold select v_hold, v_rollback, v_run.run_id, v_run.agent, 'rollback', v_tier, v_kind, v_approvers, v_people, digest, controls.now(), v_until, v_warn, v_escalate, false, true from gate.call where decision_id = v_rollback; end if;
  return json_strip_nulls(json_build_object('verdict', v_verdict, 'rollback', v_rollback, 'holdId', v_hold, 'holdUntil', v_until, 'reasons', v_reasons, 'reversals', cardinality(v_all)));
end $$;

-- Whether a rollback is about the very decisions that were agreed to.
create function undo.is_agreed(p_call gate.call) returns boolean language sql stable as $$
  select p_call.digest = gate.digest(p_call.salt, p_call.parameters, p_call.staged) and p_call.parameters::json ->> 'digest' = undo.digest(array(select decision_id from undo.reversal where rollback = p_call.decision_id order by position))
$$;

-- Begins a rollback whose ticket is being redeemed: the bytes and the decisions are those that were agreed to.
create function undo.begin(p_call gate.call, p_ticket gate.ticket) returns text language plpgsql as $$
declare
  v_run controls.run := (select r from controls.run r where r.run_id = p_call.run_id);
  v_refused text := case
    when p_call.status not in ('permitted', 'held') or p_call.verdict is distinct from (case p_ticket.issued_for when 'permit' then 'permit' else 'hold' end) then 'NotPermitted'
    when p_ticket.digest is distinct from p_call.digest or not undo.is_agreed(p_call) then 'DigestChanged' end;
begin
  update gate.ticket set redeemed_at = controls.now() where decision_id = p_call.decision_id;
  if v_refused is not null then
    perform gate.settle(p_call, v_run, 'refused', json_build_object('refused', v_refused)::text, '[]', null);
    return json_build_object('refused', v_refused);
  end if;
  update gate.call set status = 'executing' where decision_id = p_call.decision_id;
  update undo.rollback set advanced_at = controls.now() where decision_id = p_call.decision_id;
  return json_build_object('kind', 'rollback', 'decisionId', p_call.decision_id, 'parameters', p_call.parameters, 'salt', encode(p_call.salt, 'hex'), 'digest', p_call.digest, 'staged', p_call.staged);
end $$;

-- Takes the next reversals of a rollback that has begun: those of one action, as many as fit into one answer of their images. Intents first.
-- Null when none is left.
create function undo.claim(p_rollback uuid, p_most int) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
  v_run controls.run;
  v_action controls.action;
  v_first undo.reversal;
  v_ids uuid[];
  v_claimed uuid[];
begin
  perform from undo.rollback where decision_id = p_rollback for update;
  if exists (select from gate.ticket where decision_id = p_rollback and settled_at is not null) then return null; end if; -- whoever ended it could not tell
  perform from gate.ticket where decision_id = p_rollback and redeemed_at is not null;
  if not found then raise exception 'RollbackNotRunning: % has not begun', p_rollback using errcode = '42501'; end if;
  if not (select undo.is_agreed(c) from gate.call c where c.decision_id = p_rollback) then raise exception 'DigestChanged: % is not what was agreed to any more', p_rollback using errcode = '42501'; end if;
  -- A function runs five minutes at most: until then whoever claimed these may still be at it.
  if exists (select from undo.reversal where rollback = p_rollback and status = 'running' and claimed_at > controls.now() - interval '6 minutes') then return json_build_object('busy', true); end if;
  if exists (select from undo.reversal where rollback = p_rollback and not settled and claimed_at is not null) then perform undo.settle(p_rollback, (select json_agg(reversal_id)::text from undo.reversal where rollback = p_rollback and not settled and claimed_at is not null), null, '{}'); end if;
  v_run := (select r from controls.run r join gate.call c on c.run_id = r.run_id where c.decision_id = p_rollback);
  v_first := (select v from undo.reversal v where v.rollback = p_rollback and v.status = 'waiting' order by v.position limit 1);
  if v_first.reversal_id is null then return null; end if;
  select array_agg(n.reversal_id) into v_ids from (
    select v.reversal_id, v.position, sum((select sum(length(i.sealed)) from undo.image i where i.decision_id = v.decision_id)) over (order by v.position) as size from undo.reversal v
    where v.rollback = p_rollback and v.status = 'waiting' and v.position >= v_first.position
      and v.position < coalesce((select min(o.position) from undo.reversal o where o.rollback = p_rollback and o.status = 'waiting' and (o.action <> v_first.action or o.kind <> v_first.kind)), 2147483647)
    -- A compensation leaves the process: each is alone, or one that dies would take others along.
    order by v.position limit case v_first.kind when 'compensate' then 1 else p_most end) n where n.size is null or n.size < 600000 or n.position = v_first.position;
  -- Whoever reverses the same decision in another rollback waits here, and then sees it.
  perform from gate.call c where c.decision_id in (select decision_id from undo.reversal where reversal_id = any (v_ids)) order by c.decision_id for no key update;
  v_action := (select a from controls.action a where a.name = v_first.action);
  update undo.reversal v set status = 'skipped', why = case when v_action.name is null then 'ActionGone' when v_action.manifest_digest <> c.manifest_digest then 'ActionChanged' when not exists (select from undo.image i where i.decision_id = v.decision_id) then 'ImageGone' else 'AlreadyReversed' end
    from gate.call c where c.decision_id = v.decision_id and v.reversal_id = any (v_ids) and (v_action.manifest_digest is distinct from c.manifest_digest or not exists (select from undo.image i where i.decision_id = v.decision_id)
      or exists (select from undo.reversal o where o.decision_id = v.decision_id and o.status in ('running', 'reversed', 'unknown')));
  with running as (update undo.reversal set status = 'running', claimed_at = controls.now() where reversal_id = any (v_ids) and status = 'waiting' returning reversal_id) select array_agg(reversal_id) into v_claimed from running;
  update undo.rollback set advanced_at = controls.now() where decision_id = p_rollback;
  if v_claimed is null then return json_build_object('items', '[]'::json); end if;
  insert into gate.call select v.reversal_id, v_run.run_id, 'reversal ' || v.position, v_run.agent, v.action, p.parameters, s.salt, encode(sha256(s.salt || convert_to(p.parameters, 'UTF8')), 'hex'), v_run.environment, v_action.manifest_digest, v_action.bundle_digest, null, null, null,
      'permit', json_build_object('verdict', 'permit', 'decisionId', v.reversal_id)::text, null, 'executing', null, controls.now()
    from undo.reversal v, lateral (select json_build_object('reverses', v.decision_id)::text as t) j, lateral (select audit.canonical(j.t::json) as parameters) p, lateral (select uuid_send(gen_random_uuid()) as salt where v.reversal_id is not null) s where v.reversal_id = any (v_claimed);
  perform audit.chain((select json_agg(json_build_object('kind', 'call.intent', 'agent', v_run.agent, 'run', v_run.run_id, 'decision', v.reversal_id, 'action', v.action, 'reference', p_rollback, 'outcome', 'permit',
    'facts', json_build_object('scope', 'rollback', 'rule', 'rollback', 'reasons', '[]'::json, 'reverses', v.decision_id, 'rollback', p_rollback, 'card_digest', v_run.card_digest, 'manifest_digest', v_action.manifest_digest, 'inputs_are', 'attested')::text,
    'inputs', '{"saw":[]}', 'output', c.parameters) order by v.position) from undo.reversal v join gate.call c on c.decision_id = v.reversal_id where v.reversal_id = any (v_claimed)));
  return json_build_object('action', v_first.action, 'kind', v_first.kind, 'agent', v_run.agent, 'function', v_action.function_name,
    'items', (select json_agg(json_build_object('reversal', reversal_id, 'decision', decision_id) order by position) from undo.reversal where reversal_id = any (v_claimed)));
end $$;

-- Says that a compensation begins, before anything leaves: what never began did not happen, and who comes too late does not begin.
create function undo.begins(p_reversal uuid, p_decision uuid) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update undo.reversal set begun = true where reversal_id = p_reversal and decision_id = p_decision and status = 'running' and not begun;
  if not found then raise exception 'ReversalNotRunning: % is not running', p_reversal using errcode = '42501'; end if;
  return '{}';
end $$;

-- Says what came of reversals, in the transaction that made them: who comes too late for that makes none.
create function undo.mark(p_marks text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_count int;
begin
  update undo.reversal v set status = m.status, why = m.why from json_to_recordset(p_marks::json) as m(reversal uuid, decision uuid, status text, why text)
    where v.reversal_id = m.reversal and v.decision_id = m.decision and v.status = 'running' and m.status in ('reversed', 'conflict', 'failed');
  get diagnostics v_count = row_count;
  if v_count <> json_array_length(p_marks::json) then raise exception 'ReversalNotRunning: % of % reversals are running', v_count, json_array_length(p_marks::json) using errcode = '42501'; end if;
  return '{}';
end $$;

-- Records what came of the reversals that were claimed. One that nobody marked made no change, but for a compensation that had begun.
create function undo.settle(p_rollback uuid, p_claimed text, p_bundle text, p_writes text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_run controls.run := (select r from controls.run r join gate.call c on c.run_id = r.run_id where c.decision_id = p_rollback);
  v_entries json;
  v_claimed uuid[] := array(select json_array_elements_text(p_claimed::json)::uuid);
begin
  perform from undo.rollback where decision_id = p_rollback for update;
  update undo.reversal set status = case when begun then 'unknown' else 'failed' end, why = 'NotFinished' where rollback = p_rollback and reversal_id = any (v_claimed) and status = 'running';
  update gate.call c set status = o.outcome, result = o.result from undo.reversal v, lateral (select case v.status when 'reversed' then 'executed' when 'conflict' then 'refused' else v.status end as outcome,
      case when v.status = 'reversed' then '{"reversed":true}' else audit.canonical(json_build_object('refused', v.why)) end as result) o where c.decision_id = v.reversal_id and v.rollback = p_rollback and v.reversal_id = any (v_claimed) and not v.settled and v.claimed_at is not null;
  with settled as (update undo.reversal set settled = true where rollback = p_rollback and reversal_id = any (v_claimed) and not settled and claimed_at is not null returning *)
  select json_agg(json_build_object('kind', 'call.outcome', 'agent', v_run.agent, 'run', v_run.run_id, 'decision', v.reversal_id, 'action', v.action, 'outcome', c.status, 'facts', json_build_object('bundle_digest', p_bundle, 'effect', 'write', 'reversal', v.status)::text,
    'inputs', case when v.status = 'reversed' and p_writes::json -> v.reversal_id::text is not null then audit.canonical(json_build_object('downstream_writes', p_writes::json -> v.reversal_id::text)) end,
    'output', c.result) order by v.position) into v_entries from settled v join gate.call c on c.decision_id = v.reversal_id;
  if v_entries is not null then perform audit.chain(v_entries); end if;
  update undo.rollback set advanced_at = controls.now() where decision_id = p_rollback;
  return '{}';
end $$;

-- Ends a rollback that has nothing left to do, once.
create function undo.finish(p_rollback uuid) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ticket gate.ticket;
  v_call gate.call;
  v_result text;
begin
  select * into v_ticket from gate.ticket where decision_id = p_rollback for update;
  v_call := (select c from gate.call c where c.decision_id = p_rollback);
  if v_ticket.settled_at is not null then return v_call.result; end if;
  if exists (select from undo.reversal where rollback = p_rollback and (status in ('waiting', 'running') or (claimed_at is not null and not settled))) then raise exception 'RollbackNotDone: % has reversals left', p_rollback using errcode = '22023'; end if;
  v_result := audit.canonical((select json_object_agg(status, count) from (select status, count(*) as count from undo.reversal where rollback = p_rollback group by 1) s));
  perform gate.settle(v_call, (select r from controls.run r where r.run_id = v_call.run_id), case when exists (select from undo.reversal where rollback = p_rollback and status = 'reversed') then 'executed' else 'failed' end, v_result, '[]', null);
  return v_result;
end $$;

-- Ends rollbacks whose executor came to no end: what it had not begun is not begun any more, and can be asked for again.
create function undo.reconcile() returns int language plpgsql as $$
declare
  v_rollback uuid;
  v_count int := 0;
begin
  for v_rollback in select r.decision_id from undo.rollback r join gate.ticket t using (decision_id) where t.redeemed_at is not null and t.settled_at is null and r.advanced_at < controls.now() - interval '10 minutes' for update of r skip locked loop
    perform undo.settle(v_rollback, (select coalesce(json_agg(reversal_id), '[]')::text from undo.reversal where rollback = v_rollback and not settled and claimed_at is not null), null, '{}');
    update undo.reversal set status = 'skipped', why = 'NeverBegun' where rollback = v_rollback and status = 'waiting';
    perform undo.finish(v_rollback);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- What a person found out about a reversal of which nobody knew: it came about, or it did not and may be tried again.
create function undo.resolve(p_rollback uuid, p_reversal uuid, p_status text, p_person text, p_reason text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_reversal undo.reversal;
  v_run controls.run := (select r from controls.run r join gate.call c on c.run_id = r.run_id where c.decision_id = p_rollback);
begin
  if p_status not in ('reversed', 'failed') then raise exception 'StatusUnknown: %', p_status using errcode = '22023'; end if;
  update undo.reversal set status = p_status, why = 'Resolved' where reversal_id = p_reversal and rollback = p_rollback and status = 'unknown' returning * into v_reversal;
  if not found then return json_build_object('refused', 'NotUnknown'); end if;
  perform gate.entry('reversal.resolved', v_run, json_build_object('decision', p_reversal, 'action', v_reversal.action, 'outcome', p_status, 'reference', p_rollback), json_build_object('reverses', v_reversal.decision_id, 'person', p_person), audit.canonical(json_build_object('reason', p_reason)), null);
  return json_build_object('reversal', p_reversal, 'status', p_status);
end $$;

-- What a person found out about a call of which nobody knew what came of it: its newest outcome. Where it had no effect, its reservations are free again.
create function undo.resolve_call(p_decision uuid, p_status text, p_person text, p_reason text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_call gate.call;
begin
  if p_status not in ('executed', 'failed') then raise exception 'StatusUnknown: %', p_status using errcode = '22023'; end if;
  update gate.call set status = p_status where decision_id = p_decision and status = 'unknown' and not exists (select from undo.rollback r where r.decision_id = p_decision) and not exists (select from undo.reversal v where v.reversal_id = p_decision) returning * into v_call;
  if not found then return json_build_object('refused', 'NotUnknown'); end if;
  update gate.ticket set reconciled = false where decision_id = p_decision; -- a report that comes now changes nothing more
  if p_status = 'failed' then update gate.usage set released = true where decision_id = p_decision; end if;
  perform gate.entry('call.outcome', (select r from controls.run r where r.run_id = v_call.run_id), json_build_object('decision', p_decision, 'action', v_call.action, 'outcome', p_status), json_build_object('resolved_by', p_person), audit.canonical(json_build_object('reason', p_reason)), v_call.result);
  return json_build_object('decision', p_decision, 'status', p_status);
end $$;

-- How far a rollback is, and what it could not undo.
create function undo.progress(p_rollback uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('rollback', c.decision_id, 'agent', c.agent, 'status', c.status, 'holdId', h.hold_id, 'holdUntil', h.hold_until,
    'reversals', (select coalesce(json_object_agg(s.status, s.count), '{}') from (select v.status, count(*) as count from undo.reversal v where v.rollback = c.decision_id group by 1) s),
    'left', (select coalesce(json_agg(json_build_object('reversal', v.reversal_id, 'decision', v.decision_id, 'action', v.action, 'status', v.status, 'why', v.why) order by v.position), '[]')
      from (select * from undo.reversal v where v.rollback = c.decision_id and v.status in ('conflict', 'failed', 'unknown', 'skipped') order by v.position limit 200) v))
  from gate.call c join undo.rollback r using (decision_id) left join hold.hold h using (decision_id) where c.decision_id = p_rollback
$$;

-- What an approver of a rollback is shown: the newest of what would be reversed, how, and in which words.
create function undo.shown(p_rollback uuid) returns json language sql stable as $$
  select json_agg(json_build_object('decision', n.decision_id, 'action', n.action, 'at', n.at, 'kind', n.kind, 'sentence', a.manifest::json -> 'reverse' ->> 'sentence', 'parameters', left(n.parameters, 200)) order by n.position)
  from (select v.*, c.at, c.parameters from undo.reversal v join gate.call c using (decision_id) where v.rollback = p_rollback order by v.position limit 50) n left join controls.action a on a.name = n.action
$$;

-- A table with row security of its own is opened to whoever reverses writes to it; one that cards limit is open already.
create function undo.open_rows(p_table regclass, p_role text) returns text language plpgsql as $$
begin
  if (select relrowsecurity from pg_catalog.pg_class where oid = p_table) and not exists (select from pg_catalog.pg_policy where polrelid = p_table and polname = 'everyone else') then
    execute format('create policy %I on %s to %I using (true) with check (true)', p_role || ' opened', p_table, p_role);
  end if;
  return '{}';
end $$;

grant usage on schema undo to {{role.rollback}}, {{role.executor}}, {{role.keeper}};

revoke all on all functions in schema undo from public;

grant execute on function undo.plan(text), undo.commit(text, text, text, text, text, int), undo.progress(uuid), undo.resolve(uuid, uuid, text, text, text), undo.resolve_call(uuid, text, text, text) to {{role.rollback}};

grant execute on function undo.looks(text, int), undo.claim(uuid, int), undo.settle(uuid, text, text, text), undo.finish(uuid) to {{role.executor}};

grant execute on function undo.expire(int) to {{role.keeper}};

grant usage on schema undo to {{role.auditor}};

grant select (decision_id, requested_by) on undo.rollback to {{role.auditor}};

grant select (reversal_id, rollback, position, decision_id, status, settled) on undo.reversal to {{role.auditor}};
