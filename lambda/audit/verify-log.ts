import type { KeyObject } from 'node:crypto';
import { monthEnd, readAnchors, startAt } from './anchors';
import { BOOK_CHECKS, MONTHS, VIEW_COUNT, viewCheck } from './book-checks';
import { DECISION_VIEW, HEADS } from './queries';
import { schemaFindings, SCHEMA_QUERIES, SCHEMAS_JSON } from './schema-check';
import { keyFingerprint } from './statement';
import type { StatementBucket } from './statement-bucket';
import { Finding, Progress, Verification, Verifier } from './verify';

/** A log that can be read, wherever it is. */
export interface LogSource {
  /** Rows of one statement with `:names`, as the auditor. */
  rows(sql: string, values?: Readonly<Record<string, string | number>>): Promise<Record<string, unknown>[]>;
  /** Feeds the whole log to a verifier. */
  verify(verifier: Verifier, progress: (entries: number) => void): Promise<Verification>;
}

/** What a verification is to cover, and with what. */
export interface VerifyOptions {
  readonly controlsName: string;
  readonly bucket: StatementBucket;
  /** Keys whose signatures count. */
  readonly keys: readonly KeyObject[];
  /** Whether the keys came from outside: from whoever wrote them down earlier, and not from the account itself. */
  readonly pinned: boolean;
  /** Begin at the checkpoint of this number, or at the last one before this day, `YYYY-MM-DD`. */
  readonly since?: number | string;
  /** Read the last checkpoint of each hundred alone, and not every one. */
  readonly fewerCheckpoints?: boolean;
  /** Leave payload and everything outside the chains unread. */
  readonly chainOnly?: boolean;
  /** Where an earlier verification was interrupted. */
  readonly resume?: Progress;
  /** Told how far it came, and given what to resume from. */
  readonly progress?: (what: string, state: () => Progress) => void;
}

/** What verification came to, and how far it can be believed. */
export interface LogVerification extends Verification {
  /** Whether it is the log of a local runtime. */
  readonly local: boolean;
  readonly pinned: boolean;
  /** Fingerprints of the keys that counted. */
  readonly keys: readonly string[];
  readonly checkpoints: { readonly read: number; readonly known: number; readonly newest: { readonly number: number; readonly at: string } | null };
  /** Entries that came after the newest checkpoint: their removal would not show yet. */
  readonly unanchored: number;
  /** The checkpoint it began at; null for the whole log. */
  readonly since: number | null;
  /** Whether payload, tables, view and functions were left out. */
  readonly chainOnly: boolean;
  /** Entries that an earlier, interrupted verification had verified. */
  readonly resumed: number;
}

const LOCAL_ACCOUNT = '000000000000';

/** Verifies a log: its chains, its payload, what signed statements say of it, and whatever the database shows of it elsewhere. */
export async function verifyLog(source: LogSource, options: VerifyOptions): Promise<LogVerification> {
  const { controlsName, bucket, keys, pinned, progress = () => undefined } = options;
  const nothing = (): Progress => ({ chains: {}, entries: 0, payloads: 0, erased: 0, findings: [], used: [], told: [] });
  progress('reading signed statements', nothing);
  const [logRow] = await source.rows('select log_id from audit.log');
  const anchors = await readAnchors(bucket, keys, String(logRow?.log_id), { fewer: options.fewerCheckpoints ?? false, named: typeof options.since === 'number' ? options.since : undefined });
  const newest = anchors.checkpoints.at(-1);
  const from = options.since === undefined ? undefined : anchors.checkpoints.filter(({ number, at }) => (typeof options.since === 'number' ? number === options.since : at.slice(0, 10) < (options.since ?? ''))).at(-1);
  if (options.since !== undefined && !from) throw new Error(`there is no checkpoint ${typeof options.since === 'number' ? options.since : `before ${options.since}`} that a key which counts signed; there are ${anchors.known}, the newest is ${newest?.number ?? 'none'}; verify the whole log`);
  if (typeof options.since === 'string' && newest && options.since > newest.at.slice(0, 10)) throw new Error(`${options.since} is after the newest checkpoint, of ${newest.at.slice(0, 10)}; give an earlier day`);
  const verifier = new Verifier(anchors, { start: options.resume ?? (from && startAt(from)), partial: from !== undefined, chainOnly: options.chainOnly ?? false });
  const chained = await source.verify(verifier, (entries) => progress(`${entries} entries verified`, () => verifier.progress()));

  const local = newest ? newest.account === LOCAL_ACCOUNT : (await source.rows("select prosrc as clock from pg_catalog.pg_proc where oid = 'controls.now'::regproc")).some(({ clock }) => String(clock).includes('milliseconds'));
  progress('comparing tables and view with the entries', () => verifier.progress());
  const others = options.chainOnly ? [] : [...await bookFindings(source, anchors.months), ...await viewFindings(source), ...await schema(source, controlsName, local)];
  const heads = await source.rows(HEADS);
  const ends = new Map(newest?.heads.map(([head, seq]) => [head, seq]));
  return {
    ...chained, ok: chained.ok && others.length === 0, findings: [...chained.findings, ...others], local, pinned, keys: keys.map(keyFingerprint),
    checkpoints: { read: anchors.checkpoints.length, known: anchors.known, newest: newest ? { number: newest.number, at: newest.at } : null },
    unanchored: heads.reduce((sum, { head, seq }) => sum + Math.max(0, Number(seq) - (ends.get(Number(head)) ?? 0)), 0), since: from?.number ?? null, chainOnly: options.chainOnly ?? false, resumed: options.resume?.entries ?? 0,
  };
}

async function bookFindings(source: LogSource, months: readonly string[]): Promise<Finding[]> {
  // Rows around the end of the last month that was dropped are neither here nor there. Which that is, signed statements say.
  const last = [...months].sort().at(-1);
  const from = last === undefined ? '2000-01-01 00:00:00+00' : new Date(Date.parse(monthEnd(last)) + 3_600_000).toISOString();
  const findings: Finding[] = [];
  for (const { month } of await source.rows('select month from audit.dropped')) {
    if (!months.includes(String(month))) findings.push({ problem: 'book differs', entries: String(month), decisionId: null, sentence: `the database says that ${String(month)} was dropped, and no signed statement does` });
  }
  for (const { sentence, sql } of BOOK_CHECKS) {
    for (const { what } of await source.rows(sql, { from })) findings.push({ problem: 'book differs', entries: String(what), decisionId: /^[0-9a-f-]{36}$/.test(String(what)) ? String(what) : null, sentence: `${sentence}: ${String(what)}` });
  }
  return findings;
}

async function viewFindings(source: LogSource): Promise<Finding[]> {
  const sql = viewCheck(DECISION_VIEW);
  const findings: Finding[] = [];
  const [{ shown: all, made: these } = {}] = await source.rows(VIEW_COUNT);
  if (all !== these) findings.push({ problem: 'view differs', entries: 'audit.decision', decisionId: null, sentence: `audit.decision has ${String(all)} rows, and the entries give ${String(these)}` });
  for (const { from_day: from, until_day: until } of await source.rows(MONTHS)) {
    const [{ shown, made } = {}] = await source.rows(sql, { from: `${String(from)} 00:00:00+00`, until: `${String(until)} 00:00:00+00` });
    if (shown !== made) findings.push({ problem: 'view differs', entries: String(from).slice(0, 7), decisionId: null, sentence: `audit.decision shows other rows of ${String(from).slice(0, 7)} than the entries give` });
  }
  return findings;
}

async function schema(source: LogSource, controlsName: string, local: boolean): Promise<Finding[]> {
  const read = (name: keyof typeof SCHEMA_QUERIES): Promise<Record<string, unknown>[]> => source.rows(SCHEMA_QUERIES[name], name === 'path' || name === 'planted' ? {} : { schemas: SCHEMAS_JSON });
  return schemaFindings(controlsName, { functions: await read('functions'), relations: await read('relations'), hooks: await read('hooks'), path: await read('path'), planted: await read('planted') }, local);
}
