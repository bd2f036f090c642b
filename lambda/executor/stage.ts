import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { canonicalJson } from '../../lib/scope/canonical-json';
import type { ActionRequest, StageAnswer } from '../action/protocol';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction } from '../database/connection';
import { sealStaged } from '../hold/staged';

interface ToStage extends Omit<ActionRequest, 'stage' | 'staged' | 'table' | 'columns'> {
  readonly function: string | null;
}

/** What an approver can be shown must fit into one row of the Data API, beside the parameters. */
const LARGEST_STAGED = 24 * 1_024;

/** Has the action fix what would run and look at what is there now, and keeps both, sealed, under the digest that people approve. */
export async function stage(holdId: string): Promise<object> {
  const call = await callFunction<ToStage | null>('hold.to_stage', { hold: arg.uuid(holdId) });
  if (!call) return { holdId };
  const { staged, error } = call.function === null ? { staged: {} } : await fixed(call, call.function);
  const { redact } = await import('../redaction/redact');
  const resolved = await redact(staged?.resolved ?? null);
  const text = canonicalJson(staged ?? {});
  const fault = error ?? (resolved.kinds.length > 0 ? 'SecretInResolved' : Buffer.byteLength(text) > LARGEST_STAGED ? 'StagedTooLarge' : null);
  const told = await callFunction<object>('hold.stage', {
    hold: arg.uuid(holdId), staged: arg.text(fault === null ? await sealStaged(call.decisionId, staged ?? {}) : null),
    resolved: arg.text(staged?.resolved === undefined ? null : canonicalJson({ resolved: resolved.value })), error: arg.text(fault),
  });
  await anchorSoon();
  return { holdId, ...told };
}

async function fixed({ function: _, ...call }: ToStage, functionName: string): Promise<StageAnswer> {
  // It only looks, so it may be asked again: an answer that did not come fails the step.
  const { Payload, FunctionError } = await new LambdaClient({}).send(new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify({ ...call, stage: true } satisfies ActionRequest) }));
  if (FunctionError !== undefined || !Payload) throw new Error('StagingUnanswered: the action ended without an answer');
  return JSON.parse(Payload.transformToString()) as StageAnswer;
}
