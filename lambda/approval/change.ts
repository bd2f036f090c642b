import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { GateError, SignedApi } from '../client/signed-api';
import { arg, callFunction, required } from '../database/connection';
import { Decider, giveVerdict, refusalOfVerdict } from '../hold/give-verdict';
import { HttpError } from '../http/http';

interface Answer {
  readonly verdict: 'permit' | 'hold' | 'deny';
  readonly holdId?: string;
  readonly reasons?: readonly string[];
}

/**
 * Rejects what was shown and proposes something else instead: a call of its own through the gate, which somebody else approves. What the gate
 * would deny leaves the first one as it is. Asked again after it was cut off, it goes on where it was: the gate knows the call by the hold.
 */
export async function proposeInstead(who: Decider, { holdId, digest, parameters, reason }: { readonly holdId: string; readonly digest: string; readonly parameters: Readonly<Record<string, unknown>>; readonly reason: string }): Promise<Answer> {
  const may = await callFunction<{ refused?: string; status: string }>('hold.may_change', { hold: arg.uuid(holdId), digest: arg.text(digest), who: arg.text(JSON.stringify(who)) });
  if (may.refused !== undefined) throw refusalOfVerdict(may.refused);
  const api = new SignedApi(required('API_URL'), required('AWS_REGION'), defaultProvider());
  const ask = (dryRun: boolean): Promise<Answer> => api.send<Answer>('POST', '/changes', { holdId, person: who.person, names: [who.name, ...who.aliases], parameters, reason, dryRun }).catch((error: unknown) => {
    if (error instanceof GateError && error.status < 500 && error.status !== 403) throw new HttpError(error.status, error.code, error.message);
    throw error;
  });
  if (may.status === 'pending') {
    const foreseen = await ask(true);
    if (foreseen.verdict === 'deny') throw new HttpError(409, 'ChangeRefused', `nobody may approve that: ${(foreseen.reasons ?? []).join('; ')}`);
    await giveVerdict(who, { holdId, digest, verdict: 'reject', reason: `changed: ${reason}` });
  }
  return ask(false);
}
