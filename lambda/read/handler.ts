import { ExecuteStatementCommand } from '@aws-sdk/client-rds-data';
import { sqlColumn } from '../../lib/scope/encode';
import { bundleDigest } from '../action/handler';
import type { ActionAnswer, ActionRequest } from '../action/protocol';
import { awake, dataApi, parameter, required } from '../database/connection';

interface ReadParameters {
  readonly columns: readonly string[];
  readonly where?: Readonly<Record<string, string | number | boolean>>;
  readonly limit?: number;
}

/**
 * Reads a table for an agent, as the agent's own Postgres login: should the gate ever be wrong, the column grants and row policies
 * of exactly this agent still decide what comes back.
 */
export async function handler(request: ActionRequest): Promise<ActionAnswer> {
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
