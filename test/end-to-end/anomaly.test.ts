/** Findings and their answers on real parts: an agent that is stopped, one whose credential is replaced, and one that is only told of. */
import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentControls, AnomalyResponse, AnomalyRule, ScopeCard } from '../../lib';
import type { LocalRuntime } from '../../local/testing';
import { LocalApp, startApp, testFolder, withProgram } from '../support/local-app';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = testFolder('anomaly');
let local: LocalApp;
let runtime: LocalRuntime;

beforeAll(async () => {
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, 'Watched');
  const failures = (agent: string, response: AnomalyResponse): AnomalyRule => AnomalyRule.repeatedFailures(4, Duration.minutes(5), { response, agents: [agent] });
  const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY, anomalyRules: [failures('stopped', AnomalyResponse.DISABLE), failures('rotated', AnomalyResponse.ROTATE), failures('told', AnomalyResponse.NOTIFY)] });
  for (const name of ['stopped', 'rotated', 'told']) {
    withProgram(stack, controls.addAgent(name, { card: ScopeCard.fromObject({
      agent: name, purpose: 'Reads what it may, and asks for more.', owners: { product: 'p@example.com', security: 's@example.com', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' }, 'data-inputs': [{ system: 's', classes: ['business'] }], models: [], environments: { dev: { data: 'synthetic' } },
      scopes: [{ scope: 'scope://a.read.all', read: [{ table: 'things', columns: ['id'] }] }],
      'failure-modes': [{ bad: 'It asks for what it may not have.', 'found-by': { anomaly: 'repeated-failures' } }], retention: { inputs: { months: 13 } },
    }) }));
  }
  writeFileSync(join(folder, 'seed.sql'), 'create table things (id text primary key, secret text);');
  local = await startApp(folder, app, [join(folder, 'seed.sql')]);
  ({ runtime } = local);
});
afterAll(() => local.stop());

const misbehave = async (agent: string): Promise<void> => {
  const run = await runtime.startRun(agent, { text: 'Read things.' });
  for (let call = 0; call < 4; call += 1) await run.call('read_things', { columns: ['secret'] }, { reason: 'x' });
};
/** As the schedule does it, minutes after something was appended. */
const awake = async (): Promise<{ failed: boolean; payload: string }> => runtime.invoke('agent-controls-keeper', { job: 'checkpoint' });
const entries = async (agent: string, kind: string): Promise<number> => (await local.superuser.query('select from audit.entry where agent = $1 and kind = $2', [agent, kind])).rowCount ?? 0;

describe('a finding', () => {
  it('stops an agent, replaces a credential, or only tells, as its rule says, and does each once', async () => {
    for (const agent of ['stopped', 'rotated', 'told']) await misbehave(agent);
    expect((await awake()).failed).toBe(false);
    await runtime.until(async () => ((await entries('stopped', 'agent.stopped')) > 0 && (await entries('rotated', 'credential.leaked')) > 0 ? true : undefined), 60);
    await expect(runtime.startRun('stopped', { text: 'x' })).rejects.toMatchObject({ code: 'AgentDisabled' });
    expect((await local.superuser.query<{ facts: { person: string } }>("select facts::json as facts from audit.entry where agent = 'stopped' and kind = 'agent.disabled'")).rows[0]?.facts.person).toContain('agent-controls-kill-trigger');
    expect([await entries('told', 'agent.disabled'), await entries('told', 'credential.leaked'), await entries('rotated', 'agent.disabled')]).toEqual([0, 0, 0]);
    expect((await awake()).failed).toBe(false);
    for (const agent of ['stopped', 'rotated', 'told']) expect(await entries(agent, 'anomaly.found'), agent).toBe(1);
  }, 120_000);

  it('that nobody was told of is told by the next look', async () => {
    await local.superuser.query("update anomaly.finding set told = false where agent = 'told'");
    await awake();
    expect((await local.superuser.query('select from anomaly.finding where not told')).rowCount).toBe(0);
  });

  it('does not keep the log from being signed when it cannot be looked for', async () => {
    await local.superuser.query('alter function anomaly.look(text) rename to hidden');
    await misbehave('told');
    expect((await awake()).failed).toBe(true); // the alarm watches this function's errors
    await local.superuser.query('alter function anomaly.hidden(text) rename to look');
    const before = (await local.superuser.query<{ n: string }>('select max(number) as n from audit.checkpoint')).rows[0]?.n;
    expect(Number(before)).toBeGreaterThan(0);
    expect((await runtime.verifyAuditLog()).unanchored).toBeLessThan(5);
  });
});
