import { Command } from 'commander';
import { LocalRuntime } from '../../local/testing';
import { connectionHints, untilInterrupted } from '../connection-hints';
import { dim, red } from '../terminal';
import { localEnvCommand } from './local-env';

interface Options {
  readonly assembly: string;
  readonly folder: string;
  readonly port: string;
  readonly seed: string[];
  readonly json?: true;
}

/** `agent-controls local`: runs a synthesized app until Ctrl-C. */
export function localCommand(): Command {
  return new Command('local')
    .enablePositionalOptions()
    .addCommand(localEnvCommand())
    .description('Runs a synthesized app on this machine, without an AWS account, until Ctrl-C.')
    .option('--assembly <folder>', 'folder that cdk synth wrote', 'cdk.out')
    .option('--folder <path>', 'folder that everything is kept in', '.agent-controls')
    .option('--port <number>', 'port of the endpoint on 127.0.0.1', '4580')
    .option('--seed <file...>', 'SQL files that make your own tables; run at every start, as their owner', [])
    .option('--json', 'print one line of JSON on standard output once it runs')
    .addHelpText('after', '\nExample:\n  npx cdk synth --quiet && npx agent-controls local --seed tables.sql')
    .action(async ({ assembly, folder, port, seed, json }: Options) => {
      const say = (text: string): void => { (json ? process.stderr : process.stdout).write(`${text}\n`); };
      const runtime = await LocalRuntime.start({ assembly, folder, port: portOf(port), seed, progress: (what) => say(dim(`  ${what}`)) });
      try {
        const { endpoint, api, authorisationEvaluated } = runtime.file;
        if (!authorisationEvaluated) say(red('  Authorisation is not evaluated: install @cloud-copilot/iam-simulate as a development dependency to have it.'));
        if (json) process.stdout.write(`${JSON.stringify({ endpoint, api, file: `${folder}/local.json`, authorisationEvaluated })}\n`);
        else say(connectionHints(runtime.file, folder));
        await untilInterrupted();
      } finally {
        await runtime.stop();
      }
    });
}

/** A port, or an error that says what was given. */
export function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port must be 0 (a free one) to 65535, got ${text}`);
  return port;
}
