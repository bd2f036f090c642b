import type { Block, ModelRequest } from './converse';

/** What of a request anybody could have written: everything that is looked into, apart from the words of the protocol. */
export interface Texts {
  /** What may be taken out. */
  readonly written: unknown[];
  /** Names that calls and their results are held together by: nothing can be taken out of them. */
  readonly names: readonly string[];
  /** Numbers that say how a model is to answer. */
  readonly figures: readonly string[];
}

/** Takes a request apart. */
export function textsOf({ system, messages, inferenceConfig: { stopSequences = [], ...figures }, toolConfig, extra }: ModelRequest): Texts {
  const written: unknown[] = [];
  const names: string[] = [];
  const add = (value: unknown): number => written.push(value);
  for (const { text } of system) add(text);
  for (const block of messages.flatMap(({ content }) => content)) {
    for (const part of [block, ...block.toolResult?.content ?? []]) for (const value of partsOf(part)) add(value);
    if (block.toolUse) {
      names.push(block.toolUse.toolUseId, block.toolUse.name);
      add(block.toolUse.input);
    }
    if (block.toolResult) names.push(block.toolResult.toolUseId);
  }
  for (const { toolSpec: { name, description, inputSchema: { json } } } of toolConfig?.tools ?? []) {
    names.push(name);
    add(description);
    add(json);
  }
  for (const stop of stopSequences) add(stop);
  add(extra);
  const chosen = toolConfig?.toolChoice?.tool?.name;
  return { written, names: chosen === undefined ? names : [...names, chosen], figures: Object.values(figures).map(String) };
}

const partsOf = ({ text, document, json }: { readonly text?: string; readonly document?: Block['document']; readonly json?: unknown }): unknown[] => [text, document?.name, document?.format, document?.source?.text, json];

/** Puts a request together again, in the order that `textsOf` took it apart. */
export function withTexts(request: ModelRequest, written: readonly unknown[]): ModelRequest {
  let at = 0;
  const next = <T>(): T => written[at++] as T;
  const part = <P extends { text?: string; document?: Block['document']; json?: unknown }>(of: P): P => {
    const [text, name, format, source, json] = [next<string>(), next<string>(), next<string>(), next<string>(), next()];
    return {
      ...of, ...(of.text === undefined ? {} : { text }), ...(of.json === undefined ? {} : { json }),
      ...(of.document ? { document: { ...(of.document.name === undefined ? {} : { name }), ...(of.document.format === undefined ? {} : { format }), source: of.document.source?.text === undefined ? of.document.source : { text: source } } } : {}),
    };
  };
  const system = request.system.map(() => ({ text: next<string>() }));
  const messages = request.messages.map(({ role, content }) => ({
    role, content: content.map((block): Block => {
      const own = part(block);
      const results = block.toolResult?.content.map(part);
      return { ...own, ...(block.toolUse ? { toolUse: { ...block.toolUse, input: next() } } : {}), ...(block.toolResult && results ? { toolResult: { ...block.toolResult, content: results } } : {}) };
    }),
  }));
  const tools = request.toolConfig?.tools.map(({ toolSpec }) => {
    const [description, json] = [next<string | undefined>(), next()];
    return { toolSpec: { ...toolSpec, ...(description === undefined ? {} : { description }), inputSchema: { json } } };
  });
  const stopSequences = request.inferenceConfig.stopSequences?.map(() => next<string>());
  return {
    system, messages, inferenceConfig: { ...request.inferenceConfig, ...(stopSequences ? { stopSequences } : {}) },
    ...(request.toolConfig && tools ? { toolConfig: { ...request.toolConfig, tools } } : {}), extra: next(),
  };
}
