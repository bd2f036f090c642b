import Table from 'cli-table3';
import { Command, Option } from 'commander';
import type { SignedApi } from '../../lambda/client/signed-api';
import { LogOptions, openLog, withLog } from '../log';
import { bold, dim, green, progressLine, red } from '../terminal';

interface RollbackOptions extends LogOptions {
  readonly decision?: string;
  readonly run?: string;
  readonly agent?: string;
  readonly since?: string;
  readonly until?: string;
  readonly reason?: string;
  readonly reference?: string;
  readonly plan?: true;
  readonly wait: boolean;
}

interface Plan {
  readonly total: number;
  readonly ready: number;
  readonly agent: string | null;
  readonly digest: string;
  readonly actions: readonly { readonly action: string; readonly kind: 'restore' | 'compensate' | 'impossible' | null; readonly sentence: string | null; readonly state: string; readonly count: number }[];
  readonly looked: number;
  readonly conflicts: readonly Left[];
}

interface Left { readonly reversal?: string; readonly decision: string; readonly action: string; readonly why: string | null }

interface Progress {
  readonly rollback: string;
  readonly status: string;
  readonly holdId: string | null;
  readonly reversals: Readonly<Record<string, number>>;
  readonly left: readonly (Left & { readonly status: string })[];
}

const FOLLOWED = ['held', 'approved', 'permitted', 'executing'];

/** Why a decision cannot be reversed, or was not. */
const WHY: Readonly<Record<string, string>> = {
  ready: 'can be reversed', AlreadyReversed: 'reversed already', InProgress: 'is being reversed now', ReversalUnknown: 'a reversal began, and nobody knows what came of it', Impossible: 'cannot be undone', ActionGone: 'its action is not deployed any more',
  ActionChanged: 'its action was declared otherwise since', OutcomeUnknown: 'nobody knows whether it happened', ImageErased: 'its before-image was erased', ImageGone: 'its before-image is kept no more, or there never was one',
  ChangedSince: 'somebody changed it since; left alone', RowMissing: 'its row is there no more; left alone', NotFinished: 'it did not finish', NeverBegun: 'it was not begun', NoAnswer: 'its action did not answer',
};
const why = (code: string | null): string => (code === null ? '' : WHY[code] ?? code);

/** `agent-controls rollback`: undoes what an agent did, newest first, and names what it leaves alone. */
export function rollbackCommand(): Command {
  const resolve = withLog(new Command('resolve'))
    .description('Says what a person found out about a reversal of which nobody knew: it came about, or it did not and may be tried again.')
    .argument('<rollback>').argument('<reversal>')
    .addOption(new Option('--as <status>', 'what it came to').choices(['reversed', 'failed']).makeOptionMandatory())
    .requiredOption('--reason <text>', 'how you know; it stands in the log')
    .action(async (rollback: string, reversal: string, { as: status, reason, ...options }: LogOptions & { readonly as: string; readonly reason: string }) => {
      const log = await openLog(options);
      try {
        const answer = await (await log.api('responder')).send<object>('POST', `/rollbacks/${encodeURIComponent(rollback)}/reversals/${encodeURIComponent(reversal)}`, { status, reason });
        process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${green('Resolved')}: ${status}.\n`);
      } finally {
        await log.close();
      }
    });
  const outcome = withLog(new Command('outcome'))
    .description('Says what a person found out about a call of which nobody knows what came of it. One that had no effect no longer counts towards limits.')
    .argument('<decision>')
    .addOption(new Option('--as <status>', 'what it came to').choices(['executed', 'failed']).makeOptionMandatory())
    .requiredOption('--reason <text>', 'how you know; it stands in the log')
    .action(async (decision: string, { as: status, reason, ...options }: LogOptions & { readonly as: string; readonly reason: string }) => {
      const log = await openLog(options);
      try {
        const answer = await (await log.api('responder')).send<object>('POST', `/decisions/${encodeURIComponent(decision)}/outcome`, { status, reason });
        process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${green('Recorded')}: ${status}.\n`);
      } finally {
        await log.close();
      }
    });
  return withLog(new Command('rollback'))
    .addCommand(resolve)
    .addCommand(outcome)
    .description('Undoes decisions: runs the reverses of their actions, newest first, where nobody has changed anything since.')
    .addOption(new Option('--decision <id>', 'one decision').conflicts(['run', 'agent']))
    .addOption(new Option('--run <id>', 'every decision of a run').conflicts(['decision', 'agent']))
    .addOption(new Option('--agent <name>', 'every decision of an agent, with --since').conflicts(['decision', 'run']))
    .option('--since <time>', 'from this time on: 2026-05-01T09:30:00Z, or 30m, 2h, 3d ago')
    .option('--until <time>', 'up to this time')
    .option('--reason <text>', 'why; it stands in the log')
    .option('--reference <id>', 'ticket or incident')
    .option('--plan', 'print what would happen, and do nothing')
    .option('--no-wait', 'do not wait for people to agree')
    .addHelpText('after', '\nExit codes: 0 everything was reversed, 1 something was left, 2 the question could not be asked.\n\nExamples:\n  agent-controls rollback --run RUN_ID --plan\n  agent-controls rollback --agent crm-tierer --since 2h --reason "tiers from a broken report" --reference INC-42')
    .action(async (options: RollbackOptions) => {
      const of = selection(options);
      const log = await openLog(options);
      try {
        const api = await log.api('responder');
        const plan = await api.send<Plan>('POST', '/rollbacks', { of });
        if (options.plan) {
          process.stdout.write(options.json ? `${JSON.stringify(plan)}\n` : planned(plan));
          return;
        }
        if (!options.json) process.stdout.write(planned(plan));
        if (plan.ready === 0) throw new Error('NothingToReverse: none of these decisions can be reversed');
        if (options.reason === undefined) throw new Error('ReasonMissing: --reason says why, and stands in the log; give it, or look only with --plan');
        const asked = await api.send<{ rollback: string; verdict: string; holdId?: string; holdUntil?: string }>('POST', '/rollbacks', { of, plan: plan.digest, reason: options.reason, ...(options.reference === undefined ? {} : { reference: options.reference }) });
        if (asked.verdict === 'hold') process.stderr.write(`Held for other people until ${asked.holdUntil ?? ''}: hold ${asked.holdId ?? ''}.\n`);
        const done = asked.verdict === 'hold' && options.wait ? await followed(api, asked.rollback, plan.ready) : await api.send<Progress>('GET', `/rollbacks/${asked.rollback}`);
        process.stdout.write(options.json ? `${JSON.stringify(done)}\n` : told(done));
        const reversed = done.reversals.reversed ?? 0;
        process.exitCode = done.status === 'executed' && reversed === plan.total - already(plan) ? 0 : 1;
      } finally {
        await log.close();
      }
    });
}

const already = ({ actions }: Plan): number => actions.filter(({ state }) => state === 'AlreadyReversed').reduce((sum, { count }) => sum + count, 0);

function selection({ decision, run, agent, since, until }: RollbackOptions): object {
  if (decision !== undefined) return { decision };
  if (run !== undefined) return { run };
  if (agent === undefined || since === undefined) throw new Error('SelectionMissing: which decisions? Give --decision ID, --run ID, or --agent NAME with --since TIME');
  return { agent, since: time(since), ...(until === undefined ? {} : { until: time(until) }) };
}

/** A time, or how long ago it was. */
function time(text: string): string {
  const [, count, unit = ''] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const at = count === undefined ? new Date(text) : new Date(Date.now() - Number(count) * { m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as 'm' | 'h' | 'd']);
  if (Number.isNaN(at.getTime())) throw new Error(`TimeInvalid: got ${text}; a time such as 2026-05-01T09:30:00Z, or 30m, 2h, 3d is expected`);
  return at.toISOString();
}

function planned({ total, ready, agent, actions, looked, conflicts }: Plan): string {
  if (total === 0) return 'These decisions changed nothing: there is nothing to undo.\n';
  const table = new Table({ head: ['action', 'decisions', 'how', 'as things stand'].map((text) => bold(text)), style: { head: [], border: [] }, colWidths: [null, null, 44, null], wordWrap: true });
  table.push(...actions.map(({ action, count, kind, sentence, state }) => [action, String(count), kind === 'restore' ? 'puts the prior value back' : sentence ?? '', state === 'ready' ? green(why(state)) : red(why(state))]));
  const named = conflicts.slice(0, 20).map(({ decision, action, why: code }) => `  ${decision}  ${action}: ${why(code)}`);
  return [
    `${bold('Plan')}: ${conflicts.length > 0 ? 'up to ' : ''}${ready} of ${total} decisions of ${agent ?? 'nobody'} would be reversed, newest first.`, table.toString(),
    ...(conflicts.length > 0 ? [red(`${conflicts.length} of the ${looked} newest that were looked at differ now from what the agent left; where a later decision of this plan changed them, it is reversed first:`), ...named, ...(conflicts.length > 20 ? [`  and ${conflicts.length - 20} more, see --json`] : [])] : looked > 0 ? [dim(`Looked at ${looked}: nobody has changed them since.`)] : []), '',
  ].join('\n');
}

async function followed(api: SignedApi, rollback: string, of: number): Promise<Progress> {
  const line = progressLine();
  for (let pause = 500; ; pause = Math.min(pause * 1.5, 5_000)) {
    const now = await api.send<Progress>('GET', `/rollbacks/${rollback}`);
    const done = Object.entries(now.reversals).filter(([status]) => status !== 'waiting' && status !== 'running').reduce((sum, [, count]) => sum + count, 0);
    line.tell(now.status === 'held' ? 'waiting for people' : `${'█'.repeat(Math.round((done / of) * 30)).padEnd(30, '░')} ${done} of ${of}`);
    if (!FOLLOWED.includes(now.status)) {
      line.end();
      return now;
    }
    await new Promise((resolve) => setTimeout(resolve, now.status === 'held' ? pause : 500));
  }
}

function told({ rollback, status, reversals, left }: Progress): string {
  if (FOLLOWED.includes(status)) return `Not done yet: ${status}; rollback ${rollback}.\n`;
  if (status !== 'executed' && status !== 'failed') return `${red(`Not done: ${status}`)}. Nothing was changed; rollback ${rollback}.\n`;
  const reversed = reversals.reversed ?? 0;
  return [
    `${green('Reversed')}: ${reversed} decisions; rollback ${rollback}.`,
    ...(left.length > 0 ? [red(`Left alone: ${left.length}`), ...left.slice(0, 50).map(({ reversal = '', decision, action, status: of, why: code }) => `  ${decision}  ${action}: ${of === 'unknown' ? `nobody knows whether it was made up for; find out, then: agent-controls rollback resolve ${rollback} ${reversal} --as reversed|failed --reason ...` : why(code)}`)] : []), '',
  ].join('\n');
}
