import { Call, Card, Conditions, isMoney, Limit, Ordered, Read, Scope } from './card';
import { canonicalJson, sha256Hex } from './canonical-json';
import { CLAUSES } from './clauses';
import { compileAws } from './compile-aws';
import { Counterparties, counterparties, demandRead, returnedColumns } from './compile-provenance';
import { conditionsToCedar, conditionsToSql } from './conditions';
import { ControlsError, shown } from './controls-error';
import { cedarString, sqlColumn, sqlTable } from './encode';
import { Manifest, manifestDigest, ParameterManifest, Reach, ReturnedField } from './manifest';
import { columnParts, neverRead, neverWrite } from './never';
import { Tier, tierFor, TierRule } from './tier';
import { actionTool, readTool, sqlTool, ToolSchema } from './tool-schema';

/** What the card is compiled against. */
export interface CompileInput {
  readonly card: Card;
  /** Environment of the card to compile. */
  readonly environment: string;
  /** Actions that exist. */
  readonly manifests: readonly Manifest[];
  /** Tiers of the hold queue; `undefined` leaves them to the registrar, which knows the queue. */
  readonly tiers: readonly Tier[] | undefined;
}

/** A card, compiled for one environment: all that the gate, the registrar and the executor need to know of an agent. */
export interface CompiledScope {
  readonly agent: string;
  readonly environment: string;
  readonly cardDigest: string;
  readonly trustedFrom: 'trigger' | 'compute';
  /** Whether the agent writes SQL of its own; then nothing vouches for what it was asked or what it read. */
  readonly directSql: boolean;
  /** Columns, as `table.column`, that the agent reads and that no record keeps. */
  readonly redact: readonly string[];
  /** Whether the environment holds production data; then a person must have approved the card. */
  readonly production: boolean;
  /** Registered counterparties: values by type, and queries that answer whether `$1` is one of a type. */
  readonly counterparties: Counterparties;
  /** Cedar policies by rule id. */
  readonly policies: Readonly<Record<string, string>>;
  /** What follows when a policy permits, by rule id. */
  readonly rules: Readonly<Record<string, Rule>>;
  /** Tools the agent may be shown, by name. */
  readonly tools: Readonly<Record<string, Tool>>;
  /** What Postgres grants. */
  readonly grants: readonly TableGrant[];
}

/** What a permitting policy leads to. */
export interface Rule extends TierRule {
  readonly scope: string;
  readonly action: string;
  readonly requires: readonly string[];
  readonly limits: readonly CompiledLimit[];
  /** Parameters that the card bounds. */
  readonly bounded: readonly string[];
  /** Looked up in the database when the call is decided, and again in the transaction that runs it. */
  readonly row?: RowRule;
}

/** A condition on the row that a parameter names: one SQL query that answers whether it holds for `$1`. */
export interface RowRule {
  readonly parameter: string;
  readonly sql: string;
}

/** A windowed limit. */
export interface CompiledLimit {
  /** Names the limit among all of the agent. */
  readonly key: string;
  readonly atMost: number;
  readonly seconds: number | null;
  readonly sumOf?: string;
  readonly currency?: string;
  readonly forEach?: string;
}

/** A tool of the agent and what runs it. */
export interface Tool {
  readonly kind: 'action' | 'read' | 'sql';
  readonly schema: ToolSchema;
  readonly effect: 'read' | 'write';
  /** Digest of the declaration the card was compiled against. */
  readonly manifestDigest: string;
  readonly sinks: readonly string[];
  readonly reach: Reach;
  readonly asks: readonly string[];
  /** Parameters of an action; a gated read has none that an effect could go by. */
  readonly parameters: Readonly<Record<string, ParameterManifest>>;
  readonly returns: Readonly<Record<string, ReturnedField>>;
  /** Of a gated read: the table, already quoted, and the columns. */
  readonly table?: string;
  readonly columns?: readonly string[];
}

/** Rights on one table. */
export interface TableGrant {
  /** Quoted table. */
  readonly table: string;
  readonly select: readonly string[];
  readonly insert: readonly string[];
  readonly update: readonly string[];
  /** SQL conditions that a visible row meets; empty where every row is visible. */
  readonly rows: readonly string[];
}

/** Whether production data is in an environment of a card; there, secrets outlive a mistake and cards need a person's approval. */
export function holdsProductionData(card: Card, environment: string): boolean {
  return card.environments[environment]?.data === 'production';
}

/** Digest of a card: what is approved, and what every run and decision names. */
export function cardDigest(card: Card): string {
  return sha256Hex(canonicalJson(card));
}

/**
 * Compiles a card for one environment. Pure: the same input gives the same bytes.
 *
 * @throws `ControlsError` for whatever the card says that no target could enforce.
 */
export function compile(input: CompileInput): CompiledScope {
  const { card, environment } = input;
  if (!Object.hasOwn(card.environments, environment)) {
    throw new ControlsError('EnvironmentUnknown', `environments: the card of ${card.agent} does not name ${shown(environment)}; it names ${Object.keys(card.environments).join(', ')}; add it to the card, or compile for one of these`);
  }
  const actions = new Map(input.manifests.map((manifest) => [manifest.name, manifest]));
  const policies: Record<string, string> = {};
  const rules: Record<string, Rule> = {};
  card.scopes.forEach((scope, s) => {
    compileAws(scope, `scopes[${s}]`);
    if (scope['direct-sql']) {
      const id = `${scope.scope}/direct-sql`;
      policies[id] = `${head(card, DIRECT_SQL)};`;
      rules[id] = { scope: scope.scope, action: DIRECT_SQL, tier: 'auto', kind: 'auto', windowSeconds: 0, approvers: [], people: 0, requires: [], limits: [], bounded: [] };
    }
    (scope.read ?? []).forEach((read, index) => {
      const id = `${scope.scope}/read/${index}`;
      policies[id] = readPolicy(card, read, `scopes[${s}].read[${index}]`);
      rules[id] = { scope: scope.scope, action: readActionName(read.table), tier: 'auto', kind: 'auto', windowSeconds: 0, approvers: [], people: 0, requires: [], limits: [], bounded: [] };
    });
    (scope.call ?? []).forEach((call, index) => {
      const field = `scopes[${s}].call[${index}]`;
      const manifest = known(call, actions, card, field);
      const id = `${scope.scope}/call/${index}`;
      policies[id] = callPolicy(card, call, manifest, field);
      rules[id] = callRule(card, id, scope, call, manifest, input.tiers, field);
    });
  });
  (card.clauses ?? []).forEach((name, index) => {
    if (!Object.hasOwn(CLAUSES, name)) throw new ControlsError('ClauseUnknown', `clauses[${index}]: got ${shown(name)}; there are ${Object.keys(CLAUSES).join(', ')}`);
  });
  (card.redact ?? []).forEach((column, index) => {
    if (!card.scopes.some(({ read }) => read?.some(({ table, columns }) => columns.some((each) => column === `${table}.${each}`)))) {
      throw new ControlsError('RedactUnknown', `redact[${index}]: got ${shown(column)}, which no scope of the card reads; name a column as table.column, or take it out`);
    }
  });
  card['failure-modes'].forEach((mode, index) => detection(card, mode['found-by'], actions, `failure-modes[${index}].found-by`));
  return {
    agent: card.agent,
    environment,
    cardDigest: cardDigest(card),
    trustedFrom: card.request['trusted-from'],
    directSql: card.scopes.some((scope) => scope['direct-sql'] === true),
    redact: card.redact ?? [],
    production: holdsProductionData(card, environment),
    counterparties: counterparties(card),
    policies,
    rules,
    tools: tools(card, actions),
    grants: grants(card, actions),
  };
}

/** Name of the tool that runs SQL of the agent's own. */
export const DIRECT_SQL = 'select_sql';

/** Name of the gated read that a card's `read` of a table turns into. */
export function readActionName(table: string): string {
  return `read_${table.replaceAll('.', '_')}`;
}

function known(call: Call, actions: ReadonlyMap<string, Manifest>, card: Card, field: string): Manifest {
  const manifest = actions.get(call.action);
  if (!manifest) {
    throw new ControlsError('ActionUnknown', `${field}.action: got ${shown(call.action)}, which no action declares; declared are ${[...actions.keys()].sort().join(', ') || 'none'}; add the action, or correct the name`);
  }
  if (card.never?.call?.includes(call.action)) {
    throw new ControlsError('NeverContradicted', `${field}.action: ${call.action} is under never.call; take it out of one of the two`);
  }
  const open = Object.entries(manifest.parameters).find(([name, { type }]) => (type === 'email' || type === 'iban' || type === 'url') && !manifest.sinks.includes(name));
  if (open) throw new ControlsError('SinkMissing', `${field}.action: ${open[0]} of ${call.action} is an ${open[1].type}, which anybody may own; add it to the sinks of the action`);
  if (manifest.effect === 'write' && manifest.asks.length === 0) throw new ControlsError('AsksMissing', `${field}.action: ${call.action} changes something and says by no words how it is asked for; give asks, such as ['refund', 'pay back']`);
  for (const column of manifest.writes ?? []) {
    if (neverWrite(card, column)) throw new ControlsError('NeverContradicted', `${field}.action: ${call.action} writes ${column}, which is under never.write; take it out of one of the two`);
  }
  for (const column of manifest.reads ?? []) {
    if (neverRead(card, column)) throw new ControlsError('NeverContradicted', `${field}.action: ${call.action} reads ${column}, which is under never.read; take it out of one of the two`);
  }
  return manifest;
}

/** How a failure is found must be something that is there: a limit of the card, or a sink that the gate asks the provenance of. */
function detection(card: Card, by: Readonly<Record<string, string>>, actions: ReadonlyMap<string, Manifest>, field: string): void {
  const calls = card.scopes.flatMap(({ call }) => call ?? []);
  const { limit, provenance } = by;
  if (limit !== undefined && !calls.some(({ action, limits }) => action === limit && limits !== undefined)) {
    throw new ControlsError('FailureUndetected', `${field}.limit: got ${shown(limit)}, and no scope of the card limits such a call; give the call limits, or name another detection`);
  }
  if (provenance !== undefined) {
    const [action, sink = ''] = provenance.split('.') as [string, string?];
    if (!calls.some((call) => call.action === action) || actions.get(action)?.sinks.includes(sink) !== true) {
      throw new ControlsError('FailureUndetected', `${field}.provenance: got ${shown(provenance)}, which is no sink of an action that the card calls; write action.parameter`);
    }
  }
}

function head(card: Card, action: string): string {
  return `permit (principal == Agent::${cedarString(card.agent, 'agent')}, action == Action::${cedarString(action, 'action')}, resource)`;
}

function readPolicy(card: Card, read: Read, field: string): string {
  if (card.never?.call?.includes(readActionName(read.table))) throw new ControlsError('NeverContradicted', `${field}.table: ${readActionName(read.table)} is under never.call; take it out of one of the two`);
  for (const column of Object.keys(read.rows ?? {})) if (neverRead(card, `${read.table}.${column}`)) throw new ControlsError('NeverContradicted', `${field}.rows.${column}: ${read.table}.${column} is under never.read, and which rows come back would tell it; take it out of one of the two`);
  sqlTable(read.table, `${field}.table`);
  const columns = read.columns.map((column, index) => {
    sqlColumn(column, `${field}.columns[${index}]`);
    if (neverRead(card, `${read.table}.${column}`)) throw new ControlsError('NeverContradicted', `${field}.columns[${index}]: ${read.table}.${column} is under never.read; take it out of one of the two`);
    return cedarString(column, `${field}.columns[${index}]`);
  });
  for (const name of Object.keys(read.trusted ?? {})) demandRead(read, name, `${field}.trusted`);
  for (const name of read.private ?? []) demandRead(read, name, `${field}.private`);
  return `${head(card, readActionName(read.table))}\nwhen { [${columns.join(', ')}].containsAll(context.columns) };`;
}

function callPolicy(card: Card, call: Call, manifest: Manifest, field: string): string {
  const terms = conditionsToCedar(call.bounds ?? {}, manifest.parameters, `${field}.bounds`);
  return terms.length === 0 ? `${head(card, call.action)};` : `${head(card, call.action)}\nwhen { ${terms.join(' &&\n  ')} };`;
}

function callRule(card: Card, id: string, scope: Scope, call: Call, manifest: Manifest, tiers: readonly Tier[] | undefined, field: string): Rule {
  const { referenceRequired, ...tier } = tierFor(call.approval, manifest, tiers, `${field}.approval`);
  if (tier.until !== undefined && tier.until > card['review-by']) {
    throw new ControlsError('StandingTooLong', `${field}.approval.until: got ${tier.until}, and the card is reviewed by ${card['review-by']}; a standing approval ends with the review at the latest`);
  }
  if (call.requires?.includes('second-confirmation') && tier.kind !== 'human') {
    throw new ControlsError('BoundUnenforceable', `${field}.requires: second-confirmation asks a second person, and nobody is asked for sure in tier ${tier.tier}; name a tier of kind human`);
  }
  for (const column of Object.keys(call.row ?? {})) if (neverRead(card, column)) throw new ControlsError('NeverContradicted', `${field}.row.${column}: it is under never.read, and whether the call passes would tell it; take it out of one of the two`);
  const row = call.row === undefined ? undefined : rowRule(call.row, manifest, `${field}.row`);
  return {
    scope: scope.scope,
    action: call.action,
    ...tier,
    // The second person confirms what the first approved.
    people: call.requires?.includes('second-confirmation') ? Math.max(2, tier.people) : tier.people,
    requires: [...(call.requires ?? []), ...(referenceRequired && !call.requires?.includes('ticket') ? ['ticket'] : [])],
    limits: (call.limits ?? []).map((limit, index) => ({ key: `${id}/limits/${index}`, ...compileLimit(limit, manifest, `${field}.limits[${index}]`) })),
    bounded: Object.keys(call.bounds ?? {}),
    ...(row ? { row } : {}),
  };
}

function rowRule(conditions: Conditions, manifest: Manifest, field: string): RowRule {
  const byTable = new Map<string, Record<string, Conditions[string]>>();
  for (const [name, condition] of Object.entries(conditions)) {
    const cut = name.lastIndexOf('.');
    if (cut < 1) throw new ControlsError('BoundUnenforceable', `${field}.${name}: a row is bounded by table.column, got ${shown(name)}; name the table, too`);
    const table = name.slice(0, cut);
    byTable.set(table, { ...byTable.get(table), [name.slice(cut + 1)]: condition });
  }
  const [first, ...more] = byTable;
  if (!first || more.length > 0) throw new ControlsError('BoundUnenforceable', `${field}: conditions on ${byTable.size} tables; a call names one row, so bound the columns of one table`);
  const [table, columns] = first;
  const named = Object.entries(manifest.parameters).filter(([, { references }]) => references?.slice(0, references.lastIndexOf('.')) === table);
  if (named.length > 1) throw new ControlsError('BoundUnenforceable', `${field}: ${named.map(([name]) => name).sort().join(' and ')} of ${manifest.name} both name a row of ${table}, and one condition cannot say which; let the action take one of them`);
  const [parameter] = named;
  if (!parameter) {
    throw new ControlsError('BoundUnenforceable', `${field}: ${manifest.name} has no parameter that references ${shown(table)}, so nothing says which row is meant; declare one with param.references('${table}.<key>')`);
  }
  const [name, { references }] = parameter;
  const key = sqlColumn((references as string).slice(table.length + 1), `${manifest.name}.parameters.${name}.references`);
  return { parameter: name, sql: `select exists (select from ${sqlTable(table, field)} where ${key}::text = $1 and ${conditionsToSql(columns, field)})` };
}

const WINDOWS: Readonly<Record<Limit['per'], number | null>> = { run: null, hour: 3_600, day: 86_400, month: 31 * 86_400 };

function compileLimit(limit: Limit, manifest: Manifest, field: string): Omit<CompiledLimit, 'key'> {
  const parameter = (name: string, what: string): Manifest['parameters'][string] => {
    const found = Object.hasOwn(manifest.parameters, name) ? manifest.parameters[name] : undefined;
    if (!found) throw new ControlsError('BoundUnenforceable', `${field}.${what}: the action has no parameter ${shown(name)}; name one of ${Object.keys(manifest.parameters).join(', ')}`);
    return found;
  };
  const bound: Ordered = limit['at-most'];
  if (limit['for-each'] !== undefined) parameter(limit['for-each'], 'for-each');
  if (limit['sum-of'] !== undefined) {
    const { type, min = 0 } = parameter(limit['sum-of'], 'sum-of');
    if (min < 0) throw new ControlsError('BoundUnenforceable', `${field}.sum-of: ${limit['sum-of']} may be ${min}, and what is less than nothing would make room for more; sum a parameter that is never negative`);
    if (type !== (isMoney(bound) ? 'money' : 'integer')) {
      throw new ControlsError('BoundUnenforceable', `${field}.sum-of: ${limit['sum-of']} is ${type}, and at-most is ${shown(bound)}; give a limit of the same kind`);
    }
  } else if (isMoney(bound)) {
    throw new ControlsError('BoundUnenforceable', `${field}.at-most: ${shown(bound)} counts money, but nothing is summed; add sum-of`);
  }
  return {
    atMost: isMoney(bound) ? bound['minor-units'] : bound,
    seconds: WINDOWS[limit.per],
    ...(limit['sum-of'] === undefined ? {} : { sumOf: limit['sum-of'] }),
    ...(isMoney(bound) ? { currency: bound.currency } : {}),
    ...(limit['for-each'] === undefined ? {} : { forEach: limit['for-each'] }),
  };
}

/** What is true of every read that is no action. */
const PROSE = { reach: 'internal', asks: [], parameters: {}, returns: {} } as const;

function tools(card: Card, actions: ReadonlyMap<string, Manifest>): Record<string, Tool> {
  const calls = card.scopes.flatMap(({ call }) => call ?? []);
  const reads = card.scopes.flatMap(({ read }) => read ?? []);
  const made: Record<string, Tool> = {};
  for (const name of new Set(calls.map(({ action }) => action))) {
    const manifest = actions.get(name) as Manifest;
    made[name] = {
      kind: 'action',
      schema: actionTool(manifest, calls.filter(({ action }) => action === name).map(({ bounds }) => bounds ?? {})),
      effect: manifest.effect,
      manifestDigest: manifestDigest(manifest),
      sinks: manifest.sinks,
      reach: manifest.reach,
      asks: manifest.asks,
      parameters: manifest.parameters,
      returns: manifest.returns,
    };
  }
  if (card.scopes.some((scope) => scope['direct-sql'])) {
    if (actions.has(DIRECT_SQL)) throw new ControlsError('ActionDuplicate', `${DIRECT_SQL} is an action, and also what direct SQL is called; rename the action`);
    made[DIRECT_SQL] = { kind: 'sql', schema: sqlTool(DIRECT_SQL), effect: 'read', manifestDigest: sha256Hex(DIRECT_SQL), sinks: [], ...PROSE };
  }
  for (const table of new Set(reads.map((read) => read.table))) {
    const name = readActionName(table);
    if (made[name] || actions.has(name)) throw new ControlsError('ActionDuplicate', `${name} is an action, and also what reading ${table} is called; rename the action`);
    const columns = [...new Set(reads.filter((read) => read.table === table).flatMap((read) => read.columns))];
    made[name] = {
      kind: 'read',
      schema: readTool(name, table, columns),
      effect: 'read',
      manifestDigest: sha256Hex(canonicalJson({ table, columns })),
      sinks: [],
      ...PROSE,
      returns: returnedColumns(reads.filter((read) => read.table === table)),
      table: sqlTable(table, 'read.table'),
      columns,
    };
  }
  return made;
}

function grants(card: Card, actions: ReadonlyMap<string, Manifest>): TableGrant[] {
  const tables = new Map<string, { select: Set<string>; write: Set<string>; rows: Set<string> }>();
  const table = (name: string, field: string): { select: Set<string>; write: Set<string>; rows: Set<string> } => {
    const quoted = sqlTable(name, field);
    const entry = tables.get(quoted) ?? { select: new Set(), write: new Set(), rows: new Set() };
    tables.set(quoted, entry);
    return entry;
  };
  card.scopes.forEach((scope, s) => (scope.read ?? []).forEach((read, index) => {
    const field = `scopes[${s}].read[${index}]`;
    const entry = table(read.table, `${field}.table`);
    read.columns.forEach((column, c) => entry.select.add(sqlColumn(column, `${field}.columns[${c}]`)));
    entry.rows.add(read.rows === undefined ? '' : conditionsToSql(read.rows, `${field}.rows`));
    // Postgres limits rows by role, not by column: the union of two such reads would show more than either.
    if (entry.rows.size > 1) {
      throw new ControlsError('BoundUnenforceable', `${field}.rows: another read of ${read.table} has other rows, and Postgres can keep only one; give both the same rows, or put one into another agent`);
    }
  }));
  const called = new Set(card.scopes.flatMap(({ call }) => (call ?? []).map(({ action }) => action)));
  for (const name of called) {
    const manifest = actions.get(name) as Manifest;
    for (const kind of ['reads', 'writes'] as const) {
      for (const written of manifest[kind] ?? []) {
        const [of, column] = columnParts(written, `${name}.${kind}`);
        const entry = table(of, `${name}.${kind}`);
        (kind === 'reads' ? entry.select : entry.write).add(sqlColumn(column, `${name}.${kind}`));
      }
    }
  }
  return [...tables].map(([name, entry]) => ({
    table: name,
    select: [...entry.select],
    insert: [...entry.write],
    update: [...entry.write],
    rows: [...entry.rows].filter((row) => row !== ''),
  }));
}
