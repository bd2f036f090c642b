import { readFileSync } from 'node:fs';
import { Client, Pool } from 'pg';
import type { PostgresServer } from './launcher';

/** What a cluster of the template says of its database. */
export interface DatabaseSpec {
  readonly database: string;
  readonly owner: string;
  readonly password: string;
  /** What its parameter group sets. */
  readonly parameters: Readonly<Record<string, string>>;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Makes a cluster's database and its owner, who is what Aurora's master is: NOSUPERUSER, CREATEROLE. */
export async function createDatabase(server: PostgresServer, { database, owner, password, parameters }: DatabaseSpec): Promise<void> {
  await withClient(server, 'postgres', async (client) => {
    for (const [name, value] of Object.entries(parameters)) await client.query(`alter system set ${quoted(name)} = '${value.replaceAll("'", "''")}'`);
    await client.query('select pg_reload_conf()');
    const { rowCount: role } = await client.query('select from pg_roles where rolname = $1', [owner]);
    await client.query(`${role ? 'alter' : 'create'} role ${quoted(owner)} login nosuperuser createrole createdb password '${password.replaceAll("'", "''")}'`);
    const { rowCount: exists } = await client.query('select from pg_database where datname = $1', [database]);
    if (!exists) await client.query(`create database ${quoted(database)} owner ${quoted(owner)}`);
  });
}

/** Runs a SQL file as the owner of the database. It must bear repetition: every start runs it. */
export async function runSeed(server: PostgresServer, { database, owner, password }: DatabaseSpec, file: string): Promise<void> {
  await withClient({ ...server, superuser: owner, password }, database, async (client) => {
    await client.query(readFileSync(file, 'utf8')).catch((error: unknown) => { throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`); });
  });
}

/** Puts the runtime's clock into the one function that SQL reads the time from. Deployed, that function is the server's clock. */
export async function moveClock(superuser: Pool, aheadMs: number): Promise<void> {
  await superuser.query(`do $$ begin
    if to_regproc('controls.now') is not null then
      execute 'create or replace function controls.now() returns timestamptz language sql volatile as ''select clock_timestamp() + interval ''''${Math.trunc(aheadMs)} milliseconds''''''';
    end if;
  end $$`);
}

async function withClient(server: Pick<PostgresServer, 'host' | 'port' | 'superuser' | 'password'>, database: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ host: server.host, port: server.port, user: server.superuser, password: server.password, database });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
