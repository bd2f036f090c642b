/** The cases that every enforcer of a card is held to, as they lie in test/cases. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Call, Card, Condition, Read } from '../../../lib/scope/card';
import { compile, CompiledScope } from '../../../lib/scope/compile';
import type { Manifest, ParameterManifest } from '../../../lib/scope/manifest';
import { DEFAULT_TIERS } from '../../../lib/scope/tier';
import { card } from '../../support/cards';

const load = <T>(name: string): readonly T[] => parse(readFileSync(join(__dirname, '..', '..', 'cases', `${name}.yaml`), 'utf8')) as T[];

export type Kind = 'text' | 'integer' | 'boolean' | 'money' | 'email' | 'reference' | 'one-of';

export interface ConditionCase {
  readonly on: Kind;
  readonly where: Condition;
  readonly allow: readonly unknown[];
  readonly refuse: readonly unknown[];
}

export interface ReadCase {
  readonly read: readonly Omit<Read, 'table'>[];
  readonly allow: readonly (readonly string[])[];
  readonly refuse: readonly (readonly string[])[];
  readonly see: readonly number[];
  readonly 'postgres-only'?: readonly (readonly string[])[];
}

export interface ParameterCase {
  readonly is: ParameterManifest;
  readonly allow: readonly unknown[];
  readonly refuse: readonly unknown[];
}

export interface AwsCase {
  readonly open: readonly { readonly actions: readonly string[]; readonly resources: readonly string[] }[];
  readonly allow: readonly string[];
  readonly refuse: readonly string[];
}

export interface JewelCase {
  readonly for: string;
  readonly refuse: readonly string[];
}

export interface CallCase {
  readonly calls: readonly Partial<Call>[];
  readonly answers: readonly { readonly of: readonly [string, number]; readonly with?: { readonly justification?: string; readonly reference?: string }; readonly is: string }[];
  readonly people?: number;
}

export const CONDITIONS = load<ConditionCase>('conditions');
export const READS = load<ReadCase>('reads');
export const PARAMETERS = load<ParameterCase>('parameters');
export const AWS = load<AwsCase>('aws');
export const JEWELS = load<JewelCase>('crown-jewels');
export const CALLS = load<CallCase>('calls');

/** What a case says, in one line. */
export const named = <T>(cases: readonly T[], of: (each: T) => unknown): [string, T][] => cases.map((each) => [JSON.stringify(of(each)), each]);

const PARAMETER: Readonly<Record<Exclude<Kind, 'boolean'>, ParameterManifest>> = {
  text: { type: 'text', maxLength: 200 }, email: { type: 'email' }, reference: { type: 'reference', references: 'things.id' },
  'one-of': { type: 'one-of', values: ['free', 'growth', 'enterprise'] },
  integer: { type: 'integer', min: -9007199254740991, max: 9007199254740991 }, money: { type: 'money', currencies: ['USD', 'EUR', 'JPY'] },
};

/** An action that takes one parameter `v`. */
export function taking(parameter: ParameterManifest): Manifest {
  return { name: 'act', description: 'Does it.', effect: 'write', reach: 'internal', asks: ['do'], sinks: ['email', 'iban', 'url'].includes(parameter.type) ? ['v'] : [], returns: {}, parameters: { v: parameter }, reverse: { kind: 'restore' } };
}

export const manifestOf = (kind: Exclude<Kind, 'boolean'>): Manifest => taking(PARAMETER[kind]);

/** A card with one scope that calls `act` within these conditions. */
export function calling(where: Condition | undefined, manifest: Manifest): CompiledScope {
  return compiled((of) => { of.scopes = [{ scope: 'scope://a.b', call: [{ action: 'act', approval: { tier: 'auto' }, ...(where ? { bounds: { v: where } } : {}) }] }]; }, [manifest]);
}

export function compiled(change: (of: any) => void, manifests: readonly Manifest[]): CompiledScope {
  return compile({ card: cardOf(change), environment: 'dev', manifests, tiers: DEFAULT_TIERS });
}

export function cardOf(change: (of: any) => void): Card {
  return card((of) => {
    delete of.never;
    change(of);
  });
}

/** `49999 USD` as an agent sends it. */
export function valueOf(kind: Kind, value: unknown): unknown {
  if (kind !== 'money') return value;
  const [minorUnits, currency] = String(value).split(' ');
  return { currency, minorUnits: Number(minorUnits) };
}
