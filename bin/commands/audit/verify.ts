import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import * as v from 'valibot';
import { LogVerification, verifyLog } from '../../../lambda/audit/verify-log';
import type { Progress } from '../../../lambda/audit/verify';
import { LogOptions, openLog, withLog } from '../../log';
import { dim, green, progressLine, red } from '../../terminal';
import { KeyOptions, pinnedOr, readJson, withKeys } from './keys';

interface Options extends LogOptions, KeyOptions {
  readonly since?: string;
  readonly fewerCheckpoints?: true;
  readonly chainOnly?: true;
  readonly resume?: string;
}

/** `agent-controls audit verify`. */
export function verifyCommand(): Command {
  return withKeys(withLog(new Command('verify')))
    .description('Computes every hash of the log again, holds it against what was signed, and names what is not as it was written.')
    .option('--since <checkpoint>', 'begin at this checkpoint, or at the last one before a day as 2026-11-22')
    .option('--fewer-checkpoints', 'hold it against the last checkpoint of each hundred, not every one')
    .option('--chain-only', 'leave out payload, tables and view')
    .option('--resume <file>', 'keep in this file how far it came, and go on from there')
    .addHelpText('after', '\nExit codes: 0 the log verifies, 1 it does not, 2 it could not be read.')
    .action(verify);
}

async function verify(options: Options): Promise<void> {
  const log = await openLog(options);
  const line = progressLine();
  try {
    const { since, resume } = options;
    if (since !== undefined && !(/^\d+$/.test(since) || (/^\d{4}-\d{2}-\d{2}$/.test(since) && !Number.isNaN(Date.parse(since))))) throw new Error(`--since takes the number of a checkpoint or a day as 2026-11-22, got ${since}`);
    const result = await verifyLog(log, {
      ...await pinnedOr(log, options.key), controlsName: log.controlsName, fewerCheckpoints: options.fewerCheckpoints ?? false, chainOnly: options.chainOnly ?? false,
      ...(since === undefined ? {} : { since: /^\d+$/.test(since) ? Number(since) : since }), ...(resume !== undefined && existsSync(resume) ? { resume: progressOf(resume) } : {}),
      progress: (what, state) => {
        line.tell(what);
        if (resume !== undefined) keep(resume, state());
      },
    });
    if (resume !== undefined) rmSync(resume, { force: true });
    line.end();
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else print(result);
    process.exitCode = result.ok ? 0 : 1;
  } finally {
    line.end();
    await log.close();
  }
}

/** What an earlier verification kept. Whoever can write this file decides what is verified again, so it is the verifier's own. */
function progressOf(file: string): Progress {
  const kept = v.safeParse(Kept, readJson(file));
  if (!kept.success) throw new Error(`${file} is no progress of an earlier verification; give another file, or remove it to begin anew`);
  return kept.output as Progress;
}

const Kept = v.object({
  chains: v.record(v.pipe(v.string(), v.regex(/^\d+$/)), v.object({ seq: v.pipe(v.string(), v.regex(/^\d+$/)), hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) })),
  entries: v.number(), payloads: v.number(), erased: v.number(), findings: v.array(v.object({ problem: v.string(), entries: v.string(), decisionId: v.nullable(v.string()), sentence: v.string() })), used: v.array(v.string()), told: v.array(v.string()),
});

/** Whole or not at all: it may be interrupted between any two bytes. */
function keep(file: string, state: Progress): void {
  writeFileSync(`${file}.part`, JSON.stringify(state));
  renameSync(`${file}.part`, file);
}

function print({ ok, entries, payloads, erased, findings, checkpoints: { read, known, newest }, unanchored, since, chainOnly, resumed, local, pinned, keys }: LogVerification): void {
  for (const { problem, entries: place, decisionId, sentence } of findings) {
    process.stdout.write(`${red(problem)}  ${place}${decisionId === null ? '' : `  decision ${decisionId}`}\n  ${sentence}\n`);
  }
  const what = chainOnly ? 'The chains' : 'The log';
  const extent = `${entries} entries${chainOnly ? '' : `, ${payloads} payloads`}${erased > 0 ? `, ${erased} erased as signed` : ''}${since === null ? '' : `, since checkpoint ${since}`}${resumed > 0 ? `, ${resumed} of them before it was interrupted` : ''}`;
  if (ok && entries === 0) process.stdout.write(`Nothing to verify: ${since === null ? 'the log has no entry' : `nothing is newer than checkpoint ${since}`}.\n`);
  else process.stdout.write(`${ok ? green(`${what} ${chainOnly ? 'verify' : 'verifies'}`) : red(`The log does not verify: ${findings.length} finding${findings.length === 1 ? '' : 's'}`)}: ${extent}.\n`);
  if (chainOnly) process.stdout.write('Payload, tables, view and functions were not looked at.\n');
  const say = (text: string): void => { process.stdout.write(`${dim(text)}\n`); };
  if (newest) say(`Held against ${read === known ? `${known} checkpoints` : `${read} of ${known} checkpoints`}, the newest ${newest.number} of ${newest.at.slice(0, 19).replace('T', ' ')} UTC.`);
  else if (known > 0) say(`None of the ${known} checkpoints is signed by a key that counts, ${keys.join(', ')}: nothing anchors the log.`);
  if (unanchored > 0 && (newest || known === 0)) say(`${unanchored} entries are newer than ${newest ? 'it' : 'any checkpoint, for there is none'}: their removal together with their chain heads would not show yet.`);
  if (newest) say(pinned ? `Signed by a key you pinned: ${keys.join(', ')}.` : `Signed by the key that the account itself names, ${keys.join(', ')}; pin it with --key, from agent-controls audit keys.`);
  if (local) say('It is the log of a local runtime, and evidence of nothing else.');
}
