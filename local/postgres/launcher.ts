import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { Client } from 'pg';
import { postgresBinaries, privateFolder, ServerUser, serverUser } from './binaries';

/** A running server on the loopback interface. */
export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
  readonly dataDir: string;
  /** Ends the server in order. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface PostgresOptions {
  /** Folder of the data; kept and used again. */
  readonly folder: string;
  /** Port; a free one when absent. */
  readonly port?: number;
  /** Waits for the disk at every commit. Off, a crash of the machine (not of a process) may lose data. */
  readonly durable?: boolean;
}

const HOST = '127.0.0.1';
const SUPERUSER = 'postgres';

/** Starts a real Postgres from its npm package, as an unprivileged user when started by root. It ends with this process, however that ends. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const binaries = postgresBinaries();
  const user = serverUser();
  const dataDir = dataFolder(options.folder, user);
  const password = prepare(binaries, dataDir, user);
  await endOrphan(dataDir);

  const port = options.port ?? await freePort();
  const log = openSync(join(dataDir, 'server.log'), 'a', 0o600);
  const watchdog = spawn(process.execPath, [
    join(__dirname, 'watchdog.cjs'), join(binaries, 'postgres'), dataDir, ...(user ? [String(user.uid), String(user.gid)] : ['-', '-']),
    '-p', String(port), '-c', `listen_addresses=${HOST}`, '-c', 'unix_socket_directories=', '-c', 'max_connections=200', '-c', 'shared_buffers=128MB', '-c', 'timezone=UTC',
    ...(options.durable ? [] : ['-c', 'fsync=off', '-c', 'full_page_writes=off']),
  ], { stdio: ['pipe', log, log], cwd: '/', env: {}, detached: true });
  closeSync(log);
  const server: PostgresServer = { host: HOST, port, superuser: SUPERUSER, password, dataDir, stop: () => stop(watchdog) };
  try {
    await ready(server, watchdog);
  } catch (error) {
    await stop(watchdog);
    throw error;
  }
  return server;
}

// A folder that the server's user cannot reach (a root-owned home) has its data kept in the temporary folder instead.
function dataFolder(folder: string, user: ServerUser | undefined): string {
  const wanted = resolve(folder, 'postgres');
  if (!user) {
    mkdirSync(wanted, { recursive: true, mode: 0o700 });
    return wanted;
  }
  // The folder remembers where: once it is deleted, its data is nobody's and goes, too.
  const note = join(folder, 'postgres-data');
  const prefix = `data-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}-`;
  if (existsSync(note) && existsSync(readFileSync(note, 'utf8'))) return readFileSync(note, 'utf8');
  for (const name of readdirSync(privateFolder())) if (name.startsWith(prefix) || isForgotten(join(privateFolder(), name))) rmSync(join(privateFolder(), name), { recursive: true, force: true, maxRetries: 5 }); // its server may be about to end
  const kept = join(privateFolder(), `${prefix}${randomBytes(4).toString('hex')}`);
  mkdirSync(kept, { mode: 0o700 });
  chownSync(kept, user.uid, user.gid);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(note, kept, { mode: 0o600 });
  writeFileSync(`${kept}.folder`, note, { mode: 0o600 });
  return kept;
}

/** Whether data is of a folder that is gone. */
function isForgotten(data: string): boolean {
  try {
    return !existsSync(readFileSync(`${data.replace(/\.(password|folder)$/, '')}.folder`, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false; // it is only being made, or another start has cleared it
    throw error;
  }
}

function prepare(binaries: string, dataDir: string, user: ServerUser | undefined): string {
  const passwordFile = join(dataDir, '..', `${dataDir.split(/[\\/]/).pop() ?? ''}.password`);
  if (existsSync(join(dataDir, 'PG_VERSION')) && existsSync(passwordFile)) return readFileSync(passwordFile, 'utf8');

  // A first start that was cut off leaves half a cluster; nothing is in it yet.
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const password = randomBytes(24).toString('base64url');
  mkdirSync(dirname(passwordFile), { recursive: true });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) for (const path of [dataDir, passwordFile]) chownSync(path, user.uid, user.gid);
  const { status, stderr } = spawnSync(join(binaries, 'initdb'), [
    '-D', dataDir, '-U', SUPERUSER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions',
  ], { cwd: '/', env: { LC_ALL: 'C' }, encoding: 'utf8', ...(user ? { uid: user.uid, gid: user.gid } : {}) });
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
  if (user) chownSync(passwordFile, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  chmodSync(passwordFile, 0o600);
  return password;
}

/** Ends a server that an earlier start left on this data, which can only be when its watchdog was killed, too. */
async function endOrphan(dataDir: string): Promise<void> {
  const file = join(dataDir, 'postmaster.pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : NaN;
  if (!Number.isInteger(pid)) return;
  for (let waited = 0; waited < 150 && isPostgres(pid, dataDir); waited += 1) {
    if (waited === 20) process.kill(pid, 'SIGINT'); // the watchdog of a killed parent is given its two seconds
    await new Promise((done) => setTimeout(done, 100));
  }
  if (isPostgres(pid, dataDir)) throw new Error(`a Postgres server (pid ${pid}) still runs on ${dataDir}; stop it first`);
}

function isPostgres(pid: number, dataDir: string): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A pid may be somebody else's by now: only what was started with this very folder is ours to stop.
  if (existsSync(`/proc/${pid}/cmdline`)) return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dataDir);
  return process.platform !== 'linux' && spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout.includes(dataDir);
}

async function ready(server: PostgresServer, watchdog: ChildProcess): Promise<void> {
  for (let waited = 0; waited < 600; waited += 1) {
    if (watchdog.exitCode !== null) throw new Error(`Postgres ended at once:\n${readFileSync(join(server.dataDir, 'server.log'), 'utf8').split('\n').slice(-6).join('\n')}`);
    const client = new Client({ host: server.host, port: server.port, user: server.superuser, password: server.password, database: 'postgres', connectionTimeoutMillis: 1_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return;
    } catch {
      await new Promise((done) => setTimeout(done, 50));
    }
  }
  throw new Error('Postgres did not answer within 30 seconds');
}

async function stop(watchdog: ChildProcess): Promise<void> {
  if (watchdog.exitCode !== null) return;
  const ended = new Promise<void>((done) => watchdog.once('exit', () => done()));
  watchdog.stdin?.end();
  await ended;
}

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createServer().on('error', failed);
    probe.listen(0, HOST, () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => done(port));
    });
  });
}
