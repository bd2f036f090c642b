/** One bad wave of 10,000 updates, made through the gate, and how long it takes until every row has its prior value again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Client } from 'pg';
import { ActionCode, AgentControls, ScopeCard } from '../lib';
import { LocalRuntime } from '../local/testing';
import type { Row } from './measure';

const DECISIONS = 10_000;
const PROMISED_SECONDS = 60;
const WRITERS = 8;

const ACTION = `import { defineAction, param } from 'cdk-agent-controls/action';
export default defineAction({ name: 'set_tier', description: 'Sets the tier of one shop.', reach: 'internal', asks: ['tidy'], sinks: [], parameters: { id: param.references('shop.id'), tier: param.oneOf('free', 'growth') },
  reads: ['shop.id', 'shop.tier'], writes: ['shop.tier'], before: ({ id }, { sql }) => sql.one\`select tier from shop where id = \${id} for update\`,
  execute: async ({ id, tier }, { sql }) => { await sql.run\`update shop set tier = \${tier} where id = \${id}\`; return {}; },
  reverse: { restore: async ({ before, parameters }, { sql }) => (await sql.run\`update shop set tier = \${before.tier} where id = \${parameters.id}\`) === 1 } });`;

interface Asked { readonly rollback: string; readonly holdId: string; readonly digest: string; readonly status: string; readonly reversals: Readonly<Record<string, number>> }

export async function rollback(progress: (what: string) => void): Promise<Record<string, Row>> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  writeFileSync(join(folder, 'set-tier.ts'), ACTION);
  writeFileSync(join(folder, 'seed.sql'), `create table shop (id text primary key, tier text not null); insert into shop select 'S_' || n, 'free' from generate_series(1, ${DECISIONS}) n;`);
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Wave');
  const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY });
  controls.addAction('SetTier', { code: ActionCode.fromEntry(join(folder, 'set-tier.ts')) });
  const agent = controls.addAgent('Tidier', { card: ScopeCard.fromObject({
    agent: 'tidier', purpose: 'Tidies up the tiers of shops.', owners: { product: 'p@example.com', security: 's@example.com', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' },
    'data-inputs': [{ system: 's', classes: ['business'] }], models: ['m'], environments: { dev: { data: 'synthetic' } }, scopes: [{ scope: 'scope://shop.tidy.all', call: [{ action: 'set_tier', approval: { tier: 'auto', approvers: ['leads'] } }] }],
    'failure-modes': [{ bad: 'It tidies too much.', 'found-by': { anomaly: 'bulk-writes' } }], retention: { inputs: { months: 13 } },
  }) });
  agent.grantStartRun(new iam.Role(stack, 'bot', { roleName: 'tidier-bot', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
  app.synth();
  const runtime = await LocalRuntime.start({ assembly: join(folder, 'cdk.out'), folder: join(folder, 'local'), seed: [join(folder, 'seed.sql')] });
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  const client = new Client({ host, port, database, user, password });
  await client.connect();
  try {
    let next = 1;
    const write = async (): Promise<void> => {
      const run = await runtime.startRun('tidier', { text: 'Tidy up the tiers.' });
      for (let n = next++; n <= DECISIONS; n = next++) {
        await run.call('set_tier', { id: `S_${n}`, tier: 'growth' }, { reason: 'tidy' });
        if (n % 1_000 === 0) progress(`${n} of ${DECISIONS} updates`);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    const of = { agent: 'tidier', since: '2000-01-01T00:00:00Z' };
    const rae = await runtime.person('rae', 'responder');
    progress('planning');
    const { digest } = await rae.ask<Asked>('POST', '/rollbacks', { of });
    const asked = await rae.ask<Asked>('POST', '/rollbacks', { of, plan: digest, reason: 'the wave was wrong' });
    progress('rolling back');
    const began = process.hrtime.bigint();
    await runtime.approver('lea', { groups: ['leads'] }).approve(await runtime.hold(asked.holdId), 'undo it');
    const done = await runtime.until(async () => {
      const now = await rae.ask<Asked>('GET', `/rollbacks/${asked.rollback}`);
      return now.status === 'executed' ? now : undefined;
    }, 600);
    const ours = Number(process.hrtime.bigint() - began) / 1e9;
    const { rows: [left] } = await client.query<{ left: number }>("select count(*)::int as left from shop where tier <> 'free'");
    if (left?.left !== 0 || done.reversals.reversed !== DECISIONS) throw new Error(`${left?.left ?? 'no'} rows were not restored: ${JSON.stringify(done.reversals)}`);
    return { 'rollback.10000': { ours, floor: PROMISED_SECONDS, ratio: ours / PROMISED_SECONDS, unit: 's of 60' } };
  } finally {
    await client.end();
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
