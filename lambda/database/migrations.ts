import controls from './001-controls.sql';
import audit from './002-audit.sql';
import gate from './003-gate.sql';
import hold from './004-hold.sql';
import review from './005-review.sql';
import keeping from './006-keeping.sql';
import rollback from './007-rollback.sql';
import kill from './008-kill.sql';
import rotation from './009-rotation.sql';
import residency from './010-residency.sql';
import anomaly from './011-anomaly.sql';
import { createHash } from 'node:crypto';
import { ControlsError } from '../../lib/scope/controls-error';
import { sqlIdent, sqlLiteral } from '../../lib/scope/encode';
import { DUTIES, Duty, dutyRole } from '../../lib/scope/names';

/** One step of the schema. Applied once, in order, and never edited afterwards: the checksum is remembered. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly statements: (controlsName: string) => string[];
}

/** Longest statement that the Data API takes, in characters. */
const LONGEST_STATEMENT = 65_536;
/** What `together` puts around a statement, and more. */
const AROUND = 100;

/** The schema, in order. */
export const MIGRATIONS: readonly Migration[] = [['controls', controls], ['audit', audit], ['gate', gate], ['hold', hold], ['review', review], ['keeping', keeping], ['rollback', rollback], ['kill', kill], ['rotation', rotation], ['residency', residency], ['anomaly', anomaly]].map(([name, text], index) => migration(index + 1, name as string, text as string));

function migration(version: number, name: string, text: string): Migration {
  return {
    version,
    name,
    checksum: createHash('sha256').update(text).digest('hex'),
    statements: (controlsName) => split(named(text, controlsName)),
  };
}

/** Puts the roles' names in; nothing else varies between control planes. */
function named(text: string, controlsName: string): string {
  return text.replaceAll(/\{\{(role|name)\.(\w+)\}\}/g, (_, form: string, duty: string) => {
    if (!(DUTIES as readonly string[]).includes(duty)) throw new ControlsError('MigrationInvalid', `no duty is called ${duty}`);
    const role = dutyRole(controlsName, duty as Duty);
    return form === 'role' ? sqlIdent(role, duty) : sqlLiteral(role, duty);
  });
}

// The Data API takes one statement a call. A statement ends with a semicolon and a blank line, outside the $$ of a body.
function split(text: string): string[] {
  const statements: string[] = [];
  let open = '';
  for (const part of text.trim().replace(/;$/, '').split(/(?<=;)\n\n/)) {
    open += open === '' ? part : `\n\n${part}`;
    if (open.split('$$').length % 2 === 0) continue;
    statements.push(open.trim().replace(/;$/, ''));
    open = '';
  }
  if (open !== '') throw new ControlsError('MigrationInvalid', 'a $$ is not closed');
  for (const statement of statements) {
    if (statement.length > LONGEST_STATEMENT - AROUND) throw new ControlsError('MigrationInvalid', `a statement has ${statement.length} characters; the Data API takes ${LONGEST_STATEMENT - AROUND} and what is put around it`);
  }
  return statements;
}

/** As few statements as do the same: the Data API answers each one by itself, and a schema has hundreds of small ones. */
export function together(statements: readonly string[]): string[] {
  const bodies: string[] = [];
  for (const statement of statements) {
    if (/\$(step|together)\$/.test(statement)) throw new ControlsError('MigrationInvalid', 'a statement has $step$ or $together$ in it, which are what statements are put together with');
    const step = ` execute $step$${statement}$step$;`;
    const last = bodies.at(-1);
    if (last === undefined || last.length + step.length > LONGEST_STATEMENT - AROUND) bodies.push(step);
    else bodies[bodies.length - 1] = last + step;
  }
  return bodies.map((body) => `do $together$ begin${body} end $together$`);
}
