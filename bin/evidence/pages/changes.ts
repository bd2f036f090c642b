import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, table, text } from '../../../lib/scope/markdown';
import { entriesOf, newest, said, when } from '../entries';
import type { PageMaker } from '../page';

/** Change management: what was in force when, and who had approved it. */
export const changes: PageMaker = {
  name: '10-changes',
  async make({ log, period, assembly }) {
    const { from = '-infinity', until } = period;
    const entries = await entriesOf(log, ['agent.registered', 'agent.removed', 'card.approved', 'card.withdrawn', 'action.registered', 'action.removed', 'residency.registered', 'signers.registered', 'tiers.registered', 'migration.applied', 'evidence.made'], period);
    const versions = await log.rows(`select e.agent, v.what, v.digest, count(*)::int as decisions, to_char(min(e.at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as first, to_char(max(e.at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last
      from audit.entry e cross join lateral (values ('card', e.facts::json ->> 'card_digest'), ('policies', e.facts::json ->> 'policy_digest'), ('prompt', e.facts::json ->> 'prompt_digest'), ('gate', e.facts::json ->> 'gate_digest'), ('tool ' || e.action, e.facts::json ->> 'schema_digest')) v(what, digest)
      where e.kind = 'call.intent' and v.digest is not null and e.at >= :from::timestamptz and e.at < :until::timestamptz group by 1, 2, 3 order by 1, 2, 5 limit 600`, { from, until });
    const approved = new Map((await log.rows('select distinct agent, card_digest, approved_by from audit.card order by 1, 2 limit 2000')).map((row) => [`${said(row.agent)} ${said(row.card_digest)}`, said(row.approved_by) || null]));
    const templates = assembly !== undefined && existsSync(assembly) ? readdirSync(assembly).filter((name) => name.endsWith('.template.json')).sort().map((name) => ({ name, digest: createHash('sha256').update(readFileSync(join(assembly, name))).digest('hex') })) : [];
    return {
      title: 'Changes',
      shows: 'Versions of cards, policies, prompts, tools and of the gate itself that decisions were made under, who approved which digest, and the digest of the template.',
      markdown: [
        '## Versions that decisions were made under', '',
        ...table(['agent', 'of', 'digest', 'decisions', 'first', 'last', 'approved by'], versions.map((row) => [text(said(row.agent)), text(said(row.what)), code(said(row.digest).slice(0, 16)), said(row.decisions), when(said(row.first)), when(said(row.last)), row.what === 'card' ? text(approved.get(`${said(row.agent)} ${said(row.digest)}`) ?? 'nobody') : ''])), '',
        '## Templates', '',
        ...(templates.length > 0 ? table(['template', 'SHA-256'], templates.map(({ name, digest }) => [code(name), code(digest)])) : ['**Not given:** `cdk synth`, then `--assembly cdk.out`.']), '',
        '## What was deployed and approved', '',
        ...table(['time', 'what', 'agent', 'facts'], entries.map(({ time, kind, agent, facts }) => [when(time), kind, text(agent ?? ''), text(Object.entries(facts).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : said(value)}`).join('; ').slice(0, 400))])), ...newest(entries),
      ],
      data: { versions, templates, entries },
      hides: ['Who reviewed the change in your repository: branch protection and its history show that.', 'That the template given here is the one that is deployed: compare its digest with CloudFormation\'s, or with the one your pipeline kept.'],
    };
  },
};
