import { randomBytes } from 'node:crypto';
import { Pool, PoolClient, QueryResult } from 'pg';
import type { Operation, Permission, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { positional } from './named-parameters';
import { jsonOf } from './protocol';
import type { SecretsManager } from './secrets-manager';

/** Where clusters of the assembly really are. */
export interface ClusterAddress {
  readonly host: string;
  readonly port: number;
}

interface Field { readonly isNull?: boolean; readonly stringValue?: string; readonly longValue?: number; readonly doubleValue?: number; readonly booleanValue?: boolean; readonly blobValue?: string; readonly arrayValue?: unknown }
interface Parameter { readonly name: string; readonly value?: Field; readonly typeHint?: string }
interface Statement { readonly resourceArn: string; readonly secretArn: string; readonly database?: string; readonly sql: string; readonly parameters?: readonly Parameter[]; readonly transactionId?: string; readonly formatRecordsAs?: string; readonly includeResultMetadata?: boolean }
interface Transaction { readonly client: PoolClient; readonly secretArn: string; busy: boolean; idle: NodeJS.Timeout }

const ROW_BYTES = 64 * 1024;
const RESPONSE_BYTES = 1024 * 1024;
const STATEMENT_CHARACTERS = 65_536;
const STATEMENT_MS = 45_000;
const IDLE_MS = 180_000;

const OPERATIONS: Readonly<Record<string, string>> = { '/Execute': 'ExecuteStatement', '/BeginTransaction': 'BeginTransaction', '/CommitTransaction': 'CommitTransaction', '/RollbackTransaction': 'RollbackTransaction' };
const HINTS: Readonly<Record<string, string>> = { JSON: 'json', UUID: 'uuid', DATE: 'date', TIME: 'time', TIMESTAMP: 'timestamp', DECIMAL: 'numeric' };

/** RDS Data API over a real Postgres: one login per secret, typed parameters, the limits of AWS, and its exception names. */
export class RdsData implements Service {
  public readonly protocol = 'rest-json';
  private readonly pools = new Map<string, Pool>();
  private readonly transactions = new Map<string, Transaction>();

  public constructor(private readonly clusters: ReadonlyMap<string, ClusterAddress>, private readonly secrets: SecretsManager) {}

  public name(request: SignedRequest): string { return OPERATIONS[request.path] ?? request.path.slice(1); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (!Object.values(OPERATIONS).includes(name)) return undefined;
    const input = jsonOf<Statement>(request);
    // The Data API reads the secret as its caller.
    const permissions: Permission[] = [{ action: `rds-data:${name}`, resource: input.resourceArn }, ...this.secrets.permissions(input.secretArn ?? '', 'GetSecretValue')];
    const run = { ExecuteStatement: () => this.execute(input), BeginTransaction: () => this.begin(input), CommitTransaction: () => this.end(input, 'commit'), RollbackTransaction: () => this.end(input, 'rollback') }[name] as () => Promise<object>;
    return { permissions, run: async () => ({ body: await run() }) };
  }

  public async stop(): Promise<void> {
    for (const { client, idle } of this.transactions.values()) { clearTimeout(idle); client.release(true); }
    this.transactions.clear();
    // Whoever asked is gone by now: a connection that does not end by itself ends with the server.
    await Promise.race([Promise.all([...this.pools.values()].map((pool) => pool.end())), new Promise((over) => setTimeout(over, 3_000).unref())]);
  }

  private async execute(input: Statement): Promise<object> {
    if (input.sql.length > STATEMENT_CHARACTERS) throw new ServiceError('BadRequestException', `the statement has ${input.sql.length} characters; the Data API takes ${STATEMENT_CHARACTERS}`);
    if (input.transactionId === undefined) {
      const client = await this.connect(input);
      try {
        return await this.query(client, input);
      } finally {
        client.release();
      }
    }
    const transaction = this.transaction(input);
    if (transaction.busy) throw new ServiceError('BadRequestException', 'the transaction runs another statement');
    transaction.busy = true;
    clearTimeout(transaction.idle);
    try {
      return await this.query(transaction.client, input);
    } finally {
      transaction.busy = false;
      transaction.idle = this.forgetLater(input.transactionId);
    }
  }

  private async query(client: PoolClient, input: Statement): Promise<object> {
    const { text, values } = bound(input);
    let result: QueryResult<string[]>;
    try {
      result = await client.query<string[]>({ text, values, rowMode: 'array', types: { getTypeParser: () => (raw: unknown) => raw }, queryMode: 'extended' } as never);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === '57014') throw new ServiceError('StatementTimeoutException', 'the statement took longer than it may');
      if (code === '42601' && message.includes('multiple commands')) throw new ServiceError('BadRequestException', 'Multistatements are not supported');
      throw new ServiceError('DatabaseErrorException', `ERROR: ${message}; SQLState: ${code ?? 'unknown'}`);
    }
    return answer(result, input);
  }

  private async begin(input: Statement): Promise<object> {
    const client = await this.connect(input);
    try {
      await client.query('begin');
    } catch (error) {
      client.release(true); // whoever ended the session must not keep the pool from ending
      throw new ServiceError('DatabaseErrorException', `ERROR: ${(error as Error).message}`);
    }
    const transactionId = randomBytes(48).toString('base64url');
    this.transactions.set(transactionId, { client, secretArn: input.secretArn, busy: false, idle: this.forgetLater(transactionId) });
    return { transactionId };
  }

  private async end(input: Statement, how: 'commit' | 'rollback'): Promise<object> {
    const { client, idle } = this.transaction(input);
    this.transactions.delete(input.transactionId ?? '');
    clearTimeout(idle);
    try {
      const { command } = await client.query(how);
      // Postgres answers a COMMIT of a failed transaction with ROLLBACK and no error.
      if (how === 'commit' && command === 'ROLLBACK') throw new ServiceError('DatabaseErrorException', 'ERROR: current transaction is aborted; SQLState: 25P02');
    } finally {
      client.release();
    }
    return { transactionStatus: how === 'commit' ? 'Transaction Committed' : 'Rollback Complete' };
  }

  private transaction({ transactionId = '', secretArn }: Statement): Transaction {
    const found = this.transactions.get(transactionId);
    if (!found || found.secretArn !== secretArn) throw new ServiceError('TransactionNotFoundException', 'Transaction is not found');
    return found;
  }

  private forgetLater(transactionId: string): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.transactions.get(transactionId)?.client.release(true);
      this.transactions.delete(transactionId);
    }, IDLE_MS);
    return timer.unref();
  }

  private async connect({ resourceArn, secretArn, database }: Statement): Promise<PoolClient> {
    const cluster = this.clusters.get(resourceArn);
    if (!cluster) throw new ServiceError('DatabaseNotFoundException', `there is no cluster ${resourceArn}`);
    let login: { username?: string; password?: string };
    try {
      login = JSON.parse(this.secrets.current(secretArn)) as typeof login;
    } catch {
      throw new ServiceError('InvalidSecretException', 'the secret holds no username and password');
    }
    const user = `${resourceArn} ${database ?? ''} ${login.username ?? ''} `;
    const key = `${user}${login.password ?? ''}`;
    // Connections of a password that was replaced are not kept idle: a login may have few.
    for (const [other, replaced] of this.pools) {
      if (other === key || !other.startsWith(user)) continue;
      this.pools.delete(other);
      void replaced.end();
    }
    const pool = this.pools.get(key) ?? new Pool({ ...cluster, user: login.username ?? '', password: login.password ?? '', database: database ?? 'postgres', max: 40, idleTimeoutMillis: 30_000, statement_timeout: STATEMENT_MS });
    if (!this.pools.has(key)) {
      pool.on('error', () => undefined); // an idle connection that the server closed is opened again
      pool.on('connect', (client) => { client.on('error', () => undefined); }); // one that is in use tells its next statement
      this.pools.set(key, pool);
    }
    try {
      return await pool.connect();
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      throw new ServiceError(code === '28P01' || code === '28000' ? 'InvalidSecretException' : 'DatabaseErrorException', message);
    }
  }
}

// Untyped text arrives as text on AWS: without the cast here, a statement that lacks one would pass locally and fail there.
function bound({ sql, parameters = [] }: Statement): { text: string; values: unknown[] } {
  const { parts, names } = positional(sql);
  const values: unknown[] = [];
  const text = names.reduce((all, name, index) => {
    const found = parameters.find((parameter) => parameter.name === name);
    if (!found) throw new ServiceError('BadRequestException', `Named parameter ${name} is not set`);
    const [value, type] = valueOf(found);
    values.push(value);
    return `${all}($${values.length}::${type})${parts[index + 1] ?? ''}`;
  }, parts[0] ?? '');
  return { text, values };
}

function valueOf({ name, value = {}, typeHint }: Parameter): [unknown, string] {
  const hinted = typeHint === undefined ? undefined : HINTS[typeHint];
  if (typeHint !== undefined && hinted === undefined) throw new ServiceError('BadRequestException', `typeHint ${typeHint} is not known`);
  if (value.isNull === true) return [null, hinted ?? 'text'];
  if (value.stringValue !== undefined) return [value.stringValue, hinted ?? 'text'];
  if (value.longValue !== undefined) return [String(value.longValue), 'bigint'];
  if (value.doubleValue !== undefined) return [String(value.doubleValue), 'double precision'];
  if (value.booleanValue !== undefined) return [String(value.booleanValue), 'boolean'];
  if (value.blobValue !== undefined) return [Buffer.from(value.blobValue, 'base64'), 'bytea'];
  throw new ServiceError('BadRequestException', `parameter ${name}: array parameters are not supported`);
}

const INTEGERS = new Set([20, 21, 23, 26]);
const FLOATS = new Set([700, 701]);
const BOOLEAN = 16;
const BYTEA = 17;

function answer({ fields, rows, rowCount, command }: QueryResult<string[]>, input: Statement): object {
  const names = fields.map(({ name }) => name);
  const changed = ['INSERT', 'UPDATE', 'DELETE', 'MERGE'].includes(command) ? rowCount ?? 0 : 0;
  for (const row of rows) {
    const bytes = row.reduce((sum, cell) => sum + (cell === null ? 0 : Buffer.byteLength(cell)), 0);
    if (bytes > ROW_BYTES) throw new ServiceError('BadRequestException', `a row of ${bytes} bytes exceeds the 64 KB that the Data API returns`);
  }
  const cells = rows.map((row) => row.map((cell, index) => fieldOf(cell as string | null, fields[index]?.dataTypeID ?? 25)));
  const body = input.formatRecordsAs === 'JSON'
    ? { formattedRecords: fields.length > 0 ? `[${rows.map((row) => `{${row.map((cell, index) => `${JSON.stringify(names[index])}:${exactly(cell as string | null, fields[index]?.dataTypeID ?? 25)}`).join(',')}}`).join(',')}]` : undefined, numberOfRecordsUpdated: changed, generatedFields: [] }
    : { records: fields.length > 0 ? cells : undefined, numberOfRecordsUpdated: changed, generatedFields: [], ...(input.includeResultMetadata ? { columnMetadata: fields.map(({ name }) => ({ name, label: name })) } : {}) };
  const size = Buffer.byteLength(JSON.stringify(body));
  if (size > RESPONSE_BYTES) throw new ServiceError('BadRequestException', `Database returned more than the allowed response size limit: ${size} bytes of 1 MiB`);
  return body;
}

function fieldOf(cell: string | null, oid: number): Field {
  if (cell === null) return { isNull: true };
  if (INTEGERS.has(oid)) return { longValue: Number(cell) };
  if (FLOATS.has(oid)) return { doubleValue: Number(cell) };
  if (oid === BOOLEAN) return { booleanValue: cell === 't' };
  if (oid === BYTEA) return { blobValue: Buffer.from(cell.slice(2), 'hex').toString('base64') };
  return { stringValue: cell };
}

/** A cell as JSON; whole numbers stand as Postgres wrote them, however long. */
function exactly(cell: string | null, oid: number): string {
  const field = fieldOf(cell, oid);
  return cell !== null && INTEGERS.has(oid) ? cell : JSON.stringify(field.isNull === true ? null : field.doubleValue ?? field.booleanValue ?? field.blobValue ?? field.stringValue);
}
