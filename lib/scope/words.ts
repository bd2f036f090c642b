import { Approval, CardDuration, CardMoney, Condition, Conditions, isMoney, Limit, Ordered, Scalar } from './card';

/*
 * What a card says, in words that a reviewer reads: one wording for the card page, for differences between two cards, and for the
 * access table.
 */

/** `500.00 USD`: with the decimals that the currency has. */
export function moneyWords({ currency, 'minor-units': minorUnits }: CardMoney): string {
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits as number;
  const text = String(minorUnits).padStart(digits + 1, '0');
  return `${digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`} ${currency}`;
}

/** A value as the card has it. */
export function scalarWords(value: Scalar): string {
  return isMoney(value) ? moneyWords(value) : String(value);
}

/** `5 minutes`. */
export function durationWords(duration: CardDuration): string {
  return Object.entries(duration).map(([unit, count]) => (count === 1 ? `1 ${unit.slice(0, -1)}` : `${count} ${unit}`)).join(' ');
}

const PHRASES: readonly (readonly [keyof Condition, (bound: any) => string])[] = [
  ['equals', (value: Scalar) => `is ${scalarWords(value)}`],
  ['in', (values: readonly Scalar[]) => `is one of ${values.map(scalarWords).join(', ')}`],
  ['less-than', (value: Ordered) => `is less than ${scalarWords(value)}`],
  ['at-most', (value: Ordered) => `is at most ${scalarWords(value)}`],
  ['at-least', (value: Ordered) => `is at least ${scalarWords(value)}`],
  ['starts-with', (value: string) => `starts with ${value}`],
  ['matches', (values: readonly string[]) => `matches ${values.join(' or ')}`],
  ['shortest', (value: number) => `has at least ${value} characters`],
  ['longest', (value: number) => `has at most ${value} characters`],
];

/** Each condition as one phrase: `amount is less than 500.00 USD`. */
export function conditionWords(conditions: Conditions | undefined): string[] {
  return Object.entries(conditions ?? {}).flatMap(([name, condition]) => PHRASES.filter(([key]) => condition[key] !== undefined).map(([key, phrase]) => `${name} ${phrase(condition[key])}`));
}

/** `at most 1 a day for each lead_id`, `at most 2000.00 USD of amount a day`. */
export function limitWords(limit: Limit): string {
  const sum = limit['sum-of'] === undefined ? '' : ` of ${limit['sum-of']}`;
  const each = limit['for-each'] === undefined ? '' : ` for each ${limit['for-each']}`;
  return `at most ${scalarWords(limit['at-most'])}${sum} ${limit.per === 'hour' ? 'an' : 'a'} ${limit.per}${each}`;
}

/** `verify, within 5 minutes, by sales-leads`. */
export function approvalWords({ tier, window, approvers, people, until, 'granted-by': grantedBy }: Approval): string {
  return [
    tier,
    ...(grantedBy === undefined ? [] : [`granted by ${grantedBy} until ${String(until)}`]),
    ...(window === undefined ? [] : [`within ${durationWords(window)}`]),
    ...(people === undefined ? [] : [`${people} people`]),
    ...(approvers === undefined ? [] : [`${grantedBy === undefined ? '' : 'else '}by ${approvers.join(' or ')}`]),
  ].join(', ');
}
