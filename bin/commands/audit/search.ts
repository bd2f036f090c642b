import { stringify } from 'csv-stringify/sync';
import Table from 'cli-table3';
import { Command } from 'commander';
import { DecisionFilter, searchDecisions } from '../../../lambda/audit/search';
import { DecisionRow, decisionTable } from '../../decision-table';
import { LogOptions, openLog, withLog } from '../../log';
import { filterOf, withPeriod } from '../../period';
import { bold } from '../../terminal';
import { ocsf } from './ocsf';

interface Options extends LogOptions, DecisionFilter {
  readonly limit: string;
  readonly csv?: true;
  readonly wide?: true;
  readonly ocsf?: true;
}

/** `agent-controls audit search`. */
export function searchCommand(): Command {
  return withPeriod(withLog(new Command('search')))
    .description('Finds decisions and prints them, newest last: as a table, or whole as JSON, CSV or OCSF.')
    .option('--agent <name>', 'of this agent')
    .option('--run <id>', 'of this run')
    .option('--action <name>', 'of this action')
    .option('--reference <id>', 'with this ticket, request or business event')
    .option('--approver <name>', 'that this person decided about')
    .option('--verdict <verdict>', 'permit, hold or deny')
    .option('--status <status>', 'executed, failed, unknown, refused, denied, held, approved, rejected, expired, cancelled')
    .option('--text <words>', 'with these words in what was asked, said, proposed or answered; "a phrase", -not')
    .option('--limit <number>', 'how many, the newest', '20')
    .option('--wide', 'with inputs, output and hashes, cut to fit')
    .option('--csv', 'print CSV on standard output')
    .option('--ocsf', 'print OCSF 1.4 API Activity, one JSON object a line')
    .action(search);
}

const VERDICTS = ['permit', 'hold', 'deny'];
const STATUSES = ['executed', 'failed', 'unknown', 'refused', 'denied', 'held', 'approved', 'rejected', 'expired', 'cancelled'];

async function search({ limit: most, csv, wide, ocsf: asOcsf, ...options }: Options): Promise<void> {
  const limit = Number(most);
  if ([csv, asOcsf, options.json].filter(Boolean).length > 1) throw new Error('one of --json, --csv and --ocsf is expected; choose one');
  if (!Number.isInteger(limit) || limit < 1 || limit > 100_000) throw new Error(`--limit must be 1 to 100000, got ${most}`);
  demandOneOf('--verdict', options.verdict, VERDICTS);
  demandOneOf('--status', options.status, STATUSES);
  const { agent, run, action, reference, approver, verdict, status, from, until, text } = options;
  const filter: DecisionFilter = filterOf({ agent, run, action, reference, approver, verdict, status, from, until, text });
  const log = await openLog(options);
  try {
    const decisions = (await searchDecisions(log, filter, limit)).reverse().map(decisionRow);
    if (csv) process.stdout.write(stringify(decisions.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, cell(value)]))), { header: true, record_delimiter: 'windows' }));
    else if (asOcsf) process.stdout.write(decisions.map((row) => `${JSON.stringify(ocsf(row))}\n`).join(''));
    else if (options.json) process.stdout.write(`${JSON.stringify(decisions)}\n`);
    else if (decisions.length === 0) process.stdout.write(`${Object.keys(filter).length > 0 ? 'No decision is like that.' : 'No decision yet.'}\n`);
    else process.stdout.write(`${wide ? decisionTable(decisions) : briefTable(decisions)}\n`);
  } finally {
    await log.close();
  }
}

function demandOneOf(option: string, value: string | undefined, known: readonly string[]): void {
  if (value !== undefined && !known.includes(value)) throw new Error(`${option} must be one of ${known.join(', ')}, got ${value}`);
}

/** What a reviewer looks for first: one line a decision, with the id that `prove` takes. */
function briefTable(decisions: readonly Decision[]): string {
  const table = new Table({ head: ['time, UTC', 'decision', 'agent', 'action', 'verdict', 'status', 'reasons', 'approver', 'reference'].map((text) => bold(text)), style: { head: [], border: [] } });
  table.push(...decisions.map((row) => [
    row.time.replace('T', ' ').replace('Z', ''), row.decisionId ?? '', row.agent, row.decision, row.verdict ?? '', `${row.status}${row.erased.length > 0 ? ', erased' : ''}`,
    (Array.isArray(row.reasons) ? row.reasons as string[] : []).join(', '), row.approver ?? '', row.reference ?? '',
  ]));
  return table.toString();
}

/** A cell that no spreadsheet takes for a formula: what an agent wrote stands in it. */
function cell(value: unknown): string {
  const text = value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

/** A decision whole, as JSON and CSV have it. */
export interface Decision extends DecisionRow {
  readonly decisionId: string | null;
  readonly inputsAre: string | null;
  readonly verdict: string | null;
  readonly reasons: unknown;
  readonly policyDigest: string | null;
  readonly cardDigest: string | null;
  /** Digests of what it was decided under: card, policies, declaration, schema, prompt, gate, action. */
  readonly versions: Record<string, string>;
  readonly reference: string | null;
  readonly approver: string | null;
  readonly resultHash: string | null;
  readonly result: unknown;
  readonly redacted: unknown;
  /** Which of inputs, output and result were erased. */
  readonly erased: readonly string[];
}

function decisionRow(row: Record<string, unknown>): Decision {
  const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
  const json = (name: string): unknown => JSON.parse(text(name) ?? 'null');
  return {
    time: text('time') ?? '', agent: text('agent') ?? '', runId: text('run_id') ?? '', decisionId: text('decision_id'), decision: text('decision') ?? '', inputsHash: text('inputs_hash'), inputs: json('inputs'), inputsAre: text('inputs_are'),
    model: text('model'), outputHash: text('output_hash'), output: json('output'), downstreamWrites: (json('downstream_writes') ?? []) as string[], authorizedBy: text('authorized_by'), verdict: text('verdict'),
    reasons: json('reasons'), policyDigest: text('policy_digest'), cardDigest: text('card_digest'), versions: (json('versions') ?? {}) as Record<string, string>, reference: text('reference'), approver: text('approver'), status: text('status') ?? '',
    resultHash: text('result_hash'), result: json('result'), redacted: json('redacted'),
    erased: (['inputs', 'output', 'result'] as const).filter((part) => text(`${part}_hash`) !== null && text(part) === null),
  };
}
