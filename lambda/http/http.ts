import { JsonRefused, strictJson } from './strict-json';
import { DatabaseUnavailable, isLogBusy } from '../database/connection';

/** What API Gateway's HTTP API hands to a function, payload format 2.0; only what is used here. */
export interface HttpEvent {
  readonly routeKey: string;
  readonly rawPath: string;
  readonly pathParameters?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: {
    readonly requestId: string;
    readonly authorizer?: { readonly iam?: { readonly userArn: string; readonly userId: string; readonly accountId: string } };
  };
}

/** Who signed the request, as API Gateway authenticated it. Nothing of a body says who is calling. */
export interface Caller {
  /** `AROA...:session`: role id and session name, which nobody can choose. */
  readonly principalId: string;
  /** `arn:aws:sts::...:assumed-role/NAME/SESSION`. */
  readonly arn: string;
  readonly roleName: string;
  readonly sessionName: string;
}

export interface HttpRequest {
  readonly route: string;
  readonly path: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly caller: Caller;
}

export interface HttpResponse {
  readonly status: number;
  readonly body: unknown;
}

/** A refusal with a status. */
export class HttpError extends Error {
  public constructor(public readonly status: number, public readonly code: string, message: string) {
    super(message);
  }
}

/** An id as Postgres makes it. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const LONGEST_BODY = 256 * 1024;

/**
 * Turns a core function into the handler of an HTTP API: parses, authenticates, and maps results and errors.
 *
 * @param appended called after a request that may have appended to the log.
 */
export function httpHandler(core: (request: HttpRequest) => Promise<HttpResponse>, appended: () => Promise<void>): (event: HttpEvent) => Promise<object> {
  return async (event) => {
    try {
      try {
        return reply(await core({ route: event.routeKey, path: event.pathParameters ?? {}, body: parsed(event), caller: callerOf(event) }));
      } finally {
        if (!event.routeKey.startsWith('GET ')) await appended(); // refusals are entries, too
      }
    } catch (error) {
      return reply(refusalOf(error, event.requestContext.requestId));
    }
  };
}

/** What a caller is told of an error. Never its message, unless it was written for callers: it may quote parameters. */
export function refusalOf(error: unknown, requestId: string): HttpResponse & { readonly headers?: Record<string, string> } {
  if (error instanceof HttpError) return { status: error.status, body: { error: error.code, message: error.message } };
  if (error instanceof DatabaseUnavailable) return { status: 503, body: { error: error.name, message: error.message }, headers: { 'retry-after': '5' } };
  const busy = isLogBusy(error);
  console.error(JSON.stringify({ level: 'error', requestId, error: busy ? 'AuditUnavailable' : error instanceof Error ? error.name : 'unknown' }));
  if (busy) return { status: 503, body: { error: 'AuditUnavailable', message: 'nothing could be recorded, so nothing was done; ask again in a few seconds' }, headers: { 'retry-after': '5' } };
  return { status: 500, body: { error: 'InternalError', message: `the call was not decided; nothing was done; request ${requestId}` } };
}

function callerOf(event: HttpEvent): Caller {
  const iam = event.requestContext.authorizer?.iam;
  const [, roleName, sessionName] = /^arn:[^:]+:sts::\d+:assumed-role\/([^/]+)\/([^/]+)$/.exec(iam?.userArn ?? '') ?? [];
  if (!iam || roleName === undefined || sessionName === undefined) throw new HttpError(403, 'NotASession', 'a signed request of a role session is needed; users and anonymous callers have no part here');
  return { principalId: iam.userId, arn: iam.userArn, roleName, sessionName };
}

function parsed(event: HttpEvent): unknown {
  return bodyOf(event.isBase64Encoded ? Buffer.from(event.body ?? '', 'base64').toString('utf8') : event.body ?? '');
}

/** A body as it was sent, or a refusal. */
export function bodyOf(text: string, longest = LONGEST_BODY): unknown {
  if (text.length > longest) throw new HttpError(413, 'BodyTooLarge', `the body has ${text.length} characters; at most ${longest} are taken`);
  if (text === '') return undefined;
  try {
    return strictJson(text);
  } catch (error) {
    if (error instanceof JsonRefused) throw new HttpError(400, error.code, error.message);
    throw error;
  }
}

function reply({ status, body, headers = {} }: HttpResponse & { readonly headers?: Record<string, string> }): object {
  return { statusCode: status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers }, body: JSON.stringify(body) };
}
