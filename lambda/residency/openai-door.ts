import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { HttpError } from '../http/http';
import { parse } from '../http/parse';
import { strictJson } from '../http/strict-json';
import { ASKED, Block, countOf, Door, Message, messageOf, ModelEvent, ModelRequest, Usage } from './converse';

const Part = v.variant('type', [
  v.strictObject({ type: v.literal('text'), text: v.string() }),
  v.strictObject({ type: v.literal('image_url'), image_url: v.looseObject({ url: v.string() }) }),
  v.strictObject({ type: v.literal('file'), file: v.strictObject({ file_data: v.optional(v.string()), filename: v.optional(v.string()) }) }),
]);
const Content = v.nullish(v.union([v.string(), v.array(Part)]));
const Name = v.pipe(v.string(), v.maxLength(128));
const ToolCall = v.strictObject({ id: Name, type: v.literal('function'), index: v.optional(v.number()), function: v.strictObject({ name: Name, arguments: v.string() }) });

/** A message. What an answer has besides, and a caller hands back as it was, is empty. */
const Said = v.pipe(v.strictObject({
  role: v.picklist(['system', 'developer', 'user', 'assistant', 'tool']), content: Content, tool_calls: v.optional(v.array(ToolCall)), tool_call_id: v.optional(Name),
  refusal: v.nullish(v.null()), annotations: v.nullish(v.pipe(v.array(v.unknown()), v.length(0))), audio: v.nullish(v.null()), function_call: v.nullish(v.null()),
}), v.check(({ role, content }) => role === 'user' || role === 'assistant' || !Array.isArray(content) || content.every(({ type }) => type === 'text'), 'system and tool messages are text'));

/** What is taken of a chat completion. What is not here is refused: dropped in silence it would change what the caller asked for. */
const Chat = v.strictObject({
  model: v.pipe(v.string(), v.regex(ASKED)),
  messages: v.pipe(v.array(Said), v.minLength(1)),
  stream: v.nullish(v.boolean()), stream_options: v.nullish(v.looseObject({ include_usage: v.optional(v.boolean()) })),
  max_tokens: v.nullish(v.number()), max_completion_tokens: v.nullish(v.number()), temperature: v.nullish(v.number()), top_p: v.nullish(v.number()), stop: v.nullish(v.union([v.string(), v.array(v.string())])), n: v.nullish(v.literal(1)),
  tools: v.optional(v.array(v.strictObject({ type: v.literal('function'), function: v.strictObject({ name: Name, description: v.optional(v.string()), parameters: v.optional(v.unknown()), strict: v.nullish(v.boolean()) }) }))),
  tool_choice: v.nullish(v.union([v.picklist(['auto', 'none', 'required']), v.strictObject({ type: v.literal('function'), function: v.strictObject({ name: Name }) })])),
  seed: v.nullish(v.number()), response_format: v.nullish(v.unknown()), presence_penalty: v.nullish(v.number()), frequency_penalty: v.nullish(v.number()), reasoning_effort: v.nullish(v.string()), parallel_tool_calls: v.nullish(v.boolean()), user: v.nullish(v.string()),
});
type ChatRequest = v.InferOutput<typeof Chat>;

const EXTRA = ['seed', 'response_format', 'presence_penalty', 'frequency_penalty', 'reasoning_effort', 'parallel_tool_calls'] as const;

/** `POST /v1/chat/completions`, as OpenAI's SDKs ask it. */
export function openAiDoor(body: unknown): Door {
  const chat = parse(Chat, body);
  const id = `chatcmpl-${randomUUID()}`;
  const created = Math.floor(Date.now() / 1_000);
  const part = (delta: object, finish: string | null = null): string => `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created, model: chat.model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const tools = new Map<number, number>(); // which of the tool calls a block is
  return {
    asked: chat.model, request: requestOf(chat), isStreamed: chat.stream === true, contentType: 'text/event-stream; charset=utf-8',
    chunk: (event) => {
      if ('messageStart' in event) return part({ role: 'assistant', content: '' });
      if ('contentBlockStart' in event) {
        const { contentBlockIndex, start: { toolUse: { toolUseId, name } } } = event.contentBlockStart;
        tools.set(contentBlockIndex, tools.size);
        return part({ tool_calls: [{ index: tools.size - 1, id: toolUseId, type: 'function', function: { name, arguments: '' } }] });
      }
      if ('contentBlockDelta' in event) {
        const { contentBlockIndex, delta } = event.contentBlockDelta;
        return 'text' in delta ? part({ content: delta.text }) : part({ tool_calls: [{ index: tools.get(contentBlockIndex) ?? 0, function: { arguments: delta.toolUse.input } }] });
      }
      if ('messageStop' in event) return part({}, finishOf(event.messageStop.stopReason));
      if ('metadata' in event && chat.stream_options?.include_usage === true) return `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created, model: chat.model, choices: [], usage: usageOf(event.metadata.usage) })}\n\n`;
      return '';
    },
    last: (error) => (error === undefined ? 'data: [DONE]\n\n' : `data: ${JSON.stringify({ error: { message: error, type: 'gateway_error', code: error.split(':')[0] } })}\n\n`),
    whole: (events) => {
      const { content, stopReason, usage } = messageOf(events);
      const calls = content.flatMap(({ toolUse }) => (toolUse ? [{ id: toolUse.toolUseId, type: 'function', function: { name: toolUse.name, arguments: JSON.stringify(toolUse.input) } }] : []));
      return {
        id, object: 'chat.completion', created, model: chat.model, usage: usageOf(usage),
        choices: [{ index: 0, finish_reason: finishOf(stopReason), message: { role: 'assistant', content: content.map(({ text = '' }) => text).join('') || null, refusal: null, ...(calls.length > 0 ? { tool_calls: calls } : {}) } }],
      };
    },
  };
}

function requestOf(chat: ChatRequest): ModelRequest {
  const system: { text: string }[] = [];
  const messages: Message[] = [];
  const add = (role: Message['role'], content: Block[]): void => {
    const last = messages.at(-1);
    // Converse has turns: several results of tools are one message.
    if (last?.role === role) last.content.push(...content);
    else messages.push({ role, content });
  };
  for (const { role, content, tool_calls: calls = [], tool_call_id: callId } of chat.messages) {
    const blocks = blocksOf(content);
    if (role === 'system' || role === 'developer') system.push(...blocks.map(({ text = '' }) => ({ text })));
    else if (role === 'tool') add('user', [{ toolResult: { toolUseId: callId ?? '', content: blocks.map(({ text = '' }) => ({ text })) } }]);
    else add(role, [...blocks, ...calls.map(({ id, function: { name, arguments: input } }): Block => ({ toolUse: { toolUseId: id, name, input: argumentsOf(input) } }))]);
  }
  const { max_tokens: short, max_completion_tokens: long, temperature, top_p: topP, stop, tools, tool_choice: choice } = chat;
  const maxTokens = long ?? short;
  return {
    system, messages,
    inferenceConfig: { ...(typeof maxTokens === 'number' ? { maxTokens } : {}), ...(typeof temperature === 'number' ? { temperature } : {}), ...(typeof topP === 'number' ? { topP } : {}), ...(stop ? { stopSequences: [stop].flat() } : {}) },
    ...(tools && tools.length > 0 && choice !== 'none' ? { toolConfig: { tools: tools.map(({ function: { name, description, parameters, strict } }) => ({ toolSpec: { name, ...(description === undefined ? {} : { description }), ...(typeof strict === 'boolean' ? { strict } : {}), inputSchema: { json: parameters ?? { type: 'object' } } } })), ...(choice === 'required' ? { toolChoice: { any: {} } } : typeof choice === 'object' && choice ? { toolChoice: { tool: { name: choice.function.name } } } : {}) } } : {}),
    extra: Object.fromEntries(EXTRA.flatMap((name) => (chat[name] === undefined || chat[name] === null ? [] : [[name, chat[name]]]))),
  };
}

function blocksOf(content: v.InferOutput<typeof Content>): Block[] {
  if (content === null || content === undefined || content === '') return [];
  if (typeof content === 'string') return [{ text: content }];
  return content.map((part): Block => {
    switch (part.type) {
      case 'text': return { text: part.text };
      case 'image_url': return { image: { url: part.image_url.url } };
      case 'file': {
        const [, type = '', bytes = ''] = /^data:([^;,]*);base64,(.*)$/s.exec(part.file.file_data ?? '') ?? [];
        return { document: { name: part.file.filename ?? 'file', format: type.split('/').pop() ?? '', source: { bytes } } };
      }
    }
  });
}

function argumentsOf(text: string): unknown {
  try {
    return strictJson(text === '' ? '{}' : text);
  } catch {
    throw new HttpError(400, 'ArgumentsInvalid', 'the arguments of a tool call are not JSON');
  }
}

const usageOf = ({ inputTokens, outputTokens }: Usage): object => ({ prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens });

const finishOf = (stopReason: string): string => ({ tool_use: 'tool_calls', max_tokens: 'length', content_filtered: 'content_filter', guardrail_intervened: 'content_filter' }[stopReason] ?? 'stop');

/** What a provider of this protocol is sent. */
export function chatOf({ system, messages, inferenceConfig: { maxTokens, temperature, topP, stopSequences }, toolConfig, extra }: ModelRequest, model: string): object {
  const choice = toolConfig?.toolChoice;
  return {
    model, stream: true, stream_options: { include_usage: true },
    messages: [...system.map(({ text }) => ({ role: 'system', content: text })), ...messages.flatMap(({ role, content }) => chatMessages(role, content))],
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }), ...(temperature === undefined ? {} : { temperature }), ...(topP === undefined ? {} : { top_p: topP }), ...(stopSequences ? { stop: stopSequences } : {}),
    ...(toolConfig ? { tools: toolConfig.tools.map(({ toolSpec: { name, description, inputSchema, strict } }) => ({ type: 'function', function: { name, ...(description === undefined ? {} : { description }), ...(strict === undefined ? {} : { strict }), parameters: inputSchema.json } })) } : {}),
    ...(choice?.any ? { tool_choice: 'required' } : choice?.tool ? { tool_choice: { type: 'function', function: { name: choice.tool.name } } } : {}),
    ...extra,
  };
}

function chatMessages(role: Message['role'], content: readonly Block[]): object[] {
  const text = content.map((block) => block.text ?? block.document?.source?.text ?? '').filter((part) => part !== '').join('\n');
  if (role === 'assistant') {
    const calls = content.flatMap(({ toolUse }) => (toolUse ? [{ id: toolUse.toolUseId, type: 'function', function: { name: toolUse.name, arguments: JSON.stringify(toolUse.input) } }] : []));
    return [{ role, content: text === '' ? null : text, ...(calls.length > 0 ? { tool_calls: calls } : {}) }];
  }
  const results = content.flatMap(({ toolResult }) => (toolResult ? [{ role: 'tool', tool_call_id: toolResult.toolUseId, content: toolResult.content.map((part) => part.text ?? part.document?.source?.text ?? JSON.stringify(part.json ?? '')).join('\n') }] : []));
  return [...results, ...(text === '' ? [] : [{ role, content: text }])];
}

/** The events of an answer of this protocol. */
export async function* chatEvents(chunks: AsyncIterable<ChatChunk>): AsyncGenerator<ModelEvent> {
  yield { messageStart: { role: 'assistant' } };
  const open = new Set<number>();
  let stopReason = 'end_turn';
  let usage: Usage | undefined;
  for await (const { choices = [], usage: told } of chunks) {
    if (told) usage = { inputTokens: countOf(told.prompt_tokens), outputTokens: countOf(told.completion_tokens) };
    const [choice] = choices;
    if (typeof choice?.delta?.content === 'string' && choice.delta.content !== '') {
      open.add(0);
      yield { contentBlockDelta: { contentBlockIndex: 0, delta: { text: choice.delta.content } } };
    }
    for (const { index = 0, id, function: called } of choice?.delta?.tool_calls ?? []) {
      const contentBlockIndex = index + 1;
      if (!open.has(contentBlockIndex)) {
        open.add(contentBlockIndex);
        yield { contentBlockStart: { contentBlockIndex, start: { toolUse: { toolUseId: String(id ?? `call-${index}`), name: String(called?.name ?? '') } } } };
      }
      if (called?.arguments) yield { contentBlockDelta: { contentBlockIndex, delta: { toolUse: { input: called.arguments } } } };
    }
    if (typeof choice?.finish_reason === 'string') stopReason = { tool_calls: 'tool_use', length: 'max_tokens', content_filter: 'content_filtered' }[choice.finish_reason] ?? 'end_turn';
  }
  for (const contentBlockIndex of [...open].sort((a, b) => a - b)) yield { contentBlockStop: { contentBlockIndex } };
  yield { messageStop: { stopReason } };
  yield { metadata: { usage: usage ?? { inputTokens: 0, outputTokens: 0 } } };
}

/** A piece of a streamed answer, as far as it is read. */
export interface ChatChunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null; readonly tool_calls?: readonly { readonly index?: number; readonly id?: string; readonly function?: { readonly name?: string; readonly arguments?: string } }[] }; readonly finish_reason?: string | null }[];
  readonly usage?: { readonly prompt_tokens?: unknown; readonly completion_tokens?: unknown } | null;
}
