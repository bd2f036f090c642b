/** The contract clerk: a change of terms that waits an hour for people, and one that still waits when the story ends. */
import type { LocalRuntime } from 'cdk-agent-controls/testing';
import { asCompany, outcome, Scene, verdict } from './scene';

export async function contracts(runtime: LocalRuntime, { tell, note }: Scene): Promise<string> {
  await asCompany(runtime, "update contracts set payment_days = 30 where id = 'K_301'; update contracts set payment_days = 14 where id = 'K_302'");
  tell.doing('the contract desk asks for new terms, and contract-clerk starts the run');
  const run = await runtime.startAsked('contract-clerk', { text: 'Amend K_301 to payment within 45 days and K_302 to 60 days, as agreed with both.', reference: 'LEGAL-218' });
  const amend = (contract_id: string, payment_days: number): Parameters<typeof run.call> => ['amend_contract', { contract_id, payment_days }, { reason: 'both sides agreed' }];
  const foreseen = await run.foresee(...amend('K_301', 45));
  note('asks first what would become of it', 'hold, tier contract', `${foreseen.verdict}, tier ${foreseen.tier ?? ''}`);
  note('proposes terms nobody may agree to', 'deny: OutOfScope', verdict(await run.call(...amend('K_301', 120))));
  const first = await run.call(...amend('K_301', 45));
  note('proposes 45 days for K_301', 'hold: TierAsksPeople', verdict(first));
  if (first.verdict === 'hold') {
    note('it waits for legal', '60 minutes', `${Math.round((first.holdUntil.getTime() - runtime.now().getTime()) / 60_000)} minutes`);
    await runtime.approver('lee', { groups: ['legal'] }).approve(await runtime.hold(first.holdId), 'signed by both on Monday');
    note('lee, of legal, approves it', 'executed', await outcome(runtime, run, first.holdId));
  }
  note('proposes 60 days for K_302, which waits', 'hold: TierAsksPeople', verdict(await run.call(...amend('K_302', 60))));
  return run.runId;
}
