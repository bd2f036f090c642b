import { Conditions } from './card';
import { Manifest, ParameterManifest } from './manifest';

/** JSON Schema 2020-12 of one tool's parameters; the gate checks calls against the very schema the model is shown. */
export interface ToolSchema {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** What the model is shown of an action, narrowed by the bounds that a schema can say. */
export function actionTool(manifest: Manifest, bounds: readonly Conditions[]): ToolSchema {
  const properties = Object.fromEntries(Object.entries(manifest.parameters).map(([name, parameter]) => [name, parameterSchema(parameter, widest(name, bounds))]));
  return { name: manifest.name, description: manifest.description, inputSchema: root(properties, Object.keys(properties).filter((name) => manifest.parameters[name]?.optional !== true)) };
}

/** What the model is shown of a gated read: which columns, which rows, how many. */
export function readTool(name: string, table: string, columns: readonly string[]): ToolSchema {
  const column = { enum: [...columns] };
  return {
    name,
    description: `Reads ${table}: ${columns.join(', ')}.`,
    inputSchema: root({
      columns: { type: 'array', items: column, minItems: 1, maxItems: columns.length, uniqueItems: true },
      where: { type: 'object', properties: Object.fromEntries(columns.map((each) => [each, { type: ['string', 'integer', 'boolean'], maxLength: 200 }])), additionalProperties: false },
      limit: { type: 'integer', minimum: 1, maximum: 100 },
    }, ['columns']),
  };
}

/** What the model is shown of SQL of its own. */
export function sqlTool(name: string): ToolSchema {
  return { name, description: 'Runs one SELECT statement over the tables and columns this agent may read, in a read-only transaction.', inputSchema: root({ query: { type: 'string', minLength: 1, maxLength: 8_000 } }, ['query']) };
}

function root(properties: Record<string, unknown>, required: readonly string[]): Record<string, unknown> {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...closed(properties, required) };
}

function closed(properties: Record<string, unknown>, required: readonly string[]): Record<string, unknown> {
  return { type: 'object', properties, required, additionalProperties: false };
}

interface Lengths {
  readonly shortest: number;
  readonly longest: number;
}

// One schema serves every scope that calls the tool, so it shows the widest lengths of any; Cedar keeps each scope to its own.
function widest(name: string, bounds: readonly Conditions[]): Lengths {
  return {
    shortest: Math.min(...bounds.map((conditions) => conditions[name]?.shortest ?? 1)),
    longest: Math.max(...bounds.map((conditions) => conditions[name]?.longest ?? Infinity)),
  };
}

function parameterSchema(parameter: ParameterManifest, { shortest, longest }: Lengths): Record<string, unknown> {
  const text = (limit: number): Record<string, unknown> => ({ type: 'string', minLength: shortest, maxLength: Math.min(limit, longest) });
  switch (parameter.type) {
    case 'text': return text(parameter.maxLength as number);
    case 'email': return { ...text(254), format: 'email' };
    case 'iban': return { type: 'string', pattern: '^[A-Z]{2}[0-9]{2}[A-Z0-9 ]{8,38}$' };
    case 'url': return text(2_000);
    case 'name': case 'reference': return text(200);
    case 'date': return { type: 'string', format: 'date' };
    case 'flag': return { type: 'boolean' };
    case 'one-of': return { enum: parameter.values };
    case 'integer': return { type: 'integer', minimum: parameter.min, maximum: parameter.max };
    case 'money': return closed({ currency: { enum: parameter.currencies }, minorUnits: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } }, ['currency', 'minorUnits']);
  }
}
