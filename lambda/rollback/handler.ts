import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { responderRoleName } from '../../lib/scope/names';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { startHold } from '../gate/effects';
import { CallOutcome, Resolved, Rollback } from '../http/bodies';
import { HttpError, httpHandler, HttpRequest, HttpResponse, UUID } from '../http/http';
import { parse } from '../http/parse';

/** What Postgres made of a rollback that was asked for. */
interface Committed {
  readonly refused?: string;
  readonly verdict: 'permit' | 'hold';
  readonly rollback: string;
  readonly holdId?: string;
}

const REFUSALS: Readonly<Record<string, string>> = {
  NothingToReverse: 'none of these decisions can be reversed; ask for the plan, which says why',
  PlanChanged: 'the plan is not the one that was looked at any more; ask for it again',
  NoCommonApprovers: 'different groups agreed to these decisions, and none of them could for all; roll back those of one group at a time',
  NotUnknown: 'there is no such call or reversal whose outcome is unknown',
  NoTierForPeople: 'people must agree to this rollback, and the hold queue has no human tier; add one',
};

/** `POST /rollbacks`, `GET /rollbacks/{rollbackId}` and what a person found out about a reversal or a call: people only. Without the digest of a plan the answer is the plan, and nothing happens. */
async function rollback({ route, path, body, caller }: HttpRequest): Promise<HttpResponse> {
  if (caller.roleName !== responderRoleName(required('CONTROLS_NAME'))) throw new HttpError(403, 'NotAResponder', 'a session of the responder role is needed');
  if (route.startsWith('GET ')) {
    const id = path.rollbackId ?? '';
    const progress = UUID.test(id) ? await callFunction<object | null>('undo.progress', { rollback: arg.uuid(id) }) : null;
    if (!progress) throw new HttpError(404, 'RollbackUnknown', 'there is no such rollback');
    return { status: 200, body: progress };
  }
  const { redact } = await import('../redaction/redact');
  if (path.reversalId !== undefined) {
    const { status, reason } = parse(Resolved, body);
    if (!UUID.test(path.rollbackId ?? '') || !UUID.test(path.reversalId)) throw new HttpError(404, 'NotUnknown', REFUSALS.NotUnknown ?? '');
    const resolved = await callFunction<{ refused?: string }>('undo.resolve', { rollback: arg.uuid(path.rollbackId ?? ''), reversal: arg.uuid(path.reversalId), status: arg.text(status), person: arg.text(caller.arn), reason: arg.text((await redact(reason)).value as string) });
    if (resolved.refused !== undefined) throw new HttpError(409, resolved.refused, REFUSALS[resolved.refused] ?? 'refused');
    return { status: 200, body: resolved };
  }
  if (path.decisionId !== undefined) {
    const { status, reason } = parse(CallOutcome, body);
    if (!UUID.test(path.decisionId)) throw new HttpError(404, 'NotUnknown', REFUSALS.NotUnknown ?? '');
    const resolved = await callFunction<{ refused?: string }>('undo.resolve_call', { decision: arg.uuid(path.decisionId), status: arg.text(status), person: arg.text(caller.arn), reason: arg.text((await redact(reason)).value as string) });
    if (resolved.refused !== undefined) throw new HttpError(409, resolved.refused, REFUSALS[resolved.refused] ?? 'refused');
    return { status: 200, body: resolved };
  }
  const { of, plan, reason, reference } = parse(Rollback, body);
  const selection = JSON.stringify(of);
  if (plan === undefined) {
    const planned = await callFunction<object>('undo.plan', { of: arg.text(selection) });
    return { status: 200, body: { ...planned, ...await executor<object>({ look: selection }) } };
  }
  if (reason === undefined) throw new HttpError(400, 'ReasonMissing', 'reason says why, and stands in the log; give it');
  const committed = await callFunction<Committed>('undo.commit', {
    of: arg.text(selection), digest: arg.text(plan), person: arg.text(caller.arn), reason: arg.text((await redact(reason)).value as string), reference: arg.text(reference ?? null), bulk: arg.int(Number(required('BULK_FROM'))),
  });
  if (committed.refused !== undefined) throw new HttpError(409, committed.refused, REFUSALS[committed.refused] ?? 'refused');
  if (committed.verdict === 'hold') {
    await startHold(required('STATE_MACHINE_ARN'), committed.holdId as string);
    return { status: 202, body: committed };
  }
  for (let told = await executor<{ status: string }>({ decisionId: committed.rollback }); told.status === 'more';) told = await executor<{ status: string }>({ rollback: committed.rollback });
  return { status: 200, body: { ...committed, ...await callFunction<object>('undo.progress', { rollback: arg.uuid(committed.rollback) }) } };
}

/** The executor alone may invoke an action. */
async function executor<T>(event: object): Promise<T> {
  const { Payload, FunctionError } = await new LambdaClient({ maxAttempts: 1 }).send(new InvokeCommand({ FunctionName: required('EXECUTOR_FUNCTION'), Payload: JSON.stringify(event) }));
  if (FunctionError !== undefined || !Payload) throw new HttpError(502, 'ExecutorFailed', 'the executor ended without an answer; the log says how far it came');
  return JSON.parse(Payload.transformToString()) as T;
}

export const handler = httpHandler(rollback, anchorSoon);
