import { arg, callFunction } from '../database/connection';
import { HttpError, UUID } from '../http/http';
import { openStaged } from './staged';

/** What waits for these groups. */
export const waiting = (groups: readonly string[]): Promise<readonly object[]> => callFunction('hold.list', { groups: arg.text(JSON.stringify(groups)) });

/** The exact bytes of one hold and what was fixed when it was staged, for somebody of its groups. */
export async function shownTo(groups: readonly string[], holdId: string): Promise<Record<string, unknown>> {
  const hold = UUID.test(holdId) ? await callFunction<{ staged: string | null; decisionId: string } | null>('hold.show', { groups: arg.text(JSON.stringify(groups)), hold: arg.uuid(holdId) }) : null;
  if (!hold) throw new HttpError(404, 'HoldUnknown', 'there is no such hold for your groups');
  const { staged, ...shown } = hold;
  const words = await callFunction<object>('hold.words', { groups: arg.text(JSON.stringify(groups)), hold: arg.uuid(holdId) });
  return { ...shown, ...words, ...(staged === null ? {} : await openStaged(hold.decisionId, staged)) };
}
