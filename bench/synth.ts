/** What an agent costs at synth: CPU against the same resources as raw L1, and what it adds to the template. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { paired, Row } from './measure';

const FLEETS = [17, 100, 1_000];

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
  const rows: Record<string, Row> = {};
  for (const agents of FLEETS) {
    progress(`synth of ${agents} agents`);
    rows[`synth.${agents}-agents`] = await paired('ms CPU', () => synth('controls', agents).cpuMs, () => synth('l1', agents).cpuMs, agents > 500 ? 3 : 5);
  }
  // The stacks themselves are taken off: what is asked is what one more agent costs.
  const [most] = FLEETS.slice(-1) as [number];
  const perAgent = (kind: 'controls' | 'l1') => (): number => (synth(kind, most).cpuMs - synth(kind, 0).cpuMs) / most;
  progress(`synth of one agent among ${most}`);
  rows['synth.per-agent'] = await paired('ms CPU/agent', perAgent('controls'), perAgent('l1'), 3);
  const [many, none] = [synth('controls', most), synth('controls', 0)];
  const resources = (many.resources - none.resources) / most;
  const bytes = (many.bytes - none.bytes) / most;
  rows['template.per-agent'] = { ours: resources, floor: 3, ratio: resources / 3, unit: 'resources' };
  rows['template.per-agent.bytes'] = { ours: bytes, floor: 1_126, ratio: bytes / 1_126, unit: 'bytes of 1.1 KB' };
  return rows;
}
