/** What starts a Postgres must also end it, however it ends itself. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { PostgresServer, startPostgres } from '../../local/postgres/launcher';

const folder = (): string => mkdtempSync(join(tmpdir(), 'agent-controls-launcher-'));
const query = async (server: Pick<PostgresServer, 'port' | 'superuser' | 'password'>, sql: string): Promise<unknown[]> => {
  const client = new Client({ host: '127.0.0.1', port: server.port, user: server.superuser, password: server.password, database: 'postgres' });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
};
const gone = async (pid: number): Promise<boolean> => {
  for (let waited = 0; waited < 200; waited += 1) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
};
const serverPid = (dataDir: string): number => Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);

describe('a server', () => {
  it('keeps its data over a stop and a start, and listens on loopback only', async () => {
    const own = folder();
    const first = await startPostgres({ folder: own });
    expect(await query(first, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    await query(first, 'create table kept as select 1 as x');
    const pid = serverPid(first.dataDir);
    await first.stop();
    expect(await gone(pid)).toBe(true);
    const second = await startPostgres({ folder: own });
    expect(await query(second, 'select x from kept')).toEqual([{ x: 1 }]);
    await second.stop();
  });

  it('ends when its parent is killed, and loses nothing that was committed', async () => {
    const own = folder();
    const script = `require(${JSON.stringify(require.resolve('tsx/cjs/api'))}).register();
      const { startPostgres } = require(${JSON.stringify(join(__dirname, '..', '..', 'local', 'postgres', 'launcher.ts'))});
      startPostgres({ folder: ${JSON.stringify(own)} }).then((server) => console.log(JSON.stringify(server)));`;
    const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const server = JSON.parse(await new Promise<string>((resolve) => parent.stdout.once('data', (data: Buffer) => resolve(data.toString())))) as PostgresServer;
    await query(server, 'create table kept as select 1 as x');
    const pid = serverPid(server.dataDir);
    parent.kill('SIGKILL');
    expect(await gone(pid)).toBe(true);
    const again = await startPostgres({ folder: own });
    expect(await query(again, 'select x from kept')).toEqual([{ x: 1 }]);
    await again.stop();
  });

  it('that cannot have its port says so', async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    await expect(startPostgres({ folder: folder(), port })).rejects.toThrow(/Postgres ended at once:[\s\S]*(could not bind|in use)/);
    taken.close();
  });

  it('is made again after a first start that was cut off', async () => {
    const own = folder();
    const first = await startPostgres({ folder: own });
    await first.stop();
    rmSync(join(first.dataDir, 'PG_VERSION'));
    const second = await startPostgres({ folder: own });
    expect(existsSync(join(second.dataDir, 'PG_VERSION'))).toBe(true);
    await second.stop();
  });
});
