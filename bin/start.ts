/** `npm start`: builds the bundles, synthesizes the example app, runs it on this machine and plays its story. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command } from 'commander';
import { demandFree } from '../local/lock';
import { LocalRuntime } from '../local/testing';
import { demandBundles } from '../scripts/build-bundles';
import { play, SAMPLE_DATA, Step, Story } from '../examples/story';
import { portOf } from './commands/local';
import { makeEvidence, tabletopsOf } from './commands/evidence';
import { decisionTable } from './decision-table';
import { connectionHints, untilInterrupted } from './connection-hints';
import { openLog } from './log';
import { bold, dim, green, red } from './terminal';

interface Options {
  readonly once?: true;
  readonly json?: true;
  readonly port: string;
  readonly folder: string;
  readonly fresh?: true;
}

const root = join(__dirname, '..');

async function main(options: Options): Promise<number> {
  const began = Date.now();
  const say = (text: string): void => { (options.json ? process.stderr : process.stdout).write(`${text}\n`); };
  const seconds = (): string => dim(`${((Date.now() - began) / 1_000).toFixed(1)} s`.padStart(7));
  const doing = (text: string): void => say(`${seconds()}  ${text}`);

  demandFree(options.folder); // before a build changes what a running one uses
  await demandBundles(() => doing('building the bundles'));
  doing('synthesizing the example app');
  synthesize();
  // Only what an earlier start has made: the option takes any path.
  if (options.fresh && existsSync(join(options.folder, 'state.json'))) rmSync(options.folder, { recursive: true, force: true });
  const runtime = await LocalRuntime.start({
    assembly: join(root, 'cdk.out'), folder: options.folder, port: portOf(options.port), seed: SAMPLE_DATA, progress: (what) => doing(what),
  });
  try {
    if (!runtime.file.authorisationEvaluated) say(red('         Authorisation is not evaluated: no policy evaluator is installed.'));
    const story = await play(runtime, {
      doing: (what) => say(`${seconds()}  ${bold(what)}`),
      done: ({ step, expected, got, ok }: Step) => say(`         ${ok ? green('✓') : red('✗')} ${step}: ${got}${ok ? '' : red(` (expected ${expected})`)}`),
    });
    const ok = story.steps.every((step) => step.ok);
    doing('writing the evidence of all that');
    const evidence = await evidenceOf(options.folder);
    tell(story, runtime, options, say);
    say(`evidence ${shortest(evidence)}/index.html: what a reviewer takes along; ${dim(`npx agent-controls evidence verify ${shortest(evidence)}`)}`);
    if (options.json) process.stdout.write(`${JSON.stringify(summary(story, runtime, ok, evidence, (Date.now() - began) / 1_000))}\n`);
    if (!options.once) {
      say(connectionHints(runtime.file, shortest(options.folder)));
      await untilInterrupted();
    }
    return ok ? 0 : 1;
  } finally {
    await runtime.stop();
  }
}

/** A path as a person would type it here. */
function shortest(path: string): string {
  const way = relative(process.cwd(), path);
  return way === '' || way.startsWith('..') ? path : way;
}

function synthesize(): void {
  // In a process of its own, as `cdk` does it. The template's own validation costs seconds and runs in `npm test`.
  const { status, stderr } = spawnSync(process.execPath, [require.resolve('tsx/cli'), join(root, 'bin', 'app.ts')], { cwd: root, env: { ...process.env, CDK_OUTDIR: join(root, 'cdk.out'), CDK_VALIDATION: 'false' }, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the example app does not synthesize:\n${stderr}`);
}

function tell({ decisions, mails, verification }: Story, runtime: LocalRuntime, options: Options, say: (text: string) => void): void {
  // Twelve of a kind, and twelve that undo them, say what one says.
  const alike = (index: number): boolean => index > 0 && decisions[index]?.runId === decisions[index - 1]?.runId && decisions[index]?.decision === decisions[index - 1]?.decision && decisions[index]?.status === decisions[index - 1]?.status;
  const told = decisions.filter((_, index) => !alike(index) || !alike(index - 1));
  say(`\n${decisionTable(told, options.json ? 200 : undefined)}\n`);
  if (told.length < decisions.length) say(dim(`         ${decisions.length - told.length} more like those above; npx agent-controls audit search --local shows them.`));
  for (const { file, to, subject } of mails) say(`sent     ${shortest(file)}: "${subject}" to ${to}`);
  say(`verified ${verification.entries} entries and ${verification.payloads} payloads: ${verification.ok ? green('every hash follows') : red(verification.findings.map(({ sentence }) => sentence).join('; '))}`);
  say(dim(`         Checkpoint ${verification.checkpoints.newest?.number ?? 0} is signed, ${verification.unanchored} entries are newer. It is a local log, and evidence of nothing else.`));
  if (runtime.file.authorisationEvaluated) say(dim(`         ${runtime.judged.length} requests were authorised against the synthesized policies.`));
}

/** A folder of its own for every start: evidence is not written over. */
async function evidenceOf(folder: string): Promise<string> {
  const out = join(folder, 'evidence', new Date().toISOString().replaceAll(/[:.]/g, '-'));
  const log = await openLog({ local: true, folder, name: '' });
  try {
    await makeEvidence(log, { out, assembly: join(root, 'cdk.out'), key: [], tabletop: tabletopsOf(folder) }, () => undefined);
    return out;
  } finally {
    await log.close();
  }
}

function summary(story: Story, runtime: LocalRuntime, ok: boolean, evidence: string, took: number): object {
  return {
    ok, local: true, seconds: took, authorisationEvaluated: runtime.file.authorisationEvaluated, runIds: story.runIds, evidence: relative(root, evidence), steps: story.steps, decisions: story.decisions,
    mails: story.mails.map(({ to, subject, file }) => ({ to, subject, file: relative(root, file) })), verification: story.verification,
  };
}

new Command('npm start --')
  .description('Runs the example agents on this machine and plays their story.')
  .option('--once', 'end after the story: exit code 0 when every step is as it should be')
  .option('--fresh', 'forget earlier starts: without it the log goes on where it was')
  .option('--json', 'print one JSON summary on standard output; progress goes to standard error')
  .option('--port <number>', 'port of the endpoint on 127.0.0.1', '4580')
  .option('--folder <path>', 'folder that everything is kept in', join(root, '.agent-controls'))
  .action(async (options: Options) => {
    process.exitCode = await main(options).catch((error: unknown) => {
      process.stderr.write(`${red(error instanceof Error ? error.message : String(error), process.stderr)}\n`);
      return 1;
    });
  })
  .parseAsync().catch(() => { process.exitCode = 2; });
