/** What runs know of values, as Postgres keeps it: inside a run, across runs, and by registers. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { manifestDigest } from '../../../lib/scope/manifest';
import { card, LEADS, UPDATE_TIER } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

const RULE = 'scope://outreach.send.cold/call/0';
const AGENTS = ['reader', 'writer'];
let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase(`${LEADS} create table customer (id text primary key, tier text); create table suppliers (email text); insert into suppliers values ('sal@supplier.example');`);
  for (const agent of AGENTS) {
    await db.register(card((of) => {
      of.agent = agent;
      of.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'auto' } }];
      of.counterparties = [{ type: 'email', from: 'suppliers.email' }];
    }), [UPDATE_TIER]);
  }
});

type Known = { type: string; value: string; level?: number; private?: boolean };
const ask = async <T>(duty: 'gate' | 'executor', sql: string, values: unknown[]): Promise<T> => JSON.parse((await db.as(duty).query<{ answer: string }>(`select (${sql})::text as answer`, values)).rows[0]?.answer ?? 'null') as T;

/** A run that calls once, with what the call says without anybody's word, and what its result says. */
async function ran(agent: string, { unvouched = [], values = [], verdict = 'permit', principal = '' }: { unvouched?: Known[]; values?: Known[]; verdict?: string; principal?: string }): Promise<string> {
  const run = principal === '' ? (await db.startRun(agent)).principal : principal;
  const { rows: [scope] } = await db.owner.query<{ compiled: string }>('select compiled from controls.scope where agent = $1', [agent]);
  const { decisionId } = await ask<{ decisionId: string }>('gate', 'gate.commit_call($1)', [JSON.stringify({
    principal: run, callId: randomUUID(), action: 'update_tier', manifestDigest: manifestDigest(UPDATE_TIER), verdict, ruleId: RULE, rule: (JSON.parse(scope?.compiled ?? '{}') as { rules: Record<string, object> }).rules[RULE],
    reasons: verdict === 'hold' ? '["ProvenanceUnknown: x"]' : '[]', output: '{"customer_id":"C_1","tier":"free"}', inputs: '{"saw":[]}', unvouched,
  })]);
  if (verdict === 'permit') {
    await ask('executor', 'gate.redeem($1)', [decisionId]);
    await ask('executor', "gate.outcome($1, 'executed', '{}', '[]', 'b', '[]', $2, null)", [decisionId, JSON.stringify(values)]);
  }
  return run;
}
const asked = (principal: string, values: Known[], more: object = {}): Promise<{ levels: number[]; private: string[]; quoted: number[]; unread: boolean }> => ask('gate', 'gate.provenance($1, $2)', [principal, JSON.stringify({ values, phrases: [], private: false, ...more })]);

describe('what a run knows of a value', () => {
  const ADA = { type: 'email', value: 'ada@x.example' };
  it('is what it read itself, with the best level of all its reads, by type', async () => {
    const run = await ran('reader', { values: [{ ...ADA, level: 1 }, { type: 'person', value: 'Ada', level: 2 }] });
    expect((await asked(run, [ADA, { type: 'person', value: 'Ada' }, { type: 'person', value: 'ada@x.example' }, { type: 'email', value: 'Ada@x.example' }])).levels).toEqual([1, 2, 0, 0]);
    await ran('reader', { values: [{ ...ADA, level: 2 }], principal: run });
    expect((await asked(run, [ADA])).levels).toEqual([2]);
    expect((await asked(await ran('reader', {}), [ADA])).levels).toEqual([0]);
  });

  it('is level 1 where a register in a table has it', async () => {
    expect((await asked(await ran('reader', {}), [{ type: 'email', value: 'sal@supplier.example' }, { type: 'email', value: 'SAL@supplier.example' }, { type: 'person', value: 'sal@supplier.example' }])).levels).toEqual([1, 0, 0]);
    expect((await asked(await ran('reader', {}), [{ type: 'email', value: "' or true --" }])).levels).toEqual([0]);
  });

  it('says which phrases stand in prose, what is private, and that too much was read', async () => {
    const run = await ran('reader', { values: [{ type: 'prose', value: ' one two three four five six \n seven ', level: 0 }, { type: 'text', value: '1a7b3d', level: 0, private: true }] });
    const phrases = ['one two three four five six', 'two three four five six seven', 'ne two three four five six'];
    expect(await asked(run, [], { phrases, private: true })).toMatchObject({ quoted: [0], private: ['1a7b3d'], unread: false });
    await ran('reader', { values: [{ type: 'cut', value: '', level: 0 }], principal: run });
    expect(await asked(run, [])).toMatchObject({ private: [], unread: true });
  });
});

describe('what an agent stored without anybody\'s word', () => {
  const EVE = { type: 'person', value: 'Eve' };
  it('is vouched for by nobody when any agent reads it again, not by a record that the request names either', async () => {
    const before = await ran('reader', { values: [{ ...EVE, level: 2 }] });
    expect((await asked(before, [EVE])).levels).toEqual([2]);
    await ran('writer', { unvouched: [EVE] });
    expect((await asked(await ran('reader', { values: [{ ...EVE, level: 2 }] }), [EVE])).levels).toEqual([0]);
    expect((await asked(before, [EVE])).levels).toEqual([0]);
  });

  it('is nothing yet while the call only waits', async () => {
    const MALLORY = { type: 'person', value: 'Mallory' };
    await ran('writer', { unvouched: [MALLORY], verdict: 'hold' });
    expect((await asked(await ran('reader', { values: [{ ...MALLORY, level: 1 }] }), [MALLORY])).levels).toEqual([1]);
  });

  const approvals: Readonly<Record<string, (hold: string, digest: string) => Promise<unknown>>> = {
    Pat: (hold, digest) => db.as('decide').query('select hold.decide($1, $2, $3, $4, $5, $6)', [hold, digest, 'approve', JSON.stringify({ person: 'dana', name: 'dana', aliases: [], groups: ['*'], signedIn: 'mfa', fresh: true }), 'she leads it', 'code']),
    Vic: (hold) => db.owner.query("with said as (insert into hold.verdict values ($1, 'verifier:verify', 'approve', 'as asked', 'verifier', now(), 'code', 'verifier')) update hold.hold set status = 'approved' where hold_id = $1", [hold]),
  };
  it.each([['a person', 'Pat', 1], ['no more than a verifier', 'Vic', 0]])('is vouched for again once %s approved a call with it, and stays marked in other letters until then', async (_, name, level) => {
    const PAT = { type: 'person', value: name };
    await ran('writer', { unvouched: [PAT] });
    const reader = await ran('reader', { values: [{ ...PAT, level: 1 }, { type: 'owner', value: name.toUpperCase(), level: 1 }] });
    expect((await asked(reader, [PAT, { type: 'owner', value: name.toUpperCase() }])).levels).toEqual([0, 0]);
    const held = await ran('writer', { unvouched: [PAT], verdict: 'hold' });
    const { rows: [hold] } = await db.owner.query<{ hold_id: string; digest: string; decision_id: string }>('select h.hold_id, h.digest, h.decision_id from hold.hold h join controls.run r using (run_id) where r.principal_id = $1', [held]);
    await ask('executor', 'hold.stage($1, $2, null, null)', [hold?.hold_id, 'sealed']);
    const { rows: [staged] } = await db.owner.query<{ digest: string }>('select digest from hold.hold where hold_id = $1', [hold?.hold_id]);
    await approvals[name]?.(hold?.hold_id ?? '', staged?.digest ?? '');
    await ask('executor', 'hold.claim($1)', [hold?.hold_id]);
    await ask('executor', "gate.outcome($1, 'executed', '{}', '[]', 'b', '[]', '[]', null)", [hold?.decision_id]);
    expect((await asked(reader, [PAT])).levels).toEqual([level]);
  });
});
