import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction } from '../database/connection';
import { quiet } from '../errors/quiet';
import { announce as tell, Notice } from '../notice/announce';

/** What the state machine of a hold asks. */
type ExpiryEvent =
  | { readonly step: 'open'; readonly holdId: string }
  | { readonly step: 'attend'; readonly holdId: string; readonly token: string }
  | { readonly step: 'expire' | 'tell'; readonly holdId: string };

interface Hold {
  readonly refused?: string;
  readonly status: string;
  readonly action?: string;
  readonly agent?: string;
  readonly holdUntil?: string;
  readonly secondsLeft?: number;
  /** Whether its bytes are not fixed yet. */
  readonly staging?: boolean;
  /** Whether the tier lets a verifier answer, and none has yet. */
  readonly verifiable?: boolean;
  /** Whether no execution attended it before. */
  readonly first?: boolean;
  /** Whether its people are warned now, and which group may decide from now on, too. */
  readonly warned?: boolean;
  readonly escalatedTo?: string | null;
  /** What became of the call. */
  readonly outcome?: string;
}

/** Ends the wait of a state machine whose hold was decided before its token was left; named, so that the ASL can catch it. */
export class HoldSettled extends Error {
  public override readonly name = 'HoldSettled';
}

async function expire(event: ExpiryEvent): Promise<object> {
  const { holdId } = event;
  switch (event.step) {
    case 'open': {
      const hold = known(await callFunction<Hold | null>('hold.open', { hold: arg.uuid(holdId) }), holdId);
      return { holdId, status: hold.status, secondsLeft: hold.secondsLeft, asks: hold.staging === true ? 'action' : hold.verifiable === true && process.env.VERIFIER === 'true' ? 'verifier' : 'people' };
    }
    case 'attend': {
      const hold = known(await callFunction<Hold | null>('hold.attend', { hold: arg.uuid(holdId), token: arg.text(event.token) }), holdId);
      if (hold.status !== 'pending') throw new HoldSettled(hold.status);
      if (hold.first) await announce('hold staged', { holdId, agent: hold.agent, action: hold.action, holdUntil: hold.holdUntil });
      return { holdId };
    }
    case 'expire': {
      const hold = known(await callFunction<Hold | null>('hold.expire', { hold: arg.uuid(holdId) }), holdId);
      await anchorSoon();
      const { agent, action, holdUntil } = hold;
      if (hold.warned) await announce('hold warned', { holdId, agent, action, holdUntil, ...(hold.escalatedTo ? { escalatedTo: hold.escalatedTo } : {}) });
      if (hold.status === 'expired' || hold.status === 'rejected') await announce(`hold ${hold.status}`, { holdId, agent, action });
      return { holdId, status: hold.status };
    }
    case 'tell': {
      const { agent, action, outcome } = known(await callFunction<Hold | null>('hold.told', { hold: arg.uuid(holdId) }), holdId);
      await announce(outcome === 'executed' ? 'hold executed' : 'hold failed', { holdId, agent, action, outcome });
      return { holdId };
    }
  }
}

/** With a link that opens the page, where there is one; it says which hold, and nothing else. */
const announce = (notice: Notice, detail: Readonly<Record<string, unknown>> & { readonly holdId: string }): Promise<void> => tell(notice, { ...detail, ...(process.env.PAGE_URL === undefined ? {} : { page: `${process.env.PAGE_URL}?hold=${detail.holdId}` }) });

function known(hold: Hold | null, holdId: string): Hold {
  if (!hold || hold.refused !== undefined) throw new Error(`HoldUnknown: ${holdId}`);
  return hold;
}

export const handler = quiet(expire);
