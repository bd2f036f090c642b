/** The CRM agent: writes one column, and nothing else of a customer. */
import type { LocalRuntime } from 'cdk-agent-controls/testing';
import { asAgent, Scene, verdict } from './scene';

export async function crm(runtime: LocalRuntime, { tell, note }: Scene): Promise<string> {
  tell.doing('usage-report asks crm-tierer to look at C_201, and its program starts the run');
  const run = await runtime.startAsked('crm-tierer', { text: 'C_201 passed 1,000 calls a month: see to its tier.', reference: 'USAGE-2026-05' });
  const read = await run.call('read_customer', { columns: ['company', 'monthly_usage', 'tier'], where: { id: 'C_201' } }, { reason: 'see its usage' });
  note('reads the customer', 'permit', verdict(read));
  note('sets its tier to growth', 'permit', verdict(await run.call('update_tier', { customer_id: 'C_201', tier: 'growth' }, { reason: 'usage is above 1,000' })));
  note('proposes enterprise, which is a contract', 'deny: OutOfScope', verdict(await run.call('update_tier', { customer_id: 'C_201', tier: 'enterprise' }, { reason: 'usage may grow' })));
  note('asks for customer.payment_method', 'deny: ParameterInvalid', verdict(await run.call('read_customer', { columns: ['payment_method'] }, { reason: 'see how it pays' })));
  note('proposes a refund', 'deny: ActionUnknown', verdict(await run.call('issue_refund', { charge_id: 'ch_1001', amount: { currency: 'USD', minorUnits: 100 } }, { reason: 'make it happy' })));
  note('writes customer.payment_method as its own login', 'permission denied for table customer', await asAgent(runtime, 'crm-tierer', "update customer set payment_method = 'mine'"));
  note('writes customer.contract_terms as its own login', 'permission denied for table customer', await asAgent(runtime, 'crm-tierer', "update customer set contract_terms = 'net 900'"));
  return run.runId;
}
