/** The log against Postgres itself: the same content, on the same server, in the same run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { to } from 'pg-copy-streams';
import { logRows } from '../lambda/audit/queries';
import { Verifier } from '../lambda/audit/verify';
import { MIGRATIONS } from '../lambda/database/migrations';
import { IN_ORDER, verifyByCopy } from '../local/postgres/copy-log';
import { startPostgres } from '../local/postgres/launcher';
import { paired, Row } from './measure';

const WRITERS = 16;
const SECONDS = 1.5;
const FACTS = JSON.stringify({ scope: 'scope://outreach.send.cold', rule: 'scope://outreach.send.cold/call/0', tier: 'verify', card_digest: 'a'.repeat(64), policy_digest: 'b'.repeat(64), model: 'model@2026-01-01' });
const INPUTS = JSON.stringify({ request: 'Follow up with L_1029 and tell her about the new prices.', reason: 'no touch for 14 days', saw: ['11111111-1111-4111-8111-111111111111'] });
const OUTPUT = JSON.stringify({ lead_id: 'L_1029', to: 'buyer@example.com', subject: 'Hello', body: 'x'.repeat(400) });
const DECISION = '00000000-0000-4000-8000-000000000001';

export async function audit(progress: (what: string) => void): Promise<Record<string, Row>> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  // Waits for the disk, as a database does that anyone relies on.
  const server = await startPostgres({ folder, durable: true });
  const options = { host: server.host, port: server.port, user: server.superuser, password: server.password, database: 'postgres' };
  const pool = new Pool({ ...options, max: WRITERS });
  try {
    for (const migration of MIGRATIONS) for (const statement of migration.statements('bench')) await pool.query(statement);
    // The same content in two plain tables, which can be searched as the log can: an entry without chain, and its payload.
    await pool.query(`create table plain_entry (at timestamptz, kind text, login text, agent text, run_id text, decision_id uuid, action text, reference text, approver text, outcome text, facts text);
      create table plain_payload (decision_id uuid, inputs text, output text); create index on plain_entry (decision_id); create index on plain_entry (run_id); create index on plain_entry (agent, at);
      create index on plain_entry (action, at); create index on plain_entry (reference) where reference is not null; create index on plain_entry (approver) where approver is not null;
      create index on plain_entry (at) where kind = 'call.intent'; create index on plain_entry (kind, at) where outcome not in ('permit', 'hold', 'approve', 'executed');
      create index on plain_payload (decision_id); create index on plain_payload using gin (to_tsvector('simple', coalesce(inputs, '') || ' ' || coalesce(output, '')))`);
    const entry = { kind: 'call.intent', agent: 'outreach-closer', run: 'run-1', decision: DECISION, action: 'send_email', outcome: 'hold', facts: FACTS, inputs: INPUTS, output: OUTPUT };
    const chain = { text: 'select audit.chain($1::json)', name: 'chain' };
    const plain = {
      name: 'plain',
      text: `with content as (select * from json_to_recordset($1::json) as e(kind text, agent text, run text, decision uuid, action text, reference text, approver text, outcome text, facts text, inputs text, output text)),
        entries as (insert into plain_entry select clock_timestamp(), kind, session_user, agent, run, decision, action, reference, approver, outcome, facts from content)
        insert into plain_payload select decision, inputs, output from content`,
    };
    const rate = (statement: { name: string; text: string }, writers: number, batch: number) => async (): Promise<number> => {
      const values = [JSON.stringify(Array.from({ length: batch }, () => entry))];
      const end = Date.now() + SECONDS * 1_000;
      let written = 0;
      const began = process.hrtime.bigint();
      await Promise.all(Array.from({ length: writers }, async () => {
        const client = await pool.connect();
        try {
          while (Date.now() < end) {
            await client.query({ ...statement, values });
            written += batch;
          }
        } finally {
          client.release();
        }
      }));
      return written / (Number(process.hrtime.bigint() - began) / 1e9);
    };
    progress('append, 16 writers');
    const writers = await paired('entries/s', rate(chain, WRITERS, 1), rate(plain, WRITERS, 1));
    progress('append, batches of 100');
    const batches = await paired('entries/s', rate(chain, 1, 100), rate(plain, 1, 100));

    progress('verify');
    const client = new Client(options);
    await client.connect();
    await client.query('vacuum analyze audit.entry');
    await client.query('vacuum analyze audit.payload');
    const { rows: [count] } = await client.query<{ entries: string }>('select count(*)::text as entries from audit.entry');
    const entries = Number(count?.entries);
    const seconds = async (work: () => Promise<void>): Promise<number> => {
      const began = process.hrtime.bigint();
      await work();
      return entries / (Number(process.hrtime.bigint() - began) / 1e9);
    };
    const verified = (chainOnly: boolean) => () => seconds(async () => {
      const { ok, findings } = await verifyByCopy(client, new Verifier(undefined, { chainOnly }));
      if (!ok) throw new Error(`the log of the bench does not verify: ${findings[0]?.sentence ?? ''}`);
    });
    const copied = (chainOnly: boolean) => () => seconds(async () => {
      await client.query('begin');
      await client.query(IN_ORDER);
      for await (const chunk of client.query(to(`copy (${logRows({}, chainOnly)}) to stdout (format binary)`)) as AsyncIterable<Buffer>) void chunk;
      await client.query('commit');
    });
    const stream = await paired('entries/s', verified(false), copied(false));
    const chainOnly = await paired('entries/s', verified(true), copied(true));
    await client.end();
    return { 'append.16-writers': writers, 'append.batch-100': batches, 'verify.stream': stream, 'verify.chain': chainOnly };
  } finally {
    await pool.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
