import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { LogOptions, openLog, withLog } from '../log';
import { bold, green, progressLine, red } from '../terminal';
import { drillCommand } from './agent-drill';

interface Lever { readonly lever: string; readonly state: 'proven' | 'propagating' | 'unproven'; readonly evidence: string; readonly seconds: number }
interface Report { readonly agent: string; readonly outcome: Lever['state']; readonly stoppedAt: string | null; readonly stopSeconds: number; readonly levers: readonly Lever[] }

/** How long a lever may take to be seen, from the stop on. IAM takes seconds, an action up to five minutes. */
const PATIENCE_MS = 330_000;

interface DisableOptions extends LogOptions { readonly reason: string; readonly all?: true; readonly wait: boolean }
interface EnableOptions extends LogOptions { readonly reason: string; readonly as: 'operator' | 'colleague' }

/** `agent-controls agent`: stops agents and proves it, and brings one back. */
export function agentCommand(): Command {
  const disable = withLog(new Command('disable'))
    .description('Stops an agent: every lever is pulled, and proved by looking again. Exit code 0 only when all are proven.')
    .argument('[name]', 'the agent; or --all')
    .option('--all', 'every agent')
    .requiredOption('--reason <text>', 'why; it stands in the log')
    .option('--no-wait', 'print how things stand after some seconds, and do not look again until everything is proven')
    .addHelpText('after', '\nExample:\n  agent-controls agent disable crm-tierer --reason "a wave of wrong tiers"')
    .action(async (name: string | undefined, { reason, all, wait, ...options }: DisableOptions) => {
      if ((name === undefined) === (all === undefined)) throw new Error('AgentMissing: name one agent, or give --all');
      const log = await openLog(options);
      const line = progressLine();
      try {
        const api = await log.api('responder');
        const names = name === undefined ? (await api.send<{ agents: { agent: string }[] }>('GET', '/agents')).agents.map(({ agent }) => agent) : [name];
        line.tell(`stopping ${names.join(', ')}`);
        const reports = await Promise.all(names.map(async (agent): Promise<Report> => {
          const deadline = Date.now() + PATIENCE_MS;
          let report = await api.send<Report>('POST', `/agents/${encodeURIComponent(agent)}/disable`, { reason });
          while (wait && report.outcome !== 'proven' && report.levers.some(({ state }) => state === 'propagating') && Date.now() < deadline) {
            line.tell(`${agent}: ${report.levers.filter(({ state }) => state !== 'proven').map(({ evidence }) => evidence).join('; ')}`);
            report = await api.send<Report>('GET', `/agents/${encodeURIComponent(agent)}/stop`);
          }
          return report;
        }));
        line.end();
        process.stdout.write(options.json ? `${JSON.stringify({ reports })}\n` : reports.map(told).join('\n'));
        process.exitCode = reports.every(({ outcome }) => outcome === 'proven') ? 0 : 1;
      } finally {
        line.end();
        await log.close();
      }
    });
  const enable = withLog(new Command('enable'))
    .description('Asks for a stopped agent back. The second of two people brings it, with a new password; sessions from before stay refused.')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why; it stands in the log')
    .addOption(new Option('--as <who>', 'of a local runtime: which of two people asks').choices(['operator', 'colleague']).default('operator'))
    .action(async (name: string, { reason, as, ...options }: EnableOptions) => {
      const log = await openLog(options);
      try {
        const came = await (await log.api('responder', as)).send<{ waits?: boolean }>('POST', `/agents/${encodeURIComponent(name)}/enable`, { reason });
        process.stdout.write(options.json ? `${JSON.stringify(came)}\n` : came.waits ? `Asked. A second person must ask for ${name} within a day${options.local ? ', here with --as colleague' : ''}.\n` : `${green('Enabled')}: ${name} may start runs again.\n`);
      } finally {
        await log.close();
      }
    });
  const caution = (name: 'hold' | 'release', description: string, told: string): Command => withLog(new Command(name))
    .description(description)
    .argument('<name>')
    .requiredOption('--reason <text>', 'why; it stands in the log')
    .action(async (agent: string, { reason, ...options }: LogOptions & { readonly reason: string }) => {
      const log = await openLog(options);
      try {
        const came = await (await log.api('responder')).send<{ cautious: boolean; changed: boolean }>('POST', `/agents/${encodeURIComponent(agent)}/${name}`, { reason });
        process.stdout.write(options.json ? `${JSON.stringify(came)}\n` : came.changed ? `${green(told)}: ${agent}.\n` : `Nothing changed: ${agent} was ${came.cautious ? 'held' : 'not held'} before.\n`);
      } finally {
        await log.close();
      }
    });
  const list = withLog(new Command('list'))
    .description('Agents, and whether each is enabled.')
    .action(async (options: LogOptions) => {
      const log = await openLog(options);
      try {
        const { agents } = await (await log.api('responder')).send<{ agents: { agent: string; enabled: boolean }[] }>('GET', '/agents');
        process.stdout.write(options.json ? `${JSON.stringify({ agents })}\n` : agents.map(({ agent, enabled }) => `${agent}  ${enabled ? green('enabled') : red('stopped')}\n`).join(''));
      } finally {
        await log.close();
      }
    });
  return new Command('agent').description('Stops agents, proves it, and brings them back.').addCommand(disable).addCommand(enable).addCommand(caution('hold', 'Has every write of an agent wait for people, whatever its card says; it reads on.', 'Every write waits for people')).addCommand(caution('release', 'Lets an agent go on as its card says, after an anomaly had its writes wait.', 'Goes on as its card says')).addCommand(list).addCommand(drillCommand());
}

function told({ agent, outcome, stoppedAt, stopSeconds, levers }: Report): string {
  const table = new Table({ head: ['lever', 'state', 'evidence', 'after'].map((text) => bold(text)), style: { head: [], border: [] }, colWidths: [null, null, 60, null], wordWrap: true });
  table.push(...levers.map(({ lever, state, evidence, seconds }) => [lever, state === 'proven' ? green(state) : red(state), evidence, `${seconds.toFixed(1)} s`]));
  const headline = outcome === 'proven' ? `${green('Stopped')}: ${agent}, proven ${stopSeconds.toFixed(1)} s after it was asked for; no effect of it is later than ${stoppedAt ?? ''}.`
    : `${red(outcome === 'propagating' ? 'Not proven yet' : 'Not proven')}: ${agent}. Look again: agent-controls agent disable ${agent} --reason ...`;
  return `${headline}\n${table.toString()}\n`;
}
