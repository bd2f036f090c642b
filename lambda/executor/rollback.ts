import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { dutySecretName } from '../../lib/scope/names';
import type { ReversalAnswer, ReversalItem, ReversalRequest, ReversalResult } from '../action/protocol';
import { arg, callFunction, required } from '../database/connection';

/** How many reversals are claimed at once. Restores of one batch share a transaction. */
const BATCH = 100;
/** Time that one more batch may take; with less, the state machine asks again. */
const ENOUGH_MS = 90_000;
/** Most decisions whose rows a plan looks at. */
const LOOKED_AT = 1_000;

interface Claimed {
  /** Somebody else has claimed reversals of this rollback, and not told what became of them. */
  readonly busy?: true;
  readonly action?: string;
  readonly function?: string;
  readonly items?: readonly ReversalItem[];
}

/** What a rollback came to: how many decisions of each status; or that there is more to do. */
export type Advanced = { readonly status: 'executed'; readonly result: unknown } | { readonly status: 'more'; readonly rollback: string };

/** Reverses decision after decision, newest first, until none is left or the time is used up. */
export async function advance(rollback: string, timeLeft: () => number): Promise<Advanced> {
  for (;;) {
    if (timeLeft() < ENOUGH_MS) return { status: 'more', rollback };
    const claimed = await callFunction<Claimed | null>('undo.claim', { rollback: arg.uuid(rollback), most: arg.int(BATCH) });
    if (!claimed) return { status: 'executed', result: await callFunction('undo.finish', { rollback: arg.uuid(rollback) }) };
    if (claimed.busy) throw new Error('ReversalsBusy: another executor claimed reversals of this rollback some minutes ago; ask again later');
    const { items = [], action = '', function: functionName = '' } = claimed;
    if (items.length === 0) continue; // all of them were skipped
    const answer = await reverse({ action, functionName, items });
    const { redact } = await import('../redaction/redact');
    const writes = Object.fromEntries((answer?.results ?? []).filter((result) => result.writes?.length).map((result) => [result.reversal, result.writes]));
    // Whatever came of it is marked in Postgres; what is not marked is told as not done, or as unknown.
    await callFunction('undo.settle', { rollback: arg.uuid(rollback), claimed: arg.text(JSON.stringify(items.map(({ reversal }) => reversal))), bundle: arg.text(answer?.bundleDigest ?? null), writes: arg.text(canonicalJson((await redact(writes)).value)) });
  }
}

/** What would become of each restore now: rows that somebody changed since are named. */
export async function look(of: string): Promise<{ readonly looked: number; readonly conflicts: readonly { readonly decision: string; readonly action: string; readonly why: string }[] }> {
  const planned = await callFunction<readonly { action: string; function: string; decisions: readonly string[] }[]>('undo.looks', { of: arg.text(of), most: arg.int(LOOKED_AT) });
  const conflicts: { decision: string; action: string; why: string }[] = [];
  for (const { action, function: functionName, decisions } of planned) {
    const answer = await reverse({ action, functionName, items: decisions.map((decision) => ({ reversal: decision, decision })), look: true });
    for (const { reversal, status, why = 'NoAnswer' } of answer?.results ?? decisions.map((reversal): ReversalResult => ({ reversal, status: 'unknown' }))) {
      if (status !== 'reversed') conflicts.push({ decision: reversal, action, why });
    }
  }
  return { looked: planned.reduce((sum, { decisions }) => sum + decisions.length, 0), conflicts };
}

async function reverse({ functionName, ...request }: Omit<ReversalRequest, 'loginSecretArn'> & { readonly functionName: string }): Promise<ReversalAnswer | undefined> {
  try {
    // One attempt: what a first attempt did, Postgres knows.
    const { Payload, FunctionError } = await new LambdaClient({ maxAttempts: 1 }).send(new InvokeCommand({
      FunctionName: functionName, Payload: JSON.stringify({ ...request, loginSecretArn: dutySecretName(required('CONTROLS_NAME'), 'reverse') } satisfies ReversalRequest),
    }));
    if (FunctionError !== undefined || !Payload) throw new Error('the action ended without an answer');
    return JSON.parse(Payload.transformToString()) as ReversalAnswer;
  } catch (error) {
    console.error(JSON.stringify({ level: 'error', action: request.action, error: 'ReversalUnanswered', cause: error instanceof Error ? error.name : 'unknown' }));
    return undefined;
  }
}
