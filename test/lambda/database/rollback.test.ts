/** A wave of ten thousand: every answer fits into a row of the Data API, and none takes long. */
import { beforeAll, describe, expect, it } from 'vitest';
import { card, LEADS, UPDATE_TIER } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

const ROW_BYTES = 64 * 1_024;
const OF = JSON.stringify({ agent: 'outreach-closer', since: '2000-01-01T00:00:00Z' });
let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase(`${LEADS} create table customer (id text primary key, tier text); `);
  await db.register(card((of) => { of.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'auto' } }]; delete of.never; }), [UPDATE_TIER]);
  const { runId } = await db.startRun('outreach-closer');
  await db.superuser.query(`insert into gate.call select gen_random_uuid(), $1, 'call ' || n, 'outreach-closer', 'update_tier', '{"customer_id":"C_' || n || '","tier":"growth"}', '\\x00', 'd', 'dev', (select manifest_digest from controls.action where name = 'update_tier'), 'b', 'scope://outreach.send.cold/call/0', null, null, 'permit', '{}', '{}', 'executed', null, controls.now() from generate_series(1, 10000) n`, [runId]);
  await db.superuser.query("insert into undo.image select decision_id, 0, repeat('x', 1200), at from gate.call");
  await db.superuser.query('analyze gate.call; analyze undo.image');
}, 60_000);

async function ask(duty: 'rollback' | 'executor', sql: string, values: unknown[]): Promise<{ text: string; ms: number }> {
  const began = Date.now();
  const { rows } = await db.as(duty).query<{ answer: string }>(`select (${sql})::text as answer`, values);
  return { text: rows[0]?.answer ?? 'null', ms: Date.now() - began };
}

describe('a rollback of ten thousand decisions', () => {
  it('is planned, looked at, committed, claimed and followed in answers that fit', async () => {
    const plan = await ask('rollback', 'undo.plan($1)', [OF]);
    const planned = JSON.parse(plan.text) as { ready: number; digest: string };
    expect(planned.ready).toBe(10_000);
    const looks = await ask('executor', 'undo.looks($1, 1000)', [OF]);
    const batches = (JSON.parse(looks.text) as { decisions: string[] }[]).map(({ decisions }) => decisions.length); // by number and by the size of the images
    expect([batches.reduce((sum, count) => sum + count), Math.max(...batches), batches.length <= 13]).toEqual([1_000, 100, true]);
    const commit = await ask('rollback', 'undo.commit($1, $2, $3, $4, null, 10)', [OF, planned.digest, 'arn:aws:sts::1:assumed-role/r/rae', 'it was wrong']);
    const { rollback, verdict } = JSON.parse(commit.text) as { rollback: string; verdict: string };
    expect(verdict).toBe('hold');
    await db.superuser.query("insert into gate.ticket select decision_id, digest, 'approval', controls.now() from gate.call where decision_id = $1", [rollback]);
    expect(JSON.parse((await ask('executor', 'gate.redeem($1)', [rollback])).text)).toMatchObject({ kind: 'rollback' });
    const claim = await ask('executor', 'undo.claim($1, 100)', [rollback]);
    expect((JSON.parse(claim.text) as { items: unknown[] }).items).toHaveLength(100);
    const settle = await ask('executor', 'undo.settle($1, $2, null, $3)', [rollback, JSON.stringify((JSON.parse(claim.text) as { items: { reversal: string }[] }).items.map(({ reversal }) => reversal)), '{}']);
    const progress = await ask('rollback', 'undo.progress($1)', [rollback]);
    expect(JSON.parse(progress.text)).toMatchObject({ reversals: { failed: 100, waiting: 9_900 } });
    for (const [name, { text, ms }] of Object.entries({ plan, looks, commit, claim, settle, progress })) {
      expect(Buffer.byteLength(text), name).toBeLessThan(ROW_BYTES);
      expect(ms, name).toBeLessThan(5_000);
    }
  });
});
