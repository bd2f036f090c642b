/** Once per test run: a temporary folder of its own, the bundles, the example's assembly, and one Postgres for every file. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../local/postgres/launcher';
import { demandBundles } from '../../scripts/build-bundles';

export interface TestPostgres {
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: TestPostgres;
    assembly: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const root = join(__dirname, '..', '..');
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-test-'));
  chmodSync(folder, 0o711); // servers of Postgres run as another user
  // Whatever a test leaves behind goes with it: workers are killed, and what they would have cleared at their end stays.
  process.env.TMPDIR = join(folder, 'tmp');
  mkdirSync(process.env.TMPDIR);
  await demandBundles();
  const assembly = join(folder, 'cdk.out');
  const [postgres] = await Promise.all([
    startPostgres({ folder }),
    Promise.resolve().then(() => {
      const { status, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(root, 'bin', 'app.ts')], { cwd: root, env: { ...process.env, CDK_OUTDIR: assembly, CDK_VALIDATION: 'false' }, encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
    }),
  ]);
  const { host, port, superuser, password } = postgres;
  project.provide('postgres', { host, port, superuser, password });
  project.provide('assembly', assembly);
  return async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
