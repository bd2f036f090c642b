import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { HttpError, HttpResponse } from '../http/http';
import { required } from '../database/connection';

/** What the executor answers. */
export type Executed =
  | { readonly status: 'executed'; readonly result: unknown }
  | { readonly status: 'refused'; readonly refused: string }
  | { readonly status: 'failed' | 'unknown'; readonly error: string };

/** Has a permitted call executed. The executor alone may invoke an action; the ticket alone lets it. */
export async function runPermitted(decisionId: string): Promise<HttpResponse> {
  // One attempt: a ticket that a first attempt has spent says nothing of what it did.
  const { Payload, FunctionError } = await new LambdaClient({ maxAttempts: 1 }).send(new InvokeCommand({ FunctionName: required('EXECUTOR_FUNCTION'), Payload: JSON.stringify({ decisionId }) }));
  const executed: Executed = FunctionError !== undefined || !Payload ? { status: 'unknown', error: 'the executor ended without an answer' } : (JSON.parse(Payload.transformToString()) as Executed);
  if (executed.status === 'refused' && executed.refused === 'TicketSpent') return answerTo(decisionId, 'executing', () => Promise.resolve(null));
  return answerTo(decisionId, executed.status, () => Promise.resolve(executed.status === 'executed' ? executed.result : null));
}

/** What the agent is told of a permitted call: the same the first time and on every replay. */
export async function answerTo(decisionId: string, status: string, result: () => Promise<unknown>): Promise<HttpResponse> {
  switch (status) {
    case 'executed': return { status: 200, body: { verdict: 'permit', decisionId, result: await result() } };
    case 'refused': return { status: 200, body: { verdict: 'deny', decisionId, reasons: ['Changed: what the permission rested on changed before the call ran'] } };
    case 'failed': return { status: 502, body: { error: 'ActionFailed', decisionId, message: 'the action failed; the log says how' } };
    case 'executing': throw new HttpError(409, 'CallInProgress', `decision ${decisionId} is being executed; ask again with the same call id`);
    default: return { status: 502, body: { error: 'OutcomeUnknown', decisionId, message: 'the call was permitted and its outcome is not known; a person looks at it' } };
  }
}

/** Starts the window of a hold. Named by the hold, so a second start is the first one. */
export async function startHold(stateMachineArn: string, holdId: string): Promise<void> {
  try {
    await new SFNClient({}).send(new StartExecutionCommand({ stateMachineArn, name: holdId, input: JSON.stringify({ holdId }) }));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ExecutionAlreadyExists') throw error;
  }
}
