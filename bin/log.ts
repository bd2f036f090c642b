import { RDSDataClient } from '@aws-sdk/client-rds-data';
import { Command, Option } from 'commander';
import { Client } from 'pg';
import { DataApiLog } from '../lambda/audit/data-api-log';
import { DECISIONS } from '../lambda/audit/queries';
import type { Verification } from '../lambda/audit/verify';
import { verifyByCopy } from '../local/postgres/copy-log';
import { deployedLog } from './deployed-log';
import { readLocalFile } from './read-local-file';

/** Where the log is. */
export interface LogOptions {
  readonly local?: true;
  readonly folder: string;
  readonly name: string;
  readonly json?: true;
}

/** A log that can be read and verified, wherever it is. */
export interface Log {
  readonly local: boolean;
  verify(progress: (entries: number) => void): Promise<Verification>;
  decisions(limit: number, filter: { readonly agent?: string; readonly runId?: string }): Promise<Record<string, unknown>[]>;
  /** Rows of one statement with `:names`, as the auditor. */
  rows(sql: string, values?: Readonly<Record<string, string | number>>): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** The options that `openLog` takes. */
export function withLog(command: Command): Command {
  return command
    .option('--local', 'the local runtime that runs now, instead of the deployed control plane')
    .addOption(new Option('--folder <path>', 'folder of the local runtime').default('.agent-controls'))
    .addOption(new Option('--name <name>', 'name of the deployed control plane').default('agent-controls'))
    .option('--json', 'print JSON on standard output');
}

/** Opens a log as its auditor. */
export async function openLog({ local, folder, name }: LogOptions): Promise<Log> {
  if (local) return openLocal(folder);
  const { client, login } = await deployedLog(name);
  return deployed(client, new DataApiLog(client, login));
}

function deployed(client: RDSDataClient, log: DataApiLog): Log {
  return { local: false, verify: (progress) => log.verify(undefined, progress), decisions: (limit, filter) => log.decisions(limit, filter), rows: (sql, values) => log.rows(sql, values), close: () => Promise.resolve(client.destroy()) };
}

async function openLocal(folder: string): Promise<Log> {
  const file = readLocalFile(folder);
  const { host, port, database } = file.postgres;
  const client = new Client({ host, port, database, ...file.resources.auditorLogin });
  await client.connect().catch((error: unknown) => { throw new Error(`the local runtime of ${folder} does not answer (${(error as Error).message}); start it again`); });
  return {
    local: true,
    verify: (progress) => verifyByCopy(client, undefined, progress),
    decisions: async (limit, { agent, runId }) => (await client.query<Record<string, unknown>>(
      `${DECISIONS} where ($1::text is null or agent = $1) and ($2::text is null or run_id = $2) order by audit.decision.time desc limit $3`, [agent ?? null, runId ?? null, limit])).rows.reverse(),
    rows: async (sql, values = {}) => (await client.query<Record<string, unknown>>(sql.replaceAll(/(?<!:):([a-z]+)/g, (_, name: string) => `$${Object.keys(values).indexOf(name) + 1}`), Object.values(values))).rows,
    close: () => client.end(),
  };
}

