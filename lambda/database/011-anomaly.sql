-- What agents usually do, and what is unusual: compared each time the keeper is awake. Findings are entries; what is kept here is what a look at a
-- month would otherwise have to read again.

create schema anomaly;

-- What an agent did of one action in one hour.
create table anomaly.hour (agent text not null, hour timestamptz not null, action text not null, calls int not null, primary key (agent, hour, action));

-- Money that an action of an agent moved on one day, UTC.
create table anomaly.amount (agent text not null, day date not null, action text not null, currency text not null, total numeric not null, primary key (agent, day, action, currency));

-- What an agent has used: actions, their parameters, the columns of reads.
create table anomaly.feature (agent text not null, feature text not null, first_at timestamptz not null, primary key (agent, feature));

-- Up to which hour it was counted. One row; whoever locks it is the only one at it.
create table anomaly.progress (counted timestamptz not null);

insert into anomaly.progress values ('-infinity');

-- Until when each rule was looked by: one that fails keeps none of the others from being looked by.
create table anomaly.looked (rule text primary key, at timestamptz not null);

-- Findings, until everybody was told.
create table anomaly.finding (
  finding_id uuid primary key, rule text not null, agent text, subject text not null, response text not null, at timestamptz not null, told boolean not null default false, facts text not null
);

create index on anomaly.finding (rule, agent, subject, at);

-- Agents of whom every write waits for people.
-- No reference to the agent's row: a look must not hold what a stop has to lock.
create table controls.caution (agent text primary key, finding uuid, person text, at timestamptz not null);

create index on gate.call (at);

-- What one entry says an agent did that counts towards a burst of a kind; `subject` is who is counted. What undoes an agent's calls is no doing of it.
create function anomaly.events(p_rule text, p_from timestamptz) returns table (agent text, subject text, at timestamptz, decision_id uuid, breaks boolean) language plpgsql stable as $$
begin
  case p_rule
    -- Agent by agent, whose entries of a time have an index. What may have had an effect counts.
    when 'bulk-writes' then return query select e.agent, e.agent, e.at, e.decision_id, false from controls.agent g join audit.entry e on e.agent = g.name and e.at >= p_from
      where e.kind = 'call.outcome' and e.outcome in ('executed', 'unknown') and e.run_id not like 'rollback-%' and e.facts::json ->> 'effect' = 'write';
    when 'repeated-failures' then return query select e.agent, e.agent, e.at, e.decision_id, false from controls.agent g join audit.entry e on e.agent = g.name and e.at >= p_from
      where (e.run_id is null or e.run_id not like 'rollback-%') and ((e.kind in ('call.intent', 'call.tried') and e.outcome = 'deny') or (e.kind = 'call.outcome' and e.outcome in ('failed', 'refused')) or e.kind = 'run.refused');
    -- About a person, whosever calls they are.
    when 'rubber-stamp' then return query select null::text, e.approver, e.at, e.decision_id, e.kind = 'hold.rejected' from audit.entry e
      where e.kind in ('hold.approved', 'hold.seconded', 'hold.rejected') and e.approver is not null and e.approver not like 'verifier:%' and e.at >= p_from;
    -- Sessions that go on after what they were made from was ended: stopped, or answered as a leak.
    when 'replaced-credential' then return query select coalesce(e.agent, r.agent), coalesce(e.agent, r.agent), e.at, e.decision_id, false from audit.entry e
      left join controls.run r on e.kind = 'call.refused' and r.run_id = split_part(e.facts::json ->> 'principal', ':', 2)
      where e.at >= p_from and e.outcome not in ('permit', 'hold', 'approve', 'executed') and coalesce(e.agent, r.agent) is not null and (e.kind = 'call.refused' or (e.kind = 'call.outcome' and e.outcome = 'refused' and audit.json_of(audit.output_of(e.head, e.seq)) ->> 'refused' in ('AgentDisabled', 'RunStopped'))
        or (e.kind = 'call.intent' and e.outcome = 'deny' and e.facts::jsonb -> 'reasons' ?| array['AgentDisabled', 'RunStopped']));
    else raise exception 'RuleUnknown: %', p_rule using errcode = '22023';
  end case;
end $$;

-- What a rule has found of one agent, not yet judged by whether it was told already.
create type anomaly.candidate as (agent text, subject text, value numeric, threshold numeric, since timestamptz, decisions uuid[], total int);

-- Within how long a rule counts; null of one that compares with a history.
create function anomaly.counts_within(p_rule json) returns interval language sql immutable as $$
  select case when p_rule ->> 'rule' in ('bulk-writes', 'repeated-failures', 'rubber-stamp', 'replaced-credential') then make_interval(secs => (p_rule ->> 'seconds')::int) end
$$;

-- More of one kind within a time than is usual: any stretch of that length that ends after the last look. When a person lets an agent go on, what it
-- did until then has been looked at, and its count begins anew.
create function anomaly.bursts(p_rule json, p_now timestamptz, p_looked timestamptz) returns setof anomaly.candidate language sql stable as $$
  with of as (select p_rule ->> 'rule' as rule, anomaly.counts_within(p_rule) as per, (p_rule ->> 'count')::int as most),
    seen as (select greatest(p_looked, p_now - interval '1 day') - per - interval '1 minute' as since from of),
    every as materialized (select v.* from of, seen, lateral anomaly.events(of.rule, seen.since) v),
    trusted as (select busy.agent, (select max(t.at) from audit.entry t, seen where t.agent = busy.agent and t.at >= seen.since and t.kind in ('agent.trusted-again', 'agent.enabled')) as at from (select agent from every, of group by agent, most having count(*) >= most) busy),
    events as materialized (select e.* from every e left join trusted t using (agent) where (e.at <= t.at) is not true),
    ends as (select e.*, count(*) over stretch as count, bool_or(e.breaks) over stretch as broken from events e window stretch as (partition by e.subject order by e.at range between anomaly.counts_within(p_rule) preceding and current row)),
    -- An entry may be committed some seconds after its time; what was told by then is not new by that.
    worst as (select distinct on (subject) e.*, of.per, of.most from ends e, of where e.at > p_looked - interval '1 minute' and e.count >= of.most and e.broken is not true
      and not exists (select from anomaly.finding f where f.rule = of.rule and f.agent is not distinct from e.agent and f.subject = e.subject and f.at >= e.at and e.count < 2 * (f.facts::json ->> 'value')::numeric) order by subject, count desc, at desc)
  select w.agent, w.subject, w.count, w.most, w.at - w.per, (select array_agg(d.decision_id) from (select b.decision_id from events b where b.subject = w.subject and b.at <= w.at and b.at > w.at - w.per and b.decision_id is not null order by b.at desc limit 20) d), w.count::int from worst w
$$;

-- Agents with a history that says something: active on so many days of the last four weeks, the first of them so many days ago, under the card that they have now.
create function anomaly.known(p_now timestamptz, p_days int, p_ago int) returns table (agent text, days int) language sql stable as $$
  select a.name, h.days::int from controls.agent a join controls.scope s on s.agent = a.name and s.card_digest = a.card_digest and s.environment = a.environment
    cross join lateral (select count(distinct (h.hour at time zone 'UTC')::date) as days, min(h.hour) as since from anomaly.hour h where h.agent = a.name and h.hour >= p_now - interval '28 days') h
  where not a.removed and h.days >= p_days and h.since <= p_now - make_interval(days => p_ago) + interval '1 day' and s.registered_at <= p_now - make_interval(days => p_ago)
$$;

-- Calls since a time, as they are counted.
create function anomaly.calls(p_from timestamptz) returns table (agent text, action text, at timestamptz, decision_id uuid) language sql stable as $$
  select e.agent, e.action, e.at, e.decision_id from audit.entry e where e.kind = 'call.intent' and e.at >= p_from and e.agent is not null and e.action is not null and e.run_id not like 'rollback-%'
$$;

-- Work at hours, of working days or of weekends, in which the agent hardly ever works.
create function anomaly.unusual_hours(p_rule json, p_now timestamptz) returns setof anomaly.candidate language sql stable as $$
  with now as (select extract(hour from p_now at time zone 'UTC')::int as hour, extract(isodow from p_now at time zone 'UTC') > 5 as weekend),
    k as materialized (select * from anomaly.known(p_now, 14, 14)),
    usual as (select k.agent, sum(h.calls) as all_calls, coalesce(sum(h.calls) filter (where (extract(isodow from h.hour at time zone 'UTC') > 5) = now.weekend and (extract(hour from h.hour at time zone 'UTC')::int - now.hour + 25) % 24 <= 2), 0) as here
      from now, k join anomaly.hour h on h.agent = k.agent and h.hour >= p_now - interval '28 days' and h.hour < date_trunc('hour', p_now) - interval '1 hour' group by k.agent),
    recent as (select agent, count(*) as calls, (array_agg(decision_id order by at desc))[1:20] as decisions, min(at) as since from anomaly.calls(p_now - interval '1 hour') group by agent)
  select u.agent, to_char(now.hour, 'fm00') || case when now.weekend then '-weekend' else '-weekday' end, r.calls, (p_rule ->> 'calls')::int, r.since, r.decisions, r.calls::int
  from now, usual u join recent r using (agent) where u.all_calls >= 100 and r.calls >= (p_rule ->> 'calls')::int and u.here < u.all_calls * (p_rule ->> 'share')::numeric
$$;

-- Many times the calls of a busy hour.
create function anomaly.rate_spikes(p_rule json, p_now timestamptz) returns setof anomaly.candidate language sql stable as $$
  with k as materialized (select * from anomaly.known(p_now, 7, 7)),
    busy as (select k.agent, percentile_disc(0.95) within group (order by h.calls) as calls from k join (select agent, hour, sum(calls) as calls from anomaly.hour where hour >= p_now - interval '28 days' and hour < date_trunc('hour', p_now) - interval '1 hour' group by 1, 2) h on h.agent = k.agent group by 1),
    recent as (select agent, count(*) as calls, (array_agg(decision_id order by at desc))[1:20] as decisions, min(at) as since from anomaly.calls(p_now - interval '1 hour') group by agent)
  select r.agent, 'calls', r.calls, greatest(b.calls * (p_rule ->> 'times')::numeric, (p_rule ->> 'calls')::int), r.since, r.decisions, r.calls::int
  from recent r join busy b using (agent) where r.calls > greatest(b.calls * (p_rule ->> 'times')::numeric, (p_rule ->> 'calls')::int)
$$;

-- Money that calls moved since a time.
create function anomaly.amounts(p_from timestamptz) returns table (agent text, action text, currency text, units numeric, at timestamptz, decision_id uuid) language sql stable as $$
  select c.agent, c.action, m.value ->> 'currency', (m.value ->> 'minorUnits')::numeric, e.at, e.decision_id
  from controls.agent g join audit.entry e on e.agent = g.name and e.at >= p_from join gate.call c on c.decision_id = e.decision_id cross join lateral json_each(c.parameters::json) m
  where e.kind = 'call.outcome' and e.outcome in ('executed', 'unknown') and e.run_id not like 'rollback-%' and json_typeof(m.value) = 'object' and m.value ->> 'currency' ~ '^[A-Z]{3}$' and m.value ->> 'minorUnits' ~ '^-?\d{1,16}$'
$$;

-- Many times the money of an expensive day: of today, and of yesterday for as long as the last look was then.
create function anomaly.sum_spikes(p_rule json, p_now timestamptz, p_looked timestamptz) returns setof anomaly.candidate language sql stable as $$
  with k as materialized (select * from anomaly.known(p_now, 7, 7)),
    days as (select agent, action, currency, (at at time zone 'UTC')::date as day, sum(units) as total, (array_agg(decision_id order by at desc))[1:20] as decisions, count(*) as calls, min(at) as since from anomaly.amounts(date_trunc('day', greatest(p_looked, p_now - interval '1 day'), 'UTC')) group by 1, 2, 3, 4),
    judged as (select d.*, (select percentile_disc(0.9) within group (order by a.total) from anomaly.amount a where a.agent = d.agent and a.action = d.action and a.currency = d.currency and a.day < d.day and a.day >= d.day - 28 having count(*) >= 7) as usual from days d join k using (agent))
  select agent, action || ':' || currency || ':' || day, total, usual * (p_rule ->> 'times')::numeric, since, decisions, calls::int from judged where total > usual * (p_rule ->> 'times')::numeric
$$;

-- What calls use: the action, its parameters, and of a read the columns.
create function anomaly.features(p_from timestamptz, p_until timestamptz) returns table (agent text, feature text, at timestamptz, decision_id uuid) language sql stable as $$
  select c.agent, f.feature, c.at, c.decision_id from gate.call c cross join lateral (
    select c.action as feature
    union all select c.action || '(' || k || ')' from json_object_keys(c.parameters::json) k where exists (select from controls.action a where a.name = c.action)
    union all select c.action || '.' || column_name from json_array_elements_text(case when json_typeof(c.parameters::json -> 'columns') = 'array' then c.parameters::json -> 'columns' else '[]' end) column_name where not exists (select from controls.action a where a.name = c.action)
    union all select c.action || '.' || k from json_object_keys(case when json_typeof(c.parameters::json -> 'where') = 'object' then c.parameters::json -> 'where' else '{}' end) k where not exists (select from controls.action a where a.name = c.action)) f
  where c.at >= p_from and c.at < p_until and c.verdict <> 'deny' and c.run_id not like 'rollback-%'
$$;

-- Actions, parameters and columns that the agent never used, in whatever it was let do since the last look; all of an agent are one finding.
create function anomaly.new_behaviour(p_now timestamptz, p_looked timestamptz) returns setof anomaly.candidate language sql stable as $$
  select f.agent, left(string_agg(distinct f.feature, ','), 400), count(distinct f.feature), 1, min(f.at), (array_agg(f.decision_id order by f.at desc))[1:20], count(distinct f.decision_id)::int
  from (select * from anomaly.known(p_now, 14, 14) offset 0) k join anomaly.features(greatest(p_looked, p_now - interval '1 day') - interval '1 minute', 'infinity') f on f.agent = k.agent
  where not exists (select from anomaly.feature o where o.agent = f.agent and o.feature = f.feature) group by 1
$$;

-- A week in which the shares of the actions are others than in the three before: half of the sum of what each went up or down.
create function anomaly.drift(p_rule json, p_now timestamptz) returns setof anomaly.candidate language sql stable as $$
  with mix as (select k.agent, h.action, coalesce(sum(h.calls) filter (where h.hour >= p_now - interval '7 days'), 0) as now, coalesce(sum(h.calls) filter (where h.hour < p_now - interval '7 days'), 0) as before
      from anomaly.known(p_now, 12, 21) k join anomaly.hour h on h.agent = k.agent and h.hour >= p_now - interval '28 days' group by 1, 2),
    whole as (select agent, sum(now) as now, sum(before) as before from mix group by 1 having sum(now) >= (p_rule ->> 'calls')::int and sum(before) >= (p_rule ->> 'calls')::int)
  select m.agent, 'mix', round(sum(abs(m.now / w.now - m.before / w.before)) / 2, 3), (p_rule ->> 'share')::numeric, p_now - interval '7 days', '{}'::uuid[], max(w.now)::int
  from mix m join whole w using (agent) group by 1 having sum(abs(m.now / w.now - m.before / w.before)) / 2 >= (p_rule ->> 'share')::numeric
$$;

-- People who have answered so much in four weeks, refused nothing, and half of it faster than it can be read.
create function anomaly.never_rejects(p_rule json, p_now timestamptz) returns setof anomaly.candidate language sql stable as $$
  select null::text, v.approver, count(*), (p_rule ->> 'count')::int, min(v.at), (array_agg(v.decision_id order by v.at desc))[1:20], count(*)::int
  from (select e.agent, e.approver, e.kind, e.at, e.decision_id, extract(epoch from e.at - i.at) as seconds from audit.entry e join lateral (select i.at from audit.entry i where i.decision_id = e.decision_id and i.kind = 'call.intent' limit 1) i on true
    where e.kind in ('hold.approved', 'hold.seconded', 'hold.rejected') and e.approver is not null and e.approver not like 'verifier:%' and e.at >= p_now - interval '28 days') v
  group by v.approver having count(*) >= (p_rule ->> 'count')::int and count(*) filter (where v.kind = 'hold.rejected') = 0 and percentile_disc(0.5) within group (order by v.seconds) < (p_rule ->> 'seconds')::int
$$;

create function anomaly.candidates(p_rule json, p_now timestamptz, p_looked timestamptz) returns setof anomaly.candidate language plpgsql stable as $$
begin
  if anomaly.counts_within(p_rule) is not null then return query select * from anomaly.bursts(p_rule, p_now, p_looked); return; end if;
  case p_rule ->> 'rule'
    when 'unusual-hours' then return query select * from anomaly.unusual_hours(p_rule, p_now);
    when 'rate-spike' then return query select * from anomaly.rate_spikes(p_rule, p_now);
    when 'sum-spike' then return query select * from anomaly.sum_spikes(p_rule, p_now, p_looked);
    when 'new-behaviour' then return query select * from anomaly.new_behaviour(p_now, p_looked);
    when 'drift' then return query select * from anomaly.drift(p_rule, p_now);
    when 'never-rejects' then return query select * from anomaly.never_rejects(p_rule, p_now);
    else raise exception 'RuleUnknown: %', p_rule ->> 'rule' using errcode = '22023';
  end case;
end $$;

-- Counts the hours that are over. A call of an hour may be committed some seconds after it; none is as late as this.
create function anomaly.count_until(p_now timestamptz, p_counted timestamptz, p_until timestamptz) returns void language sql as $$
  insert into anomaly.hour select agent, date_trunc('hour', at), action, count(*) from anomaly.calls(p_counted) where at < p_until group by 1, 2, 3
    on conflict (agent, hour, action) do update set calls = anomaly.hour.calls + excluded.calls;
  insert into anomaly.amount select agent, (at at time zone 'UTC')::date, action, currency, sum(units) from anomaly.amounts(p_counted) where at < p_until group by 1, 2, 3, 4
    on conflict (agent, day, action, currency) do update set total = anomaly.amount.total + excluded.total;
  insert into anomaly.feature select agent, feature, min(at) from anomaly.features(p_counted, p_until) group by 1, 2 on conflict do nothing;
  delete from anomaly.hour where hour < p_now - interval '60 days';
  delete from anomaly.amount where day < (p_now at time zone 'UTC')::date - 60;
  delete from anomaly.finding where told and at < p_now - interval '60 days';
$$;

-- Counts a day of hours that are over, after they were looked at; answers whether there is more. Of a log that was never counted, four weeks.
create function anomaly.count_hours() returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_now timestamptz := controls.now();
  v_until timestamptz := date_trunc('hour', v_now - interval '5 minutes');
  v_counted timestamptz;
begin
  select counted into v_counted from anomaly.progress for update;
  v_counted := greatest(v_counted, date_trunc('hour', v_now - interval '28 days'));
  if v_until <= v_counted then return false; end if;
  v_until := least(v_until, v_counted + interval '1 day');
  perform anomaly.count_until(v_now, v_counted, v_until);
  update anomaly.progress set counted = v_until;
  return v_until < date_trunc('hour', v_now - interval '5 minutes');
end $$;

-- Looks by one rule, `{rule, response, quietSeconds, agents, ...}`, at what was done since it last did. Each finding is an entry with the rows it rests on. One of the
-- same agent and subject is not told again within its quiet time, unless it has grown to twice what it was, or is a count that began anew since.
create function anomaly.look(p_rule text) returns int language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '3s' as $$
declare
  v_now timestamptz := controls.now();
  v_rule json := p_rule::json;
  v_key text := concat_ws(' ', v_rule ->> 'rule', v_rule ->> 'agents');
  v_looked timestamptz;
  v_found anomaly.candidate;
  v_id uuid;
  v_facts json;
  v_count int := 0;
begin
  insert into anomaly.looked values (v_key, '-infinity') on conflict do nothing;
  select at into v_looked from anomaly.looked where rule = v_key for update;
  for v_found in select * from anomaly.candidates(v_rule, v_now, v_looked) loop
    continue when json_typeof(v_rule -> 'agents') = 'array' and not exists (select from json_array_elements_text(v_rule -> 'agents') a where a = v_found.agent);
    continue when exists (select from anomaly.finding f where f.rule = v_rule ->> 'rule' and f.agent is not distinct from v_found.agent and f.subject = v_found.subject
      and f.at > v_now - make_interval(secs => (v_rule ->> 'quietSeconds')::int) and v_found.value < 2 * (f.facts::json ->> 'value')::numeric
      and not (anomaly.counts_within(v_rule) is not null and exists (select from audit.entry e where e.agent = f.agent and e.at > f.at and e.kind in ('agent.trusted-again', 'agent.enabled'))));
    v_id := gen_random_uuid();
    v_facts := json_build_object('finding', v_id, 'subject', v_found.subject, 'value', v_found.value, 'threshold', v_found.threshold, 'since', v_found.since, 'response', v_rule ->> 'response', 'total', v_found.total, 'decisions', coalesce(v_found.decisions, '{}'));
    insert into anomaly.finding values (v_id, v_rule ->> 'rule', v_found.agent, v_found.subject, v_rule ->> 'response', v_now, false, v_facts::text);
    perform audit.chain(json_build_array(json_build_object('kind', 'anomaly.found', 'agent', v_found.agent, 'outcome', v_rule ->> 'rule', 'facts', v_facts::text)));
    if v_rule ->> 'response' = 'hold' and v_found.agent is not null then perform controls.be_cautious(v_found.agent, v_id, null, null); end if;
    v_count := v_count + 1;
  end loop;
  -- What was found new is not new any more.
  if v_rule ->> 'rule' = 'new-behaviour' then
    insert into anomaly.feature select agent, feature, min(at) from anomaly.features(greatest(v_looked, v_now - interval '1 day') - interval '1 minute', 'infinity') group by 1, 2 on conflict do nothing;
  end if;
  update anomaly.looked set at = v_now where rule = v_key;
  return v_count;
end $$;

-- Findings that nobody was told of yet, the oldest first; a few, since a row of the Data API holds 64 KB.
create function anomaly.untold() returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(json_agg(json_build_object('finding', finding_id, 'rule', rule, 'agent', agent, 'response', response) order by at), '[]') from (select * from anomaly.finding where not told order by at limit 50) f
$$;

-- Notes that everybody was told of findings.
create function anomaly.told(p_findings text) returns int language sql security definer set search_path = pg_catalog, pg_temp as $$
  with told as (update anomaly.finding set told = true where finding_id in (select json_array_elements_text(p_findings::json)::uuid) and not told returning 1) select count(*)::int from told
$$;

-- From now on every write of an agent waits for people; answers whether it did not before. Whoever asks for it is in the log either way.
create function controls.be_cautious(p_agent text, p_finding uuid, p_person text, p_reason text) returns boolean language plpgsql as $$
declare
  v_new boolean;
begin
  insert into controls.caution select name, p_finding, p_person, controls.now() from controls.agent where name = p_agent and not removed on conflict do nothing;
  v_new := found;
  if v_new or p_person is not null then
    perform audit.chain(json_build_array(json_build_object('kind', 'agent.cautioned', 'agent', p_agent, 'outcome', case when v_new then 'cautioned' else 'cautioned before' end, 'facts', json_build_object('finding', p_finding, 'person', p_person)::text,
      'inputs', case when p_reason is not null then audit.canonical(json_build_object('reason', p_reason)) end)));
  end if;
  return v_new;
end $$;

-- A person has every write of an agent wait, or lets it go on as its card says.
create function controls.set_caution(p_agent text, p_person text, p_reason text, p_on boolean) returns text language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from controls.agent where name = p_agent and not removed) then return json_build_object('refused', 'AgentUnknown'); end if;
  if p_on then return json_build_object('cautious', true, 'changed', controls.be_cautious(p_agent, null, p_person, p_reason)); end if;
  delete from controls.caution where agent = p_agent;
  if not found then return json_build_object('cautious', false, 'changed', false); end if;
  perform audit.chain(json_build_array(json_build_object('kind', 'agent.trusted-again', 'agent', p_agent, 'outcome', 'trusted again', 'facts', json_build_object('person', p_person)::text, 'inputs', audit.canonical(json_build_object('reason', p_reason)))));
  return json_build_object('cautious', false, 'changed', true);
end $$;

-- How agents stand.
create view audit.agent as select a.name, a.environment, a.enabled, a.stopped_at, exists (select from controls.caution c where c.agent = a.name) as cautious from controls.agent a where not a.removed;

-- The residency policy that counts.
create view audit.residency as select r.digest, r.policy, r.registered_at from controls.residency r join controls.setting s on s.name = 'residency' and s.value = r.digest;

grant select on audit.agent, audit.residency to {{role.auditor}};

revoke all on all functions in schema anomaly from public;

revoke all on function controls.be_cautious(text, uuid, text, text), controls.set_caution(text, text, text, boolean) from public;

grant usage on schema anomaly to {{role.keeper}};

grant execute on function anomaly.look(text), anomaly.count_hours(), anomaly.untold(), anomaly.told(text) to {{role.keeper}};

grant execute on function controls.set_caution(text, text, text, boolean) to {{role.kill}};
