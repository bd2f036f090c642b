-- What a reviewer of permissions reads: cards and who approved them, what was used, and the reviews themselves.

create view audit.card as
select s.agent, s.card_digest, s.environment, s.card, s.approved_by, s.signatures, s.review_by::text as review_by, s.registered_at,
  exists (select from controls.agent a where a.name = s.agent and a.card_digest = s.card_digest and a.environment = s.environment and not a.removed) as current
from controls.scope s;

-- What agents call, as it was last deployed.
create view audit.action as select name, manifest, manifest_digest, bundle_digest, registered_at from controls.action;

create view audit.signer as select name, public_key, security from controls.signer;

-- How often each rule of each agent led to a permit or a hold in the last days, and when last; and which day it is.
create function audit.usage(p_days int) returns text language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select json_build_object('today', (controls.now() at time zone 'UTC')::date, 'rules', coalesce(json_agg(json_build_object('agent', u.agent, 'rule', u.rule, 'times', u.times, 'last', u.last) order by u.agent, u.rule), '[]'))::text from (
    select e.agent, e.facts::json ->> 'rule' as rule, count(*) as times, max(e.at) as last from audit.entry e
    where e.kind = 'call.intent' and e.at > controls.now() - make_interval(days => p_days) and e.outcome <> 'deny' group by 1, 2) u
$$;

-- Records that a person looked at what an agent may do. The signature stands in the entry, so anybody can tell who it was.
create function audit.record_review(p_agent text, p_review text) returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from controls.agent a where a.name = p_agent and a.card_digest = p_review::json ->> 'card_digest')
    or not exists (select from controls.signer s where s.name = p_review::json ->> 'by') then return false; end if;
  perform audit.chain(json_build_array(json_build_object('kind', 'access.reviewed', 'agent', p_agent, 'facts', p_review)));
  return true;
end $$;

revoke all on function audit.usage(int), audit.record_review(text, text) from public;

grant select on audit.card, audit.action, audit.signer to {{role.auditor}};

grant execute on function audit.usage(int), audit.record_review(text, text) to {{role.auditor}};
