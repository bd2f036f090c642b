/** What an agent costs at synth: CPU against the same resources as raw L1, and what it adds to the template. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { paired, Row } from './measure';

const AGENTS = 200;

interface Synthesized {
  readonly cpuMs: number;
  readonly resources: number;
  readonly bytes: number;
}

function synth(kind: 'controls' | 'l1', agents: number): Synthesized {
  const { status, stdout, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(__dirname, 'synth-child.ts'), kind, String(agents)], { encoding: 'utf8', env: { ...process.env, CDK_VALIDATION: 'false' } });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Synthesized;
}

export async function synthPerAgent(progress: (what: string) => void): Promise<Record<string, Row>> {
  progress(`synth of ${AGENTS} agents`);
  // The plane itself is taken off: what is asked is what one more agent costs.
  const perAgent = (kind: 'controls' | 'l1') => (): number => (synth(kind, AGENTS).cpuMs - synth(kind, 0).cpuMs) / AGENTS;
  const cpu = await paired('ms CPU/agent', perAgent('controls'), perAgent('l1'));
  const [many, none] = [synth('controls', AGENTS), synth('controls', 0)];
  const resources = (many.resources - none.resources) / AGENTS;
  const bytes = (many.bytes - none.bytes) / AGENTS;
  return {
    'synth.per-agent': cpu,
    'template.per-agent': { ours: resources, floor: 3, ratio: resources / 3, unit: 'resources' },
    'template.per-agent.bytes': { ours: bytes, floor: 1_126, ratio: bytes / 1_126, unit: 'bytes of 1.1 KB' },
  };
}
