/** The command line: parses, calls, prints. Exit codes: 0 as it should be, 1 not as it should be, 2 could not be asked. */
import { Command } from 'commander';
import { red } from './terminal';

// A reader such as `head` may stop reading.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));

const log = (): Promise<typeof import('./commands/of-a-log')> => import('./commands/of-a-log');
const app = (): Promise<typeof import('./commands/of-an-app')> => import('./commands/of-an-app');
/** Each command is loaded when it is asked for, from the bundle that it shares with others like it: what one needs, the others do not wait for. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  local: async () => (await import('./commands/local')).localCommand(),
  audit: async () => (await log()).auditCommand(),
  scope: async () => (await app()).scopeCommand(),
  access: async () => (await log()).accessCommand(),
  agent: async () => (await log()).agentCommand(),
  residency: async () => (await app()).residencyCommand(),
  rotate: async () => (await log()).rotateCommand(),
  rollback: async () => (await log()).rollbackCommand(),
  mcp: async () => (await import('./commands/mcp')).mcpCommand(),
  evidence: async () => (await log()).evidenceCommand(),
  runbook: async () => (await log()).runbookCommand(),
  tabletop: async () => (await log()).tabletopCommand(),
  actions: async () => (await app()).actionsCommand(),
};

async function main(): Promise<void> {
  const program = new Command('agent-controls')
    .enablePositionalOptions() // an option belongs to the command it stands behind
    .description('Agents inside a box that passes a security review: run it on this machine, read and verify its log, check its cards.')
    .addHelpText('after', '\nExit codes: 0 as it should be, 1 not as it should be, 2 the question could not be asked.');
  const asked = COMMANDS[process.argv[2] ?? ''];
  for (const load of asked ? [asked] : Object.values(COMMANDS)) program.addCommand(await load());
  throwing(program);
  await program.parseAsync();
}

function throwing(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwing);
}

main().catch((error: unknown) => {
  const { code, exitCode } = error as { readonly code?: unknown; readonly exitCode?: number };
  if (typeof code === 'string' && code.startsWith('commander.')) { // its class is another one in each bundle
    process.exitCode = exitCode === 0 ? 0 : 2; // commander has said why
    return;
  }
  process.stderr.write(`${red(error instanceof Error ? error.message : String(error), process.stderr)}\n`);
  process.exitCode = 2;
});
