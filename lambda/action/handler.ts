import { required } from '../database/connection';
import { bundleDigest } from './bundle-digest';
import { errorCode, sqlState } from './error-code';
import { Image, seal } from './image';
import type { ActionContext } from './index';
import type { ActionAnswer, ActionHandler, ActionRequest, ReversalAnswer, ReversalRequest } from './protocol';
import { Reversal, Undoing } from './reversal';
import { Transaction } from './sql';

/** What a call did, and what undoing it would need. */
export interface Done {
  readonly result: unknown;
  readonly image?: Image | undefined;
}

/**
 * The Lambda handler of one action: calls, and reversals of them. The transaction commits when the work returns and rolls back when it
 * throws; what it threw is answered as an error with its name only, since its text may quote what must not be logged.
 */
export function actionHandler(work: (parameters: unknown, context: ActionContext) => Promise<Done>, undoing?: Undoing): ActionHandler {
  const handle = async (request: ActionRequest | ReversalRequest): Promise<ActionAnswer | ReversalAnswer> => {
    if (!('items' in request)) return act(request, work);
    if (!undoing) throw new Error('ReverseMissing: this action cannot be undone');
    return { ...await new Reversal(request, undoing, readSecret).run(), bundleDigest: bundleDigest() };
  };
  return handle as ActionHandler; // an answer is of its request's kind
}

async function act(request: ActionRequest, work: (parameters: unknown, context: ActionContext) => Promise<Done>): Promise<ActionAnswer> {
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
    const done = await work(JSON.parse(request.parameters), context);
    result = done.result;
    if (done.image) {
      await sql.many`select undo.keep(${request.decisionId}::uuid, ${await seal(request.decisionId, done.image)})`;
    }
  } catch (error) {
    await sql.rollback().catch(() => undefined); // the transaction ends by itself; the first error is the one to tell
    report(request, error);
    return { error: errorCode(error), writes, bundleDigest: bundleDigest(), ...(writes.length > 0 ? { uncertain: true } : {}) };
  }
  try {
    await sql.commit();
  } catch (error) {
    // Whatever left this process is out, and the commit itself may have come through.
    report(request, error);
    return { error: errorCode(error), uncertain: true, writes, bundleDigest: bundleDigest() };
  }
  return { result: result ?? null, writes, bundleDigest: bundleDigest() };
}

/** Leaves for the author of the action what went wrong; only what quotes no value. */
function report({ decisionId, action }: ActionRequest, error: unknown): void {
  const message = error instanceof Error && sqlState(error)?.startsWith('42') ? error.message : undefined;
  console.error(JSON.stringify({ level: 'error', action, decisionId, error: errorCode(error), ...(message === undefined ? {} : { message }) }));
}

async function readSecret(environmentVariable: string): Promise<string> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const { SecretString } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: required(environmentVariable) }));
  if (SecretString === undefined) throw new Error(`SecretEmpty: the secret that ${environmentVariable} names holds no text`);
  return SecretString;
}
