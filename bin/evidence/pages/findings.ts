import { findings as findingsOf } from '../../../lambda/audit/findings';
import { code, table, text } from '../../../lib/scope/markdown';
import { readJson } from '../../commands/audit/keys';
import { runbook } from '../../runbook';
import { entriesOf, newest, said, when } from '../entries';
import type { PageMaker } from '../page';
import { cardsOf, manifestsOf } from './cards';
import { policyOf } from './residency';

interface Tabletop { readonly scenario: string; readonly agent: string; readonly at: string; readonly ok: boolean; readonly auto?: boolean; readonly steps: readonly { readonly step: string; readonly seconds: number | null; readonly ok: boolean }[] }

/** What was unusual, what was done about it, how people practised, and the runbook they practise with. */
export const findings: PageMaker = {
  name: '12-findings',
  async make({ log, period, tabletops }) {
    const all = await findingsOf(log, { ...period });
    const answers = await entriesOf(log, ['agent.cautioned', 'agent.trusted-again', 'agent.disabled', 'credential.leaked'], period);
    const manifests = await manifestsOf(log);
    const policy = await policyOf(log);
    const books = (await cardsOf(log)).map(({ card }) => ({ agent: card.agent, book: runbook({ card, manifests, controlsName: log.controlsName, ...(policy ? { policy } : {}) }) }));
    // Reports are files that somebody gave.
    const played = tabletops.map((file) => readJson(file) as Tabletop);
    return {
      title: 'Findings, runbooks and tabletops',
      shows: 'What the monitor found unusual, with the rows it rests on and what was done; exercises, step by step with their times; and the runbook of every agent.',
      markdown: [
        '## Findings', '',
        ...table(['time', 'rule', 'agent', 'about', 'found', 'unusual from', 'response', 'newest rows'], all.map(({ time, rule, agent, subject, value, threshold, response, decisions, total }) => [when(time), code(rule), text(agent ?? ''), text(subject), said(value), said(threshold), response, `${decisions.slice(0, 3).map((id) => code(id.slice(0, 8))).join(' ')} of ${total}`])), ...newest(all, 300), '',
        '## What was done', '',
        ...table(['time', 'what', 'agent', 'by'], answers.map(({ time, kind, agent, facts }) => [when(time), kind, text(agent ?? said(facts.credential ?? '')), text(said(facts.person ?? (facts.finding ? `finding ${said(facts.finding)}` : '')))])), '',
        '## Tabletops', '',
        ...(played.length > 0 ? played.flatMap(({ scenario, agent, at, ok, auto, steps }) => [`### ${text(scenario)}, ${text(agent)}, ${when(at)}: ${ok ? 'mastered' : '**not mastered**'}${auto === true ? ', by the command itself and by nobody' : ''}`, '', ...table(['step', 'after', 'done'], steps.map(({ step, seconds, ok: done }) => [text(step), seconds === null ? '' : `${seconds.toFixed(1)} s`, done ? 'yes' : '**no**'])), '']) : ['None was given: `agent-controls tabletop --out FILE` plays one, `--tabletop FILE` takes it.', '']),
        '## Runbooks', '',
        ...books.map(({ agent }) => `- [${text(agent)}](runbooks/${agent}.html)`),
      ],
      data: { findings: all, answers, tabletops: played },
      hides: ['What is as usual and wrong all the same: an agent that always did the wrong thing is not unusual.', 'Who answered a tabletop: its report is a file, given to whoever made these pages.', 'Agents without one to three weeks of history are held to counts alone.'],
      files: Object.fromEntries(books.map(({ agent, book }) => [`runbooks/${agent}.md`, book])),
    };
  },
};
