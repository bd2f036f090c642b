/** The refund agent: small refunds, justified, of a charge that the complaint names; from 500.00 on two people must agree. */
import type { LocalRuntime } from 'cdk-agent-controls/testing';
import { asAgent, asCompany, Scene, verdict } from './scene';

export async function billing(runtime: LocalRuntime, { tell, note }: Scene): Promise<string> {
  const charges = await asCompany<{ id: string }>(runtime, "insert into charges select 'ch_' || 2000 + n + (select count(*) from charges), 'C_202', 129900, 'USD', 0, current_date from generate_series(1, 2) n returning id");
  const [small = '', large = ''] = charges.map(({ id }) => id);
  tell.doing(`the help desk files a complaint about ${small} and ${large}, and refunder starts the run`);
  const run = await runtime.startAsked('refunder', { text: `Contoso Robotics was charged for seats it never had: refund 499.99 USD of ${small} and 500.00 USD of ${large}.`, reference: 'HELP-4711' });
  const justification = 'Seats were billed and never assigned, see the invoice of May.';
  const refund = (minorUnits: number, of = small, options: { justification?: string } = { justification }): Promise<Awaited<ReturnType<typeof run.call>>> =>
    run.call('issue_refund', { charge_id: of, amount: { currency: 'USD', minorUnits } }, { reason: 'the customer complains', ...options });
  note('proposes 499.99 without a written justification', 'deny: JustificationMissing', verdict(await refund(49_999, small, {})));
  note('proposes 499.99, justified', 'permit', verdict(await refund(49_999)));
  const again = await refund(49_999);
  note('proposes it again the same day', 'hold: LimitExceeded', verdict(again));
  const stray = await refund(4_900, 'ch_1003');
  note('proposes to refund a charge that nobody asked about', 'hold: ProvenanceUnknown', verdict(stray));
  if (stray.verdict === 'hold') {
    await runtime.approver('fay', { groups: ['payments-leads'] }).reject(await runtime.hold(stray.holdId), 'nobody complained about that one');
    note('fay rejects it', 'rejected', (await run.hold(stray.holdId)).status);
  }
  if (again.verdict === 'hold') {
    await runtime.approver('fay', { groups: ['payments-leads'] }).reject(await runtime.hold(again.holdId), 'once is enough');
    note('fay, of payments-leads, rejects the second one', 'rejected', (await run.hold(again.holdId)).status);
  }
  const high = await refund(50_000, large);
  note('proposes 500.00, which two people must agree to the same day', 'hold: TierAsksPeople', verdict(high));
  if (high.verdict === 'hold') {
    // On the page, as whoever opens it next: all who approve one hold sign in the same way.
    const { digest } = await runtime.hold(high.holdId);
    await (await runtime.visitor('fay', { groups: ['payments-leads'] })).ask('POST', `/approve/holds/${high.holdId}/verdict`, { verdict: 'approve', digest, reason: 'I called them' });
    note('fay approves it on the page; it waits for a second person', 'pending', (await run.hold(high.holdId)).status);
  }
  note('reads customer.payment_method as its own login', 'permission denied for table customer', await asAgent(runtime, 'refunder', 'select payment_method from customer'));
  note('raises a charge as its own login', 'permission denied for table charges', await asAgent(runtime, 'refunder', 'update charges set amount = 1'));
  return run.runId;
}

