import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Keeps a second runtime out of a folder. The lock of a process that is gone counts for nothing. Returns what gives it back. */
export function takeLock(folder: string): () => void {
  const path = join(folder, 'lock');
  // Written whole before it is there under its name: nobody reads a lock without a pid.
  const own = join(folder, `lock.${process.pid}`);
  writeFileSync(own, String(process.pid), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        linkSync(own, path);
        return () => { if (holder(path) === process.pid) rmSync(path, { force: true }); };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const pid = holder(path);
        if (pid === process.pid || alive(pid)) throw new Error(`a local runtime (pid ${pid}) already uses ${folder}; stop it, or choose another with --folder`);
        rmSync(path, { force: true });
      }
    }
    throw new Error(`${path} cannot be taken; remove it`);
  } finally {
    rmSync(own, { force: true });
  }
}

/** Refuses early what `takeLock` would refuse later. */
export function demandFree(folder: string): void {
  const pid = holder(join(folder, 'lock'));
  if (alive(pid)) throw new Error(`a local runtime (pid ${pid}) already uses ${folder}; stop it, or choose another with --folder`);
}

function holder(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return NaN;
  }
}

function alive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
