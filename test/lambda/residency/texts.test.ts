/** A call is taken apart and put together: whatever anybody could have written is looked into, and the words of the protocol stay. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chatEvents, ChatChunk, openAiDoor } from '../../../lambda/residency/openai-door';
import { converseDoor } from '../../../lambda/residency/converse-door';
import type { ModelRequest } from '../../../lambda/residency/converse';
import { filesOf } from '../../../lambda/residency/files';
import { finderOf } from '../../../lambda/residency/finder';
import { textsOf, withTexts } from '../../../lambda/residency/texts';
import { redact } from '../../../lambda/redaction/redact';

const REQUEST: ModelRequest = {
  system: [{ text: 'system' }], extra: { response_format: { type: 'json_object' } }, inferenceConfig: { maxTokens: 5, stopSequences: ['stop'] },
  messages: [
    { role: 'user', content: [{ text: 'user' }, { document: { name: 'name', format: 'txt', source: { text: 'text' } } }] },
    { role: 'assistant', content: [{ text: 'content' }, { toolUse: { toolUseId: 'call-1', name: 'look', input: { messages: ['user'] } } }] },
    { role: 'user', content: [{ toolResult: { toolUseId: 'call-1', status: 'success', content: [{ text: 'role' }, { json: { content: 'user' } }] } }] },
  ],
  toolConfig: { tools: [{ toolSpec: { name: 'look', description: 'Looks.', inputSchema: { json: { type: 'object', properties: { user: { type: 'string' } } } } } }, { toolSpec: { name: 'bare', inputSchema: { json: {} } } }], toolChoice: { tool: { name: 'look' } } },
};

describe('a call', () => {
  it('is the same when it is put together again', () => expect(withTexts(REQUEST, textsOf(REQUEST).written)).toEqual(REQUEST));

  it('holds nothing that is not looked into', () => {
    const { written, names } = textsOf(REQUEST);
    expect(names).toEqual(['call-1', 'look', 'call-1', 'look', 'bare', 'look']);
    expect(textsOf(REQUEST).figures).toEqual(['5']);
    const seen = JSON.stringify([written, names]);
    for (const word of ['system', 'user', 'txt', 'name', 'text', 'content', 'role', 'stop', 'messages', 'Looks.', 'json_object']) expect(seen).toContain(word);
  });

  it('keeps its words when somebody is called like one of them', async () => {
    const { value } = await redact(textsOf(REQUEST).written, finderOf({ values: new Map(['user', 'content', 'text', 'messages', 'system'].map((word) => [word, new Set(['contact'])])) }));
    const clean = withTexts(REQUEST, value as unknown[]);
    expect(clean.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    expect(clean.system).toEqual([{ text: '[redacted: contact]' }]);
    expect(textsOf(clean).written.flatMap((text) => (typeof text === 'string' ? [text] : []))).not.toEqual(expect.arrayContaining(['user']));
    expect(JSON.stringify(textsOf(clean).written)).not.toContain('"user"');
    expect(clean.toolConfig?.tools.length).toBe(2);
  });

  it('of any shape is put together as it was', () => {
    const text = fc.string();
    const block = fc.oneof(fc.record({ text }), fc.record({ toolUse: fc.record({ toolUseId: text, name: text, input: fc.jsonValue() }) }), fc.record({ toolResult: fc.record({ toolUseId: text, content: fc.array(fc.oneof(fc.record({ text }), fc.record({ json: fc.jsonValue() }), fc.record({ document: fc.record({ name: text, source: fc.record({ text }) }) }))) }) }));
    fc.assert(fc.property(fc.record({ system: fc.array(fc.record({ text })), extra: fc.constant({}), inferenceConfig: fc.constant({}), messages: fc.array(fc.record({ role: fc.constantFrom('user' as const, 'assistant' as const), content: fc.array(block) })) }), (request) => {
      expect(withTexts(request as ModelRequest, textsOf(request as ModelRequest).written)).toEqual(request);
    }));
  });
});

describe('what cannot be looked into is not taken', () => {
  const converse = (content: unknown): unknown => converseDoor('inside', false, { messages: [{ role: 'user', content: [content] }] }).request;
  it.each<[string, unknown]>([
    ['a video in the result of a tool', { toolResult: { toolUseId: 't', content: [{ video: { format: 'mp4', source: { s3Location: { uri: 's3://x' } } } }] } }],
    ['a document that says one thing and points at another', { document: { name: 'n', format: 'txt', source: { text: 'x', s3Location: { uri: 's3://x' } } } }],
    ['a document with two texts', { document: { name: 'n', format: 'txt', source: { text: 'x', bytes: 'eA==' } } }], ['a point of a cache', { cachePoint: { type: 'default' } }], ['a guard', { guardContent: { text: { text: 'x' } } }],
    ['two things in one part', { text: 'x', document: { name: 'n', format: 'txt', source: { text: 'y' } } }], ['two things in a result', { toolResult: { toolUseId: 't', content: [{ text: 'x', json: {} }] } }],
    ['something beside a tool', { toolUse: { toolUseId: 't', name: 'n', input: {}, more: 'x' } }],
  ])('%s', (_, content) => expect(() => converse(content)).toThrow(expect.objectContaining({ code: 'BodyInvalid' }) as Error));

  it.each<[string, object]>([
    ['an image in the system prompt', { messages: [{ role: 'system', content: [{ type: 'image_url', image_url: { url: 'https://x' } }] }] }], ['a name of a participant', { messages: [{ role: 'user', content: 'x', name: '4111' }] }],
    ['an answer that was spoken', { messages: [{ role: 'assistant', content: 'x', audio: { id: 'a' } }] }], ['arguments without a bottom', { messages: [{ role: 'assistant', content: null, tool_calls: [{ id: 'i', type: 'function', function: { name: 'n', arguments: '['.repeat(20_000) + ']'.repeat(20_000) } }] }] }],
  ])('%s', (_, body) => expect(() => openAiDoor({ model: 'outside', ...body })).toThrow(expect.objectContaining({ status: 400 }) as Error));

  it('an image is taken, and nobody is cleared for it', () => expect(filesOf({ ...REQUEST, messages: [{ role: 'user', content: [{ image: { format: 'png' } }] }] }).isOpaque).toBe(true));
});

it('what a provider tells of its use is a count, or nothing', async () => {
  const chunks = (usage: object): AsyncIterable<ChatChunk> => (async function* () { yield { choices: [], usage }; await Promise.resolve(); })();
  const told = async (usage: object): Promise<unknown> => { for await (const event of chatEvents(chunks(usage))) if ('metadata' in event) return event.metadata.usage; };
  expect(await told({ prompt_tokens: 'x 4111111111111111', completion_tokens: { a: '\ud800' } })).toEqual({ inputTokens: 0, outputTokens: 0 });
  expect(await told({ prompt_tokens: 12, completion_tokens: -1 })).toEqual({ inputTokens: 12, outputTokens: 0 });
});
