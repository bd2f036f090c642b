import { ApprovalState, requiredSigners } from './approval';
import { Call, Card } from './card';
import { CLAUSES } from './clauses';
import { cardDigest, readActionName } from './compile';
import { Manifest } from './manifest';
import { code, table, text } from './markdown';
import { DEFAULT_TIERS, Tier } from './tier';
import { approvalWords, conditionWords, durationWords, limitWords } from './words';

/** What a page is made of besides the card. */
export interface CardPageInput {
  readonly card: Card;
  /** Actions that the card calls; without them the page says that it does not know how they are undone. */
  readonly manifests: readonly Manifest[];
  /** Tiers of the hold queue. */
  readonly tiers?: readonly Tier[];
  /** Whether the card is in force where production data is; absent when nobody looked. */
  readonly approval?: ApprovalState;
}

/** The page a reviewer reads: what the agent is for, what it may know and do, who is asked, what enforces it, who approved it. Markdown. */
export function cardPage({ card, manifests, tiers = DEFAULT_TIERS, approval }: CardPageInput): string {
  const actions = new Map(manifests.map((manifest) => [manifest.name, manifest]));
  const calls = card.scopes.flatMap(({ scope, call }) => (call ?? []).map((each) => ({ scope, call: each })));
  const reads = card.scopes.flatMap(({ scope, read }) => (read ?? []).map((each) => ({ scope, ...each })));
  const aws = card.scopes.flatMap(({ scope, aws: statements }) => (statements ?? []).map((each) => ({ scope, ...each })));
  return [
    `# ${text(card.agent)}`, '',
    text(card.purpose), '',
    ...table(['product owner', 'security owner', 'on call', 'review by', 'card'], [[text(card.owners.product), text(card.owners.security), text(card.owners['on-call']), card['review-by'], code(cardDigest(card).slice(0, 16))]]), '',
    '## Data it may know', '',
    ...table(['system', 'classes'], card['data-inputs'].map(({ system, classes }) => [text(system), classes.join(', ')])), '',
    ...table(['scope', 'reads', 'in rows where', 'kept by'], reads.map(({ scope, table: of, columns, rows, trusted = {}, private: closed = [] }) => [
      code(scope), columns.map((column) => `${code(`${of}.${column}`)}${trusted[column] === undefined ? '' : ` (vouched for, ${trusted[column]})`}${closed.includes(column) ? ' (private)' : ''}`).join(', '), lines(conditionWords(rows), 'every row'), `column grants${rows ? ' and row policy' : ''} of its own Postgres role; Cedar, and the schema of ${code(readActionName(of))}`,
    ])), '',
    ...card.scopes.filter((scope) => scope['direct-sql']).map(({ scope }) => `**Direct SQL** by ${code(scope)}: it writes SELECT statements of its own over these columns and rows, as its own login, in a read-only transaction. Nothing vouches for what it was asked then.`),
    `Models: ${card.models.map(code).join(', ') || 'none'}. Inputs are kept for ${durationWords(card.retention.inputs)}.${card.redact ? ` No record keeps ${card.redact.map(code).join(', ')}.` : ''}`, '',
    ...(card.counterparties ? ['It may deal with these without a request that names them:', '', ...table(['type', 'registered'], card.counterparties.map(({ type, values, from }) => [text(type), values ? values.map(code).join(', ') : `whatever ${code(from)} holds`])), ''] : []),
    '## What it may do', '',
    ...table(['scope', 'action', 'within', 'who agrees', 'undone by'], calls.map(({ scope, call }) => [code(scope), actionWords(call.action, actions.get(call.action)), lines(bounds(call), 'whatever its parameters take'), tierWords(call, tiers), reverse(actions.get(call.action))])), '',
    ...(aws.length > 0 ? [...table(['scope', 'AWS actions', 'on', 'kept by'], aws.map(({ scope, actions: names, resources }) => [code(scope), names.map(code).join(', '), resources.map(code).join(', '), 'IAM role, boundary and session policy'])), ''] : []),
    ...never(card),
    '## What enforces it', '',
    ...table(['bound', 'enforced by'], enforcers(calls.map(({ call }) => call), aws.length > 0)), '',
    ...(card.clauses ? ['## What it is told', '', 'No permission depends on a model that keeps to it.', '', ...card.clauses.map((name) => `- ${text(CLAUSES[name] ?? name)}`), ''] : []),
    '## Environments', '',
    ...table(['environment', 'data', 'kept by'], Object.entries(card.environments).map(([name, { data }]) => [code(name), data, data === 'production'
      ? `the broker starts no run until ${signers(card)} signed this very card`
      : 'the control plane compiles this environment alone; one that ever held production data approves nothing by itself'])), '',
    `What was asked is taken from the ${card.request['trusted-from']}${card.request['trusted-from'] === 'compute' ? ', the agent\'s own program: whoever writes it can say that anything was asked' : ', a principal other than the agent\'s program'}.`, '',
    '## What could go wrong, and how it is found', '',
    ...table(['what', 'found by'], card['failure-modes'].map(({ bad, 'found-by': by }) => [text(bad), lines(Object.entries(by).map(([how, of]) => `${how} ${code(of)}`), '')])), '',
    '## Approval', '',
    approvalLine(card, approval), '',
  ].join('\n');
}

function bounds(call: Call): string[] {
  return [
    ...conditionWords(call.bounds).map(text),
    ...conditionWords(call.row).map((phrase) => `${text(phrase)}, as the database has it`),
    ...(call.requires ?? []).map((what) => `with a ${what.replaceAll('-', ' ')}`),
    ...(call.limits ?? []).map((limit) => text(limitWords(limit))),
  ];
}

function actionWords(name: string, manifest: Manifest | undefined): string {
  const columns = (verb: 'reads' | 'writes'): string[] => (manifest?.[verb] ? [`${verb} ${manifest[verb].map(code).join(', ')}`] : []);
  return [code(name), ...columns('reads'), ...columns('writes')].join('; ');
}

function tierWords({ approval }: Call, tiers: readonly Tier[]): string {
  const tier = tiers.find(({ name }) => name === approval.tier);
  const clock = (minute: number): string => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  const held = tier?.hours ? `until the end of the business day (${text(tier.hours.timeZone)}, ${clock(tier.hours.opens)} to ${clock(tier.hours.closes)})` : tier ? durationWords({ minutes: Math.ceil(tier.windowSeconds / 60) }) : '';
  const window = `${approval.window === undefined && tier ? `, held ${held}` : ''}${tier?.escalateTo === undefined ? '' : `; then ${code(tier.escalateTo)}, too`}`;
  return `${text(approvalWords(approval))}${window}`;
}

function reverse(manifest: Manifest | undefined): string {
  if (!manifest) return '**not looked at:** the action is not at hand';
  if (manifest.effect === 'read') return 'nothing to undo';
  const { kind = 'impossible', sentence = 'nobody said why' } = manifest.reverse ?? {};
  return kind === 'restore' ? 'putting the prior value back' : kind === 'compensate' ? `making up for it: ${text(sentence)}` : `**nothing:** ${text(sentence)}`;
}

function never(card: Card): string[] {
  const rows = Object.entries(card.never ?? {}).map(([verb, names]) => [verb, names.map(code).join(', ')]);
  return rows.length === 0 ? [] : ['Never, even if a scope above is widened by mistake: such a card does not compile.', '', ...table(['never', 'what'], rows), ''];
}

function enforcers(calls: readonly Call[], aws: boolean): string[][] {
  const some = (has: (call: Call) => boolean): boolean => calls.some(has);
  return [
    ['its identity', 'its own IAM role, which only the broker assumes, for less than an hour; its own Postgres logins'],
    ['tables, columns, rows', 'Postgres, closed by default; Cedar; the tool\'s schema'],
    ...(some(({ bounds: of }) => of !== undefined) ? [['parameters', 'Cedar at the gate; the tool\'s schema']] : []),
    ...(some(({ row }) => row !== undefined) ? [['stored rows', 'Postgres, when the call is decided and again in the transaction that runs it']] : []),
    ...(some(({ requires }) => requires !== undefined) ? [['what it must bring', 'the gate; it is kept with the decision']] : []),
    ...(calls.length > 0 ? [['where values come from', 'the gate: what nobody who can be trusted asked for, named or registered is held for a person']] : []),
    ...(some(({ limits }) => limits !== undefined) ? [['windowed limits', 'Postgres, reserved before the effect; one more is held']] : []),
    ...(some(({ approval }) => approval.tier === 'standing') ? [['standing approvals', 'Postgres, by its own clock: after the last day the call is held']] : []),
    ['who agrees', 'the hold queue; without an answer the call is cancelled'],
    ...(aws ? [['AWS actions', 'IAM; the boundary refuses secrets, functions, roles, queues of holds and models whatever the role says']] : []),
  ];
}

function approvalLine(card: Card, approval: ApprovalState | undefined): string {
  if (!approval) return `It asks for ${signers(card)}. Nobody looked whether they signed.`;
  if (approval.faults.length > 0) return `**Not in force where production data is:** ${text(approval.faults.join('; '))}.`;
  return approval.signed.map(({ by, at, key }) => `Approved by ${text(by)} on ${at.slice(0, 10)} with the key ${code(key)}.`).join('\n');
}

const signers = (card: Card): string => requiredSigners(card).map(text).join(' and ');

const lines = (phrases: readonly string[], none: string): string => phrases.join('; ') || none;
