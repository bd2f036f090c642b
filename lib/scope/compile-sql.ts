import { CompiledScope, TableGrant } from './compile';
import { sqlColumn, sqlIdent, sqlLiteral, sqlTable } from './encode';
import { Manifest } from './manifest';
import { agentRoleName, dutyRole } from './names';
import { columnParts } from './never';

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
  // The image that a write leaves, in its own transaction.
  if (Object.values(scope.tools).some(({ kind, effect }) => kind === 'action' && effect === 'write')) statements.push(`grant usage on schema undo to ${role}`, `grant execute on function undo.keep(uuid, text) to ${role}`);
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

/**
 * The statements that give the login of reversals its rights: what the reverses of these actions read and write, and the rows they take out.
 * It is no agent's, so what an agent did can be undone when the agent is disabled, changed or gone.
 */
export function compileReverseSql(manifests: readonly Manifest[], granted: readonly Pick<TableGrant, 'table' | 'select'>[], controlsName: string): string[] {
  const name = dutyRole(controlsName, 'reverse');
  const role = sqlIdent(name, 'controlsName');
  const statements = [
    `select controls.clear_role(${sqlLiteral(name, 'controlsName')})`,
    `grant usage on schema undo to ${role}`, `grant execute on function undo.images(text), undo.begins(uuid, uuid), undo.mark(text) to ${role}`,
  ];
  const rights = new Map<string, Set<string>>();
  const add = (table: string, right: string): unknown => rights.set(table, (rights.get(table) ?? new Set()).add(right));
  for (const { name: action, reads = [], writes = [], reverse } of manifests) {
    if (!reverse || reverse.kind === 'impossible') continue;
    for (const [columns, field, kinds] of [[reads, 'reads', ['select']], [writes, 'writes', ['select', 'insert', 'update']]] as const) {
      for (const written of columns) {
        const [of, column] = columnParts(written, `${action}.${field}`);
        for (const kind of kinds) add(sqlTable(of, `${action}.${field}`), `${kind} (${sqlColumn(column, `${action}.${field}`)})`);
      }
    }
    for (const table of reverse.deletes ?? []) add(sqlTable(table, `${action}.reverse.deletes`), 'delete');
  }
  // Its SQL may also read what cards let the agents read.
  for (const { table, select } of granted) if (rights.has(table)) for (const column of select) add(table, `select (${column})`);
  for (const [table, of] of rights) {
    // What is not there, or is there no more, was not written. Usage of its schema comes with the first table.
    const there = (right: string): string => (right === 'delete' ? '' : `if exists (select from pg_catalog.pg_attribute where attrelid = t and attname = ${sqlLiteral(right.slice(right.indexOf('"') + 1, -2), 'column')} and not attisdropped) then `);
    statements.push(`do $$ declare t regclass := to_regclass(${sqlLiteral(table, 'table')}); begin if t is null then return; end if; grant usage on schema ${table.split('.')[0] as string} to ${role};`
      + `${[...of].sort().map((right) => ` ${there(right)}grant ${right} on ${table} to ${role};${right === 'delete' ? '' : ' end if;'}`).join('')} perform undo.open_rows(t, ${sqlLiteral(name, 'controlsName')}); end $$`);
  }
  return statements;
}
