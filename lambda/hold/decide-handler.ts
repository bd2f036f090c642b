import { approverRoleName, breakGlassRoleName } from '../../lib/scope/names';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { Verdict } from '../http/bodies';
import { openStaged } from './staged';
import { codeOf } from './verdict-code';
import { Caller, HttpError, httpHandler, HttpRequest, HttpResponse, UUID } from '../http/http';
import { parse } from '../http/parse';

/** `GET /approvals`, `GET /approvals/{holdId}` and `POST /approvals/{holdId}/verdict`: people only, known by the approver role whose trust policy demands MFA. */
async function decide(request: HttpRequest): Promise<HttpResponse> {
  const groups = groupsOf(request.caller);
  if (groups.length === 0) throw new HttpError(403, 'NotAnApprover', 'a session of an approver role is needed');
  if (request.route === 'GET /approvals') return { status: 200, body: { holds: await callFunction('hold.list', { groups: arg.text(JSON.stringify(groups)) }) } };
  const holdId = request.path.holdId ?? '';
  if (!UUID.test(holdId)) throw new HttpError(404, 'HoldUnknown', 'there is no such hold');
  if (request.route.startsWith('GET ')) {
    const hold = await callFunction<{ staged: string | null; decisionId: string } | null>('hold.show', { groups: arg.text(JSON.stringify(groups)), hold: arg.uuid(holdId) });
    if (!hold) throw new HttpError(404, 'HoldUnknown', 'there is no such hold for your groups');
    const { staged, ...shown } = hold;
    return { status: 200, body: { ...shown, ...(staged === null ? {} : await openStaged(hold.decisionId, staged)) } };
  }
  const { verdict, digest, reason } = parse(Verdict, request.body);
  const { redact } = await import('../redaction/redact');
  const decided = await callFunction<{ refused?: string; status?: string; token?: string | null }>('hold.decide', {
    hold: arg.uuid(holdId), digest: arg.text(digest), verdict: arg.text(verdict), person: arg.text(request.caller.sessionName),
    groups: arg.text(JSON.stringify(groups)), signed_in: arg.text(`mfa ${request.caller.roleName}`), reason: arg.text((await redact(reason)).value as string),
    // Made for whoever signed this request, about the digest that was shown: nobody who writes to the table can make one.
    code: arg.text(verdict === 'approve' ? await codeOf({ hold: holdId, digest, person: request.caller.sessionName }) : ''),
  });
  if (decided.refused !== undefined) throw new HttpError(decided.refused === 'HoldUnknown' ? 404 : 409, decided.refused, REFUSALS[decided.refused] ?? 'the verdict was refused');
  if (decided.token) await wake(decided.token, decided.status as string);
  return { status: 200, body: { holdId, status: decided.status } };
}

const REFUSALS: Readonly<Record<string, string>> = {
  HoldUnknown: 'there is no such hold',
  HoldExpired: 'the window is over; the call was cancelled',
  AlreadyDecided: 'the hold was decided before',
  NotStaged: 'what it would do is not fixed yet; load it again in a moment',
  DigestMismatch: 'the digest is not that of this hold; load it again and read what it would do',
  NotAnApprover: 'none of your groups may decide this hold',
  OwnRequest: 'who asked for a call, or owns its agent, cannot approve it',
};

/** The group that a role decides for; `*` is every group, for emergencies. */
function groupsOf({ roleName }: Caller): string[] {
  if (roleName === breakGlassRoleName(required('CONTROLS_NAME'))) return ['*'];
  const prefix = approverRoleName(required('CONTROLS_NAME'), '');
  return roleName.startsWith(prefix) ? [roleName.slice(prefix.length)] : [];
}

/** Tells the state machine. It may have ended meanwhile, or been told before; Postgres has the verdict, so neither matters. */
async function wake(taskToken: string, status: string): Promise<void> {
  const { SendTaskSuccessCommand, SFNClient } = await import('@aws-sdk/client-sfn');
  try {
    await new SFNClient({}).send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify({ status }) }));
  } catch (error) {
    if (!(error instanceof Error) || !['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken'].includes(error.name)) throw error;
  }
}

export const handler = httpHandler(decide, anchorSoon);
