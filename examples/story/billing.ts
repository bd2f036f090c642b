/** The refund agent: small refunds, justified, of a charge that the complaint names. */
import type { LocalRuntime } from 'cdk-agent-controls/testing';
import { asAgent, asCompany, outcome, Scene, verdict } from './scene';

export async function billing(runtime: LocalRuntime, { tell, note }: Scene): Promise<string> {
  const [paid] = await asCompany<{ id: string }>(runtime, "insert into charges select 'ch_' || 2001 + (select count(*) from charges), 'C_202', 129900, 'USD', 0, current_date returning id");
  const charge = paid?.id ?? '';
  tell.doing(`the help desk files a complaint about ${charge}, and refunder starts the run`);
  const run = await runtime.startAsked('refunder', { text: `Contoso Robotics was charged twice for seats: refund 19.00 USD of ${charge}.`, reference: 'HELP-4711' });
  const refund = (minorUnits: number, options: { justification?: string } = {}, of = charge): Promise<string> =>
    run.call('issue_refund', { charge_id: of, amount: { currency: 'USD', minorUnits } }, { reason: 'the customer complains', ...options }).then(verdict);
  const justification = 'Two seats were billed and one was used, see the invoice of May.';
  note('proposes 19.00 without a written justification', 'deny: JustificationMissing', await refund(1_900));
  note('proposes 500.00', 'deny: OutOfScope', await refund(50_000, { justification }));
  note('proposes 19.00, justified', 'permit', await refund(1_900, { justification }));
  const split = await run.call('issue_refund', { charge_id: charge, amount: { currency: 'USD', minorUnits: 1_900 } }, { reason: 'the customer complains again', justification });
  note('proposes it again the same day', 'hold: LimitExceeded', verdict(split));
  note('proposes to refund a charge that nobody asked about', 'hold: ProvenanceUnknown', await refund(4_900, { justification }, 'ch_1003'));
  if (split.verdict === 'hold') {
    await runtime.approver('fay', { groups: ['payments-leads'] }).approve(await runtime.hold(split.holdId), 'both seats, I called them');
    note('fay, of payments-leads, approves the second one', 'executed', await outcome(runtime, run, split.holdId));
  }
  note('reads customer.payment_method as its own login', 'permission denied for table customer', await asAgent(runtime, 'refunder', 'select payment_method from customer'));
  note('raises a charge as its own login', 'permission denied for table charges', await asAgent(runtime, 'refunder', 'update charges set amount = 1'));
  return run.runId;
}
