/** The command line: parses, calls, prints. Exit codes: 0 as it should be, 1 not as it should be, 2 could not be asked. */
import { Command, CommanderError } from 'commander';
import { accessCommand } from './commands/access';
import { actionsCommand } from './commands/actions';
import { auditCommand } from './commands/audit';
import { localCommand } from './commands/local';
import { scopeCommand } from './commands/scope';
import { red } from './terminal';

// A reader such as `head` may stop reading.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));

const program = new Command('agent-controls')
  .enablePositionalOptions() // an option belongs to the command it stands behind
  .description('Agents inside a box that passes a security review: run it on this machine, read and verify its log, check its cards.')
  .addCommand(localCommand())
  .addCommand(auditCommand())
  .addCommand(scopeCommand())
  .addCommand(accessCommand())
  .addCommand(actionsCommand())
  .addHelpText('after', '\nExit codes: 0 as it should be, 1 not as it should be, 2 the question could not be asked.');

function throwing(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwing);
}
throwing(program);

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2; // commander has said why
    return;
  }
  process.stderr.write(`${red(error instanceof Error ? error.message : String(error), process.stderr)}\n`);
  process.exitCode = 2;
});
