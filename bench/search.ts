/** Search over a million decisions: how long a reviewer waits, against the 200 ms that are promised. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { DecisionFilter, searchSql } from '../lambda/audit/search';
import { MIGRATIONS } from '../lambda/database/migrations';
import { PostgresLog } from '../local/postgres/copy-log';
import { startPostgres } from '../local/postgres/launcher';
import { median, Row } from './measure';

const DECISIONS = 1_000_000;
const PROMISED_MS = 200;

const FILTERS: Readonly<Record<string, DecisionFilter>> = {
  latest: {}, agent: { agent: 'agent-7', from: '2026-11-10', until: '2026-11-12' }, run: { run: 'run-54321' }, action: { action: 'issue_refund', agent: 'agent-3' }, reference: { reference: 'CRM-777777' },
  approver: { approver: 'person-45' }, rejected: { status: 'rejected' }, executed: { status: 'executed' }, denied: { status: 'denied' }, verdict: { verdict: 'deny' }, text: { text: 'quotation 654321' },
};

export async function search(progress: (what: string) => void): Promise<Record<string, Row>> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  const server = await startPostgres({ folder });
  const client = new Client({ host: server.host, port: server.port, user: server.superuser, password: server.password, database: 'postgres' });
  await client.connect();
  try {
    for (const migration of MIGRATIONS) for (const statement of migration.statements('bench')) await client.query(statement);
    progress(`${DECISIONS} decisions`);
    // Written past the chain, which search does not look at. Every fifth was held and decided, most were executed.
    const id = "('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid";
    const at = "timestamptz '2026-11-01' + i * interval '2 seconds'";
    const entry = (offset: number, kind: string, reference: string, approver: string, outcome: string, facts: string, where: string): string => `insert into audit.entry
      select (i % 64)::smallint, i * 4 + ${offset}, ${at} + ${offset} * interval '1 millisecond', '${kind}', 'gate', 'agent-' || i % 17, 'run-' || i / 10, ${id}, (array['send_email', 'update_tier', 'issue_refund', 'read_leads'])[1 + i % 4],
        ${reference}, ${approver}, ${outcome}, ${facts}, '\\x00', '\\x00', '\\x00' from generate_series(1, ${DECISIONS}) i${where}`;
    await client.query(entry(0, 'call.intent', "'CRM-' || i", 'null', "case when i % 5 = 0 then 'hold' when i % 997 = 1 then 'deny' else 'permit' end", `'{"scope":"scope://x","model":"m","reasons":[]}'`, ''));
    await client.query(entry(1, 'hold.approved', 'null', "'person-' || i % 500", "'approve'", `'{}'`, ' where i % 5 = 0 and i % 1000 <> 0'));
    await client.query(entry(1, 'hold.rejected', 'null', "'person-' || i % 500", "'reject'", `'{}'`, ' where i % 1000 = 0'));
    await client.query(entry(2, 'call.outcome', 'null', 'null', "'executed'", `'{"effect":"write"}'`, ' where i % 1000 <> 0 and i % 997 <> 1'));
    await client.query(`insert into audit.payload select (i % 64)::smallint, i * 4, ${at}, 0, '\\x00', '{"reason":"asked for quotation ' || i || '","request":"Follow up with customer ' || i % 9999 || '","saw":["' || ('00000000-0000-4000-8000-' || lpad(to_hex(greatest(1, i - 1)), 12, '0')) || '"]}', '\\x00', '{"to":"buyer' || i || '@example.com"}' from generate_series(1, ${DECISIONS}) i`);
    await client.query('vacuum analyze');
    await client.query("set statement_timeout = '20s'");
    const log = new PostgresLog(client);
    const rows: Record<string, Row> = {};
    for (const [name, filter] of Object.entries(FILTERS)) {
      const { sql, values } = searchSql(filter, 20);
      const times: number[] = [];
      for (let round = 0; round < 6; round += 1) {
        const began = process.hrtime.bigint();
        const found = await log.rows(sql, values);
        times.push(Number(process.hrtime.bigint() - began) / 1e6);
        if (found.length === 0) throw new Error(`the search by ${name} finds nothing`);
      }
      const ours = median(times.slice(1));
      rows[`search.${name}`] = { ours, floor: PROMISED_MS, ratio: ours / PROMISED_MS, unit: 'ms of 200' };
    }
    return rows;
  } finally {
    await client.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
