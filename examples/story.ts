/** The story that `npm start` plays: one agent, three emails, and what the log tells of them. */
import { Client } from 'pg';
import type { LocalDecision, LocalHold, LocalMail, LocalRuntime, Run, Verification } from 'cdk-agent-controls/testing';

/** One step: what should be, and what was. */
export interface Step {
  readonly step: string;
  readonly expected: string;
  readonly got: string;
  readonly ok: boolean;
}

/** What the story came to. */
export interface Story {
  readonly runId: string;
  readonly steps: readonly Step[];
  readonly decisions: readonly LocalDecision[];
  readonly mails: readonly LocalMail[];
  readonly verification: Verification;
}

/** Told as it happens. */
export interface Teller {
  doing(what: string): void;
  done(step: Step): void;
}

const REQUEST = 'Follow up with L_1029 at ada.brandt@northwind.example, L_1030 at bo.lindqvist@contoso.example and L_1031 at chidi.okafor@fabrikam.example.';

const MAILS = [
  { lead_id: 'L_1029', to: 'ada.brandt@northwind.example', subject: 'Your questions about pricing', body: 'Hello Ada, shall we look at the numbers together?' },
  { lead_id: 'L_1030', to: 'bo.lindqvist@contoso.example', subject: 'The security paper', body: 'Hello Bo, here is what our reviewers ask first.' },
  { lead_id: 'L_1031', to: 'chidi.okafor@fabrikam.example', subject: 'Where your data lives', body: 'Hello Chidi, one page answers that.' },
];

export async function play(runtime: LocalRuntime, tell: Teller): Promise<Story> {
  const steps: Step[] = [];
  const note = (step: string, expected: string, got: string): void => {
    const entry = { step, expected, got, ok: expected === got };
    steps.push(entry);
    tell.done(entry);
  };
  const before = new Set(runtime.outbox().map(({ file }) => file));

  tell.doing('outreach-closer starts a run');
  const run = await runtime.startRun('outreach-closer', { text: REQUEST, reference: 'CRM-881', model: 'claude-sonnet-4-5@2025-09-29' });
  const minutes = Math.round((run.expiresAt.getTime() - runtime.now().getTime()) / 60_000);
  note('a run has credentials that end', '30 minutes', `${minutes} minutes`);

  tell.doing('reads leads through the gate');
  const leads = await run.call('read_leads', { columns: ['name', 'company', 'signals', 'last_touch'] }, { reason: 'find out whom to write to' });
  note('reads the columns of its card', 'permit, 4 rows', leads.verdict === 'permit' ? `permit, ${(leads.result as unknown[]).length} rows` : leads.verdict);
  const phones = await run.call('read_leads', { columns: ['name', 'phone'] }, { reason: 'call them instead' });
  note('asks for leads.phone', 'deny', phones.verdict);
  note('asks Postgres itself for leads.phone, as its own login', 'permission denied for table leads', await asAgent(runtime, 'select phone from leads'));
  note('asks Postgres itself for select *', 'permission denied for table leads', await asAgent(runtime, 'select * from leads'));

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

  const mails = runtime.outbox().filter(({ file }) => !before.has(file));
  note('mails in the outbox', 'to ada.brandt@northwind.example', `to ${mails.map(({ to }) => to).join(', ')}`);

  tell.doing('the log is read and verified');
  const decisions = await runtime.decisions({ runId: run.runId });
  note('the log of this run', 'executed, denied, executed, rejected, expired, denied', decisions.map(({ status }) => status).join(', '));
  const verification = await runtime.verifyAuditLog();
  note('the log verifies', 'true', String(verification.ok));
  return { runId: run.runId, steps, decisions, mails, verification };
}

/** What became of an approved call, once it is known. */
function outcome(runtime: LocalRuntime, run: Run, holdId: string): Promise<string> {
  return runtime.until(async () => {
    const hold = await run.hold(holdId);
    return ['held', 'permitted', 'executing'].includes(hold.outcome) ? undefined : hold.outcome;
  });
}

/** What Postgres says to the agent's own login. No agent has this login; it is here to show the second fence. */
async function asAgent(runtime: LocalRuntime, sql: string): Promise<string> {
  const { host, port, database } = runtime.file.postgres;
  const client = new Client({ host, port, database, ...runtime.file.resources.logins['outreach-closer'] });
  await client.connect();
  try {
    const { rowCount } = await client.query(sql);
    return `${rowCount ?? 0} rows`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await client.end();
  }
}
