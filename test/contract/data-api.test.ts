/** What the RDS Data API does, asked through the unmodified SDK. On an account, the same file runs against a real cluster. */
import { BeginTransactionCommand, CommitTransactionCommand, ExecuteStatementCommand, ExecuteStatementCommandInput, RDSDataClient, RollbackTransactionCommand, SqlParameter } from '@aws-sdk/client-rds-data';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loneDataApi } from '../support/lone-data-api';

let api: Awaited<ReturnType<typeof loneDataApi>>;
let client: RDSDataClient;
beforeAll(async () => {
  api = await loneDataApi();
  client = api.client;
  await run('create table t (id bigint primary key, name text, at timestamptz, doc jsonb, ok boolean, amount numeric, bytes bytea, tags text[])');
});
afterAll(() => api.stop());

const run = (sql: string, parameters: SqlParameter[] = [], more: Partial<ExecuteStatementCommandInput> = {}) => client.send(new ExecuteStatementCommand({ ...api.login, sql, parameters, ...more }));
const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'no error', (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`);

describe('parameters', () => {
  it('carry their types, and text as text', async () => {
    await run("insert into t (id, name, ok, amount, bytes, doc) values (:id, :name, :ok, :amount::numeric, :bytes, :doc::jsonb)", [
      { name: 'id', value: { longValue: 1 } }, { name: 'name', value: { stringValue: "O'Hara :id" } }, { name: 'ok', value: { booleanValue: true } },
      { name: 'amount', value: { stringValue: '12.50' } }, { name: 'bytes', value: { blobValue: new Uint8Array([1, 2]) } }, { name: 'doc', value: { stringValue: '{"a":1}' } },
    ]);
    const { records } = await run('select id, name, ok, amount, bytes, doc, at from t');
    expect(records).toEqual([[{ longValue: 1 }, { stringValue: "O'Hara :id" }, { booleanValue: true }, { stringValue: '12.50' }, { blobValue: new Uint8Array([1, 2]) }, { stringValue: '{"a": 1}' }, { isNull: true }]]);
  });

  it('that are untyped text fail where Postgres wants another type, as on AWS', async () => {
    expect(await refusal(run('insert into t (id, doc) values (2, :doc)', [{ name: 'doc', value: { stringValue: '{}' } }]))).toMatch(/^DatabaseErrorException: ERROR: column "doc" is of type jsonb but expression is of type text/);
    await run('insert into t (id, doc) values (2, :doc)', [{ name: 'doc', value: { stringValue: '{}' }, typeHint: 'JSON' }]);
  });

  it('stand once and count everywhere, but not in quotes, comments, casts or bodies', async () => {
    const { records } = await run("select :a::text, ':a', \":a\", $$:a$$, $x$:a$x$, /* :a */ :a || 'x' -- :a\n from (select 1 as \":a\") t", [{ name: 'a', value: { stringValue: 'v' } }]);
    expect(records).toEqual([[{ stringValue: 'v' }, { stringValue: ':a' }, { longValue: 1 }, { stringValue: ':a' }, { stringValue: ':a' }, { stringValue: 'vx' }]]);
  });

  it('that are missing, lists or of an unknown hint are refused', async () => {
    expect(await refusal(run('select :a'))).toContain('BadRequestException');
    expect(await refusal(run('select :a', [{ name: 'a', value: { arrayValue: { stringValues: ['x'] } } }]))).toMatch(/BadRequestException: .*array parameters are not supported/);
  });
});

describe('results', () => {
  it('come as JSON when asked for', async () => {
    const { formattedRecords, numberOfRecordsUpdated } = await run('select id, name, ok from t where id = 1', [], { formatRecordsAs: 'JSON' });
    expect([JSON.parse(formattedRecords ?? ''), numberOfRecordsUpdated]).toEqual([[{ id: 1, name: "O'Hara :id", ok: true }], 0]);
  });

  it('count what was changed', async () => {
    expect((await run("update t set name = 'x'")).numberOfRecordsUpdated).toBe(2);
    expect((await run('select 1')).numberOfRecordsUpdated).toBe(0);
  });

  it('of more than 64 KB a row or 1 MiB in all are refused', async () => {
    expect(await refusal(run("select repeat('x', 65537)"))).toContain('64 KB');
    expect(await refusal(run("select repeat('x', 60000) from generate_series(1, 20)"))).toContain('1 MiB');
  });
});

describe('statements', () => {
  it('are one at a time', async () => {
    expect(await refusal(run('select 1; select 2'))).toMatch(/^BadRequestException: Multistatements/);
  });

  it('have 65,536 characters at most', async () => {
    expect(await refusal(run(`select '${'x'.repeat(65_536)}'`))).toMatch(/^BadRequestException/);
  });

  it('that fail name the SQL state', async () => {
    expect(await refusal(run('select from nowhere'))).toMatch(/^DatabaseErrorException: .*SQLState: 42P01/);
  });
});

describe('transactions', () => {
  const begin = async (): Promise<string> => (await client.send(new BeginTransactionCommand(api.login))).transactionId ?? '';
  const ids = (transactionId: string) => ({ resourceArn: api.login.resourceArn, secretArn: api.login.secretArn, transactionId });

  it('are seen by others once they are committed, and not at all when rolled back', async () => {
    const kept = await begin();
    await run("insert into t (id) values (10)", [], { transactionId: kept });
    expect((await run('select id from t where id = 10')).records).toEqual([]);
    await client.send(new CommitTransactionCommand(ids(kept)));
    expect((await run('select id from t where id = 10')).records).toHaveLength(1);
    const dropped = await begin();
    await run('delete from t', [], { transactionId: dropped });
    await client.send(new RollbackTransactionCommand(ids(dropped)));
    expect((await run('select id from t where id = 10')).records).toHaveLength(1);
  });

  it('that ended, or belong to another secret, are not found', async () => {
    const id = await begin();
    expect(await refusal(client.send(new CommitTransactionCommand({ ...ids(id), secretArn: api.otherSecretArn })))).toMatch(/^TransactionNotFoundException/);
    await client.send(new CommitTransactionCommand(ids(id)));
    expect(await refusal(run('select 1', [], { transactionId: id }))).toMatch(/^TransactionNotFoundException/);
  });

  it('that failed do not commit', async () => {
    const id = await begin();
    await refusal(run('select from nowhere', [], { transactionId: id }));
    expect(await refusal(client.send(new CommitTransactionCommand(ids(id))))).toMatch(/^DatabaseErrorException/);
  });
});

describe('logins', () => {
  it('are those of the secret', async () => {
    expect((await run('select current_user::text')).records).toEqual([[{ stringValue: 'data_api_owner' }]]);
    expect(await refusal(client.send(new ExecuteStatementCommand({ ...api.login, secretArn: api.otherSecretArn, sql: 'select 1' })))).toMatch(/^InvalidSecretException/);
  });

  it('of a secret or cluster that there is not are refused', async () => {
    expect(await refusal(client.send(new ExecuteStatementCommand({ ...api.login, resourceArn: 'arn:aws:rds:us-east-1:000000000000:cluster:none', sql: 'select 1' })))).toMatch(/^DatabaseNotFoundException/);
    expect(await refusal(client.send(new ExecuteStatementCommand({ ...api.login, secretArn: 'none', sql: 'select 1' })))).toMatch(/^InvalidSecretException/);
  });
});
