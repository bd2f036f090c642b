import { HttpResponse } from '../http/http';
import { required } from '../database/connection';

/** What the executor answers. */
export type Executed =
  | { readonly status: 'executed'; readonly result: unknown }
  | { readonly status: 'refused'; readonly refused: string }
  | { readonly status: 'failed' | 'unknown'; readonly error: string };

/** Has a permitted call executed. The executor alone may invoke an action; the ticket alone lets it. */
export async function runPermitted(decisionId: string): Promise<HttpResponse> {
  const { InvokeCommand, LambdaClient } = await import('@aws-sdk/client-lambda');
  const { Payload, FunctionError } = await new LambdaClient({}).send(new InvokeCommand({ FunctionName: required('EXECUTOR_FUNCTION'), Payload: JSON.stringify({ decisionId }) }));
  if (FunctionError !== undefined || !Payload) return { status: 502, body: { error: 'OutcomeUnknown', decisionId, message: 'the call was permitted and its outcome is not known; a person looks at it' } };
  const executed = JSON.parse(Payload.transformToString()) as Executed;
  switch (executed.status) {
    case 'executed': return { status: 200, body: { verdict: 'permit', decisionId, result: executed.result } };
    case 'refused': return { status: 200, body: { verdict: 'deny', decisionId, reasons: [`${executed.refused}: what the permission rested on changed before the call ran`] } };
    default: return { status: 502, body: { error: executed.status === 'failed' ? 'ActionFailed' : 'OutcomeUnknown', decisionId, message: executed.error } };
  }
}

/** Starts the window of a hold. Named by the hold, so a second start is the first one. */
export async function startHold(stateMachineArn: string, holdId: string): Promise<void> {
  const { SFNClient, StartExecutionCommand } = await import('@aws-sdk/client-sfn');
  try {
    await new SFNClient({}).send(new StartExecutionCommand({ stateMachineArn, name: holdId, input: JSON.stringify({ holdId }) }));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ExecutionAlreadyExists') throw error;
  }
}
