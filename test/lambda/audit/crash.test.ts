/** A server of its own that is killed again and again, with writers in the middle of everything. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, expect, it } from 'vitest';
import { MIGRATIONS, together } from '../../../lambda/database/migrations';
import { verifyByCopy } from '../../../local/postgres/copy-log';
import { PostgresServer, startPostgres } from '../../../local/postgres/launcher';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-crash-'));
let server: PostgresServer;
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const connect = async (): Promise<Client> => {
  const { host, port, superuser: user, password } = server;
  const client = new Client({ host, port, user, password, database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

it('keeps every entry that was acknowledged, in one chain each, though server and clients are killed amid rollbacks', async () => {
  server = await startPostgres({ folder, durable: true });
  const owner = await connect();
  for (const { statements } of MIGRATIONS) for (const block of together(statements('crash'))) await owner.query(block);
  await owner.end();
  const acknowledged = new Set<string>();
  let rolledBack = 0;

  for (let round = 0; round < 3; round += 1) {
    let running = true;
    const writer = async (name: string): Promise<void> => {
      const client = await connect();
      try {
        for (let index = 0; running; index += 1) {
          const id = `${round}-${name}-${index}`;
          await client.query('begin');
          await client.query('select audit.chain($1)', [JSON.stringify([{ kind: 'app.crash', action: id, facts: '{}', inputs: '"x"' }, { kind: 'app.crash', action: `${id}-b`, facts: '{}' }])]);
          if (index % 4 === 0) {
            await client.query('savepoint s');
            await client.query('select audit.chain($1)', [JSON.stringify([{ kind: 'app.undone', facts: '{}' }])]);
            await client.query('rollback to s');
          }
          if (index % 5 === 4) {
            await client.query('rollback');
            rolledBack += 1;
            continue;
          }
          await client.query('commit');
          acknowledged.add(id).add(`${id}-b`);
        }
      } catch {
        // killed: what was acknowledged counts, what was not may be there or not
      } finally {
        void client.end().catch(() => undefined);
      }
    };
    const writers = Array.from({ length: 12 }, (_, index) => writer(String(index)));
    await new Promise((later) => setTimeout(later, 500));
    // A client goes away in the middle of a transaction, with a head in its hand.
    const gone = await connect();
    await gone.query('begin');
    await gone.query("select audit.chain('[{\"kind\":\"app.gone\",\"facts\":\"{}\"}]')");
    (gone as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await new Promise((later) => setTimeout(later, 300));
    process.kill(Number(readFileSync(join(server.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
    running = false;
    await Promise.all(writers);
    await server.stop();
    server = await startPostgres({ folder, durable: true });
  }

  const client = await connect();
  const { rows } = await client.query<{ action: string }>("select action from audit.entry where kind = 'app.crash'");
  const there = new Set(rows.map(({ action }) => action));
  expect([...acknowledged].filter((id) => !there.has(id))).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(100);
  expect(rolledBack).toBeGreaterThan(5);
  expect((await client.query("select from audit.entry where kind in ('app.undone', 'app.gone')")).rowCount).toBe(0);
  expect((await verifyByCopy(client)).findings).toEqual([]);
  expect((await client.query('select head, seq from audit.entry group by head, seq having count(*) > 1')).rowCount).toBe(0);
  await client.end();
}, 90_000);
