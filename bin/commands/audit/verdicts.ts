import Table from 'cli-table3';
import { Command } from 'commander';
import { countVerdicts, VerdictFilter } from '../../../lambda/audit/verdicts';
import { LogOptions, openLog, withLog } from '../../log';
import { periodOf, withPeriod } from '../../period';
import { bold } from '../../terminal';

/** `agent-controls audit verdicts`: who decided how often, a verifier among them. */
export function verdictsCommand(): Command {
  return withPeriod(withLog(new Command('verdicts')))
    .description('Counts what people and verifiers made of held calls, and how long they took.')
    .option('--agent <name>', 'holds of one agent')
    .action(async ({ agent, from, until, ...options }: LogOptions & VerdictFilter) => {
      const period = periodOf({ ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) });
      const log = await openLog(options);
      try {
        const counts = await countVerdicts(log, { ...(agent === undefined ? {} : { agent }), ...period });
        if (options.json) process.stdout.write(`${JSON.stringify(counts)}\n`);
        else if (counts.length === 0) process.stdout.write('Nothing was held and decided.\n');
        else {
          const table = new Table({ head: ['agent', 'by', 'approved', 'rejected', 'left to people', 'no answer', 'median'].map((text) => bold(text)), style: { head: [], border: [] } });
          table.push(...counts.map((count) => [count.agent, count.by, count.approved, count.rejected, count.unsure, count.expired, count.medianSeconds === null ? '' : `${count.medianSeconds} s`]));
          process.stdout.write(`${table.toString()}\n`);
        }
      } finally {
        await log.close();
      }
    });
}
