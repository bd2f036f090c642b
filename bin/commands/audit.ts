import { Command } from 'commander';
import type { Verification } from '../../lambda/audit/verify';
import { DecisionRow, decisionTable } from '../decision-table';
import { LogOptions, openLog, withLog } from '../log';
import { dim, green, progressLine, red } from '../terminal';

interface ListOptions extends LogOptions {
  readonly agent?: string;
  readonly run?: string;
  readonly limit: string;
}

/** `agent-controls audit`: reads and verifies the log. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('Reads and verifies the audit log, as its auditor.')
    .addCommand(withLog(new Command('verify'))
      .description('Computes every hash of the log again and names what is not as it was written.')
      .addHelpText('after', '\nExit codes: 0 the log verifies, 1 it does not, 2 it could not be read.')
      .action(verify))
    .addCommand(withLog(new Command('list'))
      .description('Prints decisions, newest last.')
      .option('--agent <name>', 'of this agent only')
      .option('--run <id>', 'of this run only')
      .option('--limit <number>', 'how many', '20')
      .action(list));
}

async function verify(options: LogOptions): Promise<void> {
  const log = await openLog(options);
  const line = progressLine();
  try {
    const result = await log.verify((entries) => line.tell(`${entries} entries verified`));
    line.end();
    if (options.json) process.stdout.write(`${JSON.stringify({ ...result, local: log.local, anchored: false })}\n`);
    else print(result, log.local);
    process.exitCode = result.ok ? 0 : 1;
  } finally {
    line.end();
    await log.close();
  }
}

function print({ ok, entries, payloads, findings }: Verification, local: boolean): void {
  for (const { problem, entries: place, decisionId, sentence } of findings) {
    process.stdout.write(`${red(problem)}  ${place}${decisionId === null ? '' : `  decision ${decisionId}`}\n  ${sentence}\n`);
  }
  process.stdout.write(`${ok ? green('The log verifies') : red(`The log does not verify: ${findings.length} findings`)}: ${entries} entries, ${payloads} payloads.\n`);
  process.stdout.write(dim('No checkpoint anchors it: the removal of the newest entries together with their chain heads would not show.\n'));
  if (local) process.stdout.write(dim('It is the log of a local runtime, and evidence of nothing else.\n'));
}

async function list(options: ListOptions): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) throw new Error(`--limit must be 1 to 1000, got ${options.limit}`);
  const log = await openLog(options);
  try {
    const rows = await log.decisions(limit, { ...(options.agent === undefined ? {} : { agent: options.agent }), ...(options.run === undefined ? {} : { runId: options.run }) });
    const decisions = rows.map(decisionRow);
    if (options.json) process.stdout.write(`${JSON.stringify(decisions)}\n`);
    else process.stdout.write(decisions.length === 0 ? (options.agent !== undefined || options.run !== undefined ? 'No decision of that agent or run.\n' : 'No decision yet.\n') : `${decisionTable(decisions)}\n`);
  } finally {
    await log.close();
  }
}

function decisionRow(row: Record<string, unknown>): DecisionRow & Record<string, unknown> {
  const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
  const json = (name: string): unknown => JSON.parse(text(name) ?? 'null');
  return {
    time: text('time') ?? '', agent: text('agent') ?? '', runId: text('run_id') ?? '', decisionId: text('decision_id'), decision: text('decision') ?? '', inputsHash: text('inputs_hash'), inputs: json('inputs'),
    model: text('model'), outputHash: text('output_hash'), output: json('output'), downstreamWrites: (json('downstream_writes') ?? []) as string[], authorizedBy: text('authorized_by'), verdict: text('verdict'),
    reasons: json('reasons'), reference: text('reference'), approver: text('approver'), status: text('status') ?? '', result: json('result'),
  };
}
