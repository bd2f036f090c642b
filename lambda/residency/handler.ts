import { bodyOf, HttpError, refusalOf } from '../http/http';
import { anchorSoon } from '../audit/anchor-soon';
import { conduct } from './conduct';
import { converseDoor } from './converse-door';
import { Door, messageOf, ModelEvent, ModelRequest } from './converse';
import { openAiDoor } from './openai-door';
import { bearerOf } from './token';

/** What a Function URL hands to a function, as far as it is read. */
interface UrlEvent {
  readonly rawPath: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: { readonly requestId: string; readonly timeEpoch?: number; readonly http: { readonly method: string } };
}

/** The stream that an answer is written to. */
interface ResponseStream { write(chunk: Uint8Array | string): boolean; end(): void; once(event: 'drain', listener: () => void): void }

/** What Lambda's runtime has for functions that answer in streams. */
declare const awslambda: {
  streamifyResponse(handler: (event: UrlEvent | VerificationEvent, stream: ResponseStream) => Promise<void>): unknown;
  readonly HttpResponseStream: { from(stream: ResponseStream, metadata: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> }): ResponseStream };
};

/** Opens the door that a request knocks at. */
function doorOf({ rawPath, body = '', isBase64Encoded, requestContext: { http: { method } } }: UrlEvent): Door {
  const path = rawPath.replace(/^\/+/, '/'); // an SDK puts its path behind an address that ends with a slash
  const [, model, how] = /^\/model\/([^/]+)\/(converse|converse-stream)$/.exec(path) ?? [];
  if (method !== 'POST' || (how === undefined && path !== '/v1/chat/completions')) throw new HttpError(404, 'PathUnknown', 'POST /v1/chat/completions, /model/{provider}/converse and /model/{provider}/converse-stream are there');
  const parsed = bodyOf(isBase64Encoded === true ? Buffer.from(body, 'base64').toString('utf8') : body, LONGEST_BODY);
  return how === undefined ? openAiDoor(parsed) : converseDoor(decodeURIComponent(model ?? ''), how === 'converse-stream', parsed);
}

/** Prompts are long; a function is handed 6 MB at most. */
const LONGEST_BODY = 5 * 1024 * 1024;

async function answer(event: UrlEvent, stream: ResponseStream): Promise<void> {
  const open = (statusCode: number, contentType: string, more: Readonly<Record<string, string>> = {}): ResponseStream => awslambda.HttpResponseStream.from(stream, { statusCode, headers: { 'content-type': contentType, 'cache-control': 'no-store', ...more } });
  let opened: ResponseStream | undefined;
  let door: Door | undefined;
  let bearer: Awaited<ReturnType<typeof bearerOf>>;
  try {
    // First of all: whoever has no token learns nothing, and reaches nothing.
    bearer = await bearerOf(event.headers.authorization, new Date(event.requestContext.timeEpoch ?? Date.now()));
    if (!bearer) throw new HttpError(401, 'TokenInvalid', 'a bearer token of a run is needed, which the broker hands out when a run starts');
    door = doorOf(event);
    const events = conduct({ run: bearer.run }, door.asked, door.request);
    if (!door.isStreamed) {
      const all: ModelEvent[] = [];
      for await (const part of events) all.push(part);
      opened = open(200, 'application/json');
      opened.write(JSON.stringify(door.whole(all)));
      return;
    }
    for await (const part of events) {
      opened ??= open(200, door.contentType); // not before the provider has begun: until then it may be an error
      const chunk = door.chunk(part);
      if (chunk.length > 0 && !opened.write(chunk)) await new Promise<void>((drained) => opened?.once('drain', drained));
    }
    opened ??= open(200, door.contentType);
    opened.write(door.last());
  } catch (error) {
    const { status, body } = refusalOf(error, event.requestContext.requestId);
    const { error: code, message } = body as { error: string; message: string };
    if (opened) {
      if (door?.isStreamed) opened.write(door.last(`${code}: ${message}`));
      return;
    }
    // In the words of either protocol, whoever asked.
    opened = open(status, 'application/json', { 'x-amzn-errortype': status === 401 || status === 403 ? 'AccessDeniedException' : status === 400 ? 'ValidationException' : status === 503 ? 'ServiceUnavailableException' : 'ModelErrorException' });
    opened.write(JSON.stringify({ message: `${code}: ${message}`, error: { message: `${code}: ${message}`, type: 'gateway_error', code } }));
  } finally {
    (opened ?? stream).end();
    if (bearer) await anchorSoon(); // anybody may knock at the address: who has no token wakes no keeper, and so no database
  }
}

/** What the verifier asks, by the right to invoke this function: nobody who comes by the address can say who they are in an event of their own. */
export interface VerificationEvent { readonly verification: { readonly hold: string; readonly asked: string; readonly request: ModelRequest } }

async function verification({ verification: { hold, asked, request } }: VerificationEvent, stream: ResponseStream): Promise<void> {
  try {
    const events: ModelEvent[] = [];
    for await (const event of conduct({ hold }, asked, request)) events.push(event);
    stream.write(JSON.stringify({ text: messageOf(events).content.map(({ text = '' }) => text).join('') }));
  } catch (error) {
    stream.write(JSON.stringify({ error: (refusalOf(error, hold).body as { error: string }).error }));
  } finally {
    stream.end();
    await anchorSoon();
  }
}

/** The model gateway's address: whoever shows a token asks a model, in the words of OpenAI or of Bedrock. */
export const handler = awslambda.streamifyResponse((event, stream) => ('verification' in event ? verification(event, stream) : answer(event, stream)));
