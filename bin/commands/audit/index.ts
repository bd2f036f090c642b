import { Command } from 'commander';
import { erasureCommands } from './erasure';
import { findingsCommand } from './findings';
import { modelsCommand } from './models';
import { proofCommands } from './proof';
import { searchCommand } from './search';
import { verdictsCommand } from './verdicts';
import { verifyCommand } from './verify';

/** `agent-controls audit`: searches, verifies, proves and keeps the log. */
export function auditCommand(): Command {
  const command = new Command('audit').description('Searches, verifies, proves and keeps the audit log.');
  for (const each of [searchCommand(), verdictsCommand(), modelsCommand(), findingsCommand(), verifyCommand(), ...proofCommands(), ...erasureCommands()]) command.addCommand(each);
  return command;
}
