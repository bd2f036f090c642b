/** A call of a model through the gateway, against the same call of the same local stub: whole, and until the first byte of an answer. */
import type { LocalRuntime } from '../local/testing';
import { withExample } from './local-example';
import { median, paired, Row } from './measure';

const ROUND = 15;
const PROMPT = `Summarise: ${'the customer wrote that the delivery came late, and asks what it will cost. '.repeat(20)}`;

export function gateway(progress: (what: string) => void): Promise<Record<string, Row>> {
  progress('a model, through the gateway and without it');
  return withExample(measured);
}

interface Took { readonly first: number; readonly whole: number }

async function measured(runtime: LocalRuntime): Promise<Record<string, Row>> {
  const { models } = await runtime.startAsked('refunder', { text: 'Look.', reference: 'HELP-1' });
  const body = JSON.stringify({ model: 'openai', stream: true, messages: [{ role: 'user', content: PROMPT }] });
  const took = async (address: string, headers: Record<string, string>): Promise<Took> => {
    const began = performance.now();
    const response = await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
    if (!response.ok || !response.body) throw new Error(`the bench expects an answer, got ${response.status}: ${await response.text()}`);
    let first: number | undefined;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) if (chunk.length > 0) first ??= performance.now() - began;
    return { first: first ?? NaN, whole: performance.now() - began };
  };
  const round = async (of: keyof Took, ask: () => Promise<Took>): Promise<number> => {
    const figures: number[] = [];
    for (let call = 0; call < ROUND; call += 1) figures.push((await ask())[of]);
    return median(figures);
  };
  const through = (): Promise<Took> => took(`${models?.url ?? ''}v1/chat/completions`, { authorization: `Bearer ${models?.token ?? ''}` });
  const direct = (): Promise<Took> => took(`${runtime.file.endpoint}/_models`, { 'x-local-address': 'https://api.openai.com/v1/chat/completions' });
  const row = (of: keyof Took): Promise<Row> => paired('ms', () => round(of, through), () => round(of, direct));
  return { 'gateway.first-byte': await row('first'), 'gateway.call': await row('whole') };
}
