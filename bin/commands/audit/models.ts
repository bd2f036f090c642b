import { Command } from 'commander';
import { ModelCall, modelCalls } from '../../../lambda/audit/model-calls';
import { LogOptions, withLog } from '../../log';
import { filterOf, Period, withPeriod } from '../../period';
import { printListing } from './listing';

/** `agent-controls audit models`: every call of a model, and what it was decided by. */
export function modelsCommand(): Command {
  return withPeriod(withLog(new Command('models')))
    .description('Lists calls of models, newest first: who asked, whom, with which classes of data, what was taken out, where it went, and what it came to.')
    .option('--agent <name>', 'of one agent').option('--limit <number>', 'how many', '50')
    .action(({ agent, limit, from, until, ...options }: LogOptions & Period & { readonly agent?: string; readonly limit: string }) => {
      const filter = filterOf({ agent, from, until });
      if (!/^[1-9]\d{0,4}$/.test(limit)) throw new Error(`LimitInvalid: --limit must be 1 to 99999, got ${limit}`);
      return printListing(options, {
        read: (log) => modelCalls(log, { ...filter, limit: Number(limit) }),
        nothing: 'No model was asked.',
        head: ['time', 'agent', 'asked', 'went to', 'classes', 'taken out', 'tokens', 'outcome'],
        row: (call) => [call.time.replace('T', ' ').replace('Z', ''), call.by === 'agent' ? call.agent : `${call.by} of ${call.agent}`, call.asked ?? '(unknown)', wentTo(call), call.classes.join(', '), call.redacted.join(', '), call.inputTokens === null ? '' : `${call.inputTokens} + ${call.outputTokens ?? 0}`, call.outcome],
      });
    });
}

const wentTo = ({ provider, processesIn, routedFrom, insteadOf }: ModelCall): string => (provider === null ? '' : `${provider}, ${processesIn.join(' or ')}${routedFrom === null ? '' : ' (routed)'}${insteadOf === null ? '' : ` (instead of ${insteadOf})`}`);
