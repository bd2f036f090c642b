-- Holds as compare-and-set. Postgres is the arbiter of who was first; the state machine only keeps the time.

create function hold.entry(p_kind text, p_hold hold.hold, p_outcome text, p_approver text, p_facts jsonb, p_inputs text) returns void language plpgsql as $$
declare
  v_run controls.run := (select r from controls.run r where r.run_id = p_hold.run_id);
begin
  perform gate.entry(p_kind, v_run, json_build_object('decision', p_hold.decision_id, 'action', p_hold.action, 'approver', p_approver, 'outcome', p_outcome),
    (jsonb_build_object('hold', p_hold.hold_id, 'digest', p_hold.digest) || p_facts)::json, p_inputs, null);
end $$;

-- What a verifier said, once a hold, and under which version of it.
create table hold.opinion (hold_id uuid primary key references hold.hold on delete cascade, verdict text not null check (verdict in ('approve', 'reject', 'unsure')), version text, at timestamptz not null);

-- When a hold that is staged now ends, and when its people are warned. Where it waits until the end of the business day, what is staged in its
-- last hour or after it waits until the end of the next; nobody is warned before that day begins.
create function hold.ends(p_window int, p_hours json, out o_until timestamptz, out o_warn timestamptz) language plpgsql as $$
declare
  v_now timestamptz := controls.now();
  v_zone text := p_hours ->> 'timeZone';
  v_day date := (v_now at time zone coalesce(v_zone, 'UTC'))::date;
  v_opens timestamptz := v_now;
begin
  o_until := v_now + make_interval(secs => p_window);
  if p_hours is not null then
    for i in 0 .. 14 loop
      if extract(isodow from v_day + i) < 6 and not exists (select from json_array_elements_text(p_hours -> 'holidays') d where d::date = v_day + i)
        and ((v_day + i) + make_interval(mins => (p_hours ->> 'closes')::int)) at time zone v_zone >= v_now + interval '1 hour' then
        v_opens := ((v_day + i) + make_interval(mins => (p_hours ->> 'opens')::int)) at time zone v_zone;
        o_until := least(o_until, ((v_day + i) + make_interval(mins => (p_hours ->> 'closes')::int)) at time zone v_zone);
        exit;
      end if;
    end loop;
  end if;
  o_warn := least(greatest(v_now + (o_until - v_now) / 2, v_opens), o_until - interval '30 seconds');
end $$;

-- How long is left until something is to be done: people warned, or the window ended.
create function hold.open(p_hold uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('holdId', hold_id, 'status', status, 'secondsLeft', greatest(1, ceil(extract(epoch from case when warned then hold_until else warn_at end - controls.now())))::int,
    'staging', status = 'pending' and not staged, 'verifiable', status = 'pending' and kind = 'verify' and not exists (select from hold.opinion o where o.hold_id = p_hold)) from hold.hold where hold_id = p_hold
$$;

-- What is to be fixed before anybody is asked, and by whom.
create function hold.to_stage(p_hold uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('decisionId', c.decision_id, 'agent', h.agent, 'action', h.action, 'function', a.function_name, 'loginSecretArn', g.secret_arn, 'parameters', c.parameters, 'justification', c.justification)
  from hold.hold h join gate.call c using (decision_id) join controls.agent g on g.name = h.agent left join controls.action a on a.name = h.action where h.hold_id = p_hold and h.status = 'pending' and not h.staged and g.enabled
$$;

-- Fixes the bytes that people are asked about, once: from here on the digest covers them. What cannot be fixed is not asked about, and is cancelled.
create function hold.stage(p_hold uuid, p_staged text, p_resolved text, p_error text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hold hold.hold;
begin
  select * into v_hold from hold.hold where hold_id = p_hold for update;
  if not found then return json_build_object('refused', 'HoldUnknown'); end if;
  if v_hold.status <> 'pending' or v_hold.staged then return json_build_object('status', v_hold.status); end if;
  if p_error is not null then
    update hold.hold set status = 'cancelled' where hold_id = p_hold returning * into v_hold;
    perform hold.cancel(v_hold);
    perform hold.entry('hold.cancelled', v_hold, 'cancelled', null, jsonb_build_object('reason', p_error), null);
    return json_build_object('status', 'cancelled');
  end if;
  update gate.call set staged = p_staged, digest = gate.digest(salt, parameters, p_staged) where decision_id = v_hold.decision_id;
  update hold.hold set staged = true, digest = (select digest from gate.call where decision_id = v_hold.decision_id) where hold_id = p_hold returning * into v_hold;
  perform hold.entry('hold.staged', v_hold, 'staged', null, '{}', p_resolved);
  return json_build_object('status', 'pending');
end $$;

-- Leaves the state machine's task token beside the hold. When the hold is decided already, says so instead.
create function hold.attend(p_hold uuid, p_token text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hold hold.hold;
begin
  select * into v_hold from hold.hold where hold_id = p_hold for update;
  if not found then return json_build_object('refused', 'HoldUnknown'); end if;
  if v_hold.status = 'pending' then update hold.hold set token = p_token where hold_id = p_hold; end if;
  return json_build_object('status', v_hold.status, 'first', v_hold.token is null, 'action', v_hold.action, 'agent', v_hold.agent, 'holdUntil', v_hold.hold_until);
end $$;

-- Whether a person of these groups may see and decide a hold. A hold that names no group is for every approver, and for no one else;
-- the group * is the break-glass role's.
create function hold.is_for(p_hold hold.hold, p_groups text) returns boolean language sql immutable as $$
  select json_array_length(p_groups::json) > 0 and (cardinality(p_hold.approvers) = 0 or (p_hold.warned and p_hold.escalate_to in (select json_array_elements_text(p_groups::json))) or p_hold.approvers && array(select json_array_elements_text(p_groups::json)) or '*' in (select json_array_elements_text(p_groups::json)))
$$;

-- Counts one verdict of somebody who may give it, on a row that the caller has locked.
create function hold.count_verdict(p_hold hold.hold, p_verdict text, p_who json, p_reason text, p_code text) returns text language plpgsql as $$
declare
  v_hold hold.hold := p_hold;
  v_approvals int;
begin
  insert into hold.verdict values (v_hold.hold_id, p_who ->> 'person', p_verdict, p_reason, p_who ->> 'signedIn', controls.now(), p_code, p_who ->> 'name');
  v_approvals := (select count(*) from hold.verdict where hold_id = v_hold.hold_id and verdict = 'approve');
  if p_verdict = 'reject' then
    update hold.hold set status = 'rejected' where hold_id = v_hold.hold_id returning * into v_hold;
  elsif v_approvals >= v_hold.people then
    update hold.hold set status = 'approved' where hold_id = v_hold.hold_id returning * into v_hold;
    insert into gate.ticket values (v_hold.decision_id, v_hold.digest, 'approval', controls.now());
  end if;
  if v_hold.status = 'rejected' then perform hold.cancel(v_hold); end if;
  perform hold.entry(case when v_hold.status = 'pending' then 'hold.seconded' else 'hold.' || v_hold.status end, v_hold, p_verdict, p_who ->> 'person',
    jsonb_build_object('groups', p_who -> 'groups', 'signed_in', p_who ->> 'signedIn', 'approvals', v_approvals, 'people', v_hold.people),
    audit.canonical(json_build_object('name', p_who ->> 'name', 'reason', p_reason)));
  return json_build_object('status', v_hold.status, 'token', case when v_hold.status <> 'pending' then v_hold.token end);
end $$;

-- How often somebody asked lately: nobody reads sixty calls a minute.
create table hold.pace (person text primary key, since timestamptz not null, attempts int not null);

create function hold.is_too_fast(p_person text) returns boolean language sql as $$
  insert into hold.pace as p values (p_person, controls.now(), 1) on conflict (person) do update
    set attempts = case when p.since > excluded.since - interval '1 minute' then p.attempts + 1 else 1 end, since = case when p.since > excluded.since - interval '1 minute' then p.since else excluded.since end
  returning attempts > 60
$$;

-- Names as they may be written for one person: an address counts as what stands before its @ and its +, too.
create function hold.names(p_names text[]) returns text[] language sql immutable as $$
  select coalesce(array_agg(distinct n.name), '{}') from unnest(p_names) a, lateral (values (lower(a)), (regexp_replace(lower(a), '[+@].*$', ''))) n(name) where n.name <> ''
$$;

-- Who vouches for a person: an issuer of tokens, or IAM.
create function hold.issuer(p_person text) returns text language sql immutable as $$
  select case when strpos(p_person, '#') > 0 then split_part(p_person, '#', 1) else 'iam' end
$$;

-- Those who asked for a call, by all their names, and whoever owns its agent.
create function hold.askers(p_run controls.run) returns text[] language sql stable as $$
  select hold.names(array[regexp_replace(p_run.starter, '^.*/', ''), regexp_replace(p_run.asked_by, '^.*/', '')] || array(
    select o.value from controls.scope s, json_each_text(s.card::json -> 'owners') o where s.agent = p_run.agent and s.card_digest = p_run.card_digest and o.key = 'product'))
$$;

-- Those who wrote the parameters of a call that people changed, or of what it was changed from.
create function hold.changers(p_decision uuid) returns setof gate.change language sql stable as $$
  with recursive chain as (select c from gate.change c where c.decision_id = p_decision union all select n from chain p join gate.change n on n.decision_id = (p.c).of)
  select (c).* from chain
$$;

-- Why somebody cannot give a verdict on a hold that is locked, or null.
create function hold.refusal(p_hold hold.hold, p_digest text, p_verdict text, p_who json) returns text language plpgsql as $$
declare
  v_person text := p_who ->> 'person';
  v_names text[] := hold.names(array(select json_array_elements_text(p_who -> 'aliases')) || v_person);
  v_run controls.run := (select r from controls.run r where r.run_id = p_hold.run_id);
  v_mine hold.verdict := (select v from hold.verdict v where v.hold_id = p_hold.hold_id and v.person = v_person);
begin
  return case
    when hold.is_for(p_hold, p_who ->> 'groups') is not true then 'NotAnApprover'
    when v_names && hold.askers(v_run) or exists (select from hold.changers(p_hold.decision_id) c where v_names && hold.names(c.names || c.person)) then 'OwnRequest'
    when v_mine.person is not null and v_mine.verdict <> p_verdict then 'AlreadyDecided'
    when v_mine.person is not null then null
    when p_hold.status <> 'pending' then case p_hold.status when 'expired' then 'HoldExpired' else 'AlreadyDecided' end
    when p_hold.hold_until <= controls.now() then 'HoldExpired'
    when (select c.verdict from gate.call c where c.decision_id = p_hold.decision_id) is distinct from 'hold' then 'NotHeld'
    when not p_hold.staged then 'NotStaged'
    when p_hold.digest is distinct from p_digest then 'DigestMismatch'
    when p_hold.kind = 'human' and (p_who ->> 'fresh')::boolean is not true then 'SignInStale'
    -- One person may have an account with each of two issuers.
    when p_verdict = 'approve' and (exists (select from hold.verdict v where v.hold_id = p_hold.hold_id and v.person not like 'verifier:%' and hold.issuer(v.person) <> hold.issuer(v_person))
      or exists (select from hold.changers(p_hold.decision_id) c where hold.issuer(c.person) <> hold.issuer(v_person))) then 'SecondIssuer'
  end;
end $$;

-- One verdict of one person. The clock is read after the row is locked, so an approval that waited past the end has no effect.
create function hold.decide(p_hold uuid, p_digest text, p_verdict text, p_who text, p_reason text, p_code text)
returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_who json := p_who::json;
  v_hold hold.hold;
  v_refused text;
begin
  if p_verdict not in ('approve', 'reject') then raise exception 'VerdictUnknown: %', p_verdict using errcode = '22023'; end if;
  if hold.is_too_fast(v_who ->> 'person') then return json_build_object('refused', 'TooManyVerdicts'); end if;
  select * into v_hold from hold.hold where hold_id = p_hold for update;
  if not found then return json_build_object('refused', 'HoldUnknown'); end if;
  v_refused := hold.refusal(v_hold, p_digest, p_verdict, v_who);
  if v_refused is not null then
    perform hold.entry('verdict.refused', v_hold, v_refused, null, jsonb_build_object('person', v_who ->> 'person'), null);
    return json_build_object('refused', v_refused);
  end if;
  if not exists (select from hold.verdict v where v.hold_id = p_hold and v.person = v_who ->> 'person') then return hold.count_verdict(v_hold, p_verdict, v_who, p_reason, p_code); end if;
  return json_build_object('status', v_hold.status, 'token', case when v_hold.status <> 'pending' then v_hold.token end);
end $$;

-- Whether somebody may reject a hold to propose something else, or has rejected it and not proposed yet: asked before the gate is asked anything for them.
create function hold.may_change(p_hold uuid, p_digest text, p_who text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_who json := p_who::json;
  v_hold hold.hold;
  v_refused text;
begin
  if hold.is_too_fast(v_who ->> 'person') then return json_build_object('refused', 'TooManyVerdicts'); end if;
  select * into v_hold from hold.hold where hold_id = p_hold for update;
  if not found then return json_build_object('refused', 'HoldUnknown'); end if;
  v_refused := hold.refusal(v_hold, p_digest, 'reject', v_who);
  if v_refused is not null then
    perform hold.entry('verdict.refused', v_hold, v_refused, null, jsonb_build_object('person', v_who ->> 'person'), null);
    return json_build_object('refused', v_refused);
  end if;
  return json_build_object('status', v_hold.status);
end $$;

-- What a verifier is shown: the proposal as it is staged, and what a trusted request says. Nothing of what the agent says for itself.
create function hold.proposal(p_hold uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('holdId', h.hold_id, 'decisionId', h.decision_id, 'agent', h.agent, 'action', h.action, 'tier', h.tier, 'digest', h.digest, 'parameters', c.parameters::json, 'staged', c.staged, 'request', case when r.request_trusted then r.request end,
    'declaration', (select a.manifest::json from controls.action a where a.name = h.action))
  from hold.hold h join gate.call c using (decision_id) join controls.run r on r.run_id = h.run_id
  where h.hold_id = p_hold and h.status = 'pending' and h.staged and h.kind = 'verify' and h.hold_until > controls.now() and not exists (select from hold.opinion o where o.hold_id = p_hold)
$$;

-- Takes a verifier's answer. It may approve what its tier lets it approve, and refuse; where it is unsure people decide. It counts as one of
-- those who must agree, and never as two.
create function hold.verify(p_hold uuid, p_digest text, p_verdict text, p_reason text, p_version text, p_code text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hold hold.hold;
begin
  if p_verdict not in ('approve', 'reject', 'unsure') then raise exception 'VerdictUnknown: %', p_verdict using errcode = '22023'; end if;
  select * into v_hold from hold.hold where hold_id = p_hold for update;
  if not found then return json_build_object('refused', 'HoldUnknown'); end if;
  -- Nor about an agent of which something unusual was found since.
  if v_hold.kind <> 'verify' or exists (select from controls.caution c where c.agent = v_hold.agent) then return json_build_object('refused', 'NotForVerifiers'); end if;
  if v_hold.status <> 'pending' then return json_build_object('refused', 'AlreadyDecided'); end if;
  if v_hold.hold_until <= controls.now() then return json_build_object('refused', 'HoldExpired'); end if;
  if v_hold.digest <> p_digest then return json_build_object('refused', 'DigestMismatch'); end if;
  insert into hold.opinion values (p_hold, p_verdict, p_version, controls.now()) on conflict do nothing;
  if not found then return json_build_object('refused', 'AlreadyDecided'); end if;
  if p_verdict = 'unsure' then
    perform hold.entry('verifier.unsure', v_hold, 'unsure', null, json_build_object('version', p_version)::jsonb, audit.canonical(json_build_object('reason', p_reason)));
    return json_build_object('status', v_hold.status);
  end if;
  return hold.count_verdict(v_hold, p_verdict, json_build_object('person', 'verifier:' || v_hold.tier, 'name', 'verifier', 'groups', '[]'::json, 'signedIn', 'verifier ' || coalesce(p_version, '')), p_reason, p_code);
end $$;

-- A cancelled call had no effect: its reservations are free again.
create function hold.cancel(p_hold hold.hold) returns void language plpgsql as $$
begin
  update gate.call set status = p_hold.status, staged = null where decision_id = p_hold.decision_id;
  update gate.usage set released = true where decision_id = p_hold.decision_id;
end $$;

-- Cancels whatever of an agent waits for people; its calls have no effect any more. What undoes them still waits.
create function hold.cancel_all(p_agent text, p_reason text) returns int language plpgsql as $$
declare
  v_hold hold.hold;
  v_count int := 0;
begin
  for v_hold in select * from hold.hold h where h.agent = p_agent and h.status = 'pending' and not exists (select from undo.rollback r where r.decision_id = h.decision_id) for update loop
    update hold.hold set status = 'cancelled' where hold_id = v_hold.hold_id returning * into v_hold;
    perform hold.cancel(v_hold);
    perform hold.entry('hold.cancelled', v_hold, 'cancelled', null, jsonb_build_object('reason', p_reason), null);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;

-- Ends a hold that nobody answered, or warns its people once. Called early, or after a verdict, it changes nothing and says how things stand.
create function hold.expire(p_hold uuid) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hold hold.hold;
  v_warned boolean := false;
begin
  select * into v_hold from hold.hold where hold_id = p_hold for update;
  if not found then return json_build_object('refused', 'HoldUnknown'); end if;
  if v_hold.status = 'pending' and v_hold.hold_until <= controls.now() then
    update hold.hold set status = 'expired' where hold_id = p_hold returning * into v_hold;
    perform hold.cancel(v_hold);
    perform hold.entry('hold.expired', v_hold, 'expired', null, jsonb_build_object('hold_until', v_hold.hold_until), null);
  elsif v_hold.status = 'pending' and not v_hold.warned and v_hold.warn_at <= controls.now() then
    update hold.hold set warned = true where hold_id = p_hold;
    perform hold.entry('hold.warned', v_hold, 'warned', null, jsonb_build_object('hold_until', v_hold.hold_until, 'escalated_to', v_hold.escalate_to), null);
    v_warned := true;
  end if;
  return json_build_object('status', v_hold.status, 'action', v_hold.action, 'agent', v_hold.agent, 'holdUntil', v_hold.hold_until, 'warned', v_warned, 'escalatedTo', case when v_warned then v_hold.escalate_to end);
end $$;

-- What became of a hold's call, for those who are told.
create function hold.told(p_hold uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('status', h.status, 'action', h.action, 'agent', h.agent, 'outcome', c.status) from hold.hold h join gate.call c using (decision_id) where h.hold_id = p_hold
$$;

-- Claims an approved hold for its one execution.
create function hold.claim(p_hold uuid) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_hold hold.hold := (select h from hold.hold h where h.hold_id = p_hold);
  v_redeemed jsonb;
begin
  if v_hold.hold_id is null then return json_build_object('refused', 'HoldUnknown'); end if;
  if v_hold.status <> 'approved' then return json_build_object('refused', 'NotApproved'); end if;
  -- Who approved, with what proves it: the executor asks the key, and not this table.
  v_redeemed := gate.redeem(v_hold.decision_id)::jsonb;
  if v_redeemed ? 'refused' then return v_redeemed; end if;
  return v_redeemed || jsonb_build_object('people', v_hold.people, 'digest', v_hold.digest, 'approvals', (select json_agg(json_build_object('person', person, 'code', code)) from hold.verdict where hold_id = p_hold and verdict = 'approve'));
end $$;

-- What waits for these groups: no payload, so that no call can make the list too large to read.
create function hold.list(p_groups text) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(json_build_object('holdId', h.hold_id, 'agent', h.agent, 'action', h.action, 'tier', h.tier, 'stagedAt', h.staged_at, 'holdUntil', h.hold_until, 'secondsLeft', ceil(extract(epoch from h.hold_until - controls.now()))::int, 'people', h.people,
    'approvals', (select count(*) from hold.verdict v where v.hold_id = h.hold_id and v.verdict = 'approve')) order by h.hold_until), '[]')
  from (select * from hold.hold h where h.status = 'pending' and h.staged and h.hold_until > controls.now() and hold.is_for(h, p_groups) order by h.hold_until limit 100) h
$$;

-- What an approver is shown of one: the exact bytes and their digest, and where it stands. The Data API returns 64 KB a row: parameters and what was
-- fixed fill one, the words around them another, the rest a third.
create function hold.show(p_groups text, p_hold uuid) returns text language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select json_build_object('holdId', h.hold_id, 'decisionId', h.decision_id, 'agent', h.agent, 'runId', h.run_id, 'action', h.action, 'tier', h.tier, 'kind', h.kind, 'status', h.status, 'digest', h.digest,
    'stagedAt', h.staged_at, 'holdUntil', h.hold_until, 'now', controls.now(), 'parameters', c.parameters::json, 'staged', c.staged, 'requestTrusted', r.request_trusted,
    'reference', r.reference, 'approvers', h.approvers, 'people', h.people, 'outcome', c.status, 'reverses', undo.shown(h.decision_id))
  from hold.hold h join gate.call c using (decision_id) join controls.run r on r.run_id = h.run_id
  where h.hold_id = p_hold and h.staged and hold.is_for(h, p_groups));
end $$;

-- What was asked and said.
create function hold.words(p_groups text, p_hold uuid) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('request', r.request, 'justification', c.justification, 'why', (select audit.json_of(audit.inputs_of(e.head, e.seq)) ->> 'reason' from audit.entry e where e.decision_id = h.decision_id and e.kind = 'call.intent'))
  from hold.hold h join gate.call c using (decision_id) join controls.run r on r.run_id = h.run_id where h.hold_id = p_hold and h.staged and hold.is_for(h, p_groups)
$$;

-- What the agent saw before it proposed: the reads that its intent names.
create function hold.saw_ids(p_decision uuid) returns setof uuid language sql stable as $$
  select s.id::uuid from audit.entry e, jsonb_array_elements_text(audit.json_of(audit.inputs_of(e.head, e.seq)) -> 'saw') s(id) where e.decision_id = p_decision and e.kind = 'call.intent'
$$;

-- What stands around it: the declaration of the action, why it was held, who has decided so far, what the run did before, and what the agent saw, by id.
create function hold.around(p_groups text, p_hold uuid) returns text language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select json_build_object('description', m.manifest::json ->> 'description', 'reach', m.manifest::json ->> 'reach', 'reverse', m.manifest::json -> 'reverse', 'writes', coalesce((select json_agg(distinct regexp_replace(w, '^.*\.', '')) from json_array_elements_text(m.manifest::json -> 'writes') w where not exists (select from jsonb_array_elements_text(m.manifest::jsonb -> 'reads') r
      where regexp_replace(r, '^.*\.', '') = regexp_replace(w, '^.*\.', '') and not m.manifest::jsonb -> 'writes' ? r)), '[]'),
    'scope', e.facts::json ->> 'scope', 'rule', c.rule_id, 'reasons', c.answer::json -> 'reasons', 'purpose', s.card::json ->> 'purpose', 'owners', s.card::json -> 'owners', 'environment', s.environment, 'cardDigest', r.card_digest, 'cardApprovedBy', s.approved_by, 'model', r.model,
    'dataClasses', (select json_agg(distinct k.class) from json_array_elements(s.card::json -> 'data-inputs') i, json_array_elements_text(i -> 'classes') k(class)),
    'changes', (select json_build_object('decisionId', g.of, 'name', coalesce(g.names[1], g.person), 'parameters', left(o.parameters, 3000)) from gate.change g join gate.call o on o.decision_id = g.of where g.decision_id = h.decision_id),
    'verdicts', coalesce((select json_agg(json_build_object('name', v.name, 'verdict', v.verdict, 'reason', left(v.reason, 500), 'at', v.at) order by v.at) from hold.verdict v where v.hold_id = p_hold), '[]'),
    'opinion', (select json_build_object('verdict', o.verdict, 'version', o.version) from hold.opinion o where o.hold_id = p_hold),
    'earlier', coalesce((select json_agg(json_build_object('decisionId', b.decision_id, 'action', b.action, 'verdict', b.verdict, 'status', b.status, 'at', b.at) order by b.at desc) from (select * from gate.call b where b.run_id = h.run_id and b.decision_id <> h.decision_id and b.at <= c.at order by b.at desc limit 30) b), '[]'),
    'saw', coalesce((select json_agg(json_build_object('decisionId', b.decision_id, 'action', b.action, 'parameters', left(b.parameters, 120)) order by b.at) from (select b.* from gate.call b where b.decision_id in (select hold.saw_ids(h.decision_id)) order by b.at desc limit 40) b), '[]'),
    'sawMore', greatest(0, (select count(*) from hold.saw_ids(h.decision_id)) - 40))
  from hold.hold h join gate.call c using (decision_id) join controls.run r on r.run_id = h.run_id join controls.scope s on s.agent = r.agent and s.card_digest = r.card_digest and s.environment = r.environment
    left join controls.action m on m.name = h.action left join audit.entry e on e.decision_id = h.decision_id and e.kind = 'call.intent'
  where h.hold_id = p_hold and h.staged and hold.is_for(h, p_groups));
end $$;

-- A chunk of what the agent saw before it proposed, by the read that brought it; null after the last.
create function hold.saw(p_groups text, p_hold uuid, p_decision uuid, p_chunk int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select to_json(nullif(substr(b.result, p_chunk * 15000 + 1, 15000), ''))::text
  from hold.hold h join gate.call b on b.run_id = h.run_id and b.decision_id = p_decision
  where h.hold_id = p_hold and h.staged and hold.is_for(h, p_groups) and p_decision in (select hold.saw_ids(h.decision_id))
$$;

grant usage on schema gate to {{role.broker}}, {{role.gate}}, {{role.executor}};

grant usage on schema hold to {{role.executor}}, {{role.decide}}, {{role.expiry}}, {{role.verifier}};

revoke all on all functions in schema gate, hold from public;

grant execute on function gate.ask(text, text, text, text), gate.start_run(text, text, text, text, text, uuid, text, text, int, text), gate.bind_run(text, text) to {{role.broker}};

grant execute on function gate.open_call(text, text, text, text), gate.read_scope(text, int), gate.read_result(text, uuid, int), gate.commit_call(text), gate.read_hold(text, uuid), gate.provenance(text, text), gate.refuse(text, text), gate.open_change(uuid, text, boolean) to {{role.gate}};

grant execute on function gate.redeem(uuid), gate.outcome(uuid, text, text, text, text, text, text, text), hold.claim(uuid), hold.to_stage(uuid), hold.stage(uuid, text, text, text) to {{role.executor}};

grant execute on function hold.decide(uuid, text, text, text, text, text), hold.may_change(uuid, text, text), hold.list(text), hold.show(text, uuid), hold.words(text, uuid), hold.around(text, uuid), hold.saw(text, uuid, uuid, int) to {{role.decide}};

grant execute on function hold.open(uuid), hold.attend(uuid, text), hold.expire(uuid), hold.told(uuid) to {{role.expiry}};

grant execute on function hold.proposal(uuid), hold.verify(uuid, text, text, text, text, text) to {{role.verifier}};
