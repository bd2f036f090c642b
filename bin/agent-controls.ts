/** The command line: parses, calls, prints. Exit codes: 0 as it should be, 1 not as it should be, 2 could not be asked. */
import { Command, CommanderError } from 'commander';
import { red } from './terminal';

// A reader such as `head` may stop reading.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));

/** Each command is loaded when it is asked for: what one needs, the others do not wait for. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  local: async () => (await import('./commands/local')).localCommand(),
  audit: async () => (await import('./commands/audit')).auditCommand(),
  scope: async () => (await import('./commands/scope')).scopeCommand(),
  access: async () => (await import('./commands/access')).accessCommand(),
  agent: async () => (await import('./commands/agent')).agentCommand(),
  residency: async () => (await import('./commands/residency')).residencyCommand(),
  rotate: async () => (await import('./commands/rotate')).rotateCommand(),
  rollback: async () => (await import('./commands/rollback')).rollbackCommand(),
  mcp: async () => (await import('./commands/mcp')).mcpCommand(),
  evidence: async () => (await import('./commands/evidence')).evidenceCommand(),
  runbook: async () => (await import('./commands/runbook')).runbookCommand(),
  tabletop: async () => (await import('./commands/tabletop')).tabletopCommand(),
  actions: async () => (await import('./commands/actions')).actionsCommand(),
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
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2; // commander has said why
    return;
  }
  process.stderr.write(`${red(error instanceof Error ? error.message : String(error), process.stderr)}\n`);
  process.exitCode = 2;
});
