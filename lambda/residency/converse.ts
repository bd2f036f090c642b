/** A call of a model in one form, whichever door it came through and whoever answers: that of Amazon Bedrock's Converse. */

/** A provider and perhaps a model of it, as a caller may name them. */
export const ASKED = /^[\w.:/-]{1,300}$/;

/** A part of a message. */
export interface Block {
  text?: string;
  image?: unknown;
  document?: { readonly name?: string; readonly format?: string; readonly source?: { bytes?: string; text?: string } };
  toolUse?: { readonly toolUseId: string; readonly name: string; readonly input: unknown };
  toolResult?: { readonly toolUseId: string; readonly status?: 'success' | 'error'; content: { text?: string; json?: unknown; image?: unknown; document?: Block['document'] }[] };
}

export interface Message { readonly role: 'user' | 'assistant'; readonly content: Block[] }

/** What is asked of a model. */
export interface ModelRequest {
  readonly system: { text: string }[];
  readonly messages: Message[];
  readonly inferenceConfig: { maxTokens?: number; temperature?: number; topP?: number; stopSequences?: string[] };
  readonly toolConfig?: { readonly tools: { readonly toolSpec: { readonly name: string; readonly description?: string; readonly strict?: boolean; readonly inputSchema: { readonly json: unknown } } }[]; readonly toolChoice?: { readonly auto?: object; readonly any?: object; readonly tool?: { readonly name: string } } };
  /** Parameters that only providers of the OpenAI protocol take. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** A count as a provider tells it; what is none is not written down. */
export const countOf = (told: unknown): number => (Number.isSafeInteger(told) && (told as number) >= 0 ? (told as number) : 0);

export interface Usage { readonly inputTokens: number; readonly outputTokens: number }

/** What a model answers, as it comes. */
export type ModelEvent =
  | { readonly messageStart: { readonly role: 'assistant' } }
  | { readonly contentBlockStart: { readonly contentBlockIndex: number; readonly start: { readonly toolUse: { readonly toolUseId: string; readonly name: string } } } }
  | { readonly contentBlockDelta: { readonly contentBlockIndex: number; readonly delta: { readonly text: string } | { readonly toolUse: { readonly input: string } } } }
  | { readonly contentBlockStop: { readonly contentBlockIndex: number } }
  | { readonly messageStop: { readonly stopReason: string } }
  | { readonly metadata: { readonly usage: Usage } };

/** A door of the gateway: how a call comes in and how its answer goes out. */
export interface Door {
  /** The provider, and the model of it where one is named, as the caller says it. */
  readonly asked: string;
  readonly request: ModelRequest;
  readonly isStreamed: boolean;
  readonly contentType: string;
  /** Writes one event of a streamed answer. */
  chunk(event: ModelEvent): Uint8Array | string;
  /** Ends a streamed answer; told the error when it was cut off. */
  last(error?: string): Uint8Array | string;
  /** A whole answer. */
  whole(events: readonly ModelEvent[]): object;
}

/** A message as its events say it. */
export function messageOf(events: readonly ModelEvent[]): { readonly content: Block[]; readonly stopReason: string; readonly usage: Usage } {
  const blocks = new Map<number, { text: string; tool?: { toolUseId: string; name: string } }>();
  let stopReason = 'end_turn';
  let usage: Usage = { inputTokens: 0, outputTokens: 0 };
  for (const event of events) {
    if ('contentBlockStart' in event) blocks.set(event.contentBlockStart.contentBlockIndex, { text: '', tool: event.contentBlockStart.start.toolUse });
    else if ('contentBlockDelta' in event) {
      const { contentBlockIndex: index, delta } = event.contentBlockDelta;
      const block = blocks.get(index) ?? { text: '' };
      block.text += 'text' in delta ? delta.text : delta.toolUse.input;
      blocks.set(index, block);
    } else if ('messageStop' in event) stopReason = event.messageStop.stopReason;
    else if ('metadata' in event) usage = event.metadata.usage;
  }
  const content = [...blocks].sort(([a], [b]) => a - b).map(([, { text, tool }]): Block => (tool ? { toolUse: { ...tool, input: parsed(text) } } : { text }));
  return { content, stopReason, usage };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    return { unreadable: text };
  }
}
