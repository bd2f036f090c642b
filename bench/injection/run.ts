/** `npm run bench:injection -- --data FILE`: attacks that a model obeys to the letter, through the real gate on the local runtime. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { LocalRuntime } from '../../local/testing';
import { demandBundles } from '../../scripts/build-bundles';
import { synthesize } from './app';
import { Replay, Score, TIMINGS, Told } from './replay';
import { readSuites } from './suite';

interface Options {
  readonly data?: string;
  readonly declarations: string;
  readonly json?: string;
  readonly explain?: true;
  readonly tasksOnly?: true;
}

async function main({ data, declarations, json, explain, tasksOnly }: Options): Promise<number> {
  if (data === undefined || !existsSync(data)) {
    process.stderr.write(`DataMissing: ${data === undefined ? 'no file was named' : `there is no ${data}`}. This bench replays suites of tasks and attacks that are not part of the project: a JSON file of
{ "suites": { "<name>": { "tools", "userTasks", "injectionTasks", "registry" } } }, with the calls of each task and what the tools answered.
Name it with --data FILE, and what you declare of its tools with --declarations FILE.\n`);
    return 2;
  }
  const progress = (text: string): void => { process.stderr.write(`  ${text}\n`); };
  const tell = ({ what, verdict, reasons }: Told): void => { if (explain) process.stderr.write(`    ${verdict.padEnd(6)} ${what}${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}\n`); };
  const suites = readSuites(data, declarations);
  await demandBundles(() => progress('building the bundles'));
  progress('synthesizing');
  const stage = synthesize(suites);
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  const runtime = await LocalRuntime.start({ assembly: stage.assembly, folder });
  const scores: Record<string, Record<string, Score>> = {};
  try {
    for (const { name, suite, declared } of suites) {
      const replay = new Replay(runtime, stage, name, suite, declared, tell);
      const benign: Score = { cases: 0, success: 0, partial: 0, tasks: 0, unattended: 0, benignDenied: 0, holds: 0 };
      progress(`${name}: ${suite.userTasks.length} tasks`);
      await replay.tasks(benign);
      for (const timing of TIMINGS) {
        const score = { ...benign };
        progress(`${name}: ${suite.userTasks.length * suite.injectionTasks.length} attacks, ${timing}`);
        if (!tasksOnly) await replay.attacks(score, timing);
        (scores[timing] ??= {})[name] = score;
      }
    }
  } finally {
    await runtime.stop();
    for (const made of [folder, dirname(stage.assembly)]) rmSync(made, { recursive: true, force: true });
  }
  const table = new Table({ head: ['timing', 'suite', 'attacks', 'succeeded', 'in part', 'tasks', 'unattended', 'benign denied', 'holds per task'], style: { head: [], border: [] } });
  for (const [timing, of] of Object.entries(scores)) for (const [name, s] of Object.entries(of)) table.push([timing, name, s.cases, s.success, s.partial, s.tasks, s.unattended, s.benignDenied, (s.holds / s.tasks).toFixed(2)]);
  process.stdout.write(`${table.toString()}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(scores, null, 2)}\n`);
  return Object.values(scores).some((of) => Object.values(of).some(({ success, partial }) => success + partial > 0)) ? 1 : 0;
}

new Command('npm run bench:injection --')
  .option('--data <file>', 'suites of tasks and attacks, JSON')
  .option('--declarations <file>', 'what is declared of their tools, YAML', join(__dirname, 'agentdojo.yaml'))
  .option('--json <file>', 'write the scores as JSON')
  .option('--explain', 'tell every call and why it was held')
  .option('--tasks-only', 'play no attack')
  .action(async (options: Options) => { process.exitCode = await main(options); }).parseAsync().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    process.exitCode = 2;
  });
