import { describe, expect, it } from 'vitest';
import { diffCards } from '../../../lib/scope/diff';
import { card } from '../../support/cards';

const call = (of: any): any => of.scopes[0].call[0];
const difference = (before: (of: any) => void, after: (of: any) => void): string[] => diffCards(card(before), card(after)).map(({ kind, sentence }) => `${kind}: ${sentence}`);
const none = (): void => undefined;
const S = 'scope://outreach.send.cold';
const usd = (minorUnits: number): object => ({ currency: 'USD', 'minor-units': minorUnits });

describe('the difference between two cards', () => {
  it('is nothing for the same card', () => expect(difference(none, none)).toEqual([]));

  it.each<[string, (of: any) => void, (of: any) => void, string[]]>([
    ['one more column', none, (of) => of.scopes[0].read[0].columns.push('phone'), [`widened: ${S}: reads leads.phone`]],
    ['one column less', (of) => of.scopes[0].read[0].columns.push('phone'), none, [`narrowed: ${S}: no longer reads leads.phone`]],
    ['another table', none, (of) => of.scopes[0].read.push({ table: 'notes', columns: ['text', 'at'] }), [`widened: ${S}: reads notes.text, notes.at`]],
    ['one table less', none, (of) => { of.scopes[0].read = []; }, [`narrowed: ${S}: reads no leads any more`]],
    ['rows', none, (of) => { of.scopes[0].read[0].rows = { city: { equals: 'Berlin' } }; }, [`narrowed: ${S}: rows of leads where city is Berlin`]],
    ['a first read, call and limit', (of) => { of.scopes.push({ scope: 'scope://a.b', call: [{ action: 'x', approval: { tier: 'auto' } }] }); }, (of) => { of.scopes.push({ scope: 'scope://a.b', read: [{ table: 'notes', columns: ['at'] }], call: [{ action: 'x', limits: [{ 'at-most': 1, per: 'run' }], approval: { tier: 'auto' } }] }); }, ['widened: scope://a.b: reads notes.at', 'narrowed: scope://a.b: x: at most 1 a run']],
    ['everything of a scope', (of) => { of.scopes.push({ scope: 'scope://a.b', read: [{ table: 'notes', columns: ['at'] }], call: [{ action: 'x', limits: [{ 'at-most': 1, per: 'run' }], approval: { tier: 'auto' } }] }); }, (of) => { of.scopes.push({ scope: 'scope://a.b', call: [{ action: 'x', approval: { tier: 'auto' } }] }); }, ['narrowed: scope://a.b: reads no notes any more', 'widened: scope://a.b: x: no longer at most 1 a run']],
    ['an empty scope', (of) => { of.scopes.push({ scope: 'scope://a.b' }); }, (of) => { of.scopes.push({ scope: 'scope://a.b' }); of.agent = 'x'; }, ['changed: the card is of x, and was of outreach-closer']],
    ['another scope', none, (of) => of.scopes.push({ scope: 'scope://a.b' }), ['widened: new scope scope://a.b']],
    ['one scope less', (of) => of.scopes.push({ scope: 'scope://a.b' }), none, ['narrowed: scope scope://a.b is gone']],
    ['another call', none, (of) => of.scopes[0].call.push({ action: 'send_fax', approval: { tier: 'auto' } }), [`widened: ${S}: calls send_fax, tier auto`]],
    ['one call less', none, (of) => { of.scopes[0].call = []; }, [`narrowed: ${S}: calls no send_email any more`]],
    ['a bound that was added', none, (of) => { call(of).bounds = { subject: { longest: 40 } }; }, [`narrowed: ${S}: send_email: subject has at most 40 characters`]],
    ['a bound that is gone', (of) => { call(of).bounds = { subject: { longest: 40 } }; }, none, [`widened: ${S}: send_email: no longer subject has at most 40 characters`]],
    ['a longer text', (of) => { call(of).bounds = { subject: { longest: 40 } }; }, (of) => { call(of).bounds = { subject: { longest: 80 } }; }, [`widened: ${S}: send_email: subject has at most 80 characters, and was subject has at most 40 characters`]],
    ['a shorter minimum', (of) => { call(of).bounds = { subject: { shortest: 4 } }; }, (of) => { call(of).bounds = { subject: { shortest: 2 } }; }, [`widened: ${S}: send_email: subject has at least 2 characters, and was subject has at least 4 characters`]],
    ['a higher amount', (of) => { call(of).bounds = { amount: { 'less-than': usd(50000) } }; }, (of) => { call(of).bounds = { amount: { 'less-than': usd(90000) } }; }, [`widened: ${S}: send_email: amount is less than 900.00 USD, and was amount is less than 500.00 USD`]],
    ['a lower amount', (of) => { call(of).bounds = { amount: { 'at-most': usd(50000) } }; }, (of) => { call(of).bounds = { amount: { 'at-most': usd(5) } }; }, [`narrowed: ${S}: send_email: amount is at most 0.05 USD, and was amount is at most 500.00 USD`]],
    ['another currency', (of) => { call(of).bounds = { amount: { 'at-most': usd(50000) } }; }, (of) => { call(of).bounds = { amount: { 'at-most': { currency: 'JPY', 'minor-units': 500 } } }; }, [`changed: ${S}: send_email: amount is at most 500 JPY, and was amount is at most 500.00 USD`]],
    ['money where a number was', (of) => { call(of).bounds = { amount: { 'at-most': 5 } }; }, (of) => { call(of).bounds = { amount: { 'at-most': usd(5) } }; }, [`changed: ${S}: send_email: amount is at most 0.05 USD, and was amount is at most 5`]],
    ['a lower least', (of) => { call(of).bounds = { count: { 'at-least': 3 } }; }, (of) => { call(of).bounds = { count: { 'at-least': 1 } }; }, [`widened: ${S}: send_email: count is at least 1, and was count is at least 3`]],
    ['one more value', (of) => { call(of).bounds = { tier: { in: ['free'] } }; }, (of) => { call(of).bounds = { tier: { in: ['free', 'growth'] } }; }, [`widened: ${S}: send_email: tier is one of free, growth, and was tier is one of free`]],
    ['one value less', (of) => { call(of).bounds = { tier: { in: ['free', 'growth'] } }; }, (of) => { call(of).bounds = { tier: { in: ['free'] } }; }, [`narrowed: ${S}: send_email: tier is one of free, and was tier is one of free, growth`]],
    ['other values', (of) => { call(of).bounds = { tier: { in: ['free'] } }; }, (of) => { call(of).bounds = { tier: { in: ['growth'] } }; }, [`changed: ${S}: send_email: tier is one of growth, and was tier is one of free`]],
    ['other patterns', (of) => { call(of).bounds = { to: { matches: ['*@a.example'] } }; }, (of) => { call(of).bounds = { to: { matches: ['*@a.example', '*@b.example'] } }; }, [`widened: ${S}: send_email: to matches *@a.example or *@b.example, and was to matches *@a.example`]],
    ['another value', (of) => { call(of).bounds = { tier: { equals: 'free' } }; }, (of) => { call(of).bounds = { tier: { equals: 'growth' } }; }, [`changed: ${S}: send_email: tier is growth, and was tier is free`]],
    ['a shorter prefix', (of) => { call(of).bounds = { id: { 'starts-with': 'ch_' } }; }, (of) => { call(of).bounds = { id: { 'starts-with': 'c' } }; }, [`widened: ${S}: send_email: id starts with c, and was id starts with ch_`]],
    ['a longer prefix', (of) => { call(of).bounds = { id: { 'starts-with': 'c' } }; }, (of) => { call(of).bounds = { id: { 'starts-with': 'ch_' } }; }, [`narrowed: ${S}: send_email: id starts with ch_, and was id starts with c`]],
    ['another prefix', (of) => { call(of).bounds = { id: { 'starts-with': 'c' } }; }, (of) => { call(of).bounds = { id: { 'starts-with': 'x' } }; }, [`changed: ${S}: send_email: id starts with x, and was id starts with c`]],
    ['another state of the row', none, (of) => call(of).row['leads.lead_status'].in.push('customer'), [`widened: ${S}: send_email: row where leads.lead_status is one of cold, untouched, customer, and was row where leads.lead_status is one of cold, untouched`]],
    ['a justification', none, (of) => { call(of).requires = ['written-justification']; }, [`narrowed: ${S}: send_email: requires written-justification`]],
    ['no justification', (of) => { call(of).requires = ['ticket']; }, none, [`widened: ${S}: send_email: no longer requires ticket`]],
    ['a higher limit', none, (of) => { call(of).limits[0]['at-most'] = 50; }, [`widened: ${S}: send_email: at most 50 an hour, and was at most 20 an hour`]],
    ['a lower limit', none, (of) => { call(of).limits[0]['at-most'] = 5; }, [`narrowed: ${S}: send_email: at most 5 an hour, and was at most 20 an hour`]],
    ['a limit in another currency', (of) => { call(of).limits[0] = { 'sum-of': 'amount', per: 'day', 'at-most': usd(5) }; }, (of) => { call(of).limits[0] = { 'sum-of': 'amount', per: 'day', 'at-most': { currency: 'EUR', 'minor-units': 5 } }; }, [`changed: ${S}: send_email: at most 0.05 EUR of amount a day, and was at most 0.05 USD of amount a day`]],
    ['one limit less', none, (of) => call(of).limits.pop(), [`widened: ${S}: send_email: no longer at most 1 a day for each lead_id`]],
    ['one limit more', (of) => call(of).limits.pop(), none, [`narrowed: ${S}: send_email: at most 1 a day for each lead_id`]],
    ['nobody who is asked', none, (of) => { call(of).approval = { tier: 'auto' }; }, [`widened: ${S}: send_email: tier auto, and was verify, within 5 minutes, by sales-leads`]],
    ['a stricter tier', none, (of) => { call(of).approval.tier = 'human'; }, [`narrowed: ${S}: send_email: tier human, within 5 minutes, by sales-leads, and was verify, within 5 minutes, by sales-leads`]],
    ['a tier of its own', none, (of) => { call(of).approval = { tier: 'board' }; }, [`changed: ${S}: send_email: tier board, and was verify, within 5 minutes, by sales-leads`]],
    ['a tier of the same rank', (of) => { call(of).approval = { tier: 'human' }; }, (of) => { call(of).approval = { tier: 'same-day' }; }, [`changed: ${S}: send_email: tier same-day, and was human`]],
    ['a longer window', none, (of) => { call(of).approval.window = { hours: 1 }; }, [`widened: ${S}: send_email: tier verify, within 1 hour, by sales-leads, and was verify, within 5 minutes, by sales-leads`]],
    ['a window of its own', (of) => { delete call(of).approval.window; }, none, [`narrowed: ${S}: send_email: tier verify, within 5 minutes, by sales-leads, and was verify, by sales-leads`]],
    ['no window of its own', none, (of) => { delete call(of).approval.window; }, [`widened: ${S}: send_email: tier verify, by sales-leads, and was verify, within 5 minutes, by sales-leads`]],
    ['more people', none, (of) => { call(of).approval.people = 2; }, [`narrowed: ${S}: send_email: tier verify, within 5 minutes, 2 people, by sales-leads, and was verify, within 5 minutes, by sales-leads`]],
    ['one group more', none, (of) => call(of).approval.approvers.push('sales'), [`widened: ${S}: send_email: tier verify, within 5 minutes, by sales-leads or sales, and was verify, within 5 minutes, by sales-leads`]],
    ['one group less', (of) => call(of).approval.approvers.push('sales'), none, [`narrowed: ${S}: send_email: tier verify, within 5 minutes, by sales-leads, and was verify, within 5 minutes, by sales-leads or sales`]],
    ['other groups', none, (of) => { call(of).approval.approvers = ['sales']; }, [`changed: ${S}: send_email: tier verify, within 5 minutes, by sales, and was verify, within 5 minutes, by sales-leads`]],
    ['the groups in another order and more people', (of) => call(of).approval.approvers.push('sales'), (of) => { call(of).approval.approvers = ['sales', 'sales-leads']; call(of).approval.people = 2; }, [`narrowed: ${S}: send_email: tier verify, within 5 minutes, 2 people, by sales or sales-leads, and was verify, within 5 minutes, by sales-leads or sales`]],
    ['any group', none, (of) => { delete call(of).approval.approvers; }, [`widened: ${S}: send_email: tier verify, within 5 minutes, and was verify, within 5 minutes, by sales-leads`]],
    ['groups of its own', (of) => { delete call(of).approval.approvers; }, none, [`narrowed: ${S}: send_email: tier verify, within 5 minutes, by sales-leads, and was verify, within 5 minutes`]],
    ['more people and one group more', none, (of) => { call(of).approval.people = 2; call(of).approval.approvers.push('sales'); }, [`changed: ${S}: send_email: tier verify, within 5 minutes, 2 people, by sales-leads or sales, and was verify, within 5 minutes, by sales-leads`]],
    ['a later end', (of) => { call(of).approval = { tier: 'standing', 'granted-by': 'cfo', until: '2027-01-01' }; }, (of) => { call(of).approval = { tier: 'standing', 'granted-by': 'cfo', until: '2027-02-01' }; }, [`widened: ${S}: send_email: tier standing, granted by cfo until 2027-02-01, and was standing, granted by cfo until 2027-01-01`]],
    ['an earlier end', (of) => { call(of).approval = { tier: 'standing', 'granted-by': 'cfo', until: '2027-02-01' }; }, (of) => { call(of).approval = { tier: 'standing', 'granted-by': 'cfo', until: '2027-01-01' }; }, [`narrowed: ${S}: send_email: tier standing, granted by cfo until 2027-01-01, and was standing, granted by cfo until 2027-02-01`]],
    ['somebody else who grants', (of) => { call(of).approval = { tier: 'standing', 'granted-by': 'cfo', until: '2027-02-01' }; }, (of) => { call(of).approval = { tier: 'standing', 'granted-by': 'ceo', until: '2027-02-01' }; }, [`changed: ${S}: send_email: tier standing, granted by ceo until 2027-02-01, and was standing, granted by cfo until 2027-02-01`]],
    ['SQL of its own', none, (of) => { of.scopes[0]['direct-sql'] = true; }, [`widened: ${S}: writes SQL of its own`]],
    ['no SQL of its own', (of) => { of.scopes[0]['direct-sql'] = true; }, none, [`narrowed: ${S}: writes no SQL of its own any more`]],
    ['an AWS action', none, (of) => { of.scopes[0].aws = [{ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::x/y'] }]; }, [`widened: ${S}: AWS s3:GetObject on arn:aws:s3:::x/y`]],
    ['a never less', none, (of) => { of.never.read = ['leads.phone']; }, ['widened: no longer never read leads.payment_method']],
    ['a never more', none, (of) => { of.never.call = ['send_fax']; }, ['narrowed: never call send_fax']],
    ['no never at all', none, (of) => { delete of.never; }, ['widened: no longer never read leads.phone', 'widened: no longer never read leads.payment_method', 'widened: no longer never write payments.*', 'widened: no longer never write contracts.*']],
    ['trust in the trigger', none, (of) => { of.request['trusted-from'] = 'trigger'; }, ['narrowed: what was asked is taken from the trigger, and was from the compute']],
    ['trust in the compute', (of) => { of.request['trusted-from'] = 'trigger'; }, none, ['widened: what was asked is taken from the compute, and was from the trigger']],
    ['one class of data more', none, (of) => of['data-inputs'][0].classes.push('health'), ['widened: data health of crm-database']],
    ['another model', none, (of) => { of.models = ['x']; }, ['widened: model x', 'narrowed: no longer model bedrock-eu']],
    ['production data in dev', none, (of) => { of.environments.dev.data = 'production'; }, ['widened: environment dev holds production data, and held synthetic']],
    ['synthetic data in prod', none, (of) => { of.environments.prod.data = 'synthetic'; }, ['narrowed: environment prod holds synthetic data, and held production']],
    ['another environment', none, (of) => { of.environments.stage = { data: 'synthetic' }; }, ['widened: environment stage, with synthetic data']],
    ['one environment less', none, (of) => { delete of.environments.prod; }, ['narrowed: environment prod is gone']],
    ['a later review', none, (of) => { of['review-by'] = '2027-12-31'; }, ['widened: review by 2027-12-31, and was 2027-03-31']],
    ['an earlier review', none, (of) => { of['review-by'] = '2027-01-31'; }, ['narrowed: review by 2027-01-31, and was 2027-03-31']],
    ['what it is called, is for, and who owns it', none, (of) => { of.agent = 'x'; of.purpose = 'Something else altogether.'; of.owners.security = 'eve'; }, ['changed: the card is of x, and was of outreach-closer', 'changed: purpose: Something else altogether.', 'changed: the security owner is eve, and was appsec@example.com']],
    ['how failures are found', none, (of) => of['failure-modes'].pop(), ['changed: the failure modes, or how they are found']],
    ['longer retention', none, (of) => { of.retention.inputs = { months: 24 }; }, ['widened: inputs are kept for 24 months, and were for 13 months']],
    ['shorter retention', none, (of) => { of.retention.inputs = { days: 30 }; }, ['narrowed: inputs are kept for 30 days, and were for 13 months']],
  ])('tells %s', (_what, before, after, sentences) => {
    expect(difference(before, after)).toEqual(sentences);
  });
});
