import Table from 'cli-table3';
import { Command } from 'commander';
import { ModelCall, modelCalls } from '../../../lambda/audit/model-calls';
import { LogOptions, openLog, withLog } from '../../log';
import { Period, periodOf, withPeriod } from '../../period';
import { bold } from '../../terminal';

/** `agent-controls audit models`: every call of a model, and what it was decided by. */
export function modelsCommand(): Command {
  return withPeriod(withLog(new Command('models')))
    .description('Lists calls of models, newest first: who asked, whom, with which classes of data, what was taken out, where it went, and what it came to.')
    .option('--agent <name>', 'of one agent').option('--limit <number>', 'how many', '50')
    .action(async ({ agent, limit, from, until, ...options }: LogOptions & Period & { readonly agent?: string; readonly limit: string }) => {
      const period = periodOf({ ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) });
      if (!/^[1-9]\d{0,4}$/.test(limit)) throw new Error(`LimitInvalid: --limit must be 1 to 99999, got ${limit}`);
      const log = await openLog(options);
      try {
        const calls = await modelCalls(log, { ...(agent === undefined ? {} : { agent }), ...period, limit: Number(limit) });
        if (options.json) process.stdout.write(`${JSON.stringify(calls)}\n`);
        else if (calls.length === 0) process.stdout.write('No model was asked.\n');
        else {
          const table = new Table({ head: ['time', 'agent', 'asked', 'went to', 'classes', 'taken out', 'tokens', 'outcome'].map((text) => bold(text)), style: { head: [], border: [] } });
          table.push(...calls.map((call) => [call.time.replace('T', ' ').replace('Z', ''), call.by === 'agent' ? call.agent : `${call.by} of ${call.agent}`, call.asked ?? '(unknown)', wentTo(call), call.classes.join(', '), call.redacted.join(', '), call.inputTokens === null ? '' : `${call.inputTokens} + ${call.outputTokens ?? 0}`, call.outcome]));
          process.stdout.write(`${table.toString()}\n`);
        }
      } finally {
        await log.close();
      }
    });
}

const wentTo = ({ provider, processesIn, routedFrom, insteadOf }: ModelCall): string => (provider === null ? '' : `${provider}, ${processesIn.join(' or ')}${routedFrom === null ? '' : ' (routed)'}${insteadOf === null ? '' : ` (instead of ${insteadOf})`}`);
