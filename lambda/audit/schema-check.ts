import { MIGRATIONS } from '../database/migrations';
import type { Finding } from './verify';

/** Functions as the migrations make them, whose text Postgres keeps byte for byte. */
interface FunctionText {
  readonly body: string;
  readonly definer: boolean;
  /** Settings it runs under, as `name=value; name=value`. */
  readonly settings: string;
}

const SCHEMAS = ['audit', 'controls', 'gate', 'hold', 'undo', 'anomaly'];
const CLOCK = 'controls.now';
/** What a local runtime makes of the clock; deployed, it is the server's. */
const MOVED_CLOCK = /^select clock_timestamp\(\) \+ interval '-?\d+ milliseconds'$/;

/** Statements that read what is there. `:schemas` is a JSON array. */
export const SCHEMA_QUERIES = {
  functions: `select n.nspname || '.' || p.proname as name, p.prosrc as body, p.prosecdef as definer, coalesce(array_to_string(p.proconfig, '; '), '') as settings from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace where n.nspname in (select json_array_elements_text(:schemas::json)) order by 1, 2`,
  relations: `select n.nspname || '.' || c.relname as name, c.relkind::text as kind from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname in (select json_array_elements_text(:schemas::json)) order by 1`,
  // Asked by names that nothing can shadow: what comes before pg_catalog in a search path answers in its place.
  path: "select pg_catalog.current_setting('search_path') as path",
  hooks: `select c.oid::regclass::text || ' has ' || h.what as what from (
      select tgrelid as oid, 'the trigger ' || tgname as what from pg_catalog.pg_trigger where not tgisinternal
      union all select ev_class, 'the rule ' || rulename from pg_catalog.pg_rewrite where rulename <> '_RETURN'
      union all select oid, 'row security' from pg_catalog.pg_class where relrowsecurity
      -- Whoever may write past the functions; the owner may, as does any superuser, which is what the chains are for.
      union all select c.oid, 'the right ' || a.privilege_type || ' for ' || coalesce(a.grantee::regrole::text, 'PUBLIC') from pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a where a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES') and a.grantee <> c.relowner
      union all select t.attrelid, 'the right ' || a.privilege_type || ' for ' || coalesce(a.grantee::regrole::text, 'PUBLIC') from pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a where a.privilege_type <> 'SELECT') h
    join pg_catalog.pg_class c on c.oid = h.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname in (select json_array_elements_text(:schemas::json)) order by 1`,
  // Postgres' own have lower numbers than any that came later.
  planted: `select what from (select oid, 'the function ' || proname as what from pg_catalog.pg_proc where pronamespace = 'pg_catalog'::regnamespace union all select oid, 'the operator ' || oprname from pg_catalog.pg_operator where oprnamespace = 'pg_catalog'::regnamespace
      union all select oid, 'the type ' || typname from pg_catalog.pg_type where typnamespace = 'pg_catalog'::regnamespace union all select oid, 'the cast from ' || castsource::regtype || ' to ' || casttarget::regtype from pg_catalog.pg_cast
      union all select oid, 'the relation ' || relname from pg_catalog.pg_class where relnamespace = 'pg_catalog'::regnamespace) p where p.oid >= 16384 order by 1`,
} as const;

export const SCHEMAS_JSON = JSON.stringify(SCHEMAS);

/**
 * Compares the functions of a control plane with those of this package, and looks for what could run beside them.
 *
 * @param local whether the clock may be a moved one.
 */
export function schemaFindings(controlsName: string, { functions, relations, hooks, path, planted }: Readonly<Record<keyof typeof SCHEMA_QUERIES, readonly Record<string, unknown>[]>>, local: boolean): Finding[] {
  const expected = relationsOf(controlsName);
  const made = functionsOf(controlsName);
  const found = new Map<string, FunctionText[]>();
  for (const { name, body, definer, settings } of functions) found.set(String(name), [...(found.get(String(name)) ?? []), { body: String(body), definer: definer === true, settings: String(settings) }]);
  const sentences = [
    ...[...found].filter(([name, [first, ...others]]) => !made.has(name) || others.length > 0 || first === undefined).map(([name]) => `${name} is a function that this version does not make`),
    ...[...made].flatMap(([name, { body, definer, settings }]) => {
      const [there] = found.get(name) ?? [];
      if (!there) return [`${name} is gone`];
      if (name === CLOCK && local && MOVED_CLOCK.test(there.body)) return [];
      return there.body === body && there.definer === definer && there.settings === settings ? [] : [`${name} is not what this version makes: it was altered, or the control plane was deployed with another version`];
    }),
    ...hooks.map(({ what }) => String(what)),
    ...relations.flatMap(({ name, kind }) => {
      const month = /^audit\.(?:entry|payload)_(?:\d{4}_\d{2}|default)$/.test(String(name));
      return (month ? 'r' : expected.get(String(name))) === kind ? [] : [`${String(name)} is ${KINDS[String(kind)] ?? 'something'} that this version does not make`];
    }),
    ...[...expected.keys()].filter((name) => !relations.some((relation) => relation.name === name)).map((name) => `${name} is gone`),
    ...planted.map(({ what }) => `${String(what)} is not Postgres' own, and stands where Postgres looks first`),
    ...path.filter(({ path: of }) => String(of) !== DEFAULT_PATH).map(({ path: of }) => `search_path of this login is ${String(of)}: functions of others may answer in place of Postgres' own`),
  ];
  return sentences.map((sentence) => ({ problem: 'schema altered', entries: sentence.split(' ')[0] ?? '', decisionId: null, sentence }));
}

/** Tables and views as the migrations make them, with the letter that Postgres has for each kind. */
function relationsOf(controlsName: string): Map<string, string> {
  const made = new Map<string, string>();
  for (const statement of MIGRATIONS.flatMap(({ statements }) => statements(controlsName))) {
    const [, what, name = ''] = /^create (table|view) ([\w.]+)/m.exec(statement) ?? [];
    if (what !== undefined && !/\bcreate (or replace )?function\b/.test(statement)) made.set(name, what === 'view' ? 'v' : /\bpartition by\b/.test(statement) ? 'p' : 'r');
  }
  return made;
}

const KINDS: Readonly<Record<string, string>> = { r: 'a table', p: 'a partitioned table', v: 'a view', m: 'a materialized view', f: 'a foreign table' };
const DEFAULT_PATH = '"$user", public';

function functionsOf(controlsName: string): Map<string, FunctionText> {
  const made = new Map<string, FunctionText>();
  for (const statement of MIGRATIONS.flatMap(({ statements }) => statements(controlsName))) {
    const name = /^create function ([\w.]+)\(/m.exec(statement)?.[1];
    if (name === undefined) continue;
    const dollars = /\bas\s+\$\$([\s\S]*)\$\$$/.exec(statement)?.[1];
    const quoted = /\bas\s+'([\s\S]*)'$/.exec(statement)?.[1]?.replaceAll("''", "'");
    const body = dollars ?? quoted;
    if (body === undefined) throw new Error(`the body of ${name} is not found in its migration`);
    const head = statement.slice(0, statement.indexOf(body));
    const settings = [...head.matchAll(/\bset (search_path|lock_timeout) = ('?)([^'\n]+?)\2(?= set | as|$)/gm)].map(([, setting = '', , value = '']) => `${setting}=${value}`);
    made.set(name, { body, definer: /\bsecurity definer\b/.test(head), settings: settings.join('; ') });
  }
  return made;
}
