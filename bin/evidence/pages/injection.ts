import { countVerdicts } from '../../../lambda/audit/verdicts';
import { code, table, text } from '../../../lib/scope/markdown';
import { readJson } from '../../commands/audit/keys';
import { said } from '../entries';
import type { PageMaker } from '../page';

interface Suite { readonly cases: number; readonly success: number; readonly partial: number; readonly tasks: number; readonly unattended: number; readonly benignDenied: number; readonly holds: number }

/** Control 5: what a model that always obeys brings through, beside what it costs; and what the gate refused in the period. */
export const injection: PageMaker = {
  name: '06-injection',
  async make({ log, period, injection: file }) {
    const { from = '-infinity', until } = period;
    const reasons = await log.rows(`select r.reason, e.outcome, count(*)::int as calls, count(distinct e.agent)::int as agents from audit.entry e cross join lateral jsonb_array_elements_text(case when jsonb_typeof(e.facts::jsonb -> 'reasons') = 'array' then e.facts::jsonb -> 'reasons' else '[]' end) r(reason)
      where e.kind = 'call.intent' and e.outcome in ('deny', 'hold') and e.at >= :from::timestamptz and e.at < :until::timestamptz group by 1, 2 order by 3 desc limit 60`, { from, until });
    const [decided] = await log.rows("select count(*)::int as calls, count(*) filter (where e.outcome = 'permit')::int as permitted, count(*) filter (where e.outcome = 'hold')::int as held, count(*) filter (where e.outcome = 'deny')::int as denied from audit.entry e where e.kind = 'call.intent' and e.at >= :from::timestamptz and e.at < :until::timestamptz", { from, until });
    const verifiers = (await countVerdicts(log, { ...period })).filter(({ by }) => by.startsWith('verifier:'));
    const report = file === undefined ? undefined : (readJson(file) as Record<string, Record<string, Suite>>);
    const suites = Object.entries(report ?? {}).flatMap(([timing, of]) => Object.entries(of).filter(([, suite]) => typeof suite === 'object' && suite !== null && 'cases' in suite).map(([suite, result]) => ({ timing, suite, ...result })));
    return {
      title: 'Injection',
      shows: 'How many attacks a model that obeys every one of them brings through the gate, beside how often people were asked for it; and what the gate denied and held in the period, by reason.',
      markdown: [
        '## Suites', '',
        ...(suites.length > 0 ? table(['timing', 'suite', 'attacks', 'succeeded', 'in part', 'benign tasks', 'unattended', 'benign calls denied', 'holds per task'], suites.map((each) => [text(each.timing), text(each.suite), said(each.cases), each.success === 0 ? '0' : `**${each.success}**`, each.partial === 0 ? '0' : `**${each.partial}**`, said(each.tasks), said(each.unattended), said(each.benignDenied), (each.holds / Math.max(1, each.tasks)).toFixed(2)]))
          : ['**Not given:** `npm run bench:injection -- --data FILE --json REPORT` makes it, `--injection REPORT` takes it. What follows is of this log alone.']), '',
        '## What the gate did', '',
        ...table(['calls', 'permitted', 'held', 'denied'], [[said(decided?.calls ?? 0), said(decided?.permitted ?? 0), said(decided?.held ?? 0), said(decided?.denied ?? 0)]]), '',
        ...table(['reason', 'came to', 'calls', 'agents'], reasons.map((row) => [code(said(row.reason)), text(said(row.outcome)), said(row.calls), said(row.agents)])), '',
        '## What verifiers made of it', '',
        ...table(['agent', 'verifier', 'approved', 'rejected', 'left to people'], verifiers.map(({ agent, by, approved, rejected, unsure }) => [text(agent), text(by), said(approved), said(rejected), said(unsure)])),
      ],
      data: { report: report ?? null, decided: decided ?? null, reasons, verifiers },
      hides: ['Whether a held call was an attack or a doubt: the gate holds whatever nothing vouches for.', 'Attacks by words alone on people who read what an agent sends to somebody it may write to.'],
    };
  },
};
