-- Rotation of credentials: which is being replaced, how far it has come, and what becomes of the one before. A rotation is known by the id that its
-- version of the secret has, so a step that comes twice, late or after another rotation has taken over is told apart.

-- One row per credential that was ever rotated: `agent/NAME`, `duty/NAME`, `secret/NAME`. `previous` is the version that was current when it was claimed.
create table controls.rotation (
  name text primary key, token text not null, previous text not null, login text, state text not null check (state in ('claimed', 'set', 'tested', 'finishing', 'revoking', 'finished')), leaked boolean not null, at timestamptz not null
);

create function controls.record_rotation(p_rotation controls.rotation, p_outcome text, p_facts json) returns void language sql as $$
  select audit.chain(json_build_array(json_build_object('kind', 'credential.rotation', 'agent', case when p_rotation.name like 'agent/%' then substr(p_rotation.name, 7) end, 'outcome', p_outcome,
    'facts', json_build_object('credential', p_rotation.name, 'version', p_rotation.token, 'login', p_rotation.login, 'leaked', p_rotation.leaked, 'more', p_facts)::text)))
$$;

-- Takes a credential for one rotation. Whoever is at it is let finish, for as long as a process lives; a leak overtakes what only sets a password, which is
-- one transaction, and whatever is older than a process, but never the moment in which the current version changes or the one before is ended.
create function controls.claim_rotation(p_name text, p_token text, p_previous text, p_login text, p_leaked boolean) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_known controls.rotation;
  v_mine constant controls.rotation := row(p_name, p_token, p_previous, p_login, 'claimed', p_leaked, controls.now());
  v_age interval;
begin
  if p_login is not null and not exists (select from controls.login l where l.login = p_login and coalesce('agent/' || l.agent, 'duty/' || l.duty) = p_name) then return json_build_object('refused', 'LoginUnknown'); end if;
  if exists (select from controls.comeback c where 'agent/' || c.agent = p_name and c.claimed_at > controls.now() - interval '1 minute') then return json_build_object('refused', 'RotationInProgress'); end if;
  insert into controls.rotation select v_mine.* on conflict (name) do nothing;
  if not found then
    select * into v_known from controls.rotation where name = p_name for update;
    if v_known.token = p_token then return json_build_object('state', v_known.state); end if;
    if v_known.state = 'finished' and v_known.login = p_login then return json_build_object('refused', 'LoginCurrent'); end if;
    v_age := controls.now() - v_known.at;
    if v_known.state <> 'finished' and v_age < interval '2 minutes' and not (p_leaked and v_known.state in ('claimed', 'set', 'tested') and (v_known.login is not null or v_age > interval '30 seconds')) then return json_build_object('refused', 'RotationInProgress'); end if;
    update controls.rotation set token = p_token, previous = p_previous, login = p_login, state = 'claimed', leaked = p_leaked, at = controls.now() where name = p_name;
  end if;
  perform controls.record_rotation(v_mine, 'claimed', null);
  return json_build_object('state', 'claimed');
end $$;

-- Gives the other login of a pair its new password. After a leak it is a new login: whoever is logged in with it, or on the way, is nobody any more.
create function controls.set_rotated(p_name text, p_token text, p_verifier text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_rotation controls.rotation;
  v_left int := 0;
begin
  select * into v_rotation from controls.rotation where name = p_name for update;
  if v_rotation.token is distinct from p_token then return json_build_object('refused', 'RotationOvertaken'); end if;
  if v_rotation.state not in ('claimed', 'set') then return json_build_object('state', v_rotation.state); end if;
  if v_rotation.login is not null then
    if v_rotation.leaked and v_rotation.state = 'claimed' then v_left := controls.renew_login(v_rotation.login); end if;
    perform controls.set_password(v_rotation.login, p_verifier, p_token);
  end if;
  update controls.rotation set state = 'set', at = controls.now() where name = p_name;
  if v_rotation.state = 'claimed' then perform controls.record_rotation(v_rotation, 'set', null); end if;
  return json_build_object('state', 'set', 'left', v_left);
end $$;

-- How far a rotation has come, and whether its agent is stopped, so that no login of it can be tried.
create function controls.look_rotation(p_name text, p_token text) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce((select json_build_object('state', r.state, 'stopped', exists (select from controls.agent a where 'agent/' || a.name = p_name and not a.enabled)) from controls.rotation r where r.name = p_name and r.token = p_token), json_build_object('refused', 'RotationOvertaken'))::text
$$;

-- Takes a rotation one step on: a new credential was seen to work, the current version is about to change, it has changed. None is skipped. After a leak
-- the login from before is made anew in the same transaction: nothing comes in between.
create function controls.advance_rotation(p_name text, p_token text, p_state text, p_facts text) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_rotation controls.rotation;
  v_other text;
  v_order text[];
  v_left int := 0;
begin
  select * into v_rotation from controls.rotation where name = p_name for update;
  if v_rotation.token is distinct from p_token then return json_build_object('refused', 'RotationOvertaken'); end if;
  v_order := case when v_rotation.leaked then array['claimed', 'set', 'tested', 'finishing', 'revoking', 'finished'] else array['claimed', 'set', 'tested', 'finishing', 'finished'] end;
  if array_position(v_order, p_state) is null then return json_build_object('refused', 'StepSkipped'); end if;
  if array_position(v_order, v_rotation.state) >= array_position(v_order, p_state) then return json_build_object('state', v_rotation.state, 'previous', v_rotation.previous, 'leaked', v_rotation.leaked, 'now', controls.now()); end if;
  if array_position(v_order, v_rotation.state) < array_position(v_order, p_state) - 1 then return json_build_object('refused', 'StepSkipped'); end if;
  select o.login into v_other from controls.login l join controls.login o on o.login <> l.login and (o.agent = l.agent or o.duty = l.duty) where l.login = v_rotation.login and o.version is not null;
  if p_state = 'revoking' and v_other is not null then v_left := controls.renew_login(v_other);
  -- The login that was current has a day for whatever still holds its password.
  elsif p_state = 'finished' and v_other is not null then perform controls.expire_login(v_other); end if;
  update controls.rotation set state = p_state, at = controls.now() where name = p_name;
  perform controls.record_rotation(v_rotation, p_state, p_facts::json);
  return json_build_object('state', p_state, 'previous', v_rotation.previous, 'leaked', v_rotation.leaked, 'left', v_left, 'now', controls.now());
end $$;

-- Lets a password end by itself. Postgres asks its own clock.
create function controls.expire_login(p_login text) returns void language plpgsql as $$
begin
  execute format('alter role %I valid until %L', p_login, clock_timestamp() + interval '1 day');
end $$;

-- Records a leak: who told, which credentials were exposed for how long, and what shows that they are dead.
create function controls.record_leak(p_name text, p_token text, p_person text, p_reason text, p_report text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  select audit.chain(json_build_array(json_build_object('kind', 'credential.leaked', 'agent', case when p_name like 'agent/%' then substr(p_name, 7) end, 'outcome', p_report::json ->> 'outcome',
    'facts', json_build_object('credential', p_name, 'version', p_token, 'person', p_person, 'report', p_report::json)::text, 'inputs', audit.canonical(json_build_object('reason', p_reason)))))
  from controls.rotation r where r.name = p_name and r.token = p_token and r.leaked
$$;

-- Records what went wrong with a rotation, so that a reviewer finds it beside those that went well.
create function controls.record_failure(p_name text, p_token text, p_step text, p_error text) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  select audit.chain(json_build_array(json_build_object('kind', 'credential.rotation', 'agent', case when p_name like 'agent/%' then substr(p_name, 7) end, 'outcome', 'failed',
    'facts', json_build_object('credential', p_name, 'version', p_token, 'step', p_step, 'error', p_error)::text)))
$$;

revoke all on function controls.record_rotation(controls.rotation, text, json), controls.claim_rotation(text, text, text, text, boolean), controls.set_rotated(text, text, text), controls.look_rotation(text, text), controls.advance_rotation(text, text, text, text), controls.expire_login(text), controls.record_leak(text, text, text, text, text), controls.record_failure(text, text, text, text) from public;

grant usage on schema controls to {{role.rotate}};

grant execute on function controls.claim_rotation(text, text, text, text, boolean), controls.set_rotated(text, text, text), controls.look_rotation(text, text), controls.advance_rotation(text, text, text, text), controls.record_leak(text, text, text, text, text), controls.record_failure(text, text, text, text) to {{role.rotate}};
