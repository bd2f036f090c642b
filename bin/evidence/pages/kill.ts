import { code, table, text } from '../../../lib/scope/markdown';
import { entriesOf, newest, said, when } from '../entries';
import type { PageMaker } from '../page';

interface Stop { readonly outcome?: string; readonly stopSeconds?: number; readonly stoppedAt?: string | null; readonly levers?: readonly { readonly lever: string; readonly state: string; readonly evidence: string; readonly seconds: number }[] }

/** The kill switch: the newest stop, lever by lever, and all others. */
export const kill: PageMaker = {
  name: '09-kill-switch',
  async make({ log, period }) {
    const stops = await entriesOf(log, ['agent.stopped'], period);
    const others = await entriesOf(log, ['agent.disabled', 'agent.enabled', 'agent.asked-back', 'agent.cautioned', 'agent.trusted-again'], period);
    const [last] = stops;
    const report = last?.facts as Stop | undefined;
    return {
      title: 'The kill switch',
      shows: 'The newest stop of an agent with every lever, what shows that it works and after how many seconds; and every stop, comeback and caution of the period.',
      markdown: [
        ...(last && report ? [
          `## ${text(last.agent ?? '')}, ${when(last.time)}: ${text(report.outcome ?? '')} after ${(report.stopSeconds ?? 0).toFixed(1)} s`, '',
          ...table(['lever', 'state', 'what shows it', 'after'], (report.levers ?? []).map(({ lever, state, evidence, seconds }) => [code(lever), state === 'proven' ? state : `**${state}**`, text(evidence), `${seconds.toFixed(1)} s`])), '',
        ] : ['No agent was stopped in this period: `agent-controls agent drill` makes one.', '']),
        '## All stops', '',
        ...table(['time', 'agent', 'came to', 'after'], stops.map(({ time, agent, facts }) => [when(time), text(agent ?? ''), text(said((facts as Stop).outcome ?? '')), `${((facts as Stop).stopSeconds ?? 0).toFixed(1)} s`])), '',
        '## Who stopped, held and brought back', '',
        ...table(['time', 'agent', 'what', 'who'], others.map(({ time, agent, kind, facts }) => [when(time), text(agent ?? ''), kind, text(said(facts.person ?? (Array.isArray(facts.people) ? facts.people.join(' and ') : facts.finding ? `finding ${said(facts.finding)}` : '')))])), ...newest(others),
      ],
      data: { stops, others },
      hides: ['Effects of systems that an agent had set in motion before: a mail that left stays sent.', 'How fast IAM is on another day: every stop proves itself again.'],
    };
  },
};
