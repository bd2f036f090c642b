/** The command that the README begins with, in a checkout of its own: a start builds what other tests read. */
import { execFile } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { verifyFolder } from '../../bin/evidence/verify';
import { publicKeys } from '../../lambda/audit/statement';

const run = promisify(execFile);
const root = join(__dirname, '..', '..');
const checkout = mkdtempSync(join(tmpdir(), 'agent-controls-start-'));
afterAll(() => { rmSync(checkout, { recursive: true, force: true }); });

it('plays the story of the README to its end, says so in one line of JSON, and leaves evidence behind', async () => {
  const made = ['node_modules', 'dist', 'cdk.out', 'coverage', 'test', '.git', '.agent-controls'];
  cpSync(root, checkout, { recursive: true, filter: (path) => !made.includes(relative(root, path)) });
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  // Built from these sources, says its record; but somebody was at the gate.
  cpSync(join(root, 'dist'), join(checkout, 'dist'), { recursive: true });
  const gate = (of: string): string => join(of, 'dist', 'lambda', 'gate', 'index.js');
  appendFileSync(gate(checkout), ' ');
  const { stdout, stderr } = await run('npm', ['start', '--silent', '--', '--once', '--json', '--port', '0'], { cwd: checkout });
  const summary = JSON.parse(stdout) as { ok: boolean; local: boolean; steps: { ok: boolean }[]; verification: { ok: boolean }; evidence: string };
  expect(summary).toMatchObject({ ok: true, local: true, verification: { ok: true } });
  expect(summary.steps.length).toBeGreaterThan(5);
  const built = (of: string): string => readFileSync(join(of, 'dist', 'lambda', 'digests.json'), 'utf8');
  expect(readFileSync(gate(checkout), 'utf8')).toBe(readFileSync(gate(root), 'utf8'));
  expect(built(checkout)).toBe(built(root)); // the same sources, built again elsewhere: the same bytes
  expect(verifyFolder(join(checkout, summary.evidence), publicKeys([readFileSync(join(checkout, summary.evidence, 'signing-key.pem'), 'utf8')])).problems).toEqual([]);
  expect(stderr).toMatch(/Checkpoint \d+ is signed, 0 entries are newer/);
}, 120_000);
