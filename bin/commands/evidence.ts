import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { Checkpoint, Evidence, keyFingerprint, readStatement, Signed, statementDigest } from '../../lambda/audit/statement';
import { KEY, Manifest, manifestText, seal, writeFolder } from '../evidence/folder';
import type { PageMaker } from '../evidence/page';
import { access } from '../evidence/pages/access';
import { cards } from '../evidence/pages/cards';
import { changes } from '../evidence/pages/changes';
import { decisions } from '../evidence/pages/decisions';
import { findings } from '../evidence/pages/findings';
import { holds } from '../evidence/pages/holds';
import { injection } from '../evidence/pages/injection';
import { kill } from '../evidence/pages/kill';
import { residency } from '../evidence/pages/residency';
import { retention } from '../evidence/pages/retention';
import { reverses } from '../evidence/pages/reverses';
import { rotation } from '../evidence/pages/rotation';
import { demandEvidence, verifyFolder } from '../evidence/verify';
import { Log, LogOptions, openLog, withLog } from '../log';
import { filterOf, Period, withPeriod } from '../period';
import { dim, green, progressLine, red } from '../terminal';
import { KeyOptions, keysOf, pinnedOr, withKeys } from './audit/keys';
import { TABLETOPS } from './tabletop';

/** Pages, in the order of the folder. */
const PAGES: readonly PageMaker[] = [cards, access, decisions, holds, rotation, injection, reverses, residency, kill, changes, retention, findings];

/** What `makeEvidence` is asked for. */
export interface EvidenceOptions extends Period, KeyOptions {
  readonly out: string;
  readonly assembly: string;
  readonly injection?: string;
  readonly tabletop: readonly string[];
}

/** `agent-controls evidence`: the folder that a reviewer takes along. */
export function evidenceCommand(): Command {
  return withKeys(withPeriod(withLog(new Command('evidence').enablePositionalOptions())))
    .description('Writes a folder of pages, made from what the control plane really did, that opens in a browser without a server; and a signed manifest of it.')
    .option('--out <folder>', 'folder to write; one that an interrupted run began is gone on with')
    .option('--assembly <folder>', 'folder that cdk synth wrote: for the access matrix and the template digest', 'cdk.out')
    .option('--injection <file>', 'what npm run bench:injection -- --json wrote')
    .option('--tabletop <file>', 'what agent-controls tabletop --out wrote; again for each', (file: string, before: string[]) => [...before, file], [])
    .addCommand(withKeys(new Command('verify'))
      .description('Verifies a folder from its files and public keys alone: every byte of it, and every proof in it.')
      .argument('<folder>')
      .option('--json', 'print JSON on standard output')
      .addHelpText('after', '\nExit codes: 0 it is as it was made, 1 it is not, 2 it could not be read.')
      .action(verify))
    .addHelpText('after', '\nExit codes: 0 made, 2 not.')
    .action(async ({ out, ...options }: Omit<EvidenceOptions, 'out'> & { readonly out?: string } & LogOptions) => {
      if (out === undefined) throw new Error('FolderMissing: --out names the folder to write');
      const log = await openLog(options);
      const line = progressLine();
      const played = options.local ? tabletopsOf(options.folder) : [];
      try {
        const made = await makeEvidence(log, { ...options, out, tabletop: [...played, ...options.tabletop] }, (what) => line.tell(what));
        line.end();
        if (options.json) process.stdout.write(`${JSON.stringify(made)}\n`);
        else process.stdout.write(`${green('Made')}: ${made.files} files. Open ${join(out, 'index.html')}\n${dim(`Signed under ${made.statement}. It holds what decisions held: keep it as you keep the log.`)}\n${made.local ? dim('It is of a local runtime, and evidence of nothing else.\n') : ''}`);
      } finally {
        line.end();
        await log.close();
      }
    });
}

/** Reports that lie in the folder of a local runtime. */
export const tabletopsOf = (folder: string): string[] => (existsSync(join(folder, TABLETOPS)) ? readdirSync(join(folder, TABLETOPS)).filter((name) => name.endsWith('.json')).sort().map((name) => join(folder, TABLETOPS, name)) : []);

/** Makes the folder and has it signed. */
export async function makeEvidence(log: Log, options: EvidenceOptions, tell: (what: string) => void): Promise<{ out: string; files: number; statement: string; local: boolean }> {
  const { from, until } = filterOf({ from: options.from, until: options.until });
  const { bucket, keys } = await pinnedOr(log, options.key);
  const newest = await bucket.latestCheckpoint();
  const checkpoint = newest && (readStatement(await bucket.get(newest), keys) as Signed<Checkpoint> | undefined)?.statement;
  if (!checkpoint) throw new Error('NothingAnchored: the log has no checkpoint that a key which counts signed; agent-controls audit checkpoint makes one, or wait some minutes');
  // What came later is not anchored yet, and grows while pages are made.
  const end = until === undefined || Date.parse(until) > Date.parse(checkpoint.databaseAt) ? checkpoint.databaseAt : until;
  if (from !== undefined && Date.parse(from) >= Date.parse(end)) throw new Error(`PeriodEmpty: --from must be before ${end}, where the newest checkpoint or --until is, got ${from}; take an earlier one`);
  const local = checkpoint.account === '000000000000';
  const manifest: Manifest = await writeFolder(options.out, PAGES, {
    log, bucket, keys, tabletops: options.tabletop.map((file) => resolve(file)), checkpoint: { number: checkpoint.number, databaseAt: checkpoint.databaseAt, digest: statementDigest(checkpoint).toString('hex') },
    assembly: existsSync(options.assembly) ? resolve(options.assembly) : undefined, injection: options.injection === undefined ? undefined : resolve(options.injection), progress: tell,
    period: { ...(from === undefined ? {} : { from }), until: end },
  }, local, tell);
  tell('having it signed');
  const digest = createHash('sha256').update(manifestText(manifest)).digest('hex');
  const signature = await (await log.api('auditor')).send<Signed<Evidence>>('POST', '/evidence', { manifest: digest, files: Object.keys(manifest.files).length, from: manifest.from, until: manifest.until });
  seal(options.out, manifest, signature);
  const { ok, problems } = verifyFolder(options.out, keys);
  if (!ok) throw new Error(`EvidenceInvalid: what was written does not verify: ${problems[0] ?? ''}`);
  return { out: options.out, files: Object.keys(manifest.files).length, statement: `evidence/${digest}.json`, local };
}

function verify(folder: string, options: KeyOptions & { readonly json?: true }): void {
  demandEvidence(folder);
  const pinned = options.key.length > 0;
  const keys = pinned ? keysOf(options.key) : keysOf([join(folder, KEY)]);
  const result = verifyFolder(folder, keys);
  if (options.json) process.stdout.write(`${JSON.stringify({ ...result, pinned, keys: keys.map(keyFingerprint) })}\n`);
  else {
    for (const problem of result.problems) process.stdout.write(`${red('✗')} ${problem}\n`);
    process.stdout.write(result.ok ? `${green('As it was made')}: ${result.files} files, ${result.proofs} proofs, signed ${result.statement?.at.slice(0, 19).replace('T', ' ') ?? ''} for ${result.statement?.by ?? ''}, who wrote the pages.\n` : `${red('Not as it was made')}: ${result.problems.length} problems.\n`);
    process.stdout.write(dim(pinned ? `Signed by a key you pinned: ${keys.map(keyFingerprint).join(', ')}.\n` : `Signed by the key that lies in the folder itself, ${keys.map(keyFingerprint).join(', ')}: pin it with --key, from whoever you trust.\n`));
    if (result.statement?.account === '000000000000') process.stdout.write(dim('It is of a local runtime, and evidence of nothing else.\n'));
  }
  process.exitCode = result.ok ? 0 : 1;
}
