import { RDSDataClient } from '@aws-sdk/client-rds-data';
import { Command, Option } from 'commander';
import { Client } from 'pg';
import { DataApiLog } from '../../lambda/audit/data-api-log';
import { DECISIONS } from '../../lambda/audit/queries';
import type { Verification } from '../../lambda/audit/verify';
import { verifyByCopy } from '../../local/postgres/copy-log';
import { DecisionRow, decisionTable } from '../decision-table';
import { deployedLog } from '../deployed-log';
import { readLocalFile } from '../read-local-file';
import { dim, green, progressLine, red } from '../terminal';

interface Where {
  readonly local?: true;
  readonly folder: string;
  readonly name: string;
  readonly json?: true;
}

interface ListOptions extends Where {
  readonly agent?: string;
  readonly run?: string;
  readonly limit: string;
}

/** A log that can be read and verified, wherever it is. */
interface Log {
  readonly local: boolean;
  verify(progress: (entries: number) => void): Promise<Verification>;
  decisions(limit: number, filter: { readonly agent?: string; readonly runId?: string }): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** `agent-controls audit`: reads and verifies the log. */
export function auditCommand(): Command {
  const where = (command: Command): Command => command
    .option('--local', 'the local runtime that runs now, instead of the deployed control plane')
    .addOption(new Option('--folder <path>', 'folder of the local runtime').default('.agent-controls'))
    .addOption(new Option('--name <name>', 'name of the deployed control plane').default('agent-controls'))
    .option('--json', 'print JSON on standard output');
  return new Command('audit')
    .description('Reads and verifies the audit log, as its auditor.')
    .addCommand(where(new Command('verify'))
      .description('Computes every hash of the log again and names what is not as it was written.')
      .addHelpText('after', '\nExit codes: 0 the log verifies, 1 it does not, 2 it could not be read.')
      .action(verify))
    .addCommand(where(new Command('list'))
      .description('Prints decisions, newest last.')
      .option('--agent <name>', 'of this agent only')
      .option('--run <id>', 'of this run only')
      .option('--limit <number>', 'how many', '20')
      .action(list));
}

async function verify(options: Where): Promise<void> {
  const log = await open(options);
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
  const log = await open(options);
  try {
    const rows = await log.decisions(limit, { ...(options.agent === undefined ? {} : { agent: options.agent }), ...(options.run === undefined ? {} : { runId: options.run }) });
    const decisions = rows.map(decisionRow);
    if (options.json) process.stdout.write(`${JSON.stringify(decisions)}\n`);
    else process.stdout.write(decisions.length === 0 ? (options.agent !== undefined || options.run !== undefined ? 'No decision of that agent or run.\n' : 'No decision yet.\n') : `${decisionTable(decisions)}\n`);
  } finally {
    await log.close();
  }
}

async function open({ local, folder, name }: Where): Promise<Log> {
  if (local) return openLocal(folder);
  const { client, login } = await deployedLog(name);
  return deployed(client, new DataApiLog(client, login));
}

function deployed(client: RDSDataClient, log: DataApiLog): Log {
  return { local: false, verify: (progress) => log.verify(progress), decisions: (limit, filter) => log.decisions(limit, filter), close: () => Promise.resolve(client.destroy()) };
}

async function openLocal(folder: string): Promise<Log> {
  const file = readLocalFile(folder);
  const { host, port, database } = file.postgres;
  const client = new Client({ host, port, database, ...file.resources.auditorLogin });
  await client.connect().catch((error: unknown) => { throw new Error(`the local runtime of ${folder} does not answer (${(error as Error).message}); start it again`); });
  return {
    local: true,
    verify: (progress) => verifyByCopy(client, progress),
    decisions: async (limit, { agent, runId }) => (await client.query<Record<string, unknown>>(
      `${DECISIONS} where ($1::text is null or agent = $1) and ($2::text is null or run_id = $2) order by audit.decision.time desc limit $3`, [agent ?? null, runId ?? null, limit])).rows.reverse(),
    close: () => client.end(),
  };
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
