/** The outreach agent: what it may read, three emails, and what people made of them. */
import type { LocalHold, LocalRuntime } from 'cdk-agent-controls/testing';
import { asAgent, outcome, Scene } from './scene';

const REQUEST = 'Follow up with L_1029 at ada.brandt@northwind.example, L_1030 at bo.lindqvist@contoso.example and L_1031 at chidi.okafor@fabrikam.example.';

const MAILS = [
  { lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: 'Your questions about pricing', body: 'Hello Ada, shall we look at the numbers together?' },
  { lead_id: 'L_1030', to: 'bo.lindqvist@contoso.example', subject: 'The security paper', body: 'Hello Bo, here is what our reviewers ask first.' },
  { lead_id: 'L_1031', to: 'chidi.okafor@fabrikam.example', subject: 'Where your data lives', body: 'Hello Chidi, one page answers that.' },
];

/** Plays it. @returns the run. */
export async function outreach(runtime: LocalRuntime, { tell, note }: Scene): Promise<string> {
  tell.doing('outreach-closer starts a run');
  const run = await runtime.startRun('outreach-closer', { text: REQUEST, reference: 'CRM-881', model: 'claude-sonnet-4-5@2025-09-29' });
  const minutes = Math.round((run.expiresAt.getTime() - runtime.now().getTime()) / 60_000);
  note('a run has credentials that end', '30 minutes', `${minutes} minutes`);

  tell.doing('reads leads through the gate');
  const leads = await run.call('read_leads', { columns: ['name', 'company', 'signals', 'last_touch'] }, { reason: 'find out whom to write to' });
  note('reads the columns of its card', 'permit, 4 rows', leads.verdict === 'permit' ? `permit, ${(leads.result as unknown[]).length} rows` : leads.verdict);
  const phones = await run.call('read_leads', { columns: ['name', 'phone'] }, { reason: 'call them instead' });
  note('asks for leads.phone', 'deny', phones.verdict);
  note('asks Postgres itself for leads.phone, as its own login', 'permission denied for table leads', await asAgent(runtime, 'outreach-closer', 'select phone from leads'));
  note('asks Postgres itself for select *', 'permission denied for table leads', await asAgent(runtime, 'outreach-closer', 'select * from leads'));

  tell.doing('proposes three emails');
  const holds: LocalHold[] = [];
  for (const mail of MAILS) {
    const answer = await run.call('send_email', mail, { reason: `no touch with ${mail.lead_id} for months` });
    note(`proposes a mail to ${mail.lead_id}`, 'hold', answer.verdict);
    if (answer.verdict === 'hold') holds.push(await runtime.hold(answer.holdId));
  }
  const customer = await run.call('send_email', { ...MAILS[0], lead_id: 'L_1032' }, { reason: 'she may want more' });
  note('proposes a mail to a lead that is a customer', 'deny', customer.verdict);

  const [first, second, third] = holds;
  if (!first || !second || !third) throw new Error('the gate did not hold the three emails');
  const dana = runtime.approver('dana', { groups: ['sales-leads'] });
  tell.doing('dana, of sales-leads, approves the first and rejects the second');
  await dana.approve(first, 'she asked for the numbers');
  await dana.reject(second, 'he answered by phone already');
  note('the approved mail is sent once', 'executed', await outcome(runtime, run, first.holdId));
  note('the rejected mail', 'rejected', (await run.hold(second.holdId)).status);

  tell.doing('nobody answers the third; the clock moves on by five minutes');
  await runtime.advance({ minutes: 5 });
  note('the mail nobody answered', 'expired', await run.settled(third.holdId));
  note('an approval that comes late', 'HoldExpired', await dana.approve(third, 'fine').then(() => 'approved', (error: unknown) => (error as { code?: string }).code ?? String(error)));
  return run.runId;
}
