-- The control plane's own book: which agents, actions, tiers and logins exist, and which runs were started.
-- Statements end with a semicolon and a blank line. A role or name in double braces is that of a duty.

create schema controls;

create table controls.setting (name text primary key, value text not null);

create table controls.migration (
  version int primary key, name text not null, checksum text not null, applied_at timestamptz not null default clock_timestamp()
);

-- The one clock. No caller passes time; a local runtime replaces this function to move it.
create function controls.now() returns timestamptz language sql volatile as 'select clock_timestamp()';

-- `version` is the version of the secret whose password the login has; without one nobody can log in with it.
create table controls.login (login text primary key, duty text, agent text, version text, check ((duty is null) <> (agent is null)));

create table controls.tier (
  name text primary key, kind text not null check (kind in ('verify', 'human')), window_seconds int not null check (window_seconds between 60 and 604800),
  approvers text[] not null, people int not null check (people between 1 and 5), reference_required boolean not null default false, hours text, escalate_to text
);

create table controls.action (
  name text primary key, stack text not null, manifest text not null, manifest_digest text not null,
  function_name text not null, bundle_digest text not null, registered_at timestamptz not null
);

-- People who may approve cards, and the public keys that prove it.
create table controls.signer (name text primary key, public_key text not null unique, security boolean not null);

-- One row per card that was ever registered: a run pins the digest it started under. Without an approver it is not in force.
create table controls.scope (
  agent text not null, card_digest text not null, environment text not null, card text not null, compiled text not null,
  approved_by text, signatures text not null, review_by date not null, registered_at timestamptz not null, primary key (agent, card_digest, environment)
);

create table controls.agent (
  name text primary key, stack text not null, environment text not null, card_digest text not null, secret_arn text not null, enabled boolean not null default true, removed boolean not null default false, stopped_at timestamptz,
  foreign key (name, card_digest, environment) references controls.scope (agent, card_digest, environment)
);

-- What a trigger asked of an agent. Its compute may turn it into one run.
create table controls.request (
  request_id uuid primary key, agent text not null, body text not null, reference text, asked_by text not null, asked_at timestamptz not null, run_id text unique
);

create table controls.run (
  run_id text primary key, agent text not null, card_digest text not null, environment text not null, starter text not null, asked_by text not null,
  principal_id text unique, request text, request_trusted boolean not null, reference text, model text, prompt_digest text,
  started_at timestamptz not null, expires_at timestamptz not null
);

create function controls.duty() returns text language sql stable security definer set search_path = pg_catalog, pg_temp as
  'select duty from controls.login where login = session_user';

-- A role without a login that holds the grants of a duty or an agent.
create function controls.ensure_role(p_role text) returns void language plpgsql as $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = p_role) then
    execute format('create role %I nologin noinherit', p_role);
  end if;
end $$;

-- A login that is a member of one such role: it inherits the role's rights and cannot become it, or anything it makes would be owned by the role.
-- It has no password until one is set, and one that it has stays. That of a stopped agent has no rights: two people give them back.
create function controls.ensure_login(p_login text, p_role text, p_duty text, p_agent text) returns void language plpgsql as $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = p_login) then
    execute format('create role %I nologin inherit', p_login);
  end if;
  insert into controls.login values (p_login, p_duty, p_agent, null) on conflict (login) do nothing;
  if exists (select from controls.agent a where a.name = p_agent and not a.enabled) then return; end if;
  execute format('alter role %I connection limit %s', p_login, case when p_agent is not null then 10 when p_duty in ('append', 'auditor') then 20 else 40 end);
  execute format('alter role %I set statement_timeout = %L', p_login, '20s');
  execute format('alter role %I set idle_in_transaction_session_timeout = %L', p_login, '60s');
  execute format('grant %I to %I with inherit true, set false', p_role, p_login);
end $$;

-- Gives a login the password of a version of its secret, as a SCRAM verifier, so that no password is sent or logged. A stopped agent stays out, whoever
-- deploys or rotates: whether it is stopped cannot change meanwhile.
create function controls.set_password(p_login text, p_verifier text, p_version text) returns void language plpgsql as $$
declare
  v_agent text := (select agent from controls.login where login = p_login);
  v_enabled boolean := (select enabled from controls.agent where name = v_agent for key share);
begin
  if p_verifier !~ '^SCRAM-SHA-256\$' then raise exception 'VerifierInvalid' using errcode = '22023'; end if;
  execute format('alter role %I %s password %L valid until %L', p_login, case when v_enabled is false then 'nologin' else 'login' end, p_verifier, 'infinity');
  update controls.login set version = p_version where login = p_login;
  if not found then raise exception 'LoginUnknown: %', p_login using errcode = '42704'; end if;
end $$;

-- Takes every right on tables, schemas and rows from a role, so that what follows is all it has.
create function controls.clear_role(p_role text) returns void language plpgsql as $$
declare
  v_role oid := (select oid from pg_catalog.pg_roles where rolname = p_role);
  r record;
begin
  for r in
    select c.oid::regclass as name from pg_catalog.pg_class c
    where exists (select from pg_catalog.aclexplode(c.relacl) a where a.grantee = v_role)
       or exists (select from pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a where t.attrelid = c.oid and a.grantee = v_role)
  loop
    execute format('revoke all on %s from %I', r.name, p_role);
  end loop;
  for r in
    select c.oid::regclass as name from pg_catalog.pg_class c
    where exists (select from pg_catalog.aclexplode(c.relacl) a where a.grantee = v_role)
       or exists (select from pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a where t.attrelid = c.oid and a.grantee = v_role)
  loop
    raise exception 'GrantForeign: somebody else than the owner gave % rights on %; revoke them first', p_role, r.name;
  end loop;
  for r in select p.oid::regprocedure as name from pg_catalog.pg_proc p where exists (select from pg_catalog.aclexplode(p.proacl) a where a.grantee = v_role) loop
    execute format('revoke all on function %s from %I', r.name, p_role);
  end loop;
  for r in select n.nspname from pg_catalog.pg_namespace n where exists (select from pg_catalog.aclexplode(n.nspacl) a where a.grantee = v_role) loop
    execute format('revoke all on schema %I from %I', r.nspname, p_role);
  end loop;
  for r in select polname, polrelid::regclass as name from pg_catalog.pg_policy where v_role = any (polroles) loop
    execute format('drop policy %I on %s', r.polname, r.name);
  end loop;
end $$;

-- Refuses a database that gives everyone what a card would have to give: an agent's login is one of everyone. Functions that run with
-- their owner's rights are open to everyone unless somebody closed them.
create function controls.demand_closed() returns void language plpgsql as $$
declare
  v_open text;
begin
  select c.oid::regclass::text into v_open from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and (exists (select from pg_catalog.aclexplode(c.relacl) a where a.grantee = 0)
      or exists (select from pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a where t.attrelid = c.oid and a.grantee = 0)) limit 1;
  if v_open is not null then raise exception 'OpenToEveryone: % is granted to public, and so to every agent; revoke it', v_open; end if;
  select p.oid::regprocedure::text into v_open from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.prosecdef and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_function_privilege('public', p.oid, 'execute') limit 1;
  if v_open is not null then raise exception 'OpenToEveryone: % runs with its owner''s rights and everyone may call it, so every agent; revoke execute from public', v_open; end if;
end $$;

-- Limits an agent to rows that meet a condition. A first row policy closes a table to everyone, so a table without row security
-- gets one that keeps it as open as it was; one that has row security of its own is opened to nobody but this role.
create function controls.limit_rows(p_table regclass, p_role text, p_condition text) returns void language plpgsql as $$
declare
  v_secured boolean := (select relrowsecurity from pg_catalog.pg_class where oid = p_table);
begin
  if not v_secured and not exists (select from pg_catalog.pg_policy where polrelid = p_table) then
    execute format('create policy %I on %s to public using (true) with check (true)', 'everyone else', p_table);
  elsif not exists (select from pg_catalog.pg_policy where polrelid = p_table and polname = 'everyone else') then
    execute format('create policy %I on %s to %I using (true) with check (true)', p_role || ' opened', p_table, p_role);
  end if;
  execute format('create policy %I on %s as restrictive to %I using (%s)', p_role, p_table, p_role, p_condition);
  execute format('alter table %s enable row level security', p_table);
end $$;

-- Registers one agent's compiled card and whether it is in force: who signed it, or null. Without a signature a card is in force where
-- no production data is and never was, and where nobody is named who could sign: naming another environment, or another kind of data,
-- opens nothing. Answers what changed.
create function controls.register_agent(p_name text, p_stack text, p_environment text, p_card text, p_digest text, p_compiled text, p_secret text, p_production boolean, p_signed_by text, p_signatures text) returns text language plpgsql as $$
declare
  v_automatic constant text := 'automatic, synthetic data';
  v_approved_by text := p_signed_by;
  v_other text := (select stack from controls.agent where name = p_name and stack <> p_stack and not removed);
  v_before controls.scope := (select s from controls.scope s where s.agent = p_name and s.card_digest = p_digest and s.environment = p_environment);
  v_changed boolean;
begin
  if v_other is not null then
    raise exception 'AgentElsewhere: % is registered by stack %; remove it there first', p_name, v_other;
  end if;
  if p_production then
    insert into controls.setting values ('data', 'production') on conflict (name) do nothing;
    update controls.scope set approved_by = null where approved_by = v_automatic;
  elsif not exists (select from controls.setting where name = 'data' and value = 'production' or name = 'automatic_approval' and value = 'false') then
    v_approved_by := coalesce(p_signed_by, v_automatic);
  end if;
  v_changed := not exists (select from controls.agent where name = p_name and card_digest = p_digest and environment = p_environment);
  insert into controls.scope values (p_name, p_digest, p_environment, p_card, p_compiled, v_approved_by, p_signatures, (p_card::json ->> 'review-by')::date, controls.now())
    on conflict (agent, card_digest, environment) do update set compiled = excluded.compiled, approved_by = excluded.approved_by, signatures = excluded.signatures;
  insert into controls.agent (name, stack, environment, card_digest, secret_arn) values (p_name, p_stack, p_environment, p_digest, p_secret)
    on conflict (name) do update set stack = excluded.stack, removed = false, environment = excluded.environment, card_digest = excluded.card_digest, secret_arn = excluded.secret_arn;
  return json_build_object('changed', v_changed, 'inForce', v_approved_by is not null, 'approved', p_signed_by is not null and v_before.approved_by is distinct from p_signed_by,
    'withdrawn', v_approved_by is null and v_before.approved_by is not null);
end $$;

-- Takes a login away: nobody can log in with it again, it has no rights, and what it has open ends. One that made something in another database, which
-- cannot be taken away from here, is left under another name: whoever was it is nobody. Answers how many sessions of it did not end in time.
create function controls.drop_login(p_login text) returns int language plpgsql as $$
declare
  v_role oid := (select oid from pg_catalog.pg_roles where rolname = p_login);
  v_left int;
  r record;
begin
  if v_role is null then return 0; end if;
  if p_login = session_user then raise exception 'LoginInUse: % cannot be taken away by itself', p_login using errcode = '55006'; end if;
  execute format('alter role %I nologin password null', p_login);
  for r in select roleid::regrole as role from pg_catalog.pg_auth_members where member = v_role loop execute format('revoke %s from %I', r.role, p_login); end loop;
  execute format('grant %I to current_user with inherit true', p_login);
  perform pg_catalog.pg_terminate_backend(pid, 5000) from pg_catalog.pg_stat_activity where usesysid = v_role and pid <> pg_catalog.pg_backend_pid();
  delete from controls.login where login = p_login;
  begin
    -- What it made, such as large objects or defaults for others, goes with it.
    execute format('drop owned by %I', p_login);
    execute format('drop role %I', p_login);
  exception when dependent_objects_still_exist then
    execute format('alter role %I rename to %I', p_login, left(p_login, 48) || '-' || substr(md5(v_role::text || clock_timestamp()::text), 1, 12));
  end;
  perform pg_catalog.pg_stat_clear_snapshot();
  select count(*) into v_left from pg_catalog.pg_stat_activity where usesysid = v_role;
  return v_left;
end $$;

-- Makes a login anew, without a password: a session that is still on its way in is that of a role that is no more. Answers as drop_login does.
create function controls.renew_login(p_login text) returns int language plpgsql as $$
declare
  v_login controls.login := (select l from controls.login l where login = p_login);
  v_controls text := (select value from controls.setting where name = 'controls_name');
  v_left int := controls.drop_login(p_login);
begin
  perform controls.ensure_login(p_login, v_controls || coalesce('-agent-' || v_login.agent, '-' || v_login.duty), v_login.duty, v_login.agent);
  return v_left;
end $$;

-- Ends what an agent's logins can do from now on, for a removal that takes several steps.
create function controls.close_logins(p_name text) returns void language plpgsql as $$
declare
  v_login text;
begin
  for v_login in select login from controls.login where agent = p_name loop
    execute format('alter role %I nologin', v_login);
  end loop;
end $$;

-- Takes an agent away whose card disappeared: logins and their sessions, rights, and the right to any run or call. What it did stays told.
create function controls.remove_agent(p_name text, p_role text) returns void language plpgsql as $$
begin
  perform controls.drop_login(login) from controls.login where agent = p_name;
  perform controls.clear_role(p_role);
  execute format('drop role if exists %I', p_role);
  -- An agent that comes back under this name starts anew; one that was disabled stays disabled.
  update controls.agent set removed = true, stack = '' where name = p_name;
  update controls.run set expires_at = controls.now() where agent = p_name and expires_at > controls.now();
  delete from controls.request where agent = p_name and run_id is null;
end $$;

create function controls.register_action(p_name text, p_stack text, p_manifest text, p_digest text, p_function text, p_bundle text) returns boolean language plpgsql as $$
declare
  v_other text := (select stack from controls.action where name = p_name and stack <> p_stack);
  v_changed boolean;
begin
  if v_other is not null then
    raise exception 'ActionElsewhere: % is registered by stack %; remove it there first', p_name, v_other;
  end if;
  v_changed := not exists (select from controls.action where name = p_name and manifest_digest = p_digest and bundle_digest = p_bundle and function_name = p_function);
  insert into controls.action values (p_name, p_stack, p_manifest, p_digest, p_function, p_bundle, controls.now())
    on conflict (name) do update set manifest = excluded.manifest, manifest_digest = excluded.manifest_digest,
      function_name = excluded.function_name, bundle_digest = excluded.bundle_digest, registered_at = excluded.registered_at;
  return v_changed;
end $$;

-- Nobody but the owner makes tables, not even temporary ones.
do $$ begin
  execute format('revoke temporary, create on database %I from public', current_database());
  revoke create on schema public from public;
end $$;

select controls.ensure_role(name) from unnest(array[{{name.broker}}, {{name.gate}}, {{name.executor}}, {{name.decide}}, {{name.expiry}}, {{name.verifier}}, {{name.append}}, {{name.auditor}}, {{name.keeper}}, {{name.rollback}}, {{name.reverse}}, {{name.kill}}, {{name.rotate}}, {{name.gateway}}]) name;
