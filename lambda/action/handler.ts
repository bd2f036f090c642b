import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { required } from '../database/connection';
import type { ActionContext } from './index';
import type { ActionAnswer, ActionRequest } from './protocol';
import { Transaction } from './sql';

let digest: string | null | undefined;

/** SHA-256 of the bundle that runs; recorded on every decision, so the code behind an effect can be named. */
export function bundleDigest(): string | null {
  if (digest === undefined) {
    const path = `${process.env.LAMBDA_TASK_ROOT ?? ''}/index.js`;
    digest = process.env.LAMBDA_TASK_ROOT === undefined ? null : createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return digest;
}

/**
 * The Lambda handler of one action. The transaction commits when the work returns and rolls back when it throws; what it threw is
 * answered as an error with its name only, since its text may quote what must not be logged.
 */
export function actionHandler(work: (parameters: unknown, context: ActionContext) => Promise<unknown>): (request: ActionRequest) => Promise<ActionAnswer> {
  return async (request) => {
    const sql = new Transaction({ resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn: request.loginSecretArn });
    const writes: string[] = [];
    const context: ActionContext = {
      idempotencyKey: request.decisionId,
      sql,
      secret: readSecret,
      wrote: (kind, id) => { writes.push(`${kind}:${id}`); },
      ...(request.justification === null ? {} : { justification: request.justification }),
    };
    let result: unknown;
    try {
      result = await work(JSON.parse(request.parameters), context);
    } catch (error) {
      await sql.rollback().catch(() => undefined); // the transaction ends by itself; the first error is the one to tell
      report(request, error);
      return { error: nameOf(error), writes, bundleDigest: bundleDigest(), ...(writes.length > 0 ? { uncertain: true } : {}) };
    }
    try {
      await sql.commit();
    } catch (error) {
      // Whatever left this process is out, and the commit itself may have come through.
      report(request, error);
      return { error: nameOf(error), uncertain: true, writes, bundleDigest: bundleDigest() };
    }
    return { result: result ?? null, writes, bundleDigest: bundleDigest() };
  };
}

/**
 * Leaves for the author of the action what went wrong. Postgres names tables and columns in errors of class 42 (rights, names, syntax);
 * in other classes it quotes values, and those stay out of every log.
 */
function report({ decisionId, action }: ActionRequest, error: unknown): void {
  const message = error instanceof Error && sqlState(error)?.startsWith('42') ? error.message : undefined;
  console.error(JSON.stringify({ level: 'error', action, decisionId, error: nameOf(error), ...(message === undefined ? {} : { message }) }));
}

const sqlState = (error: Error): string | undefined => /SQLState: (\w{5})/.exec(error.message)?.[1];

/** An error's own code, such as `RowMissing`, the state of a Postgres error, or its class; never its sentence. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  const state = sqlState(error);
  if (state !== undefined) return `SqlState${state}`;
  return /^([A-Z][A-Za-z]{2,60}):/.exec(error.message)?.[1] ?? error.name;
}

async function readSecret(environmentVariable: string): Promise<string> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const { SecretString } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: required(environmentVariable) }));
  if (SecretString === undefined) throw new Error(`SecretEmpty: the secret that ${environmentVariable} names holds no text`);
  return SecretString;
}
