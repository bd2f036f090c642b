import { MIGRATIONS } from '../database/migrations';
import type { Finding } from './verify';

/** Functions as the migrations make them, whose text Postgres keeps byte for byte. */
interface FunctionText {
  readonly body: string;
  readonly definer: boolean;
}

const SCHEMAS = ['audit', 'controls', 'gate', 'hold'];
const CLOCK = 'controls.now';
/** What a local runtime makes of the clock; deployed, it is the server's. */
const MOVED_CLOCK = /^select clock_timestamp\(\) \+ interval '-?\d+ milliseconds'$/;

/** Statements that read what is there. `:schemas` is a JSON array. */
export const SCHEMA_QUERIES = {
  functions: `select n.nspname || '.' || p.proname as name, p.prosrc as body, p.prosecdef as definer from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace where n.nspname in (select json_array_elements_text(:schemas::json)) order by 1, 2`,
  hooks: `select c.oid::regclass::text || ' has ' || h.what as what from (
      select tgrelid as oid, 'the trigger ' || tgname as what from pg_catalog.pg_trigger where not tgisinternal
      union all select ev_class, 'the rule ' || rulename from pg_catalog.pg_rewrite where rulename <> '_RETURN'
      union all select oid, 'row security' from pg_catalog.pg_class where relrowsecurity) h
    join pg_catalog.pg_class c on c.oid = h.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname in (select json_array_elements_text(:schemas::json)) order by 1`,
} as const;

export const SCHEMAS_JSON = JSON.stringify(SCHEMAS);

/** The definition of the view that people read. */
export function decisionDefinition(controlsName: string): string {
  const start = 'create view audit.decision as\n';
  const statement = MIGRATIONS.flatMap(({ statements }) => statements(controlsName)).find((each) => each.includes(start));
  if (statement === undefined) throw new Error('the migrations make no audit.decision');
  return statement.slice(statement.indexOf(start) + start.length);
}

/**
 * Compares the functions of a control plane with those of this package, and looks for what could run beside them.
 *
 * @param local whether the clock may be a moved one.
 */
export function schemaFindings(controlsName: string, functions: readonly Record<string, unknown>[], hooks: readonly Record<string, unknown>[], local: boolean): Finding[] {
  const made = functionsOf(controlsName);
  const found = new Map<string, FunctionText[]>();
  for (const { name, body, definer } of functions) found.set(String(name), [...(found.get(String(name)) ?? []), { body: String(body), definer: definer === true }]);
  const sentences = [
    ...[...found].filter(([name, [first, ...others]]) => !made.has(name) || others.length > 0 || first === undefined).map(([name]) => `${name} is a function that this version does not make`),
    ...[...made].flatMap(([name, { body, definer }]) => {
      const [there] = found.get(name) ?? [];
      if (!there) return [`${name} is gone`];
      if (name === CLOCK && local && MOVED_CLOCK.test(there.body)) return [];
      return there.body === body && there.definer === definer ? [] : [`${name} is not what this version makes: it was altered, or the control plane was deployed with another version`];
    }),
    ...hooks.map(({ what }) => String(what)),
  ];
  return sentences.map((sentence) => ({ problem: 'schema altered', entries: sentence.split(' ')[0] ?? '', decisionId: null, sentence }));
}

function functionsOf(controlsName: string): Map<string, FunctionText> {
  const made = new Map<string, FunctionText>();
  for (const statement of MIGRATIONS.flatMap(({ statements }) => statements(controlsName))) {
    const name = /^create function ([\w.]+)\(/m.exec(statement)?.[1];
    if (name === undefined) continue;
    const dollars = /\bas\s+\$\$([\s\S]*)\$\$$/.exec(statement)?.[1];
    const quoted = /\bas\s+'([\s\S]*)'$/.exec(statement)?.[1]?.replaceAll("''", "'");
    const body = dollars ?? quoted;
    if (body === undefined) throw new Error(`the body of ${name} is not found in its migration`);
    made.set(name, { body, definer: /\bsecurity definer\b/.test(statement.slice(0, statement.indexOf(body))) });
  }
  return made;
}
