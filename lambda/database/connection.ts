import { ExecuteStatementCommand, RDSDataClient, SqlParameter } from '@aws-sdk/client-rds-data';

/** How long a handler waits for a paused cluster before it answers 503; the API would cut the call at 30 seconds. */
const RESUME_BUDGET_MS = 20_000;

/** The cluster did not answer inside the budget. The caller may safely ask again: call ids make that the same call. */
export class DatabaseUnavailable extends Error {
  public constructor(cause: unknown) {
    super('DatabaseUnavailable: the database is waking up; ask again in a few seconds', { cause });
    this.name = 'DatabaseUnavailable';
  }
}

/** Whether a statement gave up because every chain of the log, or a row it had to lock, stayed taken. */
export function isLogBusy(error: unknown): boolean {
  return error instanceof Error && error.name === 'DatabaseErrorException' && /lock timeout/.test(error.message);
}

/** Where a statement goes: one login on one database. */
export interface Login {
  readonly resourceArn: string;
  readonly database: string;
  readonly secretArn: string;
}

/** The login of this handler, from its environment. */
export function ownLogin(): Login {
  return { resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn: required('LOGIN_SECRET_ARN') };
}

/** A variable that the construct sets. */
export function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set; this function was not deployed by its construct`);
  return value;
}

let client: RDSDataClient | undefined;

/** The client that every statement of this process goes through. */
export function dataApi(): RDSDataClient {
  client ??= new RDSDataClient({});
  return client;
}

export type Value = string | number | boolean | null;

/** One bound parameter. Values never become SQL text; without a cast in the text they arrive as text or bigint. */
export function parameter(name: string, value: Value): SqlParameter {
  if (value === null) return { name, value: { isNull: true } };
  switch (typeof value) {
    case 'number': return { name, value: Number.isInteger(value) ? { longValue: value } : { doubleValue: value } };
    case 'boolean': return { name, value: { booleanValue: value } };
    default: return { name, value: { stringValue: value } };
  }
}

/** Waits for a paused cluster, within the budget, and runs `send` again. */
export async function awake<T>(send: () => Promise<T>, budgetMs = RESUME_BUDGET_MS): Promise<T> {
  const deadline = Date.now() + budgetMs;
  for (let pause = 500; ; pause = Math.min(pause * 2, 4_000)) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof Error) || !/^(DatabaseResuming|DatabaseUnavailable|ServiceUnavailable)/.test(error.name)) throw error;
      if (Date.now() + pause > deadline) throw new DatabaseUnavailable(error);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/**
 * Calls one SQL function that returns JSON text, and parses it.
 *
 * @param name of the function, with its schema; a constant of the handler.
 * @param casts Postgres type of each argument, in order.
 */
export async function callFunction<T>(name: string, args: Readonly<Record<string, { readonly cast: string; readonly value: Value }>>, login: Login = ownLogin()): Promise<T> {
  const list = Object.entries(args).map(([arg, { cast }]) => `:${arg}::${cast}`).join(', ');
  const { records } = await awake(() => dataApi().send(new ExecuteStatementCommand({
    ...login,
    sql: `select ${name}(${list})::text`,
    parameters: Object.entries(args).map(([arg, { value }]) => parameter(arg, value)),
  })));
  const text = records?.[0]?.[0]?.stringValue;
  return (text === undefined || text === '' ? null : JSON.parse(text)) as T;
}

/** An argument of a SQL function. */
export const arg = {
  text: (value: string | null | undefined) => ({ cast: 'text', value: value ?? null }),
  uuid: (value: string) => ({ cast: 'uuid', value }),
  optionalUuid: (value: string | null) => ({ cast: 'uuid', value }),
  int: (value: number) => ({ cast: 'int', value }),
  boolean: (value: boolean) => ({ cast: 'boolean', value }),
} as const;
