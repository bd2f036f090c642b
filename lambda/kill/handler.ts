import { handlerName, responderRoleName } from '../../lib/scope/names';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { Reasoned } from '../http/bodies';
import { HttpError, httpHandler, HttpRequest, HttpResponse } from '../http/http';
import { parse } from '../http/parse';
import { comeBack } from './come-back';
import { AgentUnknown, look, stop } from './stop';

/** The API waits 30 seconds; what is not proven until then is asked for again. */
const PATIENCE_MS = 18_000;
const NAME = /^[a-z][a-z0-9-]{0,23}$/;

/** What people ask of an agent: `GET /agents`, to stop it, to see what stopped it, to bring it back, to have its writes wait and to let them go on. What rules trigger may ask the first three. */
async function asked({ route, path, body, caller }: HttpRequest): Promise<HttpResponse> {
  // Events stop agents too, and bring none back.
  const isTrigger = caller.roleName === handlerName(required('CONTROLS_NAME'), 'kill-trigger') && !/\/(enable|hold|release)$/.test(route);
  if (!isTrigger && caller.roleName !== responderRoleName(required('CONTROLS_NAME'))) throw new HttpError(403, 'NotAResponder', 'a session of the responder role is needed');
  if (route === 'GET /agents') return { status: 200, body: { agents: await callFunction('controls.stoppable', {}) } };
  const agent = path.agent ?? '';
  if (!NAME.test(agent)) throw unknown();
  if (route.startsWith('GET ')) return { status: 200, body: await look(agent, PATIENCE_MS) };
  const { redact } = await import('../redaction/redact');
  const { reason: given } = parse(Reasoned, body);
  const reason = await redact(given).then(({ value }) => value as string, () => 'it could not be searched for secrets, and is not kept'); // a stop does not fail of its reason
  if (route.endsWith('/disable')) {
    return { status: 200, body: await stop(agent, caller.arn, reason, PATIENCE_MS).catch((error: unknown) => { throw error instanceof AgentUnknown ? unknown() : error; }) };
  }
  if (/\/(hold|release)$/.test(route)) {
    const { refused, ...cautious } = await callFunction<{ refused?: string; cautious: boolean; changed: boolean }>('controls.set_caution', { agent: arg.text(agent), person: arg.text(caller.arn), reason: arg.text(reason), on: arg.boolean(route.endsWith('/hold')) });
    if (refused !== undefined) throw unknown();
    return { status: 200, body: cautious };
  }
  const { refused, ...came } = await comeBack(agent, caller.arn.split('/').pop() ?? '', reason);
  if (refused === 'AgentUnknown') throw unknown();
  if (refused !== undefined) throw new HttpError(409, refused, refused === 'AgentEnabled' ? 'the agent is not stopped' : refused === 'ComingBack' ? 'somebody is bringing it back just now; look again in a minute' : 'two different people must ask within a day');
  return { status: came.waits ? 202 : 200, body: came };
}

const unknown = (): HttpError => new HttpError(404, 'AgentUnknown', 'there is no agent of this name');

export const handler = httpHandler(asked, anchorSoon);
