import { EventStreamCodec } from '@smithy/eventstream-codec';
import * as v from 'valibot';
import { HttpError } from '../http/http';
import { parse } from '../http/parse';
import { ASKED, Door, messageOf, ModelRequest } from './converse';

const Name = v.pipe(v.string(), v.maxLength(128));
const Source = v.pipe(v.strictObject({ bytes: v.optional(v.string()), text: v.optional(v.string()) }), v.check(({ bytes, text }) => (bytes === undefined) !== (text === undefined), 'one of bytes and text is expected'));
const Document = v.strictObject({ name: v.optional(v.string()), format: v.optional(v.string()), source: Source });
/** Each part is one thing, as with Bedrock. */
const isOne = (part: object): boolean => Object.keys(part).length === 1;
const Result = v.pipe(v.strictObject({ text: v.optional(v.string()), json: v.optional(v.unknown()), image: v.optional(v.unknown()), document: v.optional(Document) }), v.check(isOne, 'one of text, json, image and document is expected'));
const BlockOf = v.pipe(v.strictObject({
  text: v.optional(v.string()), image: v.optional(v.unknown()), document: v.optional(Document),
  toolUse: v.optional(v.strictObject({ toolUseId: Name, name: Name, input: v.unknown() })),
  toolResult: v.optional(v.strictObject({ toolUseId: Name, status: v.optional(v.picklist(['success', 'error'])), content: v.array(Result) })),
}), v.check(isOne, 'one of text, image, document, toolUse and toolResult is expected'));

/** What is taken of a Converse call. What is not here, such as guardrails and prompts of Bedrock itself, is refused and not dropped. */
const Converse = v.strictObject({
  messages: v.pipe(v.array(v.strictObject({ role: v.picklist(['user', 'assistant']), content: v.array(BlockOf) })), v.minLength(1)),
  system: v.optional(v.array(v.strictObject({ text: v.string() }))),
  inferenceConfig: v.optional(v.strictObject({ maxTokens: v.optional(v.number()), temperature: v.optional(v.number()), topP: v.optional(v.number()), stopSequences: v.optional(v.array(v.string())) })),
  toolConfig: v.optional(v.strictObject({
    tools: v.array(v.strictObject({ toolSpec: v.strictObject({ name: Name, description: v.optional(v.string()), inputSchema: v.strictObject({ json: v.unknown() }) }) })), toolChoice: v.optional(v.union([v.strictObject({ auto: v.strictObject({}) }), v.strictObject({ any: v.strictObject({}) }), v.strictObject({ tool: v.strictObject({ name: Name }) })])),
  })),
});

const utf8 = { encode: (text: string): Uint8Array => Buffer.from(text, 'utf8'), decode: (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8') };
const codec = new EventStreamCodec((input) => (typeof input === 'string' ? input : utf8.decode(input)), (text) => utf8.encode(text));
const header = (value: string): { readonly type: 'string'; readonly value: string } => ({ type: 'string', value });

/** `POST /model/{modelId}/converse` and `/converse-stream`, as the SDKs of AWS ask them. */
export function converseDoor(asked: string, isStreamed: boolean, body: unknown): Door {
  if (!ASKED.test(asked)) throw new HttpError(400, 'BodyInvalid', 'modelId: a provider of the residency policy is expected');
  const { messages, system = [], inferenceConfig = {}, toolConfig } = parse(Converse, body);
  const request = { system, messages, inferenceConfig, ...(toolConfig ? { toolConfig } : {}), extra: {} } as ModelRequest;
  const message = (kind: 'event' | 'exception', type: string, value: object): Uint8Array => codec.encode({
    headers: { ':message-type': header(kind), [kind === 'event' ? ':event-type' : ':exception-type']: header(type), ':content-type': header('application/json') }, body: utf8.encode(JSON.stringify(value)),
  });
  return {
    asked, request, isStreamed, contentType: 'application/vnd.amazon.eventstream',
    chunk: (event) => {
      const [[type, value]] = Object.entries(event) as [[string, object]];
      return message('event', type, 'metadata' in event ? { usage: usageOf(event.metadata.usage), metrics: { latencyMs: 0 } } : value);
    },
    last: (error) => (error === undefined ? new Uint8Array() : message('exception', 'modelStreamErrorException', { message: error })),
    whole: (events) => {
      const { content, stopReason, usage } = messageOf(events);
      return { output: { message: { role: 'assistant', content } }, stopReason, usage: usageOf(usage), metrics: { latencyMs: 0 } };
    },
  };
}

const usageOf = ({ inputTokens, outputTokens }: { readonly inputTokens: number; readonly outputTokens: number }): object => ({ inputTokens, outputTokens, totalTokens: inputTokens + outputTokens });
