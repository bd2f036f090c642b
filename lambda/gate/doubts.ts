/** Steps 3 to 6 of the decision: where what decides an effect came from, and what free text would take along. */
import type { Reach, ParameterManifest } from '../../lib/scope/manifest';
import { valueType } from '../../lib/scope/manifest';
import type { CompiledScope, Rule, Tool } from '../../lib/scope/compile';
import { contactsIn, Found, holds, phrasesOf, wordsOf } from '../provenance/free-text';
import { asksFor, namedIn } from '../provenance/named';
import { canonical } from '../provenance/values';

/** What the database is asked about a proposal, and where free text leads. */
export interface Lookup {
  readonly contacts: ReadonlyMap<string, readonly Found[]>;
  readonly values: readonly Found[];
  readonly phrases: readonly string[];
  readonly private: boolean;
  /** Whether there is more text than is compared. */
  readonly long: boolean;
  /** How well the request (3) or the card (1) vouch for each value, by type and value; the others are asked about. */
  readonly vouched: ReadonlyMap<string, number>;
}

/** What it answers: in the order of the question. */
export interface Provenance {
  readonly levels: readonly number[];
  readonly private: readonly string[];
  /** Numbers of the phrases that stand in prose that the run read. */
  readonly quoted: readonly number[];
  /** Whether the run read more than is kept; then nobody can say what its texts quote. */
  readonly unread: boolean;
}

/** What the run was asked, when, and whether it has read anything yet. */
export interface Asked {
  readonly request: string | null;
  readonly today: string;
  readonly hasRead: boolean;
}

/** How well each sink must be vouched for. */
const NEEDED: Readonly<Record<Reach, number>> = { internal: 1, outward: 2, destructive: 2, privileged: 3 };
const VOUCHED = ['nothing vouches for it', 'only a register or a trusted answer has it, and this effect asks for the request, or a record that the request names', 'only a record that the request names has it, and this effect asks for the request itself'];
/** Types that are sinks wherever they stand, and are compared as what they are. */
const PLAIN = new Set(['text', 'one-of', 'flag', 'integer', 'money', 'date']);

type Parameters = Readonly<Record<string, unknown>>;

const texts = ({ effect, parameters, sinks }: Tool, values: Parameters): [string, string][] => Object.entries(parameters)
  .filter(([name, { type }]) => typeof values[name] === 'string' && (effect === 'write' ? type === 'text' || ((type === 'name' || type === 'reference') && !sinks.includes(name)) : type === 'text' && sinks.includes(name))).map(([name]) => [name, values[name] as string]);

const NOTHING: Lookup = { contacts: new Map(), values: [], phrases: [], private: false, long: false, vouched: new Map() };
/** Most phrases that are compared with what the run read. */
const MOST_PHRASES = 1_500;

/** Everything of a proposal that neither the request nor the card itself vouches for. */
export function lookup(scope: CompiledScope, tool: Tool, values: Parameters, request: string | null): Lookup {
  if (tool.kind !== 'action' || (tool.effect === 'read' && tool.sinks.length === 0)) return NOTHING;
  const free = texts(tool, values);
  const contacts = new Map(free.map(([name, text]) => [name, contactsIn(text)]));
  const own = Object.entries(tool.parameters).flatMap(([name, parameter]) => {
    const type = valueType(parameter);
    const value = Object.hasOwn(values, name) && (!PLAIN.has(type) || type === 'text' || type === 'date') ? canonical(type, values[name]) : undefined;
    return value === undefined || value.length > 200 ? [] : [{ type, value }];
  });
  const vouched = new Map<string, number>();
  const unknown = [...own, ...[...contacts.values()].flat()].filter(({ type, value }) => {
    const level = namedIn(request, type, value) ? 3 : registered(scope, type, value) ? 1 : 0;
    if (canonical(type, value) === value) vouched.set(`${type} ${value}`, level); // what has another form is looked at again
    return level === 0;
  });
  const phrases = [...new Set(free.flatMap(([, text]) => phrasesOf(text)))].filter((phrase) => !quotes(request, phrase));
  return { contacts, values: unique(unknown), phrases: phrases.slice(0, MOST_PHRASES), long: phrases.length > MOST_PHRASES, private: free.length > 0, vouched };
}

/** What is doubtful of a proposal, as `Code: sentence`; how well each sink is vouched for; and what else it says that nothing vouches for. */
export function doubts(scope: CompiledScope, rule: Rule, tool: Tool, values: Parameters, { request, today, hasRead }: Asked, asked: Lookup, known: Provenance): { doubts: string[]; levels: Record<string, number>; unvouched: Found[] } {
  if (tool.kind !== 'action' || (tool.effect === 'read' && tool.sinks.length === 0)) return { doubts: [], levels: {}, unvouched: [] };
  const found = new Map(asked.values.map(({ type, value }, index) => [`${type} ${value}`, known.levels[index] ?? 0]));
  const level = (type: string, value: unknown): number => {
    // Mostly it is written as it is compared, and was looked up so.
    const before = typeof value === 'string' ? asked.vouched.get(`${type} ${value}`) : undefined;
    if (before !== undefined) return before === 3 ? 3 : Math.max(before, found.get(`${type} ${value as string}`) ?? 0);
    if (namedIn(request, type, value)) return 3;
    const key = canonical(type, value);
    if (key === undefined) return 0;
    return registered(scope, type, key) ? Math.max(1, found.get(`${type} ${key}`) ?? 0) : found.get(`${type} ${key}`) ?? 0;
  };
  const given = Object.entries(tool.parameters).filter(([name]) => Object.hasOwn(values, name));
  const ofSinks = given.filter(([name, { type }]) => tool.sinks.includes(name) && !(tool.effect === 'read' && type === 'text'));
  const levels = Object.fromEntries(ofSinks.map(([name, parameter]) => [name, parameter.type === 'flag' ? 3 : level(valueType(parameter), values[name])]));
  const needed = NEEDED[tool.reach];
  const weak = (at: number): string[] => Object.keys(levels).filter((name) => levels[name] === at && at < needed);
  const strong = Object.values(levels).every((each) => each >= 2);
  const say: string[] = [];

  if (tool.effect === 'write' && !asksFor(request, tool.asks)) say.push(`NotAskedFor: no trusted request asks for this; the words that do are ${tool.asks.map((words) => JSON.stringify(words)).join(', ') || 'none'}`);
  for (const [at, code] of [[0, 'ProvenanceUnknown'], [1, 'ProvenanceWeak'], [2, 'ProvenanceWeak']] as const) {
    const names = weak(at);
    if (names.length > 0) say.push(`${code}: ${names.join(', ')} ${names.length > 1 ? 'decide' : 'decides'} where the effect goes, and ${VOUCHED[at] as string}`);
  }
  if (tool.effect === 'write') for (const [name, parameter] of given) {
    const doubt = quantityDoubt(name, parameter, values[name], { request, today, bounded: rule.bounded.includes(name) && strong });
    // Where a sink is doubtful already, the amount is not told as well.
    if (doubt !== undefined && (Object.values(levels).every((each) => each >= needed) || parameter.type === 'flag') && !tool.sinks.includes(name)) say.push(doubt);
    const role = tool.reach === 'privileged' && (parameter.type === 'one-of' || parameter.type === 'integer') && !tool.sinks.includes(name) && !rule.bounded.includes(name) && !namedIn(request, parameter.type, values[name]);
    if (role) say.push(`ValueUnknown: the request does not name ${name}, and the card does not bound it`);
  }

  const free = texts(tool, values);
  for (const [name, text] of free) {
    if (asked.contacts.get(name)?.some(({ type, value }) => level(type, value) < 1)) say.push(`ContactUnknown: ${name} holds an address, an account or a number that nothing vouches for`);
    if (known.private.some((value) => holds(text, value) && !quotes(request, wordsOf(value).join(' ')))) say.push(`PrivateValue: ${name} holds what the card or the action calls private, and the request does not name it`);
    if (tool.effect === 'read' && hasRead && !spokenWordByWord(text, request)) say.push(`QueryUnknown: ${name} has what the request does not have, after the run has read; a query carries it out`);
  }
  if (known.quoted.length > 0) say.push('UntrustedQuoted: a text repeats what anybody may have written, word by word');
  if (asked.long && hasRead) say.push('TextTooLong: there is more text than can be compared with what the run has read');
  if (known.unread && free.length > 0) say.push('TooMuchRead: the run has read more than can be compared with what it says now');
  const unvouched = given.filter(([name, parameter]) => tool.effect === 'write' && !tool.sinks.includes(name) && (!PLAIN.has(parameter.type) || parameter.type === 'text'))
    .flatMap(([name, parameter]) => {
      const type = valueType(parameter);
      const value = canonical(type, values[name]);
      return value === undefined || value.length > 200 || level(type, value) > 0 ? [] : [{ type, value }];
    });
  return { doubts: say, levels, unvouched };
}

/** Amounts, days and flags: what the request says; for amounts and days also what the card bounds, where everything goes to what is well vouched for. */
function quantityDoubt(name: string, { type, words = [] }: ParameterManifest, value: unknown, { request, today, bounded }: { request: string | null; today: string; bounded: boolean }): string | undefined {
  if (type === 'flag') return value === true && !asksFor(request, words) ? `FlagNotAskedFor: ${name} is set, and no trusted request asks for it` : undefined;
  if (type !== 'money' && type !== 'date') return undefined;
  if (namedIn(request, type, value) || bounded || (type === 'date' && value === today)) return undefined;
  return type === 'money' ? `AmountUnknown: the request does not name the amount of ${name}, and the card does not bound it` : `DateUnknown: the request does not name the day of ${name}, it is not today, and the card does not bound it`;
}

const registered = (scope: CompiledScope, type: string, value: string): boolean => (scope.counterparties.values[type] ?? []).some((each) => canonical(type, each) === value);

/** Whether each word of a text is one of a request, sign by sign, and no more often. */
function spokenWordByWord(text: string, request: string | null): boolean {
  const left = (request ?? '').normalize('NFC').toLowerCase().split(/\s+/u).map((word) => word.replace(/^["'(]+|["').,;:!?]+$/gu, ''));
  return text.normalize('NFC').toLowerCase().split(/\s+/u).filter((word) => word !== '').every((word) => {
    const at = left.indexOf(word);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

/** Whether words stand in a request in a row. */
const quotes = (request: string | null, phrase: string): boolean => request !== null && spoken(request).includes(` ${phrase} `);

/** A request is asked about many phrases of one call. */
let last = { request: '', spoken: '' };
function spoken(request: string): string {
  if (last.request !== request) last = { request, spoken: ` ${wordsOf(request).join(' ')} ` };
  return last.spoken;
}

function unique(found: readonly Found[]): Found[] {
  return [...new Map(found.map((each) => [`${each.type} ${each.value}`, each])).values()];
}
