import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command } from 'commander';
import type { Erasure } from '../../../lambda/audit/statement';
import type { SignedApi } from '../../../lambda/client/signed-api';
import { LogOptions, openLog, withLog } from '../../log';
import { bold, dim, green } from '../../terminal';

/** `agent-controls audit erase`, `legal-hold`, `checkpoint`: what people with the privacy role ask of the keeper. */
export function erasureCommands(): Command[] {
  const reference = ['--reference <id>', 'ticket or request that asks for it'] as const;
  return [
    withLog(new Command('erase'))
      .description('Erases what the log holds of a subject. Chains and checkpoints stay valid; the signed receipt says when backups expire.')
      .requiredOption('--subject <text>', 'how the subject is written in calls: an address, an id, a name')
      .requiredOption(...reference)
      .option('--receipt <file>', 'write the signed receipt to a file')
      .option('--dry-run', 'say how much would be erased, and erase nothing')
      .addHelpText('after', '\nCase and Unicode forms are folded, and words are matched whole. Of a text that mentions the subject, the whole text goes.\nExit codes: 0 erased, 2 not: a legal hold, calls that still wait, nobody of that name.')
      .action(erase),
    new Command('legal-hold').description('Places, lists and releases legal holds: while one is open nothing of its subject is erased, and no month is dropped.')
      .addCommand(withLog(new Command('place')).description('Places a legal hold.').option('--subject <text>', 'about this subject alone; about everything otherwise').requiredOption(...reference).action(place))
      .addCommand(withLog(new Command('list')).description('Prints open legal holds.').action(list))
      .addCommand(withLog(new Command('release')).description('Releases a legal hold.').argument('<id>').action(release)),
    withLog(new Command('checkpoint')).description('Has the log signed now, if anything was appended since the last checkpoint.').action(checkpoint),
  ];
}

async function asking<T>(options: LogOptions, ask: (api: SignedApi) => Promise<T>, tell: (answer: T) => string): Promise<void> {
  const log = await openLog(options);
  try {
    const answer = await ask(await log.api('privacy'));
    process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${tell(answer)}\n`);
  } finally {
    await log.close();
  }
}

interface EraseOptions extends LogOptions {
  readonly subject: string;
  readonly reference: string;
  readonly receipt?: string;
  readonly dryRun?: true;
}

async function erase({ subject, reference, receipt, dryRun, ...options }: EraseOptions): Promise<void> {
  if (dryRun) {
    await asking(options, (api) => api.send<{ payloads: number; calls: number; runs: number; waiting: number }>('POST', '/erasures', { subject, reference, dryRun }),
      ({ payloads, calls, runs, waiting }) => `Would erase: ${payloads} payloads, ${calls} calls, ${runs} runs.${waiting > 0 ? ` ${waiting} of the calls still wait or run, and are decided first.` : ''}`);
    return;
  }
  // A receipt that cannot be written must not come to light when everything is gone.
  if (receipt !== undefined) writeFileSync(receipt, '', { mode: 0o600 });
  await asking(options, async (api) => {
    const answer = await api.send<{ statement: Erasure; name: string; digest: string }>('POST', '/erasures', { subject, reference });
    if (receipt !== undefined) writeFileSync(receipt, `${JSON.stringify(answer, null, 2)}\n`, { mode: 0o600 });
    return answer;
  }, ({ statement, name }) => `${green('Erased')}: ${statement.payloads.length} payloads, ${statement.calls} calls, ${statement.runs} runs.\nThe signed statement is ${name}. Backups of the database hold it until ${statement.backupsExpire}.${dim('\nTables of your own applications are yours to erase.')}`);
}

async function place({ subject, reference, ...options }: LogOptions & { readonly subject?: string; readonly reference: string }): Promise<void> {
  await asking(options, (api) => api.send<{ legalHold: string }>('POST', '/legal-holds', { ...(subject === undefined ? {} : { subject }), reference }), ({ legalHold }) => `${green('Placed')}: legal hold ${legalHold}, ${subject === undefined ? 'about everything' : 'about that subject'}. No month is dropped while it is open.`);
}

interface LegalHold { readonly legalHold: string; readonly everything: boolean; readonly reference: string; readonly placedBy: string; readonly placedAt: string }

async function list(options: LogOptions): Promise<void> {
  await asking(options, async (api) => (await api.send<{ legalHolds: LegalHold[] }>('GET', '/legal-holds')).legalHolds, (holds) => {
    if (holds.length === 0) return 'No legal hold is open.';
    const table = new Table({ head: ['legal hold', 'about', 'reference', 'placed by', 'placed at'].map((text) => bold(text)), style: { head: [], border: [] } });
    table.push(...holds.map((hold) => [hold.legalHold, hold.everything ? 'everything' : 'a subject', hold.reference, hold.placedBy, hold.placedAt.slice(0, 19).replace('T', ' ')]));
    return table.toString();
  });
}

async function release(id: string, options: LogOptions): Promise<void> {
  await asking(options, (api) => api.send<{ legalHold: string }>('POST', `/legal-holds/${encodeURIComponent(id)}/release`, {}), ({ legalHold }) => `${green('Released')}: legal hold ${legalHold}.`);
}

async function checkpoint(options: LogOptions): Promise<void> {
  await asking(options, (api) => api.send<{ number: number | null; skipped?: string }>('POST', '/checkpoints', {}), ({ number, skipped }) => (number === null ? `No checkpoint: ${skipped ?? ''}.` : `${green('Signed')}: checkpoint ${number}.`));
}
