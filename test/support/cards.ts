/** The card and the action that tests vary. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Card } from '../../lib/scope/card';
import type { Manifest } from '../../lib/scope/manifest';

export const CARD_FILE = join(__dirname, '..', '..', 'examples', 'cards', 'outreach-closer.yaml');
export const CARD_TEXT = readFileSync(CARD_FILE, 'utf8');

/** The example's card, changed. */
export function card(change: (card: any) => void = () => undefined): Card {
  const made = parse(CARD_TEXT) as Card;
  Object.assign(made, { 'failure-modes': [{ bad: 'It does too much at once.', 'found-by': { anomaly: 'bulk-writes' } }] }); // whatever it calls
  change(made);
  return made;
}

export const SEND_EMAIL: Manifest = {
  name: 'send_email', description: 'Sends one mail to a lead from the outreach address.', effect: 'write', reach: 'outward', asks: ['follow up', 'mail', 'write to'], sinks: ['to'], returns: {},
  parameters: { lead_id: { type: 'reference', references: 'leads.id' }, to: { type: 'email' }, subject: { type: 'text', maxLength: 120 }, body: { type: 'text', maxLength: 8_000 } },
  reverse: { kind: 'compensate', sentence: 'Sends a correction.' },
};

export const UPDATE_TIER: Manifest = {
  name: 'update_tier', description: 'Sets the tier of one customer.', effect: 'write', reach: 'internal', asks: ['tier'], sinks: [], returns: {},
  parameters: { customer_id: { type: 'reference', references: 'customer.id' }, tier: { type: 'one-of', values: ['free', 'growth', 'enterprise'] } },
  reverse: { kind: 'restore' }, reads: ['customer.id', 'customer.tier'], writes: ['customer.tier'],
};

export const ISSUE_REFUND: Manifest = {
  name: 'issue_refund', description: 'Pays money back.', effect: 'write', reach: 'outward', asks: ['refund'], sinks: ['charge_id'], returns: {},
  parameters: { charge_id: { type: 'reference', references: 'charges.id' }, amount: { type: 'money', currencies: ['USD'] }, count: { type: 'integer', min: 0, max: 10 } },
  reverse: { kind: 'impossible', sentence: 'The money has left. finance-oncall asks the bank.' },
};

export const LEADS = `create table leads (id text primary key, name text, company text, signals text, last_touch date, lead_status text, email text, phone text, payment_method text);
  insert into leads values ('L_1', 'Ada', 'Northwind', 's', '2026-04-30', 'cold', 'ada@example.com', '+49', 'visa'), ('L_2', 'Bo', 'Contoso', 's', '2026-05-01', 'customer', 'bo@example.com', '+46', null);`;
