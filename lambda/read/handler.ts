import { BeginTransactionCommand, ExecuteStatementCommand, RollbackTransactionCommand } from '@aws-sdk/client-rds-data';
import { sqlColumn } from '../../lib/scope/encode';
import { bundleDigest } from '../action/bundle-digest';
import type { ActionAnswer, ActionRequest } from '../action/protocol';
import { awake, dataApi, parameter, required } from '../database/connection';
import { quiet } from '../errors/quiet';

interface ReadParameters {
  readonly columns: readonly string[];
  readonly where?: Readonly<Record<string, string | number | boolean>>;
  readonly limit?: number;
}

/**
 * Reads a table for an agent, as the agent's own Postgres login: should the gate ever be wrong, the column grants and row policies
 * of exactly this agent still decide what comes back.
 */
async function read(request: ActionRequest): Promise<ActionAnswer> {
  if (request.table === undefined) return direct(request);
  const { columns, where = {}, limit = 100 } = JSON.parse(request.parameters) as ReadParameters;
  const names = columns.map((column) => sqlColumn(column, 'columns'));
  // Compared as text: the type of a column is the table's business, and a wrong one must not raise what was in the row.
  const filters = Object.keys(where).map((column, index) => `${sqlColumn(column, 'where')}::text = :v${index}`);
  try {
    const { formattedRecords } = await awake(() => dataApi().send(new ExecuteStatementCommand({
      resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn: request.loginSecretArn, formatRecordsAs: 'JSON',
      sql: `select ${names.join(', ')} from ${request.table ?? ''}${filters.length > 0 ? ` where ${filters.join(' and ')}` : ''} order by 1 limit ${Math.trunc(limit)}`,
      parameters: Object.values(where).map((value, index) => parameter(`v${index}`, String(value))),
    })));
    return { result: JSON.parse(formattedRecords ?? '[]'), writes: [], bundleDigest: bundleDigest() };
  } catch (error) {
    return { error: error instanceof Error ? error.name : 'Error', writes: [], bundleDigest: bundleDigest() };
  }
}

/** Longest answer of direct SQL, in characters of JSON: more than a model reads is a mistake or a theft. */
const LONGEST_ANSWER = 200_000;

/**
 * One statement of the agent's own, as its own login: grants and row policies decide what it sees. A read-only transaction cannot be made
 * another once it has looked at anything, so whatever else the login may do, this statement writes nothing.
 */
async function direct({ parameters, loginSecretArn }: ActionRequest): Promise<ActionAnswer> {
  const { query } = JSON.parse(parameters) as { readonly query: string };
  const login = { resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn: loginSecretArn };
  const { transactionId } = await awake(() => dataApi().send(new BeginTransactionCommand(login)));
  const run = (sql: string): Promise<{ formattedRecords?: string | undefined }> => dataApi().send(new ExecuteStatementCommand({ ...login, transactionId, sql, ...(sql === query ? { formatRecordsAs: 'JSON' as const } : {}) }));
  try {
    await run('set transaction read only');
    const { formattedRecords = '[]' } = await run(query);
    if (formattedRecords.length > LONGEST_ANSWER) return { error: 'AnswerTooLarge', writes: [], bundleDigest: bundleDigest() };
    return { result: JSON.parse(formattedRecords), writes: [], bundleDigest: bundleDigest() };
  } catch (error) {
    // The state of Postgres, such as 42501 for a column that is closed; never its sentence, which may quote a value.
    return { error: /SQLState: (\w{5})/.exec(error instanceof Error ? error.message : '')?.[1]?.replace(/^/, 'SqlState') ?? (error instanceof Error ? error.name : 'Error'), writes: [], bundleDigest: bundleDigest() };
  } finally {
    await dataApi().send(new RollbackTransactionCommand({ resourceArn: login.resourceArn, secretArn: login.secretArn, transactionId })).catch(() => undefined); // it ends by itself
  }
}

export const handler = quiet(read);
