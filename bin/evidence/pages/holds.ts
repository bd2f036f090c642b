import { searchDecisions } from '../../../lambda/audit/search';
import { countVerdicts } from '../../../lambda/audit/verdicts';
import { code, table, text } from '../../../lib/scope/markdown';
import { entriesOf, said, when } from '../entries';
import type { PageMaker } from '../page';

const OF_HOLDS = ['call.intent', 'hold.staged', 'hold.warned', 'verifier.unsure', 'hold.seconded', 'hold.approved', 'hold.rejected', 'hold.expired', 'hold.cancelled', 'verdict.refused', 'call.outcome'];

/** Control 3: one held call from proposal to effect, and what became of all of them. */
export const holds: PageMaker = {
  name: '04-holds',
  async make({ log, period, keys }) {
    const decided = await entriesOf(log, ['hold.approved', 'hold.rejected'], period, "e.approver is not null and e.approver not like 'verifier:%'");
    // The newest that ran; else the newest that a person answered.
    const ran = new Set((await entriesOf(log, ['call.outcome'], period, "e.outcome = 'executed' and e.decision_id in (select h.decision_id from hold.hold h)")).map(({ decision }) => decision));
    const shown = decided.find(({ kind, decision, action }) => kind === 'hold.approved' && action !== 'rollback' && ran.has(decision)) ?? decided[0];
    const story = shown?.decision ? (await entriesOf(log, OF_HOLDS, {}, 'e.decision_id = :decision::uuid', { decision: shown.decision })).reverse() : [];
    const [row] = shown?.decision ? await searchDecisions(log, { decision: shown.decision }, 1) : [];
    const [book] = shown?.decision ? await log.rows("select h.tier, h.people, array_to_string(h.approvers, ', ') as approvers, h.staged_at::text as staged_at, h.hold_until::text as hold_until, (select json_agg(json_build_object('person', v.person, 'verdict', v.verdict, 'at', v.at) order by v.at)::text from hold.verdict v where v.hold_id = h.hold_id) as verdicts from hold.hold h where h.decision_id = :decision::uuid", { decision: shown.decision }) : [];
    const verdicts = await countVerdicts(log, { ...period });
    return {
      title: 'A hold, from proposal to effect',
      shows: 'What was proposed, what was shown and under which digest, who answered, when, how they had signed in, and what came of it; and how every hold of the period ended.',
      markdown: [
        ...(shown && row ? [
          `## ${text(said(row.decision))} of ${text(said(row.agent))}`, '',
          ...table(['what', 'value'], [
            ['decision', code(said(row.decision_id))], ['proposed', when(said(row.time))], ['what was shown and what ran', text(said(row.output))], ['what the agent saw and said', text(said(row.inputs).slice(0, 2_000))], ['held because', text(said(row.reasons))],
            ['tier', `${text(said(book?.tier ?? ''))}, ${said(book?.people ?? '')} of ${text(said(book?.approvers ?? ''))}, until ${when(said(book?.hold_until ?? ''))}`], ['came to', text(said(row.status))],
          ]), '',
          ...table(['time', 'what', 'by', 'outcome', 'facts'], story.map(({ time, kind, approver, login, outcome, facts }) => [when(time), kind, text(approver ?? login), text(outcome ?? ''), text(Object.entries(facts).filter(([name, value]) => value !== null && !/^(approvers|reasons|handler_clock|inputs_are|\w+_digest)$/.test(name) && typeof value !== 'object').map(([name, value]) => `${name}: ${said(value)}`).join('; '))])), '',
        ] : ['Nobody has answered a hold in this period.', '']),
        '## Every hold of the period', '',
        ...table(['agent', 'by', 'approved', 'rejected', 'left to people', 'no answer', 'median'], verdicts.map(({ agent, by, approved, rejected, unsure, expired, medianSeconds }) => [text(agent), text(by), said(approved), said(rejected), said(unsure), said(expired), medianSeconds === null ? '' : `${medianSeconds} s`])),
      ],
      data: { shown: row ?? null, hold: book ?? null, entries: story, verdicts, keys: keys.length },
      hides: ['Whether whoever approved had read it: that people approve everything, and fast, is a finding of its own.', 'The page itself as it looked; what it shows is the staged bytes, under the digest above.'],
    };
  },
};
