/** A report that was wrong: the CRM agent does what it is asked, and all of it is undone but for what somebody has changed since. */
import type { LocalPerson, LocalRuntime } from 'cdk-agent-controls/testing';
import { asCompany, Scene, verdict } from './scene';

const WAVE = Array.from({ length: 12 }, (_, index) => `C_${301 + index}`);

interface Plan { readonly total: number; readonly digest: string; readonly conflicts: readonly { readonly decision: string }[] }
interface Rollback { readonly rollback: string; readonly verdict: string; readonly holdId: string; readonly status: string; readonly reversals: Readonly<Record<string, number>> }

/** Plays it. @returns the run, and the run of the rollback. */
export async function wave(runtime: LocalRuntime, { tell, note }: Scene): Promise<readonly string[]> {
  await asCompany(runtime, `insert into customer select id, 'Customer ' || id, 400, 'free' from unnest(array['${WAVE.join("', '")}']) id on conflict (id) do update set tier = 'free'`);
  tell.doing('usage-report, fed from a broken source, asks for twelve new tiers, and crm-tierer sets them');
  const run = await runtime.startAsked('crm-tierer', { text: `${WAVE.join(', ')} passed 1,000 calls a month: see to their tiers.`, reference: 'USAGE-2026-06' });
  const verdicts = new Set<string>();
  for (const customer_id of WAVE) verdicts.add((await run.call('update_tier', { customer_id, tier: 'growth' }, { reason: 'usage is above 1,000' })).verdict);
  note('twelve tiers are set', 'permit', [...verdicts].join(', '));
  await asCompany(runtime, "update customer set tier = 'enterprise' where id = 'C_305'"); // a person has looked after this one

  tell.doing('the keeper, awake to sign the log, looks at what is unusual');
  const { findings } = await (await runtime.person('pia', 'privacy')).ask<{ findings: number }>('POST', '/checkpoints', {});
  note('it finds a wave of writes', 'one finding', findings === 1 ? 'one finding' : `${findings} findings`);
  note('from then on every write of crm-tierer waits for people', 'hold: AnomalyFound', verdict(await run.call('update_tier', { customer_id: 'C_301', tier: 'free' }, { reason: 'usage is below 1,000 after all' })));

  tell.doing('rosa, who answers for incidents, asks what undoing the run would do');
  const rosa = await runtime.person('rosa', 'responder');
  const of = { run: run.runId };
  const plan = await rosa.ask<Plan>('POST', '/rollbacks', { of });
  note('the plan', '12 decisions, 1 conflict', `${plan.total} decisions, ${plan.conflicts.length} conflict`);
  const asked = await rosa.ask<Rollback>('POST', '/rollbacks', { of, plan: plan.digest, reason: 'the report was wrong', reference: 'INC-42' });
  note('twelve at once are for two people', 'hold', asked.verdict);
  await runtime.approver('carl', { groups: ['crm-leads'] }).approve(await runtime.hold(asked.holdId), 'yes, all of them');
  note('carl, of crm-leads, approves the rollback', '11 reversed, 1 conflict', await came(runtime, rosa, asked.rollback));
  const [tiers] = await asCompany<{ free: number; others: string }>(runtime, `select count(*) filter (where tier = 'free')::int as free, string_agg(id || ' ' || tier, ', ') filter (where tier <> 'free') as others from customer where id = any (array['${WAVE.join("', '")}'])`);
  note('every tier is as it was, and what a person did stays', '11 free, C_305 enterprise', `${tiers?.free ?? 0} free, ${tiers?.others ?? ''}`);
  return [run.runId, `rollback-${asked.rollback}`];
}

function came(runtime: LocalRuntime, rosa: LocalPerson, rollback: string): Promise<string> {
  return runtime.until(async () => {
    const { status, reversals } = await rosa.ask<Rollback>('GET', `/rollbacks/${rollback}`);
    return status === 'executed' ? `${reversals.reversed ?? 0} reversed, ${reversals.conflict ?? 0} conflict` : undefined;
  });
}
