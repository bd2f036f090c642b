import type { ParameterManifest } from '../../lib/scope/manifest';

/** A parameter of an action: what the model is told, what the gate checks, and a type for the handler. */
export interface Parameter<T> {
  readonly manifest: ParameterManifest;
  /** Carries the type only; never present. */
  readonly type?: T;
}

/** An amount of money: an integer of the currency's smallest unit. */
export interface Money {
  readonly currency: string;
  readonly minorUnits: number;
}

/** Parameters by name. */
export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

/** The values a handler gets. Checked bytes are executed bytes: what is not declared is not here. */
export type Values<P extends Parameters> = { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never };

/** Kinds of parameters. Every one has a bound: there is no free text without a length. */
export const param = {
  /** Free text of at most `maxLength` characters. */
  text: (options: { readonly maxLength: number; readonly dataClass?: string }): Parameter<string> => ({ manifest: { type: 'text', ...options } }),
  /** One e-mail address. */
  email: (options: { readonly dataClass?: string } = {}): Parameter<string> => ({ manifest: { type: 'email', ...options } }),
  /** One account number, such as an IBAN. */
  iban: (options: { readonly dataClass?: string } = {}): Parameter<string> => ({ manifest: { type: 'iban', ...options } }),
  /** One web address. */
  url: (options: { readonly dataClass?: string } = {}): Parameter<string> => ({ manifest: { type: 'url', ...options } }),
  /** A name that systems know something by: of a `person`, a `channel`, a `file`. Names of one kind are compared with each other. */
  name: (of: string, options: { readonly dataClass?: string } = {}): Parameter<string> => ({ manifest: { type: 'name', of, ...options } }),
  /** A day, `YYYY-MM-DD`. */
  date: (): Parameter<string> => ({ manifest: { type: 'date' } }),
  /** What may be switched on; `words` in a trusted request ask for it. */
  flag: (...words: readonly string[]): Parameter<boolean> => ({ manifest: { type: 'flag', words } }),
  /** One of a few words. */
  oneOf: <const V extends readonly string[]>(...values: V): Parameter<V[number]> => ({ manifest: { type: 'one-of', values } }),
  /** A whole number within bounds, both included. */
  integer: (options: { readonly min: number; readonly max: number }): Parameter<number> => ({ manifest: { type: 'integer', ...options } }),
  /** An amount in one of these currencies. */
  money: (options: { readonly currencies: readonly string[] }): Parameter<Money> => ({ manifest: { type: 'money', ...options } }),
  /** The key of a row: `references('leads.id')`. A card may then say which rows, in the row's own columns. */
  references: (column: `${string}.${string}`): Parameter<string> => ({ manifest: { type: 'reference', references: column } }),
  /** A parameter that a call may leave out. */
  optional: <T>({ manifest }: Parameter<T>): Parameter<T | undefined> => ({ manifest: { ...manifest, optional: true } }),
};
