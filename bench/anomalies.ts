/** A month in which things were planted that should be found, and a quiet one in which nothing should. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { MIGRATIONS } from '../lambda/database/migrations';
import { AnomalyRule } from '../lib';
import { startPostgres } from '../local/postgres/launcher';
import { Found, history, isOf, Planted, planted, prepare, times, watched, write } from './history';
import type { Row } from './measure';

const DAY = 86_400_000;
const FROM = Date.parse('2026-03-02T00:00:00Z');
const MONTH = FROM + 30 * DAY;
/** How often the keeper looks; it does so some minutes after something was appended. */
const EVERY_MS = 15 * 60_000;

export async function anomalies(progress: (what: string) => void): Promise<Record<string, Row>> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  const server = await startPostgres({ folder });
  const month = async (name: string, more: ReturnType<typeof planted>): Promise<Found[]> => {
    const admin = new Client({ host: server.host, port: server.port, user: server.superuser, password: server.password, database: 'postgres' });
    await admin.connect();
    await admin.query(`create database ${name}`);
    await admin.end();
    const client = new Client({ host: server.host, port: server.port, user: server.superuser, password: server.password, database: name });
    await client.connect();
    try {
      for (const migration of MIGRATIONS) for (const statement of migration.statements('bench')) await client.query(statement.replace(/^create role .*$/m, 'select 1'));
      await prepare(client, FROM);
      const done = [...history(7, FROM, 61), ...more.done].sort((a, b) => a.at - b.at);
      const before = done.findIndex(({ at }) => at >= MONTH);
      await write(client, done.slice(0, before));
      await client.query('analyze');
      let told = '';
      return await watched(client, AnomalyRule.defaults().map(({ _spec }) => _spec), done.slice(before), times(MONTH, MONTH + 30 * DAY, EVERY_MS), (day) => { if (day !== told) progress(`${name}: ${day}`); told = day; });
    } finally {
      await client.end();
    }
  };
  try {
    const these = planted(11, MONTH);
    const found = await month('planted', these);
    const quiet = await month('quiet', { done: [], planted: [] });
    const rows: Record<string, Row> = {};
    for (const rule of new Set(these.planted.map((each) => each.rule))) {
      const all = these.planted.filter((each) => each.rule === rule);
      rows[`anomaly.${rule}.recall`] = share(all.filter((each) => found.some((one) => one.rule === rule && isOf(one, each))).length, all.length);
    }
    const right = found.filter((one) => these.planted.some((each: Planted) => isOf(one, each)));
    for (const one of found.filter((each) => !right.includes(each))) progress(`not planted: ${new Date(one.at).toISOString()} ${one.rule} ${String(one.agent)} ${one.subject}`);
    for (const one of quiet) progress(`in the quiet month: ${new Date(one.at).toISOString()} ${one.rule} ${String(one.agent)} ${one.subject}`);
    return { ...rows, 'anomaly.precision': share(right.length, found.length), 'anomaly.quiet-month': { ours: quiet.length, floor: 1, ratio: quiet.length, unit: 'findings' } };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const share = (part: number, whole: number): Row => ({ ours: part, floor: whole, ratio: whole === 0 ? 1 : part / whole, unit: 'of' });
