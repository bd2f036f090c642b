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
    of.scopes = [{ scope: 'scope://crm.explore', 'direct-sql': true, read: [{ table: 'customer', columns: ['id', 'company', 'tier', 'monthly_usage'], rows: { tier: { in: ['free', 'growth'] } } }], call: [{ action: 'update_tier', approval: { tier: 'auto' } }] }];
  })) });
  explorer.grantStartRun(new iam.Role(stack, 'Bot', { roleName: 'bot', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
  app.synth();
  runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local'), seed: SAMPLE_DATA });
  run = await runtime.startRun('explorer', { text: 'Who uses most?' });
}, 60_000);
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
