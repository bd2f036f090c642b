import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SAMPLE_DATA } from '../examples/story';
import { LocalRuntime } from '../local/testing';

/** Runs the example app on this machine for as long as `work` takes. */
export async function withExample<T>(work: (runtime: LocalRuntime) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  const root = join(__dirname, '..');
  try {
    const { status, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(root, 'bin', 'app.ts')], { cwd: root, env: { ...process.env, CDK_OUTDIR: join(folder, 'cdk.out'), CDK_VALIDATION: 'false' }, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    const runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local'), seed: SAMPLE_DATA });
    try {
      return await work(runtime);
    } finally {
      await runtime.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
