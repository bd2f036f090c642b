/** Undoing what agents did: newest first, where nobody has changed it since, whoever else does the same, and when the agent is gone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ActionCode, AgentControls, ScopeCard } from '../../lib';
import { LocalRuntime, Run } from '../../local/testing';
import { LocalApp, startApp, testFolder, withProgram } from '../support/local-app';

const folder = testFolder('rollback');
let local: LocalApp;
let runtime: LocalRuntime;
let superuser: Client;

const ACTIONS = {
  set_tier: `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'set_tier', description: 'Sets a tier.', reach: 'internal', asks: ['tidy'], sinks: [], parameters: { id: param.references('shop.id'), tier: param.oneOf('free', 'growth', 'enterprise') },
  reads: ['shop.id', 'shop.tier'], writes: ['shop.tier'],
  before: ({ id }, { sql }) => sql.one\`select tier from shop where id = \${id} for update\`,
  execute: async ({ id, tier }, { sql, wrote }) => { await sql.run\`update shop set tier = \${tier} where id = \${id}\`; wrote('shop', id); return { id, tier }; },
  reverse: { restore: async ({ before, parameters }, { sql }) => (await sql.run\`update shop set tier = \${before.tier} where id = \${parameters.id}\`) === 1 } });`,
  rename: `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'rename', description: 'Renames a shop.', reach: 'internal', asks: ['tidy'], sinks: [], parameters: { id: param.references('shop.id'), name: param.text({ maxLength: 40 }) },
  reads: ['shop.id', 'shop.name', 'shop.tier', 'shop.size'], writes: ['shop.name'],
  before: ({ id }, { sql }) => sql.one\`select name, tier, size from shop where id = \${id}\`,
  execute: async ({ id, name }, { sql }) => { if (name === 'explode') throw new Error('NameRefused: no'); await sql.run\`update shop set name = \${name} where id = \${id}\`; return {}; },
  reverse: { restore: async ({ before, parameters }, { sql }) => { if (before.name === 'stuck') throw new Error('StuckFast: cannot'); if (before.name === 'slow') await new Promise((done) => setTimeout(done, 1500)); return (await sql.run\`update shop set name = \${before.name} where id = \${parameters.id}\`) === 1; } } });`,
  add_note: `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'add_note', description: 'Adds a note.', reach: 'internal', asks: ['tidy'], sinks: [], parameters: { id: param.references('shop.id'), note: param.text({ maxLength: 40 }) },
  reads: ['shop_note.id', 'shop_note.note', 'shop_note.shop'], writes: ['shop_note.id', 'shop_note.shop', 'shop_note.note'],
  before: (_, { sql, idempotencyKey }) => sql.many\`select id, note from shop_note where id = \${idempotencyKey}\`,
  execute: async ({ id, note }, { sql, idempotencyKey }) => { await sql.run\`insert into shop_note (id, shop, note) values (\${idempotencyKey}, \${id}, \${note})\`; return { note: idempotencyKey }; },
  reverse: { deletes: ['shop_note'], restore: async ({ result }, { sql }) => (await sql.run\`delete from shop_note where id = \${result.note}\`) === 1 } });`,
  say: `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'say', description: 'Says something.', reach: 'internal', asks: ['tidy'], sinks: [], parameters: { text: param.text({ maxLength: 40 }) },
  writes: ['said.text'], before: async () => undefined, execute: async ({ text }, { sql }) => { await sql.run\`insert into said (text) values (\${text})\`; return {}; },
  reverse: { sentence: 'Says that it was a mistake.', compensate: async ({ parameters }, { sql, wrote }) => { wrote('said', parameters.text); if (parameters.text === 'choke') throw new Error('Choked: half way'); await sql.run\`insert into said (text) values (\${'sorry for ' + parameters.text})\`; } } });`,
  pay: `import { appendFileSync } from 'node:fs';
import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'pay', description: 'Pays.', reach: 'internal', asks: ['tidy'], sinks: [], parameters: { how: param.text({ maxLength: 40 }) },
  before: async () => undefined, execute: async () => ({}),
  reverse: { sentence: 'Asks for the money back.', compensate: async ({ parameters }, { idempotencyKey }) => {
    if (parameters.how === 'die') process.exit(1);
    appendFileSync(process.env.EFFECTS, idempotencyKey + '\\n');
    if (parameters.how === 'throw') throw new Error('TimeoutError: the bank did not answer');
  } } });`,
  shout: `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'shout', description: 'Shouts.', reach: 'internal', asks: ['tidy'], sinks: [], parameters: { text: param.text({ maxLength: 40 }) },
  before: async () => undefined, execute: async () => ({}), reverse: { impossible: 'It was heard. Call the neighbours.' } });`,
};

const SEED = `create table shop (id text primary key, name text not null, tier text not null, owner text, size bigint not null default 1);
create table shop_note (id text primary key, shop text not null, note text not null);
create table said (n timestamptz primary key default clock_timestamp(), text text not null);
insert into shop select 'S_' || n, 'Shop ' || n, 'free', 'o' from generate_series(1, 400) n;`;

beforeAll(async () => {
  writeFileSync(join(folder, 'seed.sql'), SEED);
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Undone');
  const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY });
  for (const [name, text] of Object.entries(ACTIONS)) {
    writeFileSync(join(folder, `${name}.ts`), text);
    controls.addAction(name, { code: ActionCode.fromEntry(join(folder, `${name}.ts`)), environment: { EFFECTS: join(folder, 'effects.txt') } });
  }
  const approved = { approvers: ['leads'] };
  const agent = controls.addAgent('Tidier', { card: ScopeCard.fromObject({
    agent: 'tidier', purpose: 'Tidies up what shops are called.', owners: { product: 'p@example.com', security: 's@example.com', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' },
    'data-inputs': [{ system: 's', classes: ['business'] }], models: ['m'], environments: { dev: { data: 'synthetic' } },
    scopes: [{ scope: 'scope://shop.tidy.all', call: [...['set_tier', 'rename', 'add_note'].map((action) => ({ action, approval: { tier: 'auto' } })), { action: 'say', approval: { tier: 'verify', ...approved } }, { action: 'shout', approval: { tier: 'human', ...approved } }, { action: 'pay', approval: { tier: 'verify', approvers: ['payers'] } }] }],
    'failure-modes': [{ bad: 'It tidies too much.', 'found-by': { anomaly: 'bulk-writes' } }], retention: { inputs: { months: 13 } },
  }) });
  withProgram(stack, agent);
  local = await startApp(folder, app, [join(folder, 'seed.sql')]);
  ({ runtime, superuser } = local);
});
afterAll(() => local.stop());

const start = (): Promise<Run> => runtime.startRun('tidier', { text: 'Tidy up the shops.' });
async function did(run: Run, action: string, parameters: Record<string, unknown>): Promise<string> {
  const answer = await run.call(action, parameters, { reason: 'tidy' });
  if (answer.verdict === 'hold') {
    await runtime.approver('lea', { groups: [action === 'pay' ? 'payers' : 'leads'] }).approve(await runtime.hold(answer.holdId), 'fine');
    await runtime.until(async () => ((await run.hold(answer.holdId)).outcome === 'executed' ? true : undefined));
    return answer.decisionId;
  }
  expect(answer.verdict, JSON.stringify(answer)).toBe('permit');
  return answer.decisionId;
}
const shop = async (id: string): Promise<{ name: string; tier: string }> => (await superuser.query<{ name: string; tier: string }>('select name, tier from shop where id = $1', [id])).rows[0] as { name: string; tier: string };

interface Planned { readonly digest: string; readonly ready: number; readonly total: number; readonly actions: { action: string; state: string; count: number }[]; readonly conflicts: { decision: string; why: string }[] }
interface Done { readonly rollback: string; readonly verdict: string; readonly status: string; readonly holdId?: string; readonly reversals: Record<string, number>; readonly left: { decision: string; status: string; why: string }[] }
type Of = { run: string } | { decision: string } | { agent: string; since: string };

async function plan(of: Of): Promise<Planned> { return (await runtime.person('rae', 'responder')).ask<Planned>('POST', '/rollbacks', { of }); }
async function rollback(of: Of, who = 'rae', group = 'leads'): Promise<Done> {
  const person = await runtime.person(who, 'responder');
  const { digest } = await plan(of);
  const asked = await person.ask<Done>('POST', '/rollbacks', { of, plan: digest, reason: 'it was wrong', reference: 'INC-1' });
  if (asked.verdict !== 'hold') return asked;
  const hold = await runtime.hold(asked.holdId ?? '');
  await runtime.approver('lea', { groups: [group] }).approve(hold, 'undo it');
  return runtime.until(async () => {
    const now = await person.ask<Done>('GET', `/rollbacks/${asked.rollback}`);
    return ['executed', 'failed', 'unknown', 'refused'].includes(now.status) ? { ...now, verdict: 'hold', holdId: asked.holdId ?? '' } : undefined;
  }, 60);
}

describe('a rollback', () => {
  it('puts back what a run changed, newest first, and tells every reversal in the log', async () => {
    const run = await start();
    const first = await did(run, 'set_tier', { id: 'S_1', tier: 'growth' });
    await did(run, 'set_tier', { id: 'S_1', tier: 'enterprise' });
    await did(run, 'rename', { id: 'S_1', name: 'New name' });
    await did(run, 'add_note', { id: 'S_1', note: 'a note' });
    expect(await shop('S_1')).toEqual({ name: 'New name', tier: 'enterprise' });
    const planned = await plan({ run: run.runId });
    expect(planned).toMatchObject({ total: 4, ready: 4 });
    const done = await rollback({ run: run.runId });
    expect(done).toMatchObject({ verdict: 'permit', status: 'executed', reversals: { reversed: 4 }, left: [] });
    expect(await shop('S_1')).toEqual({ name: 'Shop 1', tier: 'free' });
    expect((await superuser.query("select from shop_note where shop = 'S_1'")).rowCount).toBe(0);
    const { rows } = await superuser.query<{ kind: string; outcome: string; reverses: string | null }>("select kind, outcome, facts::json ->> 'reverses' as reverses from audit.entry where run_id = $1 order by at, seq", [`rollback-${done.rollback}`]);
    expect(rows.filter(({ kind }) => kind === 'call.outcome').map(({ outcome }) => outcome)).toEqual(['executed', 'executed', 'executed', 'executed', 'executed']);
    expect(rows.filter(({ reverses }) => reverses !== null).map(({ reverses }) => reverses).at(-1)).toBe(first);
    expect((await runtime.verifyAuditLog()).ok).toBe(true);
  });

  it('is done once: what is reversed is not reversed again', async () => {
    const run = await start();
    const decision = await did(run, 'set_tier', { id: 'S_2', tier: 'growth' });
    await rollback({ decision });
    expect((await plan({ decision })).actions).toMatchObject([{ action: 'set_tier', state: 'AlreadyReversed', count: 1 }]);
    await expect(rollback({ decision })).rejects.toThrow('NothingToReverse');
  });

  it('leaves alone what somebody has changed since, and names it', async () => {
    const run = await start();
    const kept = await did(run, 'set_tier', { id: 'S_3', tier: 'growth' });
    await did(run, 'set_tier', { id: 'S_4', tier: 'growth' });
    await superuser.query("update shop set tier = 'enterprise' where id = 'S_3'");
    expect((await plan({ run: run.runId })).conflicts).toEqual([{ decision: kept, action: 'set_tier', why: 'ChangedSince' }]);
    const done = await rollback({ run: run.runId });
    expect(done).toMatchObject({ reversals: { reversed: 1, conflict: 1 }, left: [{ decision: kept, status: 'conflict', why: 'ChangedSince' }] });
    expect([await shop('S_3'), await shop('S_4')]).toMatchObject([{ tier: 'enterprise' }, { tier: 'free' }]);
    // What conflicted can be asked for again, when the foreign edit is gone.
    await superuser.query("update shop set tier = 'growth' where id = 'S_3'");
    expect(await rollback({ decision: kept })).toMatchObject({ reversals: { reversed: 1 } });
  });

  it('tells a row that is gone', async () => {
    const run = await start();
    const decision = await did(run, 'rename', { id: 'S_5', name: 'Gone soon' });
    await superuser.query("delete from shop where id = 'S_5'");
    expect((await rollback({ decision })).left).toMatchObject([{ status: 'conflict', why: 'RowMissing' }]);
  });

  it('undoes the others where one of them fails', async () => {
    const run = await start();
    await superuser.query("update shop set name = 'stuck' where id = 'S_6'");
    const stuck = await did(run, 'rename', { id: 'S_6', name: 'x' });
    await did(run, 'rename', { id: 'S_7', name: 'y' });
    const done = await rollback({ run: run.runId });
    expect(done).toMatchObject({ reversals: { reversed: 1, failed: 1 }, left: [{ decision: stuck, why: 'StuckFast' }] });
    expect(await shop('S_7')).toMatchObject({ name: 'Shop 7' });
  });

  it('asks people where people had to agree, and others than who asks for it', async () => {
    const run = await start();
    const said = await did(run, 'say', { text: 'hello' });
    const { digest } = await plan({ decision: said });
    const rae = await runtime.person('rae', 'responder');
    const asked = await rae.ask<Done>('POST', '/rollbacks', { of: { decision: said }, plan: digest, reason: 'it was wrong' });
    expect(asked).toMatchObject({ verdict: 'hold', reasons: expect.arrayContaining([expect.stringContaining('TierAsksPeople')]) as string[] });
    const hold = await runtime.hold(asked.holdId ?? '');
    expect(hold).toMatchObject({ action: 'rollback', parameters: { reversals: 1, actions: { say: 1 }, of: { decision: said } } });
    await expect(runtime.approver('rae', { groups: ['leads'] }).approve(hold, 'me too')).rejects.toThrow('OwnRequest');
    await runtime.approver('lea', { groups: ['leads'] }).approve(hold, 'undo it');
    await runtime.until(async () => ((await rae.ask<Done>('GET', `/rollbacks/${asked.rollback}`)).status === 'executed' ? true : undefined));
    expect((await superuser.query<{ text: string }>('select text from said order by n')).rows.map(({ text }) => text)).toEqual(['hello', 'sorry for hello']);
  });

  it('says that nobody knows, where a compensation broke half way', async () => {
    const run = await start();
    const decision = await did(run, 'say', { text: 'choke' });
    expect(await rollback({ decision })).toMatchObject({ reversals: { unknown: 1 }, left: [{ decision, status: 'unknown' }] });
    expect((await plan({ decision })).actions).toMatchObject([{ state: 'ReversalUnknown' }]);
  });

  it('lists what cannot be undone, with whom to call', async () => {
    const run = await start();
    await did(run, 'shout', { text: 'hey' });
    expect((await plan({ run: run.runId })).actions).toEqual([{ action: 'shout', kind: 'impossible', sentence: 'It was heard. Call the neighbours.', state: 'Impossible', count: 1 }]);
  });

  it('works when the agent is disabled', async () => {
    const run = await start();
    const decision = await did(run, 'set_tier', { id: 'S_8', tier: 'growth' });
    await superuser.query("update controls.agent set enabled = false where name = 'tidier'");
    expect(await rollback({ decision })).toMatchObject({ reversals: { reversed: 1 } });
    await superuser.query("update controls.agent set enabled = true where name = 'tidier'");
  });

  it('refuses a plan that is not the one that was looked at', async () => {
    const run = await start();
    await did(run, 'set_tier', { id: 'S_9', tier: 'growth' });
    const { digest } = await plan({ run: run.runId });
    await did(run, 'set_tier', { id: 'S_10', tier: 'growth' });
    await expect((await runtime.person('rae', 'responder')).ask('POST', '/rollbacks', { of: { run: run.runId }, plan: digest, reason: 'x' })).rejects.toThrow('PlanChanged');
  });

  it('is one of two, where two are asked for at the same time', async () => {
    const run = await start();
    for (let n = 11; n <= 16; n += 1) await did(run, 'set_tier', { id: `S_${n}`, tier: 'growth' });
    const done = await Promise.allSettled(['rae', 'rob', 'rita'].map((who) => rollback({ run: run.runId }, who)));
    for (const each of done) if (each.status === 'rejected') expect(String(each.reason)).toMatch(/NothingToReverse|PlanChanged/); // somebody was first
    expect(done.map((each) => (each.status === 'fulfilled' ? each.value.reversals.reversed ?? 0 : 0)).reduce((sum, count) => sum + count)).toBe(6);
    for (let n = 11; n <= 16; n += 1) expect(await shop(`S_${n}`)).toMatchObject({ tier: 'free' });
    expect((await runtime.verifyAuditLog()).ok).toBe(true);
  });

  it('is for the responder alone', async () => {
    await expect((await runtime.person('pia', 'privacy')).ask('POST', '/rollbacks', { of: { run: 'x' } })).rejects.toThrow(/403|not authorized|AccessDenied/i);
  });

  it('does not make up for anything twice, and has a person find out where nobody knows', async () => {
    const run = await start();
    const decision = await did(run, 'pay', { how: 'throw' });
    const done = await rollback({ decision }, 'rae', 'payers');
    expect(done).toMatchObject({ status: 'failed', reversals: { unknown: 1 } });
    await expect(rollback({ decision }, 'rae', 'payers')).rejects.toThrow('NothingToReverse');
    const rae = await runtime.person('rae', 'responder');
    const { left: [unknown] } = await rae.ask<{ left: { reversal: string }[] }>('GET', `/rollbacks/${done.rollback}`);
    await rae.ask('POST', `/rollbacks/${done.rollback}/reversals/${unknown?.reversal ?? ''}`, { status: 'failed', reason: 'the bank has nothing' });
    expect((await plan({ decision })).ready).toBe(1);
    await rollback({ decision }, 'rae', 'payers');
    const keys = readFileSync(join(folder, 'effects.txt'), 'utf8').trim().split('\n');
    expect(keys).toEqual([`reverse-${decision}`, `reverse-${decision}`]); // the bank knows it is the same
    expect((await runtime.verifyAuditLog()).findings).toEqual([]);
  });

  it('takes no others along when a compensation dies', async () => {
    const run = await start();
    await did(run, 'pay', { how: 'well' });
    await did(run, 'pay', { how: 'die' });
    await did(run, 'pay', { how: 'well' });
    expect(await rollback({ run: run.runId }, 'rae', 'payers')).toMatchObject({ status: 'executed', reversals: { reversed: 2, unknown: 1 } });
  });

  it('is refused where no group could agree to all of it', async () => {
    const run = await start();
    await did(run, 'pay', { how: 'well' });
    await did(run, 'say', { text: 'both' });
    await expect(rollback({ run: run.runId })).rejects.toThrow('NoCommonApprovers');
  });

  it('is held where a person had to agree to the write, whatever its tier', async () => {
    const run = await runtime.startRun('tidier', { text: 'Look at the shops.' }); // nobody asked for a change
    const decision = await did(run, 'set_tier', { id: 'S_30', tier: 'growth' });
    expect(await rollback({ decision }, 'ruth')).toMatchObject({ verdict: 'hold', reversals: { reversed: 1 } });
  });

  it('cannot be cut into small ones that nobody is asked about', async () => {
    const run = await start();
    const verdicts: string[] = [];
    for (let n = 31; n <= 42; n += 1) verdicts.push((await rollback({ decision: await did(run, 'set_tier', { id: `S_${n}`, tier: 'growth' }) }, 'rico')).verdict);
    expect(verdicts.filter((verdict) => verdict === 'permit').length).toBeLessThan(10);
    expect(verdicts.at(-1)).toBe('hold');
  });

  it('loses no edit that comes between the look and the write', async () => {
    const run = await start();
    await superuser.query("update shop set name = 'slow' where id = 'S_50'");
    const decision = await did(run, 'rename', { id: 'S_50', name: 'theirs' });
    const rolling = rollback({ decision }, 'rene');
    await runtime.until(async () => ((await superuser.query("select from undo.reversal where decision_id = $1 and status = 'running'", [decision])).rowCount === 1 ? true : undefined));
    await new Promise((done) => setTimeout(done, 700)); // it has looked, and not written
    await superuser.query("update shop set name = 'mine' where id = 'S_50'");
    expect((await rolling).left).toMatchObject([{ status: 'conflict', why: 'ChangedSince' }]);
    expect(await shop('S_50')).toMatchObject({ name: 'mine' });
  });

  it('never writes a number back that reading has changed: the write itself is refused', async () => {
    const run = await start();
    await superuser.query("update shop set size = 9007199254740993 where id = 'S_51'");
    await expect(run.call('rename', { id: 'S_51', name: 'x' }, { reason: 'tidy' })).rejects.toThrow('ActionFailed');
    expect(await shop('S_51')).toMatchObject({ name: 'Shop 51' });
  });

  it.each<[string, string]>([
    ['another list', "update undo.reversal set decision_id = (select decision_id from gate.call where action = 'set_tier' and status = 'executed' limit 1) where rollback = $1"],
    ['another list and its digest, under the same approval', `with c as (update gate.call set parameters = replace(parameters, parameters::json ->> 'digest', undo.digest(array(select decision_id from gate.call where action = 'set_tier' and status = 'executed' order by at limit 1))) where decision_id = $1 returning 1)
      update undo.reversal set decision_id = (select decision_id from gate.call where action = 'set_tier' and status = 'executed' order by at limit 1) where rollback = $1`],
  ])('of %s, which the superuser put there, runs nothing', async (_what, forge) => {
    const run = await start();
    const decision = await did(run, 'say', { text: 'forged' });
    const { digest } = await plan({ decision });
    const asked = await (await runtime.person('rae', 'responder')).ask<Done>('POST', '/rollbacks', { of: { decision }, plan: digest, reason: 'x' });
    const before = (await superuser.query('select tier from shop order by id')).rows;
    await superuser.query(forge, [asked.rollback]);
    await runtime.approver('lea', { groups: ['leads'] }).approve(await runtime.hold(asked.holdId ?? ''), 'yes');
    await runtime.until(async () => (['refused', 'failed'].includes((await superuser.query<{ status: string }>('select status from gate.call where decision_id = $1', [asked.rollback])).rows[0]?.status ?? '') ? true : undefined));
    expect((await superuser.query('select tier from shop order by id')).rows).toEqual(before);
    expect((await runtime.verifyAuditLog()).findings.map(({ sentence }) => sentence).join()).toMatch(/rollback of other decisions/);
    await superuser.query('update undo.reversal set decision_id = $2 where rollback = $1', [asked.rollback, decision]);
  });

  it('puts nothing back of an image that is another write\'s, or that somebody has changed', async () => {
    const run = await start();
    const [one, other, third] = [await did(run, 'set_tier', { id: 'S_391', tier: 'growth' }), await did(run, 'set_tier', { id: 'S_392', tier: 'growth' }), await did(run, 'set_tier', { id: 'S_393', tier: 'growth' })];
    await superuser.query('update undo.image i set sealed = o.sealed from undo.image o where i.chunk = o.chunk and (i.decision_id, o.decision_id) in (($1, $2), ($2, $1))', [one, other]);
    await superuser.query("update undo.image set sealed = left(sealed, -2) || 'AA' where decision_id = $1", [third]);
    const { left } = await rollback({ run: run.runId });
    expect(left.map(({ decision, status }) => [decision, status]).sort()).toEqual([one, other, third].map((decision) => [decision, 'failed']).sort());
    expect(left.filter(({ why }) => why.includes('SealForeign')).map(({ decision }) => decision).sort()).toEqual([one, other].sort());
    for (const id of ['S_391', 'S_392', 'S_393']) expect((await shop(id)).tier).toBe('growth');
  });

  it('still waits for people when its agent is taken away', async () => {
    const run = await start();
    const decision = await did(run, 'say', { text: 'taken' });
    const { digest } = await plan({ decision });
    const asked = await (await runtime.person('rae', 'responder')).ask<Done>('POST', '/rollbacks', { of: { decision }, plan: digest, reason: 'x' });
    await superuser.query("select hold.cancel_all('tidier', 'agent removed')");
    expect((await runtime.hold(asked.holdId ?? '')).status).toBe('pending');
  });

  it('gives back whatever sequence of actions there was, and loses no edit of anybody else', async () => {
    const ids = ['S_21', 'S_22', 'S_23'];
    const step = fc.oneof(
      fc.record({ action: fc.constant('set_tier'), id: fc.constantFrom(...ids), tier: fc.constantFrom('free', 'growth', 'enterprise') }),
      fc.record({ action: fc.constant('rename'), id: fc.constantFrom(...ids), name: fc.constantFrom('a', 'b') }),
      fc.record({ action: fc.constant('add_note'), id: fc.constantFrom(...ids), note: fc.constantFrom('n', 'm') }),
      fc.record({ action: fc.constant('foreign'), id: fc.constantFrom(...ids), tier: fc.constantFrom('theirs-1', 'theirs-2') }),
    );
    const state = async (): Promise<unknown> => (await superuser.query('select id, name, tier, (select count(*)::int from shop_note where shop = s.id) as notes from shop s where id = any ($1) order by id', [ids])).rows;
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      await superuser.query("update shop set tier = 'free', name = 'start' where id = any ($1)", [ids]);
      await superuser.query('delete from shop_note');
      const before = await state();
      const run = await start();
      const foreign = new Map<string, string>();
      for (const { action, ...parameters } of steps) {
        if (action === 'foreign') {
          const { id, tier = '' } = parameters as { id: string; tier?: string };
          await superuser.query('update shop set tier = $2 where id = $1', [id, tier]);
          foreign.set(id, tier);
        } else {
          await did(run, action, parameters);
          if (action === 'set_tier') foreign.delete(parameters.id); // the agent has overwritten it, with it in its before-image
        }
      }
      if ((await plan({ run: run.runId })).ready > 0) await rollback({ run: run.runId });
      if (!steps.some(({ action }) => action === 'foreign')) expect(await state()).toEqual(before);
      for (const [id, tier] of foreign) expect(await shop(id)).toMatchObject({ tier });
    }), { numRuns: 15 });
  }, 120_000);
});
