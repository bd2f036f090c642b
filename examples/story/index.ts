/** The story that `npm start` plays: four agents at work, what they are refused, and what the log tells of them. */
import { join } from 'node:path';
import type { LocalDecision, LocalMail, LocalRuntime, LogVerification } from 'cdk-agent-controls/testing';
import { billing } from './billing';
import { contracts } from './contracts';
import { crm } from './crm';
import { models } from './models';
import { outreach } from './outreach';
import { rotate } from './rotate';
import { Scene, Step, Teller } from './scene';
import { stop } from './stop';
import { wave } from './wave';

export type { Step, Teller };

/** What the story came to. */
export interface Story {
  readonly runIds: readonly string[];
  readonly steps: readonly Step[];
  readonly decisions: readonly LocalDecision[];
  readonly mails: readonly LocalMail[];
  readonly verification: LogVerification;
}

/** SQL files that make the tables of the story. */
export const SAMPLE_DATA: readonly string[] = ['leads', 'crm', 'billing', 'contracts'].map((name) => join(__dirname, '..', `${name}.sql`));

export async function play(runtime: LocalRuntime, tell: Teller): Promise<Story> {
  const steps: Step[] = [];
  const note: Scene['note'] = (step, expected, got) => {
    const entry = { step, expected, got, ok: expected === got };
    steps.push(entry);
    tell.done(entry);
  };
  const before = new Set(runtime.outbox().map(({ file }) => file));

  const mailing = await outreach(runtime, { tell, note });
  const mails = runtime.outbox().filter(({ file }) => !before.has(file));
  note('mails in the outbox', 'to ada.brandt@northwind.example', `to ${mails.map(({ to }) => to).join(', ')}`);
  const runIds = [mailing, await crm(runtime, { tell, note }), await billing(runtime, { tell, note }), await contracts(runtime, { tell, note }), ...await wave(runtime, { tell, note })];

  await models(runtime, { tell, note });
  await rotate(runtime, { tell, note });
  await stop(runtime, { tell, note });

  tell.doing('the log is read and verified');
  const decisions = (await Promise.all(runIds.map((runId) => runtime.decisions({ runId })))).flat();
  const told = (run: number): string => decisions.filter(({ runId }) => runId === runIds[run]).map(({ status }) => status).join(', ');
  note('the log of the outreach run', 'executed, denied, executed, rejected, expired, denied', told(0));
  note('the log of the CRM run', 'executed, executed, denied, denied, denied', told(1));
  note('the log of the refund run', 'denied, executed, rejected, rejected, held', told(2));
  note('the log of the contract run', 'denied, executed, held', told(3));
  note('the log of the rollback', '12 executed, 1 refused', counted(decisions.filter(({ runId }) => runId === runIds[5]).map(({ status }) => status)));
  await (await runtime.person('pia', 'privacy')).ask('POST', '/checkpoints', {}); // and not only in some minutes, as by itself
  const verification = await runtime.verifyAuditLog();
  note('the log verifies', 'true', String(verification.ok));
  return { runIds, steps, decisions, mails, verification };
}

const counted = (statuses: readonly string[]): string => [...new Set(statuses)].sort().map((status) => `${statuses.filter((each) => each === status).length} ${status}`).join(', ');
