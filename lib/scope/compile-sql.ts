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
    const [schema] = table.split('.');
    if (schema !== '"public"') statements.push(`grant usage on schema ${schema as string} to ${role}`);
    if (select.length > 0) statements.push(`grant select (${select.join(', ')}) on ${table} to ${role}`);
    if (insert.length > 0) statements.push(`grant insert (${insert.join(', ')}) on ${table} to ${role}`);
    if (update.length > 0) statements.push(`grant update (${update.join(', ')}) on ${table} to ${role}`);
    if (rows.length > 0) {
      statements.push(`select controls.limit_rows(${sqlLiteral(table, 'table')}::regclass, ${sqlLiteral(name, 'agent')}, ${sqlLiteral(rows.map((row) => `(${row})`).join(' and '), 'rows')})`);
    }
  }
  return statements;
}
