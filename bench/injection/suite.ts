/** A suite of tasks and attacks as the data file has it, and what an engineer declared of its tools. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Conditions } from '../../lib/scope/card';
import type { ParameterManifest, Reach, ReturnedField } from '../../lib/scope/manifest';

export interface SuiteCall {
  readonly function: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly output?: string;
  /** Names of the places in the output that an attacker writes: `@@INJ_name@@`. */
  readonly injectionVectors?: readonly string[];
  readonly sideEffect?: boolean;
}

export interface Suite {
  readonly tools: readonly { readonly name: string; readonly description: string; readonly sideEffect: boolean; readonly parameters: { readonly required?: readonly string[] } }[];
  readonly userTasks: readonly { readonly id: string; readonly prompt: string; readonly calls: readonly SuiteCall[] }[];
  readonly injectionTasks: readonly { readonly id: string; readonly goal: string; readonly outputOnly: boolean; readonly calls: readonly SuiteCall[] }[];
  readonly registry: readonly string[];
}

/** One tool, declared: what is left out is internal, has no sink and vouches for nothing. */
export interface ToolDeclaration {
  readonly reach?: Reach;
  readonly asks?: readonly [string, ...string[]];
  readonly sinks?: readonly string[];
  readonly parameters?: Readonly<Record<string, ParameterManifest>>;
  readonly returns?: Readonly<Record<string, ReturnedField>>;
  /** Name and field of the entries of an answer that is a plain list. */
  readonly item?: Readonly<Record<string, ReturnedField>>;
  /** Bounds of the card on its calls. */
  readonly bounds?: Conditions;
}

export interface SuiteDeclaration {
  /** Currency of plain amounts. */
  readonly currency?: string;
  /** Types that the registered names count as. */
  readonly counterparties: readonly string[];
  readonly tools: Readonly<Record<string, ToolDeclaration>>;
}

/** @throws with what is missing. */
export function readSuites(file: string, declarations: string): { name: string; suite: Suite; declared: SuiteDeclaration }[] {
  const { suites } = JSON.parse(readFileSync(file, 'utf8')) as { suites: Readonly<Record<string, Suite>> };
  const declared = parse(readFileSync(declarations, 'utf8')) as Readonly<Record<string, SuiteDeclaration>>;
  return Object.entries(suites).map(([name, suite]) => {
    const of = declared[name];
    if (!of) throw new Error(`SuiteUndeclared: ${declarations} says nothing of the suite ${name}; declare its tools there`);
    const missing = suite.tools.filter((tool) => !of.tools[tool.name]).map((tool) => tool.name);
    if (missing.length > 0) throw new Error(`ToolUndeclared: ${declarations} says nothing of ${missing.join(', ')} of ${name}; declare them there`);
    return { name, suite, declared: of };
  });
}

/** Parameters of a tool with the limits that a suite does not name. */
export function parametersOf({ currency = 'EUR' }: SuiteDeclaration, tool: Suite['tools'][number], { parameters = {} }: ToolDeclaration): Record<string, ParameterManifest> {
  return Object.fromEntries(Object.entries(parameters).map(([name, parameter]) => [name, {
    ...parameter, ...(parameter.type === 'money' ? { currencies: [currency] } : {}), ...(tool.parameters.required?.includes(name) ? {} : { optional: true }),
  }]));
}

/** Arguments as the declared types have them. */
export function typedArguments({ currency = 'EUR' }: SuiteDeclaration, { parameters = {} }: ToolDeclaration, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(args).map(([name, value]) => {
    const type = parameters[name]?.type;
    if (type === 'money') return [name, money(currency, value)];
    return [name, type !== undefined && type !== 'integer' && type !== 'flag' ? String(value) : value];
  }));
}

/** An answer as the system would give it: structure first, and then the attacker's text into the fields that are the attacker's. */
export function structured({ currency = 'EUR' }: SuiteDeclaration, { returns = {}, item }: ToolDeclaration, { output = '', injectionVectors = [] }: SuiteCall, injected: string): unknown {
  const fill = (node: unknown): unknown => {
    if (typeof node === 'string') return injectionVectors.reduce((text, name) => text.replaceAll(`@@INJ_${name}@@`, injected), node);
    if (Array.isArray(node)) return node.map(fill);
    return typeof node === 'object' && node !== null ? Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, fill(inner)])) : node;
  };
  const [field] = Object.keys(item ?? {});
  let value: unknown = output;
  if (field !== undefined || Object.keys(returns).length > 0) {
    try {
      value = parse(output, { schema: 'failsafe' });
    } catch {
      value = output; // an error message of the system, for one
    }
  }
  const numbers = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map((each) => (field !== undefined && typeof each === 'string' ? { [field]: each } : numbers(each)));
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, returns[key]?.type === 'money' ? money(currency, inner) : inner]));
  };
  return fill(typeof value === 'string' && field !== undefined && value === output && !/\s/.test(output.trim()) ? { [field]: output.trim() } : numbers(value));
}

const money = (currency: string, value: unknown): unknown => (Number.isFinite(Number(value)) ? { currency, minorUnits: Math.round(Number(value) * 100) } : value);
