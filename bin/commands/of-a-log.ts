/** Commands about a log that somewhere goes on: what they share is much, and in one bundle. */
export { accessCommand } from './access';
export { agentCommand } from './agent';
export { auditCommand } from './audit';
export { evidenceCommand } from './evidence';
export { rollbackCommand } from './rollback';
export { rotateCommand } from './rotate';
export { runbookCommand } from './runbook';
export { tabletopCommand } from './tabletop';
