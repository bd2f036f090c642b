/** The example app with the template validation of aws-cdk-lib switched on: no finding. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('the example app has no findings of the template validation', () => {
  const root = join(__dirname, '..');
  const out = mkdtempSync(join(tmpdir(), 'agent-controls-synth-'));
  const { CDK_VALIDATION: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(root, 'bin', 'app.ts')], { cwd: root, encoding: 'utf8', env: { ...env, CDK_OUTDIR: out } });
  expect(`${stdout}${stderr}`).not.toMatch(/violation|finding|error|warning/i);
  expect(status).toBe(0);
  const template = readFileSync(join(out, 'AgentControlsExample.template.json'), 'utf8');
  expect(Object.keys((JSON.parse(template) as { Resources: object }).Resources).length).toBeLessThan(500);
  expect(Buffer.byteLength(template)).toBeLessThan(1_000_000);
});
