import { setTimeout as later } from 'node:timers/promises';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import type { OpenRequest, Operation, Reply, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';

/** What the stub was asked, for tests and the story: what would have left this machine, and for whom. */
export interface StubCall { readonly provider: string; readonly model: string; readonly text: string }

const codec = new EventStreamCodec((bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8')), (text) => Buffer.from(text, 'utf8'));

/**
 * Stands for every model: Bedrock's Converse as a signed service, and OpenAI-compatible providers, whose addresses the Lambda host leads here. It says what it
 * is, and repeats the last words of the prompt. A model whose name has `busy` in it answers 429, one with `slow` takes its time, and one with `torn` breaks off.
 */
export class ModelStub implements Service {
  public readonly protocol = 'rest-json';
  public readonly calls: StubCall[] = [];
  /** What it says instead, where a test knows better. */
  public says: ((asked: object) => string) | undefined;

  public name(request: SignedRequest): string { return /\/converse-stream$/.test(request.path) ? 'InvokeModelWithResponseStream' : 'InvokeModel'; }

  public constructor(private readonly account: string, private readonly region: string) {}

  public operation(name: string, { path, body }: SignedRequest): Operation | undefined {
    const model = decodeURIComponent(/^\/model\/([^/]+)\/converse-stream$/.exec(path)?.[1] ?? '');
    if (model === '') return undefined;
    const context = { 'aws:RequestedRegion': this.region };
    const isProfile = model.startsWith('arn:') || /^[a-z]{2,6}\.[a-z0-9-]+\./.test(model);
    const profile = model.startsWith('arn:') ? model : `arn:aws:bedrock:${this.region}:${this.account}:inference-profile/${model}`;
    // A profile asks for itself and for the model where it is run; here that is this region.
    const resources = model.startsWith('arn:') ? [profile] : [...(isProfile ? [profile] : []), `arn:aws:bedrock:${this.region}::foundation-model/${isProfile ? model.replace(/^[a-z]+\./, '') : model}`];
    return { permissions: resources.map((resource) => ({ action: `bedrock:${name}`, resource, context })), run: () => this.converse(model, JSON.parse(body.toString('utf8')) as object) };
  }

  private converse(model: string, asked: object): Reply {
    this.calls.push({ provider: 'bedrock', model, text: JSON.stringify(asked) });
    if (model.includes('busy')) throw new ServiceError('ThrottlingException', 'Too many requests', 429);
    const event = (type: string, value: object): Buffer => Buffer.from(codec.encode({ headers: { ':message-type': { type: 'string', value: 'event' }, ':event-type': { type: 'string', value: type }, ':content-type': { type: 'string', value: 'application/json' } }, body: Buffer.from(JSON.stringify(value)) }));
    return {
      body: '',
      stream: async (open) => {
        const write = open(200, { 'content-type': 'application/vnd.amazon.eventstream' });
        write(event('messageStart', { role: 'assistant' }));
        for await (const text of this.wordsOf(asked, model)) write(event('contentBlockDelta', { contentBlockIndex: 0, delta: { text } }));
        write(event('contentBlockStop', { contentBlockIndex: 0 }));
        write(event('messageStop', { stopReason: 'end_turn' }));
        write(event('metadata', { usage: { inputTokens: 12, outputTokens: 8, totalTokens: 20 }, metrics: { latencyMs: 1 } }));
      },
    };
  }

  /** A request that a function meant for a provider outside. */
  public open({ path, headers, body }: OpenRequest): Reply | undefined {
    const address = headers['x-local-address'];
    if (path !== '/_models' || address === undefined) return undefined;
    const asked = JSON.parse(body.toString('utf8')) as { model?: string };
    const model = asked.model ?? '';
    this.calls.push({ provider: new URL(address).host, model, text: JSON.stringify(asked) });
    if (!address.endsWith('/chat/completions')) return { status: 404, body: { error: { message: 'the stub knows chat completions' } } };
    if (model.includes('busy')) return { status: 429, body: { error: { message: 'busy' } } };
    const part = (delta: object, finish_reason: string | null = null): Buffer => Buffer.from(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    return {
      body: '',
      stream: async (open) => {
        const write = open(200, { 'content-type': 'text/event-stream' });
        for await (const content of this.wordsOf(asked, model)) write(part({ content }));
        if (model.includes('torn')) return;
        write(part({}, 'stop'));
        write(Buffer.from(`data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 8 } })}\n\ndata: [DONE]\n\n`));
      },
    };
  }

  private async *wordsOf(asked: object, model: string): AsyncGenerator<string> {
    if (this.says) return yield this.says(asked);
    const texts = [...JSON.stringify((asked as { messages?: unknown }).messages ?? []).matchAll(/"(?:text|content)":"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => JSON.parse(`"${text ?? ''}"`) as string);
    for (const word of ['[stub ', `of the local runtime for ${model}] `, 'You said: ', ...(texts.at(-1) ?? '').split(/(?<= )/).slice(-20)]) {
      if (model.includes('slow')) await later(300);
      yield word;
    }
  }
}
