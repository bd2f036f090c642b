/** An agent that writes SQL of its own: Postgres keeps it to its columns and rows, and to reading. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_DATA } from '../../examples/story';
import { AgentControls, ScopeCard } from '../../lib';
import { LocalRuntime, Run } from '../../local/testing';
import { card, UPDATE_TIER } from '../support/cards';
import { action } from '../support/stack';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-sql-'));
let runtime: LocalRuntime;
let run: Run;
beforeAll(async () => {
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Explorer');
  const controls = new AgentControls(stack, 'Controls');
  controls.addAction('Tier', { code: action(UPDATE_TIER) });
  const explorer = controls.addAgent('Explorer', { card: ScopeCard.fromObject(card((of) => {
    of.agent = 'explorer';
    of.never = { read: ['customer.payment_method'] };
    of.redact = ['customer.monthly_usage'];
    of.scopes = [{ scope: 'scope://crm.explore', 'direct-sql': true, read: [{ table: 'customer', columns: ['id', 'company', 'tier', 'monthly_usage'], rows: { tier: { in: ['free', 'growth'] } } }], call: [{ action: 'update_tier', approval: { tier: 'auto' } }] }];
  })) });
  explorer.grantStartRun(new iam.Role(stack, 'Bot', { roleName: 'bot', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
  app.synth();
  runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local'), seed: SAMPLE_DATA });
  run = await runtime.startRun('explorer', { text: 'Who uses most?' });
});
afterAll(async () => {
  await runtime.stop();
  rmSync(folder, { recursive: true, force: true });
});

const select = (query: string): Promise<unknown> => run.call('select_sql', { query }, { reason: 'look' }).then((answer) => (answer.verdict === 'permit' ? answer.result : answer), (error: unknown) => (error as { code: string }).code);
const tiers = async (): Promise<unknown> => {
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  const client = new Client({ host, port, database, user, password });
  await client.connect();
  const { rows } = await client.query('select id, tier from customer order by id');
  await client.end();
  return rows;
};

describe('direct SQL', () => {
  it('sees the columns and rows of the card', async () => {
    expect(await select('select company, rank() over (order by monthly_usage desc) as rank from customer order by 2')).toEqual([{ company: 'Contoso Robotics', rank: 1 }, { company: 'Northwind Traders', rank: 2 }]);
  });

  it('sees nothing else', async () => {
    for (const query of ['select payment_method from customer', 'select * from customer', 'select * from leads', 'select * from audit.entry', 'select * from controls.agent', "select pg_read_file('/etc/passwd')"]) expect(await select(query), query).toBe('ActionFailed');
  });

  it('writes nothing, though its login may where an action does', async () => {
    const before = await tiers();
    for (const query of [
      "update customer set tier = 'x'", "with x as (update customer set tier = 'x' returning 1 as y) select * from x", "select query_to_xml('update customer set tier = ''x'' returning 1', true, false, '')",
      "select set_config('transaction_read_only', 'off', true), query_to_xml('update customer set tier = ''x'' returning 1', true, false, '')", "select 1; update customer set tier = 'x'", "commit; update customer set tier = 'x'",
      'select lo_create(0)', "copy customer (id) from program 'echo x'", 'select * from customer for update',
    ]) expect(await select(query), query).toBe('ActionFailed');
    expect(await select('set transaction read write')).not.toBe('no error');
    expect(await tiers()).toEqual(before);
  });

  it('takes the trust from what was asked: the log says that the inputs are claimed', async () => {
    const [decision] = await runtime.decisions({ runId: run.runId });
    expect(decision).toMatchObject({ decision: 'select_sql', authorizedBy: 'scope://crm.explore' });
    const { host, port, database, superuser: user, password } = runtime.file.postgres;
    const client = new Client({ host, port, database, user, password });
    await client.connect();
    const { rows } = await client.query<{ trusted: boolean; inputs: string }>("select r.request_trusted as trusted, e.facts::json ->> 'inputs_are' as inputs from controls.run r join audit.entry e using (run_id) where r.run_id = $1 and e.kind = 'call.intent' limit 1", [run.runId]);
    await client.end();
    expect(rows).toEqual([{ trusted: false, inputs: 'claimed' }]);
  });
});

describe('what a card keeps out of every record', () => {
  const USAGE = 'customer.monthly_usage';
  it('is what the agent reads, and what log and replay do not have', async () => {
    const secret = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_');
    const read = await run.call('read_customer', { columns: ['company', 'monthly_usage'], where: { tier: 'free' } }, { reason: `see ${USAGE} with ${secret}`, callId: 'masked-1' });
    if (read.verdict !== 'permit') throw new Error(JSON.stringify(read));
    const [row] = read.result as { company: string; monthly_usage: number }[];
    expect(row).toMatchObject({ company: expect.any(String) as string, monthly_usage: expect.any(Number) as number });
    expect(await run.call('read_customer', { columns: ['company', 'monthly_usage'], where: { tier: 'free' } }, { reason: 'again', callId: 'masked-1' })).toMatchObject({ result: [{ company: row?.company, monthly_usage: '[redacted: column]' }] });
    expect(await select("select company, monthly_usage from customer where tier = 'free'")).toMatchObject([{ monthly_usage: row?.monthly_usage }]);
    const { host, port, database, superuser: user, password } = runtime.file.postgres;
    const client = new Client({ host, port, database, user, password });
    await client.connect();
    const { rows } = await client.query<{ text: string; redacted: string | null }>("select coalesce(p.inputs, '') || coalesce(p.output, '') as text, e.facts::json ->> 'redacted' as redacted from audit.entry e left join audit.payload p using (head, seq) where e.run_id = $1", [run.runId]);
    const book = await client.query<{ text: string }>("select parameters || coalesce(result, '') || coalesce(justification, '') || answer as text from gate.call where run_id = $1", [run.runId]);
    await client.end();
    for (const { text } of [...rows, ...book.rows]) {
      expect(text).not.toContain(secret);
      expect(text).not.toMatch(/"monthly_usage":\s*\d/);
    }
    expect(rows.flatMap(({ redacted }) => JSON.parse(redacted ?? '[]') as string[])).toEqual(expect.arrayContaining(['column', 'github']));
  });

  it('is no parameter: a call that holds a secret is refused, and says so without repeating it', async () => {
    const secret = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_');
    const answer = await run.call('select_sql', { query: `select '${secret}'` }, { reason: 'x', callId: 'secret-1' });
    expect(answer).toMatchObject({ verdict: 'deny', reasons: [expect.stringMatching(/^SecretInParameters: query hold/) as string] });
    expect(JSON.stringify(answer)).not.toContain(secret);
    expect(await run.call('select_sql', { query: `select '${secret}'` }, { reason: 'x', callId: 'secret-1' })).toMatchObject({ verdict: 'deny' });
  });
});
