import { readFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command } from 'commander';
import { AccessReview, CardSigner, reviewHolds, signReview } from '../../lib/scope/approval';
import type { Card } from '../../lib/scope/card';
import { readActionName } from '../../lib/scope/compile';
import { ControlsError } from '../../lib/scope/controls-error';
import { diffCards, Difference } from '../../lib/scope/diff';
import { Log, LogOptions, openLog, withLog } from '../log';
import { bold, dim, green, red } from '../terminal';

interface Options extends LogOptions {
  readonly days: string;
  readonly agent?: string;
  readonly as?: string;
  readonly key?: string;
}

/** What a reviewer is told of one agent. */
interface Reviewed {
  readonly agent: string;
  readonly approvedBy: string | null;
  readonly reviewBy: string;
  readonly overdue: boolean;
  readonly permissions: readonly { readonly rule: string; readonly what: string; readonly times: number; readonly last: string | null }[];
  readonly lastReview: { readonly by: string; readonly at: string } | null;
  /** Against the card of the last review, or against the first one that was ever registered. */
  readonly creep: readonly Difference[];
}

/** `agent-controls access review`: what is not used, what crept in, and who said that the rest stays. */
export function accessReviewCommand(): Command {
  return withLog(new Command('review'))
    .description('Lists permissions that were not used and what came since the last review; with --as and --key records who recertified the rest.')
    .option('--days <number>', 'a permission is unused when no call rested on it for so long', '90')
    .option('--agent <name>', 'of this agent only')
    .option('--as <name>', 'record the review of --agent as this owner of its card')
    .option('--key <file>', 'Ed25519 private key of that owner, PEM')
    .addHelpText('after', '\nExit codes: 0 everything is used and reviewed, 1 something is not, 2 the log could not be read.')
    .action(review);
}

/** What a reviewer is told of every agent. */
export async function reviews(log: Pick<Log, 'rows'>, days: number, agent?: string): Promise<Reviewed[]> {
  const cards = await currentCards(log, agent);
  const [usage] = await log.rows('select audit.usage(:days::int) as usage', { days });
  const reviewed: Reviewed[] = [];
  for (const card of cards) reviewed.push(await reviewOf(log, card, JSON.parse(String(usage?.usage)) as Usage));
  return reviewed;
}

async function review(options: Options): Promise<void> {
  const days = Number(options.days);
  if (!Number.isInteger(days) || days < 1 || days > 3_650) throw new ControlsError('DaysInvalid', `--days must be 1 to 3650, got ${options.days}; correct it`);
  if ((options.as === undefined) !== (options.key === undefined)) throw new ControlsError('SignerMissing', 'a review is recorded with --as and --key together; give both, or neither');
  if (options.as !== undefined && options.agent === undefined) throw new ControlsError('AgentMissing', 'a review is recorded for one agent at a time; give --agent');
  const log = await openLog(options);
  try {
    const cards = await currentCards(log, options.agent);
    const reviewed = await reviews(log, days, options.agent);
    const [first] = cards;
    const recorded = options.as !== undefined && options.key !== undefined && first && reviewed[0] ? await record(log, first, reviewed[0], options.as, options.key) : undefined;
    if (options.json) process.stdout.write(`${JSON.stringify({ days, agents: reviewed, recorded: recorded ?? null })}\n`);
    else {
      reviewed.forEach((each) => print(each, days));
      if (recorded) process.stdout.write(`${green('✓')} ${recorded.by} recertified ${recorded.kept.length} permissions of ${recorded.agent}; the log has it.\n`);
    }
    process.exitCode = recorded !== undefined || reviewed.every(({ permissions, creep, overdue, lastReview }) => lastReview !== null && !overdue && permissions.every(({ times }) => times > 0) && creep.every(({ kind }) => kind === 'narrowed')) ? 0 : 1;
  } finally {
    await log.close();
  }
}

interface CardRow {
  readonly card: Card;
  readonly digest: string;
  readonly approvedBy: string | null;
}

async function currentCards(log: Pick<Log, 'rows'>, agent: string | undefined): Promise<CardRow[]> {
  const rows = await log.rows('select agent, card, card_digest, approved_by from audit.card where current order by agent');
  const cards = rows.map((row): CardRow => ({ card: JSON.parse(String(row.card)) as Card, digest: String(row.card_digest), approvedBy: typeof row.approved_by === 'string' ? row.approved_by : null }));
  const chosen = agent === undefined ? cards : cards.filter(({ card }) => card.agent === agent);
  if (chosen.length === 0) throw new ControlsError('AgentUnknown', agent === undefined ? 'no agent is registered; deploy one first' : `got ${JSON.stringify(agent)}; registered are ${cards.map(({ card }) => card.agent).join(', ') || 'none'}`);
  return chosen;
}

interface Usage {
  readonly today: string;
  readonly rules: readonly { readonly agent: string; readonly rule: string; readonly times: number; readonly last: string }[];
}

async function reviewOf(log: Pick<Log, 'rows'>, { card, approvedBy }: CardRow, { today, rules }: Usage): Promise<Reviewed> {
  const used = rules.filter(({ agent }) => agent === card.agent);
  const reviews = (await log.rows("select facts from audit.entry where kind = 'access.reviewed' and agent = :agent order by at desc limit 20", { agent: card.agent })).map(({ facts }) => JSON.parse(String(facts)) as AccessReview);
  const signers = await signersOf(log);
  const lastReview = reviews.find((each) => reviewHolds(each, signers));
  const [before] = lastReview
    ? await log.rows('select card from audit.card where agent = :agent and card_digest = :digest limit 1', { agent: card.agent, digest: lastReview.card_digest })
    : await log.rows('select card from audit.card where agent = :agent order by registered_at limit 1', { agent: card.agent });
  return {
    agent: card.agent, approvedBy, reviewBy: card['review-by'], overdue: card['review-by'] < today,
    permissions: rulesOf(card).map(({ rule, what }) => {
      const use = used.find((each) => each.rule === rule);
      return { rule, what, times: use?.times ?? 0, last: use?.last ?? null };
    }),
    lastReview: lastReview ? { by: lastReview.by, at: lastReview.at } : null,
    creep: before ? diffCards(JSON.parse(String(before.card)) as Card, card) : [],
  };
}

/** The rules of a card as decisions name them. */
function rulesOf(card: Card): { rule: string; what: string }[] {
  return card.scopes.flatMap(({ scope, read, call, ...more }) => [
    ...(more['direct-sql'] ? [{ rule: `${scope}/direct-sql`, what: 'SQL of its own' }] : []),
    ...(read ?? []).map(({ table, columns }, index) => ({ rule: `${scope}/read/${index}`, what: `${readActionName(table)}: ${columns.join(', ')}` })),
    ...(call ?? []).map(({ action }, index) => ({ rule: `${scope}/call/${index}`, what: action })),
  ]);
}

async function signersOf(log: Pick<Log, 'rows'>): Promise<CardSigner[]> {
  return (await log.rows('select name, public_key, security from audit.signer')).map((row) => ({ name: String(row.name), publicKey: String(row.public_key), security: row.security === true }));
}

async function record(log: Log, { card, digest }: CardRow, { permissions }: Reviewed, by: string, keyFile: string): Promise<AccessReview> {
  const signed = signReview(card, permissions.map(({ rule }) => rule), by, new Date(), readFileSync(keyFile, 'utf8'));
  if (!reviewHolds(signed, await signersOf(log))) throw new ControlsError('SignerUnknown', `the control plane does not know this key as ${by}'s; add CardApprover.fromPublicKeyFile to cardApprovers and deploy`);
  const [row] = await log.rows('select audit.record_review(:agent, :review) as recorded', { agent: card.agent, review: JSON.stringify(signed) });
  if (row?.recorded !== true) throw new ControlsError('CardChanged', `the card ${digest.slice(0, 12)} is not in force any more; look again`);
  return signed;
}

function print({ agent, approvedBy, reviewBy, overdue, permissions, lastReview, creep }: Reviewed, days: number): void {
  const table = new Table({ head: ['permission', 'what', `times in ${days} days`, 'last'].map((text) => bold(text)), wordWrap: true, colWidths: [40, 44, 18, 22], style: { head: [], border: [] } });
  table.push(...permissions.map(({ rule, what, times, last }) => [rule, what, times === 0 ? red('unused') : String(times), last === null ? '' : last.slice(0, 19).replace('T', ' ')]));
  process.stdout.write(`${bold(agent)}${dim(`, approved by ${approvedBy ?? 'nobody'}, review by ${reviewBy}`)}${overdue ? red(' overdue') : ''}\n${table.toString()}\n`);
  process.stdout.write(lastReview ? `reviewed by ${lastReview.by} on ${lastReview.at.slice(0, 10)}\n` : `${red('never reviewed')}\n`);
  for (const { kind, sentence } of creep) process.stdout.write(`  ${kind === 'narrowed' ? green(kind) : red(kind)}  ${sentence}\n`);
  process.stdout.write('\n');
}
