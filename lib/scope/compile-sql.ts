import { CompiledScope } from './compile';
import { sqlIdent, sqlLiteral } from './encode';
import { agentRoleName } from './names';

/**
 * The statements that give an agent's Postgres role its rights, run in one transaction by the registrar.
 *
 * REVOKE before GRANT, or a narrowed card leaves yesterday's rights. The role is the scope's; logins are its members, so a
 * rotated login changes no right.
 */
export function compileSql(scope: CompiledScope, controlsName: string): string[] {
  const name = agentRoleName(controlsName, scope.agent);
  const role = sqlIdent(name, 'agent');
  const statements = [`select controls.clear_role(${sqlLiteral(name, 'agent')})`];
  for (const { table, select, insert, update, rows } of scope.grants) {
    if (select.length > 0) statements.push(`grant select (${select.join(', ')}) on ${table} to ${role}`);
    if (insert.length > 0) statements.push(`grant insert (${insert.join(', ')}) on ${table} to ${role}`);
    if (update.length > 0) statements.push(`grant update (${update.join(', ')}) on ${table} to ${role}`);
    if (rows.length > 0) {
      // A first row policy closes the table to everyone else; the open one keeps other applications as they were, and
      // the restrictive one is ANDed to it for this agent alone.
      statements.push(
        `select controls.open_rows(${sqlLiteral(table, 'table')}::regclass)`,
        `create policy ${sqlIdent(name, 'agent')} on ${table} as restrictive to ${role} using (${rows.map((row) => `(${row})`).join(' and ')})`,
      );
    }
  }
  return statements;
}
