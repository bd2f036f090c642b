import { approverRoleName, breakGlassRoleName } from '../../lib/scope/names';
import { anchorSoon } from '../audit/anchor-soon';
import { required } from '../database/connection';
import { quiet } from '../errors/quiet';
import { Verdict } from '../http/bodies';
import { Caller, HttpError, HttpEvent, httpHandler, HttpRequest, HttpResponse, UUID } from '../http/http';
import { parse } from '../http/parse';
import { Decider, giveVerdict } from './give-verdict';
import { shownTo, waiting } from './shown';

/** `GET /approvals`, `GET /approvals/{holdId}` and `POST /approvals/{holdId}/verdict`: people known by the approver role whose trust policy demands MFA. */
async function decide(request: HttpRequest): Promise<HttpResponse> {
  const who = deciderOf(request.caller);
  if (request.route === 'GET /approvals') return { status: 200, body: { holds: await waiting(who.groups) } };
  const holdId = request.path.holdId ?? '';
  if (request.route.startsWith('GET ')) return { status: 200, body: await shownTo(who.groups, holdId) };
  if (!UUID.test(holdId)) throw new HttpError(404, 'HoldUnknown', 'there is no such hold');
  return { status: 200, body: await giveVerdict(who, { holdId, ...parse(Verdict, request.body) }) };
}

function deciderOf({ roleName, sessionName }: Caller): Decider {
  const groups = groupsOf(roleName);
  if (groups.length === 0) throw new HttpError(403, 'NotAnApprover', 'a session of an approver role is needed');
  return { person: sessionName, name: sessionName, aliases: [], groups, signedIn: `mfa ${roleName}`, fresh: true };
}

/** The group that a role decides for; `*` is every group, for emergencies. */
function groupsOf(roleName: string): string[] {
  if (roleName === breakGlassRoleName(required('CONTROLS_NAME'))) return ['*'];
  const prefix = approverRoleName(required('CONTROLS_NAME'), '');
  return roleName.startsWith(prefix) ? [roleName.slice(prefix.length)] : [];
}

const signed = httpHandler(decide, anchorSoon);

/** People come through the page, with a token of their directory, or through an API that authenticates their role. */
async function byEitherWay(event: HttpEvent): Promise<object> {
  if (!/^\w+ \/approve(\/|$)/.test(event.routeKey)) return signed(event);
  const { page } = await import('../approval/routes');
  return page(event);
}

export const handler = quiet(byEitherWay);
