/** The command line as a process of its own: not spawnSync, since the runtime that answers lives in the process of the test. */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const COMMAND = join(__dirname, '..', '..', 'bin', 'agent-controls.js');

export const cli = (args: string[], env: Record<string, string> = {}): Promise<{ status: number | null; stdout: string; stderr: string }> => new Promise((resolve) => {
  const child = spawn(process.execPath, [COMMAND, ...args], { cwd: tmpdir(), env: { PATH: process.env.PATH ?? '', ...env } });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (data: string) => { stdout += data; });
  child.stderr.setEncoding('utf8').on('data', (data: string) => { stderr += data; });
  child.on('close', (status) => resolve({ status, stdout, stderr }));
});
