-- Stopping an agent and bringing it back. What stops it here is one transaction; the rest is proved afterwards, lever by lever.

-- Who wants an agent back. The second of two people brings it; while it is brought nobody else is at it.
create table controls.comeback (agent text primary key references controls.agent, person text not null, reason text not null, at timestamptz not null, claimed_at timestamptz);

-- Sessions that an agent's logins have open. Whoever may become a login may see and end what it has open.
create function controls.backends(p_agent text) returns setof int language sql volatile as $$
  select a.pid from controls.login l join pg_catalog.pg_stat_activity a on a.usename = l.login where l.agent = p_agent
$$;

-- Stops an agent, and does nothing else that could fail: no ticket of it is redeemed once this commits, whatever is on its way. Redemption and decision
-- lock the agent's row, so what began before has ended; this locks no other row, so nobody waits in a circle.
create function controls.stop(p_agent text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_agent controls.agent;
begin
  select * into v_agent from controls.agent where name = p_agent for update;
  if not found or v_agent.removed then return json_build_object('refused', 'AgentUnknown'); end if;
  update controls.agent set enabled = false, stopped_at = controls.now() where name = p_agent;
  delete from controls.comeback where agent = p_agent;
  return json_build_object('before', v_agent.enabled);
end $$;

-- Ends what waits of a stopped agent: runs, what triggers asked, holds, tickets that nobody has redeemed.
create function controls.end_waiting(p_agent text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_holds json;
begin
  if (select enabled from controls.agent where name = p_agent) then raise exception 'AgentEnabled: % is not stopped', p_agent using errcode = '42501'; end if;
  update controls.run set expires_at = controls.now() where agent = p_agent and expires_at > controls.now();
  delete from controls.request where agent = p_agent and run_id is null;
  v_holds := (select coalesce(json_agg(h.hold_id), '[]') from hold.hold h where h.agent = p_agent and h.status in ('pending', 'approved') and h.staged_at > controls.now() - interval '8 days' and not exists (select from undo.rollback r where r.decision_id = h.decision_id));
  perform hold.cancel_all(p_agent, 'AgentDisabled');
  return json_build_object('holds', v_holds);
end $$;

-- Takes a stopped agent's logins: they cannot log in, and whoever is logged in, or on the way, has no rights any more: those are asked at every statement.
create function controls.end_logins(p_agent text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  r record;
begin
  if (select enabled from controls.agent where name = p_agent) then raise exception 'AgentEnabled: % is not stopped', p_agent using errcode = '42501'; end if;
  perform controls.close_logins(p_agent);
  for r in select l.login, m.roleid::regrole as role from controls.login l join pg_catalog.pg_roles u on u.rolname = l.login join pg_catalog.pg_auth_members m on m.member = u.oid where l.agent = p_agent loop
    execute format('revoke %s from %I', r.role, r.login);
  end loop;
  for r in select login from controls.login where agent = p_agent loop execute format('grant %I to current_user with inherit true', r.login); end loop;
  perform pg_catalog.pg_terminate_backend(b) from controls.backends(p_agent) b;
  return '{}';
end $$;

-- Records that somebody stopped an agent, and why.
create function controls.record_disabled(p_agent text, p_person text, p_reason text, p_before boolean) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  select audit.chain(json_build_array(json_build_object('kind', 'agent.disabled', 'agent', p_agent, 'outcome', case when p_before then 'disabled' else 'disabled before' end,
    'facts', json_build_object('person', p_person)::text, 'inputs', audit.canonical(json_build_object('reason', p_reason)))))
$$;

-- What is left of an agent, as its stop is proved by: read apart from what stopped it.
create function controls.left_of(p_agent text) returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (select json_build_object('enabled', a.enabled, 'now', controls.now(),
    'logins', (select count(*) from controls.login l join pg_catalog.pg_roles r on r.rolname = l.login where l.agent = p_agent and (r.rolcanlogin or exists (select from pg_catalog.pg_auth_members m where m.member = r.oid))), 'backends', (select count(*) from controls.backends(p_agent)),
    'holds', (select count(*) from hold.hold h where h.agent = p_agent and h.status = 'pending' and not exists (select from undo.rollback u where u.decision_id = h.decision_id)),
    -- Answers of models that began before; the gateway breaks them off within seconds.
    'models', (select count(*) from gate.model_call m where m.agent = p_agent and m.ended_at is null and m.begun_at > controls.now() - interval '20 minutes'),
    -- What began before the stop: an executor is at it, or lost sight of the action, which has five minutes.
    'running', (select count(*) from gate.ticket t join gate.call c using (decision_id) where c.agent = p_agent and t.redeemed_at is not null and not exists (select from undo.rollback u where u.decision_id = c.decision_id)
      and (t.settled_at is null or (c.status = 'unknown' and t.redeemed_at > controls.now() - interval '6 minutes' and exists (select from audit.entry e where e.decision_id = c.decision_id and e.kind = 'call.outcome' and e.facts::json ->> 'bundle_digest' is null)))))
  from controls.agent a where a.name = p_agent);
end $$;

-- Records what a stop was proved by, and how long it took.
create function controls.record_stop(p_agent text, p_report text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  select audit.chain(json_build_array(json_build_object('kind', 'agent.stopped', 'agent', p_agent, 'outcome', p_report::json ->> 'outcome', 'facts', p_report)))
$$;

-- Agents that can be stopped.
create function controls.stoppable() returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(json_build_object('agent', name, 'enabled', enabled) order by name), '[]')::text from controls.agent where not removed
$$;

-- Whether somebody may bring an agent back: as the second of two people, within a day of the first.
create function controls.ask_back(p_agent text, p_person text, p_reason text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_agent controls.agent;
  v_first controls.comeback;
begin
  select * into v_agent from controls.agent where name = p_agent for update;
  if not found or v_agent.removed then return json_build_object('refused', 'AgentUnknown'); end if;
  if v_agent.enabled then return json_build_object('refused', 'AgentEnabled'); end if;
  select * into v_first from controls.comeback where agent = p_agent and at > controls.now() - interval '1 day';
  if v_first.claimed_at > controls.now() - interval '1 minute' then return json_build_object('refused', 'ComingBack'); end if;
  if v_first.agent is null or hold.names(array[v_first.person]) && hold.names(array[p_person]) then
    insert into controls.comeback values (p_agent, p_person, p_reason, controls.now(), null) on conflict (agent) do update set person = excluded.person, reason = excluded.reason, at = excluded.at;
    perform audit.chain(json_build_array(json_build_object('kind', 'agent.asked-back', 'agent', p_agent, 'facts', json_build_object('person', p_person)::text, 'inputs', audit.canonical(json_build_object('reason', p_reason)))));
    return json_build_object('waits', true);
  end if;
  update controls.comeback set claimed_at = controls.now() where agent = p_agent;
  delete from controls.rotation where name = 'agent/' || p_agent; -- one that was on its way is overtaken
  return json_build_object('waits', false, 'login', (select login from controls.login where agent = p_agent order by login limit 1), 'secretArn', v_agent.secret_arn);
end $$;

-- Brings an agent back under a fresh credential, asked for by two people. Asks both again: what this says is what counts.
create function controls.bring_back(p_agent text, p_person text, p_reason text, p_login text, p_verifier text, p_version text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_agent controls.agent;
  v_first controls.comeback;
begin
  if p_verifier !~ '^SCRAM-SHA-256\$' then raise exception 'VerifierInvalid' using errcode = '22023'; end if;
  select * into v_agent from controls.agent where name = p_agent for update;
  select * into v_first from controls.comeback where agent = p_agent and at > controls.now() - interval '1 day';
  if v_agent.enabled is not false or v_first.claimed_at is null or hold.names(array[v_first.person]) && hold.names(array[p_person])
    or not exists (select from controls.login where login = p_login and agent = p_agent) then return json_build_object('refused', 'NotTwoPeople'); end if;
  delete from controls.comeback where agent = p_agent;
  update controls.agent set enabled = true where name = p_agent;
  perform controls.renew_login(l) from unnest(array(select login from controls.login where agent = p_agent)) l;
  perform controls.set_password(p_login, p_verifier, p_version);
  perform audit.chain(json_build_array(json_build_object('kind', 'agent.enabled', 'agent', p_agent, 'facts', json_build_object('people', json_build_array(v_first.person, p_person), 'login', p_login)::text,
    'inputs', audit.canonical(json_build_object('reasons', json_build_array(v_first.reason, p_reason))))));
  return json_build_object('enabled', true);
end $$;

revoke all on function controls.backends(text), controls.stop(text), controls.end_waiting(text), controls.end_logins(text), controls.record_disabled(text, text, text, boolean), controls.left_of(text), controls.record_stop(text, text), controls.stoppable(), controls.ask_back(text, text, text), controls.bring_back(text, text, text, text, text, text) from public;

grant usage on schema controls to {{role.kill}};

grant execute on function controls.stop(text), controls.end_waiting(text), controls.end_logins(text), controls.record_disabled(text, text, text, boolean), controls.left_of(text), controls.record_stop(text, text), controls.stoppable(), controls.ask_back(text, text, text), controls.bring_back(text, text, text, text, text, text) to {{role.kill}};
