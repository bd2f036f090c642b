import { BeginTransactionCommand, CommitTransactionCommand, ExecuteStatementCommand, RollbackTransactionCommand } from '@aws-sdk/client-rds-data';
import { awake, dataApi, ownLogin, parameter, Value } from '../database/connection';

/** A new cluster may take minutes to answer its first statement; CloudFormation waits. */
const FIRST_ANSWER_MS = 240_000;

/** Runs one statement as the owner. */
export type Run = (sql: string, values?: Readonly<Record<string, Value>>) => Promise<Record<string, unknown>[]>;

/** Runs `work` in one transaction of the owner's login: all of it, or nothing. */
export async function transaction<T>(work: (run: Run) => Promise<T>): Promise<T> {
  const login = ownLogin();
  const { transactionId } = await awake(() => dataApi().send(new BeginTransactionCommand(login)), FIRST_ANSWER_MS);
  const ids = { resourceArn: login.resourceArn, secretArn: login.secretArn, transactionId };
  const run: Run = async (sql, values = {}) => {
    const { formattedRecords } = await dataApi().send(new ExecuteStatementCommand({
      ...login, transactionId, sql, continueAfterTimeout: true,
      // Asked for only where rows come back: DDL has none to format.
      ...(/^\s*select/i.test(sql) ? { formatRecordsAs: 'JSON' } : {}),
      parameters: Object.entries(values).map(([name, value]) => parameter(name, value)),
    }));
    return JSON.parse(formattedRecords ?? '[]') as Record<string, unknown>[];
  };
  try {
    // A reader must not make every reader behind a waiting ALTER wait, too.
    await run("set local lock_timeout = '10s'");
    const result = await work(run);
    await dataApi().send(new CommitTransactionCommand(ids));
    return result;
  } catch (error) {
    await dataApi().send(new RollbackTransactionCommand(ids)).catch(() => undefined); // it ends by itself; the first error is the one to tell
    throw error;
  }
}
