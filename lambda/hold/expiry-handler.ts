import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';

/** What the state machine of a hold asks. */
type ExpiryEvent =
  | { readonly step: 'open'; readonly holdId: string }
  | { readonly step: 'attend'; readonly holdId: string; readonly token: string }
  | { readonly step: 'expire'; readonly holdId: string };

interface Hold {
  readonly refused?: string;
  readonly status: string;
  readonly action?: string;
  readonly agent?: string;
  readonly holdUntil?: string;
  readonly secondsLeft?: number;
  /** Whether the tier lets a verifier answer, and none has yet. */
  readonly verifiable?: boolean;
}

/** Ends the wait of a state machine whose hold was decided before its token was left; named, so that the ASL can catch it. */
export class HoldSettled extends Error {
  public override readonly name = 'HoldSettled';
}

export async function handler(event: ExpiryEvent): Promise<object> {
  const { holdId } = event;
  switch (event.step) {
    case 'open': {
      const hold = known(await callFunction<Hold | null>('hold.open', { hold: arg.uuid(holdId) }), holdId);
      return { holdId, status: hold.status, secondsLeft: hold.secondsLeft, asks: hold.verifiable === true && process.env.VERIFIER === 'true' ? 'verifier' : 'people' };
    }
    case 'attend': {
      const hold = known(await callFunction<Hold | null>('hold.attend', { hold: arg.uuid(holdId), token: arg.text(event.token) }), holdId);
      if (hold.status !== 'pending') throw new HoldSettled(hold.status);
      await announce('hold staged', { holdId, agent: hold.agent, action: hold.action, holdUntil: hold.holdUntil });
      return { holdId };
    }
    case 'expire': {
      const hold = known(await callFunction<Hold | null>('hold.expire', { hold: arg.uuid(holdId) }), holdId);
      await anchorSoon();
      if (hold.status === 'expired') await announce('hold expired', { holdId, agent: hold.agent, action: hold.action });
      return { holdId, status: hold.status };
    }
  }
}

function known(hold: Hold | null, holdId: string): Hold {
  if (!hold || hold.refused !== undefined) throw new Error(`HoldUnknown: ${holdId}`);
  return hold;
}

/** Ids and names only: nothing of the payload leaves the boundary. */
async function announce(subject: string, message: object): Promise<void> {
  const { PublishCommand, SNSClient } = await import('@aws-sdk/client-sns');
  await new SNSClient({}).send(new PublishCommand({ TopicArn: required('TOPIC_ARN'), Subject: subject, Message: JSON.stringify(message) }));
}
