import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { required } from '../database/connection';

let asked: number | undefined;

/**
 * Has the log signed soon: to be called after something was appended. Once in a stretch of time each process starts the state machine
 * that waits as long and then signs; the execution is named by the stretch, so that any number of handlers starts one, and it ends its wait
 * after the stretch is over. What was not asked for is caught up by the next entry or day, so a failure here fails no call.
 */
export async function anchorSoon(): Promise<void> {
  const stretch = Math.floor(Date.now() / (Number(required('CHECKPOINT_SECONDS')) * 1_000));
  if (stretch === asked) return;
  asked = stretch;
  try {
    await new SFNClient({}).send(new StartExecutionCommand({ stateMachineArn: required('CHECKPOINT_MACHINE_ARN'), name: `checkpoint-${stretch}`, input: '{}' }));
  } catch (error) {
    if (error instanceof Error && error.name === 'ExecutionAlreadyExists') return;
    console.error(JSON.stringify({ level: 'error', error: 'CheckpointNotAsked', cause: error instanceof Error ? error.name : 'unknown' }));
  }
}
