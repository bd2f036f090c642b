/** An approval is of the very bytes that were shown, by whoever gave it: everything else that calls itself one runs nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ActionCode, AgentControls, HoldTier, ScopeCard } from '../../lib';
import { LocalHold, LocalRuntime, Run } from '../../local/testing';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-binding-'));
let runtime: LocalRuntime;
let run: Run;
let superuser: Client;

// Who is told is decided by a table, and read when the hold is staged; what is told leaves as a row.
const ACTION = `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'tell', description: 'Tells a list.', reach: 'internal', asks: ['tell'], sinks: [], parameters: { list: param.references('list.id'), text: param.text({ maxLength: 200 }) },
  reads: ['list.id', 'list.members', 'list.told', 'told.id'], writes: ['list.told', 'told.id', 'told.members', 'told.text'],
  before: ({ list }, { sql }) => sql.one\`select told from list where id = \${list} for update\`,
  resolve: async ({ list }, { sql }) => { const { members } = await sql.one\`select members from list where id = \${list}\`; if (members === '') throw new Error('NobodyThere: the list is empty'); return { members, secret: members === 'leak' ? 'ghp_' + 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx' : undefined }; },
  execute: async ({ list, text }, { sql, idempotencyKey }, before, { members }) => {
    await sql.run\`insert into told (id, members, text) values (\${idempotencyKey}, \${members}, \${text})\`;
    await sql.run\`update list set told = told + 1 where id = \${list}\`;
    return { members };
  },
  reverse: { impossible: 'It was heard. Call the list owner.' } });`;

beforeAll(async () => {
  writeFileSync(join(folder, 'tell.ts'), ACTION);
  writeFileSync(join(folder, 'seed.sql'), "create table list (id text primary key, members text not null, told int not null default 0); create table told (id text primary key, members text not null, text text not null); insert into list select 'L_' || n, 'ann,bob' from generate_series(1, 20) n;");
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Bound');
  const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY, tiers: [HoldTier.human(), HoldTier.human({ tierName: 'two', approvalsRequired: 2 })] });
  controls.addAction('Tell', { code: ActionCode.fromEntry(join(folder, 'tell.ts')) });
  for (const [name, idempotent] of [['pay', true], ['pay_blindly', false]] as const) {
    writeFileSync(join(folder, `${name}.ts`), PAY.replace('NAME', name).replace('IDEMPOTENT', String(idempotent)));
    controls.addAction(name, { code: ActionCode.fromEntry(join(folder, `${name}.ts`)), environment: { TRIED: join(folder, `${name}.txt`) } });
  }
  for (const [agentName, tier] of [['teller', 'human'], ['careful', 'two']] as const) {
    const agent = controls.addAgent(agentName, { card: ScopeCard.fromObject({
      agent: agentName, purpose: 'Tells people what they asked about.', owners: { product: 'p@example.com', security: 's@example.com', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' },
      'data-inputs': [{ system: 's', classes: ['business'] }], models: ['m'], environments: { dev: { data: 'synthetic' } }, scopes: [{ scope: 'scope://a.tell.all', call: ['tell', 'pay', 'pay_blindly'].map((action) => ({ action, approval: { tier, approvers: ['leads'] } })) }],
      'failure-modes': [{ bad: 'It tells lies.', 'found-by': { anomaly: 'new-behaviour' } }], retention: { inputs: { months: 13 } },
    }) });
    agent.grantStartRun(new iam.Role(stack, `${agentName}-bot`, { roleName: `${agentName}-bot`, assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
  }
  app.synth();
  runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local'), seed: [join(folder, 'seed.sql')] });
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  superuser = new Client({ host, port, database, user, password });
  await superuser.connect();
  run = await runtime.startRun('teller', { text: 'Tell the lists.' });
});
afterAll(async () => {
  await superuser.end();
  await runtime.stop();
  rmSync(folder, { recursive: true, force: true });
});

// Dies twice, and then pays.
const PAY = `import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'NAME', description: 'Pays once a key.', reach: 'internal', asks: ['tell'], sinks: [], idempotent: IDEMPOTENT, parameters: { how: param.text({ maxLength: 20 }) },
  before: async () => undefined,
  execute: async (_, { idempotencyKey }) => { appendFileSync(process.env.TRIED, idempotencyKey + '\\n'); if (readFileSync(process.env.TRIED, 'utf8').split('\\n').filter((key) => key === idempotencyKey).length < 3) process.exit(1); return { paid: true }; },
  reverse: { impossible: 'It was paid. Call the bank.' } });`;

let last = 0;
async function proposed(by = run, text = 'the news'): Promise<{ list: string; hold: LocalHold }> {
  const list = `L_${(last += 1)}`;
  const answer = await by.call('tell', { list, text }, { reason: 'they asked' });
  if (answer.verdict !== 'hold') throw new Error(JSON.stringify(answer));
  return { list, hold: await staged(answer.holdId) };
}
const staged = (holdId: string): Promise<LocalHold> => runtime.until(async () => ((await superuser.query<{ staged: boolean; status: string }>('select staged, status from hold.hold where hold_id = $1', [holdId])).rows.some((row) => row.staged || row.status !== 'pending') ? runtime.hold(holdId) : undefined));
const outcome = (hold: LocalHold, by = run): Promise<string> => runtime.until(async () => {
  const state = await by.hold(hold.holdId);
  return ['held', 'executing'].includes(state.outcome) ? undefined : state.outcome;
});
const told = async (list: string): Promise<number> => (await superuser.query<{ told: number }>('select told from list where id = $1', [list])).rows[0]?.told ?? -1;
const approve = (hold: LocalHold, who = 'lea'): Promise<void> => runtime.approver(who, { groups: ['leads'] }).approve(hold, 'fine');

describe('an approval', () => {
  it('runs what was fixed when the hold was staged, whatever it would come to now', async () => {
    const { list, hold } = await proposed();
    await superuser.query("update list set members = 'eve' where id = $1", [list]);
    await approve(hold);
    expect(await outcome(hold)).toBe('executed');
    expect((await superuser.query<{ members: string }>("select members from told order by id desc")).rows.map(({ members }) => members)).toEqual(['ann,bob']);
    expect(await told(list)).toBe(1);
  });

  it('shows what was fixed and what was there, and keeps neither readable in the table', async () => {
    const { hold } = await proposed();
    const { rows: [kept] } = await superuser.query<{ staged: string }>('select c.staged from gate.call c join hold.hold h using (decision_id) where h.hold_id = $1', [hold.holdId]);
    expect(kept?.staged).toMatch(/^eyJ/);
    expect(kept?.staged).not.toContain('ann');
    const shown = await (await runtime.person('lea', 'approver-leads')).ask<Record<string, unknown>>('GET', `/approvals/${hold.holdId}`);
    expect(shown).toMatchObject({ resolved: { members: 'ann,bob' }, shown: { found: { told: 0 } }, digest: hold.digest });
    expect(Object.keys(shown)).not.toContain('staged');
  });

  it('runs nothing when what it was about has changed since it was shown', async () => {
    const { list, hold } = await proposed();
    await superuser.query('update list set told = 7 where id = $1', [list]);
    await approve(hold);
    expect(await outcome(hold)).toBe('failed');
    expect(await told(list)).toBe(7);
    expect((await superuser.query<{ result: string }>('select result from gate.call c join hold.hold h using (decision_id) where h.hold_id = $1', [hold.holdId])).rows[0]?.result).toBe('{"error":"ChangedSinceShown"}');
  });

  it.each<[string, (hold: LocalHold) => Promise<unknown>]>([
    ['an approval by hand, with a ticket', async ({ holdId }) => {
      await superuser.query("insert into hold.verdict values ($1, 'mallory', 'approve', 'x', 'mfa', controls.now(), 'Zm9yZ2Vk', 'mallory')", [holdId]);
      await superuser.query("insert into gate.ticket select decision_id, digest, 'approval', controls.now() from hold.hold where hold_id = $1", [holdId]);
      await superuser.query("update hold.hold set status = 'approved' where hold_id = $1", [holdId]);
    }],
    ['the code of another approval', async ({ holdId }) => {
      const other = await proposed();
      await approve(other.hold);
      await superuser.query("insert into hold.verdict select $1, person, verdict, reason, signed_in, at, code, name from hold.verdict where hold_id = $2", [holdId, other.hold.holdId]);
      await superuser.query("insert into gate.ticket select decision_id, digest, 'approval', controls.now() from hold.hold where hold_id = $1", [holdId]);
      await superuser.query("update hold.hold set status = 'approved' where hold_id = $1", [holdId]);
    }],
  ])('that the superuser writes runs nothing: %s', async (_what, forge) => {
    const { list, hold } = await proposed();
    await forge(hold);
    await runtime.advance({ minutes: 6 }); // the machine wakes, and asks what was decided
    await runtime.until(async () => ((await superuser.query<{ status: string }>('select c.status from gate.call c join hold.hold h using (decision_id) where h.hold_id = $1', [hold.holdId])).rows[0]?.status === 'failed' ? true : undefined));
    expect(await told(list)).toBe(0);
    expect((await superuser.query<{ result: string }>('select result from gate.call c join hold.hold h using (decision_id) where h.hold_id = $1', [hold.holdId])).rows[0]?.result).toBe('{"error":"ApprovalForged"}');
    run = await runtime.startRun('teller', { text: 'Tell the lists.' });
  });

  it('of two people cannot be made of one by the superuser', async () => {
    const careful = await runtime.startRun('careful', { text: 'Tell the lists.' });
    const { list, hold } = await proposed(careful);
    await approve(hold);
    expect((await careful.hold(hold.holdId)).status).toBe('pending');
    await superuser.query("insert into hold.verdict select hold_id, 'second', verdict, reason, signed_in, at, code, name from hold.verdict where hold_id = $1", [hold.holdId]);
    await superuser.query("insert into gate.ticket select decision_id, digest, 'approval', controls.now() from hold.hold where hold_id = $1", [hold.holdId]);
    await superuser.query("update hold.hold set status = 'approved' where hold_id = $1", [hold.holdId]);
    await runtime.advance({ minutes: 6 });
    await runtime.until(async () => ((await superuser.query<{ status: string }>('select c.status from gate.call c join hold.hold h using (decision_id) where h.hold_id = $1', [hold.holdId])).rows[0]?.status === 'failed' ? true : undefined));
    expect(await told(list)).toBe(0);
    run = await runtime.startRun('teller', { text: 'Tell the lists.' });
  });

  it('runs nothing when the superuser changes what was fixed', async () => {
    const { list, hold } = await proposed();
    await superuser.query("update gate.call set staged = replace(staged, '.', '..') where decision_id = (select decision_id from hold.hold where hold_id = $1)", [hold.holdId]);
    await approve(hold);
    expect(await outcome(hold)).toBe('refused');
    expect(await told(list)).toBe(0);
  });
});

describe('staging', () => {
  it('that fails cancels the hold: nobody is asked about what cannot be fixed', async () => {
    await superuser.query("update list set members = '' where id = $1", [`L_${last + 1}`]);
    const { hold } = await proposed();
    expect((await runtime.hold(hold.holdId)).status).toBe('cancelled');
    await expect(approve(hold)).rejects.toThrow('AlreadyDecided');
    expect((await superuser.query<{ reason: string }>("select facts::json ->> 'reason' as reason from audit.entry e join hold.hold h using (decision_id) where h.hold_id = $1 and e.kind = 'hold.cancelled'", [hold.holdId])).rows[0]?.reason).toBe('NobodyThere');
  });

  it('keeps no secret: what holds one is not asked about', async () => {
    await superuser.query("update list set members = 'leak' where id = $1", [`L_${last + 1}`]);
    const { hold } = await proposed();
    expect((await runtime.hold(hold.holdId)).status).toBe('cancelled');
    for (const { text } of (await superuser.query<{ text: string }>("select coalesce(inputs, '') || coalesce(output, '') as text from audit.payload")).rows) expect(text).not.toContain('wWPw5k4aXcaT4fNP0');
  });

  it('leaves nothing in the history of the state machine but ids and states', () => {
    const state = readFileSync(join(folder, 'local', 'state.json'), 'utf8');
    for (const said of ['the news', 'ann,bob', 'members']) expect(state).not.toContain(said);
  });

  it('is in the log, which verifies but for what was forged', async () => {
    const { findings } = await runtime.verifyAuditLog();
    expect(findings.map(({ sentence }) => sentence).filter((sentence) => !/verdict that no entry|ticket that no decision|status no entry gave|nobody let through/.test(sentence))).toEqual([]);
    expect(findings.length).toBeGreaterThan(0);
  });
});

describe('an attempt of which nobody knows what came', () => {
  const paid = async (action: string): Promise<[string, number]> => {
    const answer = await run.call(action, { how: 'now' }, { reason: 'they asked' });
    if (answer.verdict !== 'hold') throw new Error(JSON.stringify(answer));
    const hold = await runtime.hold(answer.holdId);
    await approve(hold);
    return [await outcome(hold), readFileSync(join(folder, `${action}.txt`), 'utf8').trim().split('\n').length];
  };
  it('is made again with the same key where the action is declared idempotent', async () => { expect(await paid('pay')).toEqual(['executed', 3]); });
  it('is made once otherwise, and left to a person, who says once what it came to', async () => {
    expect(await paid('pay_blindly')).toEqual(['unknown', 1]);
    const { rows: [call] } = await superuser.query<{ decision_id: string }>("select decision_id from gate.call where action = 'pay_blindly' and status = 'unknown'");
    const responder = await runtime.person('rita', 'responder');
    const found = (status: string): Promise<unknown> => responder.ask('POST', `/decisions/${call?.decision_id ?? ''}/outcome`, { status, reason: 'the bank says so' });
    expect(await found('executed')).toEqual({ decision: call?.decision_id, status: 'executed' });
    await expect(found('failed')).rejects.toThrow('NotUnknown');
    const [decision] = (await runtime.decisions()).filter(({ decisionId }) => decisionId === call?.decision_id);
    expect(decision?.status).toBe('executed');
    expect((await runtime.verifyAuditLog()).findings.filter(({ sentence }) => sentence.includes(call?.decision_id ?? '-'))).toEqual([]);
  });

  it('does not count any more where it had no effect', async () => {
    expect(await paid('pay_blindly')).toEqual(['unknown', 2]);
    const { rows: [call] } = await superuser.query<{ decision_id: string }>("select decision_id from gate.call where action = 'pay_blindly' and status = 'unknown'");
    await superuser.query("insert into gate.usage values ($1, 'teller', 'k', '', 'r', 1, now())", [call?.decision_id]);
    await (await runtime.person('rita', 'responder')).ask('POST', `/decisions/${call?.decision_id ?? ''}/outcome`, { status: 'failed', reason: 'it never arrived' });
    expect((await superuser.query('select released from gate.usage where decision_id = $1', [call?.decision_id])).rows).toEqual([{ released: true }]);
  });
});
