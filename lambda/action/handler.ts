import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { required } from '../database/connection';
import { quiet } from '../errors/quiet';
import { bundleDigest } from './bundle-digest';
import { errorCode, sqlState } from '../errors/error-code';
import type { Image } from './image';
import { seal } from './sealed';
import type { ActionContext } from './index';
import type { ActionAnswer, ActionHandler, ActionRequest, ReversalAnswer, ReversalRequest, StageAnswer, Staged } from './protocol';
import { Reversal, Undoing } from './reversal';
import { Transaction } from './sql';

/** What a call did, and what undoing it would need. */
export interface Done {
  readonly result: unknown;
  readonly image?: Image | undefined;
}

/** What an action does, as its declaration has it. */
export interface Work {
  /** @param staged what an approval was about, where there was one. */
  run(parameters: unknown, context: ActionContext, staged?: Staged): Promise<Done>;
  /** Fixes what would run, and looks at what is there now; writes nothing. */
  stage?(parameters: unknown, context: ActionContext): Promise<Staged>;
  readonly undoing?: Undoing | undefined;
}

/**
 * The Lambda handler of one action: calls, what is staged of them, and reversals. The transaction commits when the work returns and rolls back
 * when it throws; what it threw is answered as an error with its name only, since its text may quote what must not be logged.
 */
export function actionHandler(work: Work): ActionHandler {
  const handle = async (request: ActionRequest | ReversalRequest): Promise<ActionAnswer | StageAnswer | ReversalAnswer> => {
    if (!('items' in request)) return request.stage ? stage(request, work) : act(request, work);
    if (!work.undoing) throw new Error('ReverseMissing: this action cannot be undone');
    return { ...await new Reversal(request, work.undoing, readSecret).run(), bundleDigest: bundleDigest() };
  };
  return quiet(handle) as unknown as ActionHandler; // an answer is of its request's kind
}

async function stage(request: ActionRequest, work: Work): Promise<StageAnswer> {
  const sql = transactionOf(request);
  try {
    return { staged: await work.stage?.(JSON.parse(request.parameters), contextOf(request, sql, [])) ?? {} };
  } catch (error) {
    report(request, error);
    return { error: errorCode(error) };
  } finally {
    await sql.rollback().catch(() => undefined); // it ends by itself
  }
}

const transactionOf = ({ loginSecretArn }: ActionRequest): Transaction => new Transaction({ resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn: loginSecretArn });

function contextOf({ decisionId, justification }: ActionRequest, sql: Transaction, writes: string[]): ActionContext {
  return { idempotencyKey: decisionId, sql, secret: readSecret, wrote: (kind, id) => { writes.push(`${kind}:${id}`); }, ...(justification === null ? {} : { justification }) };
}

async function act(request: ActionRequest, work: Work): Promise<ActionAnswer> {
  const sql = transactionOf(request);
  const writes: string[] = [];
  let result: unknown;
  try {
    const done = await work.run(JSON.parse(request.parameters), contextOf(request, sql, writes), request.staged);
    result = done.result;
    if (done.image) {
      await sql.many`select undo.keep(${request.decisionId}::uuid, ${await seal('before-image', request.decisionId, done.image)})`;
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
  const named = (name: string, form: RegExp): string | undefined => (form.test(name) ? name : undefined); // whoever invokes this by hand says what they like
  console.error(JSON.stringify({ level: 'error', action: named(action, /^[a-z][a-z0-9_]{0,60}$/), decisionId: named(decisionId, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/), error: errorCode(error), ...(message === undefined ? {} : { message }) }));
}

async function readSecret(environmentVariable: string): Promise<string> {
  const { SecretString } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: required(environmentVariable) }));
  if (SecretString === undefined) throw new Error(`SecretEmpty: the secret that ${environmentVariable} names holds no text`);
  return SecretString;
}
