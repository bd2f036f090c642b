import { BedrockRuntimeClient, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ProviderPolicy } from '../../lib/scope/residency';
import { required } from '../database/connection';
import type { ModelEvent, ModelRequest } from './converse';
import { ChatChunk, chatEvents, chatOf } from './openai-door';

/** A provider that could not be asked just now, or that says no. */
export class ProviderFailed extends Error {
  /** @param again whether another one may be asked instead: it is busy or away, and nothing of an answer has come. */
  public constructor(public readonly provider: string, public readonly again: boolean, what: string) {
    super(`${provider}: ${what}`);
    this.name = 'ProviderFailed';
  }
}

/** How long a provider may take to begin, or to go on. */
const BEGINS_MS = 60_000;

/** Asks a provider. Nothing is sent before this is called; what is thrown before the first event may be tried elsewhere. */
export function ask(provider: ProviderPolicy, model: string, request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
  return provider.kind === 'bedrock' ? askBedrock(provider, model, request, signal) : askHttp(provider, model, request, signal);
}

async function* askBedrock({ name, region }: ProviderPolicy, modelId: string, { system, messages, inferenceConfig, toolConfig }: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
  const { NodeHttpHandler } = await import('@smithy/node-http-handler');
  // HTTP/2, which this client would take, is for streams in both directions.
  const client = new BedrockRuntimeClient({ requestHandler: new NodeHttpHandler({ requestTimeout: BEGINS_MS, throwOnRequestTimeout: true, socketTimeout: BEGINS_MS }), ...(region === undefined ? {} : { region }), maxAttempts: 1 });
  let stream: AsyncIterable<ModelEvent> | undefined;
  try {
    ({ stream } = await client.send(new ConverseStreamCommand({ modelId, messages, ...(system.length > 0 ? { system } : {}), inferenceConfig, ...(toolConfig ? { toolConfig: { ...toolConfig, tools: toolConfig.tools.map(({ toolSpec: { name: tool, description, inputSchema } }) => ({ toolSpec: { name: tool, ...(description === undefined ? {} : { description }), inputSchema } })) } } : {}) } as never), { abortSignal: signal }) as unknown as { stream?: AsyncIterable<ModelEvent> });
  } catch (error) {
    const { name: code = 'unknown', $metadata: { httpStatusCode: status = 0 } = {} } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
    throw new ProviderFailed(name, status === 0 || status === 429 || status >= 500, code);
  }
  if (!stream) throw new ProviderFailed(name, true, 'it answered nothing');
  for await (const event of stream) {
    const [type = ''] = Object.keys(event);
    if (type.endsWith('Exception')) throw new ProviderFailed(name, false, type);
    yield event;
  }
}

const keys = new Map<string, { readonly value: string; readonly until: number }>();

/** The key of a provider. Kept for minutes: a rotated one is found soon, and at once when the provider refuses the one before. */
async function keyOf(name: string, fresh: boolean): Promise<string> {
  const known = keys.get(name);
  if (known && !fresh && known.until > Date.now()) return known.value;
  const arns = JSON.parse(required('PROVIDER_KEYS')) as Readonly<Record<string, string>>;
  const { SecretString = '' } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: arns[name] ?? '' }));
  keys.set(name, { value: SecretString, until: Date.now() + 300_000 });
  return SecretString;
}

async function* askHttp({ name, baseUrl = '' }: ProviderPolicy, model: string, request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelEvent> {
  // A long answer is none that hangs: what is measured is the time until it goes on.
  const hanging = new AbortController();
  const timer = setTimeout(() => hanging.abort(), BEGINS_MS);
  const send = async (fresh: boolean): Promise<Response> => fetch(`${baseUrl}/chat/completions`, {
    method: 'POST', redirect: 'error', signal: AbortSignal.any([signal, hanging.signal]),
    headers: { authorization: `Bearer ${await keyOf(name, fresh)}`, 'content-type': 'application/json', accept: 'text/event-stream' }, body: JSON.stringify(chatOf(request, model)),
  });
  try {
    let response: Response;
    try {
      response = await send(false);
      if (response.status === 401) response = await send(true);
    } catch (error) {
      throw new ProviderFailed(name, !signal.aborted, hanging.signal.aborted ? 'it did not begin' : error instanceof Error ? error.name : 'unknown');
    }
    // Its sentence may quote what it was sent.
    if (!response.ok || !response.body) throw new ProviderFailed(name, response.status === 429 || response.status >= 500, `it answered with ${response.status}`);
    yield* chatEvents(chunksOf(name, response.body, () => timer.refresh()));
  } catch (error) {
    if (hanging.signal.aborted && !(error instanceof ProviderFailed)) throw new ProviderFailed(name, false, 'it stopped in mid-answer');
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function* chunksOf(name: string, body: ReadableStream<Uint8Array>, goesOn: () => void): AsyncGenerator<ChatChunk> {
  let isOver = false; // some say [DONE], others only why they end
  const { EventSourceParserStream } = await import('eventsource-parser/stream');
  for await (const { data } of body.pipeThrough(new TextDecoderStream() as never).pipeThrough(new EventSourceParserStream()) as unknown as AsyncIterable<{ data: string }>) {
    goesOn();
    if (data === '[DONE]') return;
    const chunk = JSON.parse(data) as ChatChunk & { readonly error?: unknown };
    if (chunk.error !== undefined) throw new ProviderFailed(name, false, 'it broke off with an error');
    isOver ||= chunk.choices?.some(({ finish_reason: reason }) => typeof reason === 'string') === true;
    yield chunk;
  }
  if (!isOver) throw new ProviderFailed(name, false, 'it was cut off');
}
