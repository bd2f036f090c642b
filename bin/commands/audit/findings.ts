import { Command } from 'commander';
import { findings } from '../../../lambda/audit/findings';
import { LogOptions, withLog } from '../../log';
import { filterOf, Period, withPeriod } from '../../period';
import { printListing } from './listing';

/** `agent-controls audit findings`: what was unusual, what it rests on, and what was done about it. */
export function findingsCommand(): Command {
  return withPeriod(withLog(new Command('findings')))
    .description('Lists what the anomaly monitor found, newest first: which rule, of whom, how much of what is usual, and what was done about it.')
    .option('--agent <name>', 'of one agent')
    .action(({ agent, from, until, ...options }: LogOptions & Period & { readonly agent?: string }) => {
      const filter = filterOf({ agent, from, until });
      return printListing(options, {
        read: (log) => findings(log, filter),
        nothing: 'Nothing unusual was found.',
        head: ['time', 'rule', 'agent', 'what', 'found', 'usual at most', 'rows', 'response'],
        row: (each) => [each.time.slice(0, 19).replace('T', ' '), each.rule, each.agent ?? '', each.subject, String(each.value), String(each.threshold), String(each.total), each.response],
      });
    });
}
