import { describe, expect, it } from 'vitest';
import { approvalState } from '../../../lib/scope/approval';
import { cardPage } from '../../../lib/scope/card-page';
import { moneyWords } from '../../../lib/scope/words';
import { card, ISSUE_REFUND, SEND_EMAIL, UPDATE_TIER } from '../../support/cards';

const everything = card((of) => {
  of.scopes[0].read[0].rows = { lead_status: { in: ['cold'] }, company: { 'starts-with': 'N' } };
  of.scopes[0].call[0].approval = { tier: 'verify' };
  of.scopes[0].call.push(
    { action: 'update_tier', bounds: { tier: { in: ['free', 'growth'] } }, limits: [{ 'at-most': 200, per: 'hour' }], approval: { tier: 'auto' } },
    { action: 'issue_refund', bounds: { amount: { 'less-than': { currency: 'USD', 'minor-units': 50_000 } }, charge_id: { matches: ['ch_*'], shortest: 4, longest: 9 }, count: { equals: 1 } }, requires: ['written-justification'], limits: [{ 'sum-of': 'amount', 'at-most': { currency: 'USD', 'minor-units': 5 }, per: 'run' }], approval: { tier: 'standing', 'granted-by': 'cfo', until: '2027-01-31', approvers: ['payments'] } },
  );
  of.scopes[0]['direct-sql'] = true;
  of.scopes[0].aws = [{ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::x/y'] }];
});
const ALL = [SEND_EMAIL, UPDATE_TIER, ISSUE_REFUND, { ...UPDATE_TIER, name: 'look_up', effect: 'read' as const }];

describe('the page of a card', () => {
  it('says everything a reviewer asks', () => {
    expect(cardPage({ card: everything, manifests: ALL })).toMatchSnapshot();
  });

  it('says what is vouched for, what is private, who is registered, and what the model is told', () => {
    const page = cardPage({ card: card((of) => {
      of.scopes[0].read[0].trusted = { company: 'text' };
      of.scopes[0].read[0].private = ['signals'];
      of.counterparties = [{ type: 'person', values: ['Alice'] }, { type: 'email', from: 'suppliers.email' }];
      of.clauses = ['no-secrets', 'unknown'];
    }), manifests: [] });
    for (const text of ['`leads.company` (vouched for, text)', '`leads.signals` (private)', '| person | `Alice` |', 'whatever `suppliers.email` holds', '## What it is told', 'You never ask for, repeat or pass on passwords', '- unknown']) expect(page).toContain(text);
  });

  it('says nothing of where values come from where nothing is called, nor of clauses where there are none', () => {
    expect(cardPage({ card: card((of) => { of.scopes[0].call = []; }), manifests: [] })).not.toContain('where values come from');
    expect(cardPage({ card: card((of) => { delete of.clauses; }), manifests: [] })).not.toContain('What it is told');
  });

  it('says until when a call waits, and who may decide then', () => {
    const page = cardPage({ card: card((of) => { of.scopes[0].call[0].approval = { tier: 'same-day', approvers: ['sales-leads'] }; }), manifests: ALL, tiers: [{ name: 'same-day', kind: 'human', windowSeconds: 604_800, approvers: [], people: 1, hours: { timeZone: 'Europe/Berlin', opens: 540, closes: 1_050, holidays: [] }, escalateTo: 'heads' }] });
    expect(page).toContain('held until the end of the business day (Europe/Berlin, 09:00 to 17:30); then `heads`, too');
  });

  it('says which columns no record keeps', () => {
    expect(cardPage({ card: card((of) => { of.redact = ['leads.signals']; }), manifests: ALL })).toContain('No record keeps `leads.signals`.');
    expect(cardPage({ card: card(), manifests: ALL })).not.toContain('No record keeps');
  });

  it('says who approved it, when, and with which key; and when it is not in force', () => {
    expect(cardPage({ card: card(), manifests: ALL, approval: { signed: [{ by: 'appsec@example.com', at: '2026-05-14T14:22:03.000Z', key: 'SHA256:abc', signature: 'x' }], faults: [] } })).toContain('Approved by appsec@example.com on 2026-05-14 with the key `SHA256:abc`.');
    expect(cardPage({ card: card(), manifests: ALL, approval: approvalState({ card: card(), manifests: ALL, tiers: [] }, undefined, []) })).toContain('**Not in force where production data is:** nobody has approved it; it asks for appsec@example.com.');
    expect(cardPage({ card: card(), manifests: ALL })).toContain('Nobody looked whether they signed.');
  });

  it('says what it does not know, and what there is nothing of', () => {
    const bare = cardPage({ card: card((of) => { delete of.never; of.scopes[0].read = []; of.models = []; of.scopes[0].call = [{ action: 'look_up', approval: { tier: 'auto' } }, { action: 'send_email', approval: { tier: 'board' } }]; }), manifests: ALL.slice(1) });
    expect(bare).toContain('**not looked at:** the action is not at hand');
    expect(bare).toContain('nothing to undo');
    expect(bare).toContain('whatever its parameters take');
    expect(bare).toContain('Models: none.');
    expect(bare).toContain('## Data it may know\n\n| system');
    expect(bare).toContain('Nothing.');
    expect(bare).not.toContain('Never,');
  });

  it('shows hostile text as text', () => {
    const page = cardPage({ card: card((of) => { of.purpose = '<script>alert(1)</script> | **bold** [x](javascript:y) `code`'; of.owners.product = 'a|b\n# heading'; }), manifests: [{ ...SEND_EMAIL, reverse: { kind: 'impossible' } }] });
    const { reverse: _, ...bare } = SEND_EMAIL;
    const other = cardPage({ card: card((of) => { of.request['trusted-from'] = 'trigger'; of.scopes.push({ scope: 'scope://a.b' }); }), manifests: [bare] });
    expect(other).toContain('**nothing:** nobody said why');
    expect(other).toContain('taken from the trigger, a principal other than');
    expect(page).toContain('\\<script\\>alert(1)\\</script\\> \\| \\*\\*bold\\*\\* \\[x\\](javascript:y) \\`code\\`');
    expect(page).toContain('a\\|b \\# heading');
  });
});

describe('money', () => {
  it.each([['USD', 50_000, '500.00 USD'], ['USD', 5, '0.05 USD'], ['JPY', 500, '500 JPY'], ['KWD', 1_234, '1.234 KWD'], ['USD', 0, '0.00 USD']])('in %s', (currency, minorUnits, words) => {
    expect(moneyWords({ currency, 'minor-units': minorUnits })).toBe(words);
  });
});
