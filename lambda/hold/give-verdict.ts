import { SFNClient, SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import { arg, callFunction } from '../database/connection';
import { HttpError } from '../http/http';
import { codeOf } from './verdict-code';

/** Who decides, as an issuer or IAM vouches for it. */
export interface Decider {
  /** Names one person for ever: `ISSUER#SUBJECT`, or of a role session the name of the IAM user. Recorded. */
  readonly person: string;
  /** What people call them; erasable. */
  readonly name: string;
  /** Other names of the same person: who asked for a call under one of them cannot approve it. */
  readonly aliases: readonly string[];
  readonly groups: readonly string[];
  /** How they signed in; recorded. */
  readonly signedIn: string;
  /** Whether that was just now, as tiers of people ask. */
  readonly fresh: boolean;
}

/** A verdict on what was shown, as Postgres takes it; wakes the state machine when the hold is decided. */
export async function giveVerdict(who: Decider, given: { readonly holdId: string; readonly digest: string; readonly verdict: 'approve' | 'reject'; readonly reason: string }): Promise<{ readonly holdId: string; readonly status: string }> {
  const { holdId, digest, verdict, reason } = given;
  const { redact } = await import('../redaction/redact');
  const decided = await callFunction<{ refused?: string; status: string; token?: string | null }>('hold.decide', {
    hold: arg.uuid(holdId), digest: arg.text(digest), verdict: arg.text(verdict), who: arg.text(JSON.stringify(who)), reason: arg.text((await redact(reason)).value as string),
    // Made for whoever signed this request, about the digest that was shown: nobody who writes to the table can make one.
    code: arg.text(verdict === 'approve' ? await codeOf({ hold: holdId, digest, person: who.person }) : ''),
  });
  if (decided.refused !== undefined) throw refusalOfVerdict(decided.refused);
  if (decided.token) await wake(decided.token, decided.status);
  return { holdId, status: decided.status };
}

const REFUSALS: Readonly<Record<string, readonly [number, string]>> = {
  HoldUnknown: [404, 'there is no such hold'],
  HoldExpired: [409, 'the window is over; the call was cancelled'],
  AlreadyDecided: [409, 'the hold was decided before'],
  NotStaged: [409, 'what it would do is not fixed yet; load it again in a moment'],
  DigestMismatch: [409, 'the digest is not that of this hold; load it again and read what it would do'],
  NotAnApprover: [409, 'none of your groups may decide this hold'],
  OwnRequest: [409, 'who asked for a call, changed it, or owns its agent, cannot approve it'],
  SecondIssuer: [409, 'others approved or changed this through another way to sign in; approve it that way, or reject it'],
  SignInStale: [401, 'this decision asks for a sign-in of the last minutes; sign in again'],
  TooManyVerdicts: [429, 'more than 60 verdicts a minute; wait a minute'],
};

/** What somebody is told whose verdict Postgres did not take. */
export function refusalOfVerdict(code: string): HttpError {
  const [status, message] = REFUSALS[code] ?? [409, 'the verdict was refused'];
  return new HttpError(status, code, message);
}

/** Tells the state machine. It may have ended meanwhile, or been told before; Postgres has the verdict, so neither matters. */
async function wake(taskToken: string, status: string): Promise<void> {
  try {
    await new SFNClient({}).send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify({ status }) }));
  } catch (error) {
    if (!(error instanceof Error) || !['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken'].includes(error.name)) throw error;
  }
}
