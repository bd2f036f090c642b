/** A call of a model through the gateway, against the same call of the same local stub: whole, and until the first byte of an answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SAMPLE_DATA } from '../examples/story';
import { LocalRuntime } from '../local/testing';
import { median, paired, Row } from './measure';

const ROUND = 15;
const PROMPT = `Summarise: ${'the customer wrote that the delivery came late, and asks what it will cost. '.repeat(20)}`;

export async function gateway(progress: (what: string) => void): Promise<Record<string, Row>> {
  progress('a gateway on the local runtime');
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  const root = join(__dirname, '..');
  const { status, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(root, 'bin', 'app.ts')], { cwd: root, env: { ...process.env, CDK_OUTDIR: join(folder, 'cdk.out'), CDK_VALIDATION: 'false' }, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local'), seed: SAMPLE_DATA });
  try {
    const { models } = await runtime.startAsked('refunder', { text: 'Look.', reference: 'HELP-1' });
    const body = JSON.stringify({ model: 'openai', stream: true, messages: [{ role: 'user', content: PROMPT }] });
    const took = async (address: string, headers: Record<string, string>): Promise<{ first: number; whole: number }> => {
      const began = performance.now();
      const response = await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
      if (!response.ok || !response.body) throw new Error(`the bench expects an answer, got ${response.status}: ${await response.text()}`);
      let first: number | undefined;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) if (chunk.length > 0) first ??= performance.now() - began;
      return { first: first ?? NaN, whole: performance.now() - began };
    };
    const round = async (of: 'first' | 'whole', ask: () => Promise<{ first: number; whole: number }>): Promise<number> => {
      const figures: number[] = [];
      for (let call = 0; call < ROUND; call += 1) figures.push((await ask())[of]);
      return median(figures);
    };
    const through = (): ReturnType<typeof took> => took(`${models?.url ?? ''}v1/chat/completions`, { authorization: `Bearer ${models?.token ?? ''}` });
    const direct = (): ReturnType<typeof took> => took(`${runtime.file.endpoint}/_models`, { 'x-local-address': 'https://api.openai.com/v1/chat/completions' });
    const row = (of: 'first' | 'whole'): Promise<Row> => paired('ms', () => round(of, through), () => round(of, direct));
    return { 'gateway.first-byte': await row('first'), 'gateway.call': await row('whole') };
  } finally {
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
