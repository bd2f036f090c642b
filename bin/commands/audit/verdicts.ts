import { Command } from 'commander';
import { countVerdicts, VerdictFilter } from '../../../lambda/audit/verdicts';
import { LogOptions, withLog } from '../../log';
import { filterOf, withPeriod } from '../../period';
import { printListing } from './listing';

/** `agent-controls audit verdicts`: who decided how often, a verifier among them. */
export function verdictsCommand(): Command {
  return withPeriod(withLog(new Command('verdicts')))
    .description('Counts what people and verifiers made of held calls, and how long they took.')
    .option('--agent <name>', 'holds of one agent')
    .action(({ agent, from, until, ...options }: LogOptions & VerdictFilter) => {
      const filter = filterOf({ agent, from, until });
      return printListing(options, {
        read: (log) => countVerdicts(log, filter),
        nothing: 'Nothing was held and decided.',
        head: ['agent', 'by', 'approved', 'rejected', 'left to people', 'no answer', 'median'],
        row: (count) => [count.agent, count.by, ...[count.approved, count.rejected, count.unsure, count.expired].map(String), count.medianSeconds === null ? '' : `${count.medianSeconds} s`],
      });
    });
}
