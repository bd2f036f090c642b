/** A scope card as data: the shape of `scope-card.schema.json`, key for key, so what a reviewer signed is what is compiled. */
export interface Card {
  readonly agent: string;
  readonly purpose: string;
  readonly owners: { readonly product: string; readonly security: string; readonly 'on-call': string };
  readonly 'review-by': string;
  readonly request: { readonly 'trusted-from': 'trigger' | 'compute' };
  readonly 'data-inputs': readonly { readonly system: string; readonly classes: readonly string[] }[];
  readonly models: readonly string[];
  readonly environments: Readonly<Record<string, { readonly data: 'synthetic' | 'production' }>>;
  readonly scopes: readonly Scope[];
  readonly never?: { readonly read?: readonly string[]; readonly write?: readonly string[]; readonly call?: readonly string[] };
  readonly 'failure-modes': readonly { readonly bad: string; readonly 'found-by': Readonly<Record<string, string>> }[];
  /** Who or what the agent deals with: values of one type, or a column that holds them. A registered counterparty needs no request that names it. */
  readonly counterparties?: readonly Counterparty[];
  /** Sentences of the system prompt, by name. */
  readonly clauses?: readonly string[];
  /** Columns that the agent reads and that no record keeps. */
  readonly redact?: readonly string[];
  readonly retention: { readonly inputs: CardDuration };
}

/** One named permission. */
export interface Scope {
  readonly scope: string;
  /** Whether the agent may write SELECT statements of its own over what it may read. */
  readonly 'direct-sql'?: true;
  readonly read?: readonly Read[];
  readonly call?: readonly Call[];
  readonly aws?: readonly { readonly actions: readonly string[]; readonly resources: readonly string[] }[];
}

/** Columns of one table, in the rows that meet every condition. */
export interface Read {
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows?: Conditions;
  /** Columns that the database vouches for, with the type of their values: `email: email`, `id: leads.id`. */
  readonly trusted?: Readonly<Record<string, string>>;
  /** Columns whose values leave only if the request names them. */
  readonly private?: readonly string[];
}

/** Registered counterparties of one type. */
export type Counterparty = { readonly type: string; readonly values: readonly string[]; readonly from?: never } | { readonly type: string; readonly from: string; readonly values?: never };

/** An action that may be called, and within which bounds. */
export interface Call {
  readonly action: string;
  readonly bounds?: Conditions;
  readonly row?: Conditions;
  readonly requires?: readonly ('written-justification' | 'ticket' | 'second-confirmation')[];
  readonly limits?: readonly Limit[];
  readonly approval: Approval;
}

/** Who must agree before the call runs. */
export interface Approval {
  readonly tier: string;
  readonly window?: CardDuration;
  readonly approvers?: readonly string[];
  readonly people?: number;
  readonly 'granted-by'?: string;
  readonly until?: string;
}

/** How many calls, or how much of one parameter, in a window of time. */
export interface Limit {
  readonly 'at-most': Ordered;
  readonly per: 'run' | 'hour' | 'day' | 'month';
  readonly 'sum-of'?: string;
  readonly 'for-each'?: string;
}

/** An amount of money in the smallest unit of its currency. */
export interface CardMoney {
  readonly currency: string;
  readonly 'minor-units': number;
}

export type Ordered = number | CardMoney;
export type Scalar = string | number | boolean | CardMoney;

/** All that are written must hold. */
export interface Condition {
  readonly equals?: Scalar;
  readonly in?: readonly Scalar[];
  readonly 'less-than'?: Ordered;
  readonly 'at-most'?: Ordered;
  readonly 'at-least'?: Ordered;
  readonly 'starts-with'?: string;
  /** Patterns of which one must fit the whole text; `*` stands for any text, also none. */
  readonly matches?: readonly string[];
  /** Length in characters. */
  readonly shortest?: number;
  readonly longest?: number;
}

/** Conditions by the name of what they bound: a parameter, a column, or `table.column`. */
export type Conditions = Readonly<Record<string, Condition>>;

/** Exactly one unit. */
export type CardDuration = Readonly<Partial<Record<'minutes' | 'hours' | 'days' | 'months', number>>>;

const SECONDS = { minutes: 60, hours: 3_600, days: 86_400, months: 31 * 86_400 } as const;

/** A card's duration in seconds; a month counts 31 days. */
export function durationSeconds(duration: CardDuration): number {
  return (Object.entries(duration) as [keyof typeof SECONDS, number][]).reduce((sum, [unit, count]) => sum + count * SECONDS[unit], 0);
}

/** Whether a scalar of a card is an amount of money. */
export function isMoney(value: Scalar): value is CardMoney {
  return typeof value === 'object';
}
