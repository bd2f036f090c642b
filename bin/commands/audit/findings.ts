import Table from 'cli-table3';
import { Command } from 'commander';
import { findings } from '../../../lambda/audit/findings';
import { LogOptions, openLog, withLog } from '../../log';
import { Period, periodOf, withPeriod } from '../../period';
import { bold } from '../../terminal';

/** `agent-controls audit findings`: what was unusual, what it rests on, and what was done about it. */
export function findingsCommand(): Command {
  return withPeriod(withLog(new Command('findings')))
    .description('Lists what the anomaly monitor found, newest first: which rule, of whom, how much of what is usual, and what was done about it.')
    .option('--agent <name>', 'of one agent')
    .action(async ({ agent, from, until, ...options }: LogOptions & Period & { readonly agent?: string }) => {
      const period = periodOf({ ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) });
      const log = await openLog(options);
      try {
        const all = await findings(log, { ...(agent === undefined ? {} : { agent }), ...period });
        if (options.json) process.stdout.write(`${JSON.stringify(all)}\n`);
        else if (all.length === 0) process.stdout.write('Nothing unusual was found.\n');
        else {
          const table = new Table({ head: ['time', 'rule', 'agent', 'what', 'found', 'usual at most', 'rows', 'response'].map((text) => bold(text)), style: { head: [], border: [] } });
          table.push(...all.map((each) => [each.time.slice(0, 19).replace('T', ' '), each.rule, each.agent ?? '', each.subject, String(each.value), String(each.threshold), String(each.total), each.response]));
          process.stdout.write(`${table.toString()}\n`);
        }
      } finally {
        await log.close();
      }
    });
}
