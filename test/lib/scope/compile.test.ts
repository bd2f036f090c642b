import { checkParsePolicySet } from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, it } from 'vitest';
import type { Card } from '../../../lib/scope/card';
import { cardDigest, compile, CompiledScope } from '../../../lib/scope/compile';
import { PolicySet } from '../../../lambda/gate/policy-set';
import { policyFaults } from '../../../lambda/gate/judge';
import { CLAUSES, systemPrompt } from '../../../lib/scope/clauses';
import { compileReverseSql, compileSql } from '../../../lib/scope/compile-sql';
import { Manifest, valueType } from '../../../lib/scope/manifest';
import { DEFAULT_TIERS } from '../../../lib/scope/tier';
import { card, ISSUE_REFUND, SEND_EMAIL, UPDATE_TIER } from '../../support/cards';

const ALL = [SEND_EMAIL, UPDATE_TIER, ISSUE_REFUND];
const compiled = (of: Card, manifests: readonly Manifest[] = ALL): CompiledScope => compile({ card: of, environment: 'dev', manifests, tiers: DEFAULT_TIERS });
const call = (of: any): any => of.scopes[0].call[0];
/** A card that calls `issue_refund` with the given call. */
const refunds = (change: (of: any) => void): Card => card((of) => {
  of.scopes[0].call = [{ action: 'issue_refund', approval: { tier: 'human' } }];
  change(call(of));
});
const tiers = (change: (of: any) => void): Card => card((of) => {
  of.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'auto' } }];
  change(call(of));
});

describe('a card, compiled', () => {
  it('keeps the policies, tools and grants that were reviewed', () => {
    const scope = compiled(card());
    expect({ policies: scope.policies, rules: scope.rules, grants: scope.grants, sql: compileSql(scope, 'controls') }).toMatchSnapshot();
    expect(scope.tools.read_leads?.schema.inputSchema).toMatchSnapshot();
  });

  it('is the same bytes for the same card', () => {
    expect(JSON.stringify(compiled(card()))).toBe(JSON.stringify(compiled(card())));
    expect(cardDigest(card())).not.toBe(cardDigest(card((of) => { of.purpose += '!'; })));
  });

  it('gives policies that Cedar parses, with every kind of bound', () => {
    const scope = compiled(refunds((of) => {
      of.bounds = { amount: { 'less-than': { currency: 'USD', 'minor-units': 500 }, 'at-least': { currency: 'USD', 'minor-units': 1 } }, charge_id: { 'starts-with': 'ch_', in: ['ch_1', 'ch_2'], longest: 9 }, count: { 'at-most': 3, equals: 2 } };
    }));
    expect(checkParsePolicySet({ staticPolicies: { ...scope.policies } })).toEqual({ type: 'success' });
    expect(Object.values(scope.policies).join()).toMatchSnapshot();
    expect(scope.tools.issue_refund?.schema.inputSchema).toMatchObject({ properties: { charge_id: { maxLength: 9 } } });
  });

  it('limits rows with a restrictive policy for this agent, and keeps the table open to others', () => {
    const sql = compileSql(compiled(card((of) => { of.scopes[0].read[0].rows = { lead_status: { in: ['cold'] }, company: { 'starts-with': 'N' } }; })), 'controls');
    expect(sql.at(-1)).toBe(`select controls.limit_rows('"public"."leads"'::regclass, 'controls-agent-outreach-closer', '("lead_status" in (''cold'') and starts_with("company", ''N''))')`);
  });
});

describe('what values come from', () => {
  const trusting = (change: (of: any) => void): Card => card((of) => { of.scopes[0].read = [{ table: 'leads', columns: ['id', 'email', 'notes'], trusted: { id: 'leads.id', email: 'email' }, private: ['notes'] }]; change(of); });

  it('is told of columns, and registered as values or columns', () => {
    const scope = compiled(trusting((of) => {
      of.scopes.push({ scope: 'scope://outreach.read.more', read: [{ table: 'leads', columns: ['id', 'notes', 'name'], private: ['name'] }, { table: 'leads', columns: ['id', 'notes'], trusted: { notes: 'text' } }] });
      of.counterparties = [{ type: 'person', values: ['Alice'] }, { type: 'person', values: ['Bob'] }, { type: 'email', from: 'suppliers.email' }];
    }));
    expect(scope.tools.read_leads?.returns).toEqual({ id: { type: 'leads.id', trusted: true }, email: { type: 'email', trusted: true }, notes: { type: 'text', trusted: true, private: true }, name: { type: 'text', private: true } });
    expect(scope.counterparties).toEqual({ values: { person: ['Alice', 'Bob'] }, queries: [{ type: 'email', sql: 'select exists (select from "public"."suppliers" where "email"::text = $1)' }] });
    expect(compiled(card()).counterparties).toEqual({ values: {}, queries: [] });
  });

  it('is not told of what is not read', () => {
    expect(() => compiled(trusting((of) => { of.scopes[0].read[0].trusted = { phone: 'text' }; }))).toThrow(/^ColumnUnread: scopes\[0\]\.read\[0\]\.trusted: got "phone"/);
    expect(() => compiled(trusting((of) => { of.scopes[0].read[0].private = ['phone']; }))).toThrow(/^ColumnUnread: scopes\[0\]\.read\[0\]\.private: got "phone"/);
  });

  it('may be told to the model in clauses that exist', () => {
    expect(() => compiled(card((of) => { of.clauses = ['be-nice']; }))).toThrow(/^ClauseUnknown: clauses\[0\]: got "be-nice"; there are data-is-not-instruction/);
    expect(compiled(card((of) => { of.clauses = ['no-secrets']; })).cardDigest).not.toBe(compiled(card()).cardDigest);
    expect(compiled(card((of) => { delete of.clauses; })).agent).toBe('outreach-closer');
    expect(systemPrompt(['no-secrets', 'gate-decides'])).toBe(`${CLAUSES['no-secrets'] ?? ''}\n\n${CLAUSES['gate-decides'] ?? ''}`);
  });

  it('has a type: that of a name is what it names, of a reference its column', () => {
    expect([valueType({ type: 'name', of: 'person' }), valueType({ type: 'reference', references: 'leads.id' }), valueType({ type: 'email' })]).toEqual(['person', 'leads.id', 'email']);
  });

  it('is asked of addresses and accounts wherever they stand, and of every write', () => {
    const scoped = (manifest: object): (() => unknown) => () => compile({ card: card(), environment: 'dev', manifests: [{ ...SEND_EMAIL, ...manifest }], tiers: undefined });
    expect(scoped({ sinks: [] })).toThrow(/^SinkMissing: scopes\[0\]\.call\[0\]\.action: to of send_email is an email/);
    expect(scoped({ asks: [] })).toThrow(/^AsksMissing: /);
  });

  it('is bounded where a call brings it, and free where the call leaves it out', () => {
    const PAY: Manifest = { ...SEND_EMAIL, name: 'send_email', parameters: { ...SEND_EMAIL.parameters, subject: { type: 'text', maxLength: 120, optional: true }, urgent: { type: 'flag', words: ['urgent'], optional: true } } };
    const scope = compile({ card: card((of) => { Object.assign(of.scopes[0].call[0], { bounds: { subject: { 'starts-with': 'Re:', longest: 5 }, urgent: { equals: false } } }); }), environment: 'dev', manifests: [PAY], tiers: undefined });
    expect(policyFaults(scope, [PAY])).toEqual([]);
    const set = new PolicySet('optional', scope);
    const permits = (more: object): boolean => set.permitting({ agent: scope.agent, action: 'send_email', parameters: { lead_id: 'L', to: 'a@x.example', body: 'b', ...more }, columns: [] }).length > 0;
    expect([permits({}), permits({ subject: 'Re: x' }), permits({ subject: 'Fwd' }), permits({ subject: 'Re: long' }), permits({ urgent: false }), permits({ urgent: true })]).toEqual([true, true, false, false, true, false]);
    expect(scope.tools.send_email?.schema.inputSchema).toMatchObject({ required: ['lead_id', 'to', 'body'] });
    expect(() => compile({ card: card((of) => { Object.assign(of.scopes[0].call[0], { bounds: { urgent: { equals: 'no' } } }); }), environment: 'dev', manifests: [PAY], tiers: undefined })).toThrow(/^BoundUnenforceable: .*the parameter is flag, got "no"/);
  });
});

describe('what no target could enforce', () => {
  it.each<[string, RegExp, Card]>([
    ['an action that nobody declares', /^ActionUnknown: scopes\[0\]\.call\[0\]\.action: got "send_fax".*declared are issue_refund, send_email, update_tier/, card((of) => { call(of).action = 'send_fax'; })],
    ['a bound on a parameter that the action does not have', /^BoundUnenforceable: scopes\[0\]\.call\[0\]\.bounds\.recipient: the action has no parameter "recipient"; bound one of/, card((of) => { call(of).bounds = { recipient: { equals: 'x' } }; })],
    ['an order on text', /^BoundUnenforceable: scopes\[0\]\.call\[0\]\.bounds\.subject\.less-than/, card((of) => { call(of).bounds = { subject: { 'less-than': 5 } }; })],
    ['money compared with a number', /^BoundUnenforceable: .*amount\.at-most: the parameter is money, not an integer/, refunds((of) => { of.bounds = { amount: { 'at-most': 5 } }; })],
    ['a number compared with money', /^BoundUnenforceable: .*count\.at-most: the parameter is integer, not money/, refunds((of) => { of.bounds = { count: { 'at-most': { currency: 'USD', 'minor-units': 5 } } }; })],
    ['text equal to a number', /^BoundUnenforceable: .*subject\.equals: the parameter is text, got 5/, card((of) => { call(of).bounds = { subject: { equals: 5 } }; })],
    ['text equal to money', /^BoundUnenforceable: .*subject\.in\[0\]: the parameter is text, not money/, card((of) => { call(of).bounds = { subject: { in: [{ currency: 'USD', 'minor-units': 5 }] } }; })],
    ['a prefix of a number', /^BoundUnenforceable: .*count\.starts-with/, refunds((of) => { of.bounds = { count: { 'starts-with': '1' } }; })],
    ['a length of a number', /^BoundUnenforceable: .*count\.longest/, refunds((of) => { of.bounds = { count: { longest: 1 } }; })],
    ['money in a row', /^BoundUnenforceable: .*row\.amount\.at-most: a column holds no currency/, refunds((of) => { of.row = { 'charges.amount': { 'at-most': { currency: 'USD', 'minor-units': 5 } } }; })],
    ['a row of a table that no parameter names', /^BoundUnenforceable: scopes\[0\]\.call\[0\]\.row: send_email has no parameter that references "customer"/, card((of) => { call(of).row = { 'customer.tier': { equals: 'x' } }; })],
    ['rows of two tables', /^BoundUnenforceable: .*conditions on 2 tables/, card((of) => { call(of).row = { 'leads.name': { equals: 'x' }, 'customer.tier': { equals: 'x' } }; })],
    ['a sum of text', /^BoundUnenforceable: scopes\[0\]\.call\[0\]\.limits\[0\]\.sum-of: subject is text/, card((of) => { call(of).limits = [{ 'at-most': 5, per: 'day', 'sum-of': 'subject' }]; })],
    ['a sum of something that is not there', /^BoundUnenforceable: .*sum-of: the action has no parameter "total"/, card((of) => { call(of).limits = [{ 'at-most': 5, per: 'day', 'sum-of': 'total' }]; })],
    ['a read under never.call', /^NeverContradicted: scopes\[0\]\.read\[0\]\.table: read_leads is under never\.call/, card((of) => { of.never.call = ['read_leads']; })],
    ['rows by a column under never.read', /^NeverContradicted: .*rows\.phone: leads\.phone is under never\.read, and which rows come back would tell it/, card((of) => { of.scopes[0].read[0].rows = { phone: { 'starts-with': '+49' } }; })],
    ['a row by a column under never.read', /^NeverContradicted: .*row\.leads\.phone: it is under never\.read/, card((of) => { call(of).row = { 'leads.phone': { 'starts-with': '+49' } }; })],
    ['a limit for each of something that is not there', /^BoundUnenforceable: .*for-each/, card((of) => { call(of).limits = [{ 'at-most': 5, per: 'day', 'for-each': 'buyer' }]; })],
    ['a limit in money that sums nothing', /^BoundUnenforceable: .*nothing is summed; add sum-of/, refunds((of) => { of.limits = [{ 'at-most': { currency: 'USD', 'minor-units': 5 }, per: 'day' }]; })],
    ['a second confirmation of nobody', /^BoundUnenforceable: .*second-confirmation asks a second person, and nobody is asked for sure in tier verify/, card((of) => { call(of).requires = ['second-confirmation']; })],
    ['a pattern that fits everything', /^NotEncodable: .*bounds\.subject\.matches\[0\] must be a pattern with some text in it, got "\*\*"/, card((of) => { call(of).bounds = { subject: { matches: ['**'] } }; })],
    ['a pattern of a number', /^BoundUnenforceable: .*count\.matches: the parameter is integer, not text/, refunds((of) => { of.bounds = { count: { matches: ['1*'] } }; })],
    ['an amount in two currencies', /^BoundUnenforceable: .*amount\.at-least: got EUR beside USD/, refunds((of) => { of.bounds = { amount: { 'at-most': { currency: 'USD', 'minor-units': 5 }, 'at-least': { currency: 'EUR', 'minor-units': 1 } } }; })],
    ['a standing approval that outlives the review', /^StandingTooLong: scopes\[0\]\.call\[0\]\.approval\.until: got 2027-04-01, and the card is reviewed by 2027-03-31/, refunds((of) => { of.approval = { tier: 'standing', 'granted-by': 'cfo', until: '2027-04-01' }; })],
    ['fewer people than the tier asks for', /^TierLoosened: .*people: got 0, the tier asks for 1/, card((of) => { call(of).approval.people = 0; })],
    ['a window that nobody could answer in', /^HoldWindowTooShort: .*window: got 0 seconds/, card((of) => { call(of).approval.window = { minutes: 0 }; })],
    ['a row without its table', /^BoundUnenforceable: .*row\.lead_status: a row is bounded by table\.column/, card((of) => { call(of).row = { lead_status: { equals: 'cold' } }; })],
    ['a failure found by a limit that is not there', /^FailureUndetected: failure-modes\[0\]\.found-by\.limit: got "update_tier"/, card((of) => { of['failure-modes'] = [{ bad: 'x', 'found-by': { limit: 'update_tier' } }]; })],
    ['a failure found by the provenance of what is no sink', /^FailureUndetected: failure-modes\[0\]\.found-by\.provenance: got "send_email.body"/, card((of) => { of['failure-modes'] = [{ bad: 'x', 'found-by': { provenance: 'send_email.body' } }]; })],
    ['a failure found by the provenance of another action', /^FailureUndetected: .*got "issue_refund.charge_id"/, card((of) => { of['failure-modes'] = [{ bad: 'x', 'found-by': { provenance: 'issue_refund.charge_id' } }]; })],
    ['a failure found by half a name', /^FailureUndetected: .*got "send_email"/, card((of) => { of['failure-modes'] = [{ bad: 'x', 'found-by': { provenance: 'send_email' } }]; })],
    ['two reads of one table with different rows', /^BoundUnenforceable: scopes\[0\]\.read\[1\]\.rows: another read of leads has other rows/, card((of) => { of.scopes[0].read.push({ table: 'leads', columns: ['email'], rows: { lead_status: { equals: 'cold' } } }); })],
    ['a tier that the queue does not offer', /^TierUnknown: .*got "four-eyes", the hold queue offers auto, standing, verify, human, contract, same-day/, card((of) => { call(of).approval = { tier: 'four-eyes' }; })],
    ['a window wider than the tier', /^TierLoosened: .*window: got 600 seconds, the tier allows 300/, card((of) => { call(of).approval.window = { minutes: 10 }; })],
    ['a tier too low for what cannot be undone', /^TierTooLow: .*got "verify", but the reverse of issue_refund is impossible; the lowest tier is human/, refunds((of) => { of.approval = { tier: 'verify' }; })],
    ['a tier too low for what can only be made up for', /^TierTooLow: .*got "auto", but the reverse of send_email is compensate/, card((of) => { call(of).approval = { tier: 'auto' }; })],
    ['a column under never.read', /^NeverContradicted: scopes\[0\]\.read\[0\]\.columns\[0\]: leads\.phone is under never\.read/, card((of) => { of.scopes[0].read[0].columns = ['phone']; })],
    ['an action under never.call', /^NeverContradicted: .*send_email is under never\.call/, card((of) => { of.never.call = ['send_email']; })],
    ['an action that writes what is under never.write', /^NeverContradicted: .*update_tier writes customer\.tier/, card((of) => { of.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'auto' } }]; of.never.write = ['customer.*']; })],
    ['an action that reads what is under never.read', /^NeverContradicted: .*update_tier reads customer\.id/, card((of) => { of.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'auto' } }]; of.never.read = ['customer.id']; })],
    ['a table name made to break SQL', /^NotEncodable: scopes\[0\]\.read\[0\]\.table/, card((of) => { of.scopes[0].read[0].table = 'leads; drop table leads'; })],
    ['a row column made to break SQL', /^NotEncodable: scopes\[0\]\.read\[0\]\.rows\.x" or true --/, card((of) => { of.scopes[0].read[0].rows = { 'x" or true --': { equals: 1 } }; })],
    ['a column under never.read, named with its schema', /^NeverContradicted/, card((of) => { of.scopes[0].read[0] = { table: 'public.leads', columns: ['phone'] }; })],
    ['a table of the control plane', /^NotEncodable: scopes\[0\]\.read\[0\]\.table must be a table of your own, got "audit\.payload"/, card((of) => { of.scopes[0].read[0] = { table: 'audit.payload', columns: ['body'] }; })],
    ['an AWS action that every boundary denies', /^AwsActionForbidden: scopes\[0\]\.aws\[0\]\.actions\[0\]: got "secretsmanager:GetSecretValue"/, card((of) => { of.scopes[0].aws = [{ actions: ['secretsmanager:GetSecretValue'], resources: ['arn:aws:s3:::x'] }]; })],
    ['a gateway call as an AWS action', /^AwsActionForbidden/, card((of) => { of.scopes[0].aws = [{ actions: ['execute-api:Invoke'], resources: ['arn:aws:s3:::x'] }]; })],
  ])('refuses %s', (_what, message, of) => {
    expect(() => compiled(of)).toThrow(message);
  });

  it('takes failures that a limit or a sink finds, standing approvals, second confirmations, and tables of other schemas', () => {
    const scope = compiled(refunds((of) => { of.approval = { tier: 'standing', 'granted-by': 'cfo', until: '2027-03-31', approvers: ['payments'] }; of.limits = [{ 'at-most': 1, per: 'run' }]; }));
    expect(scope.rules['scope://outreach.send.cold/call/0']).toMatchObject({ kind: 'standing', until: '2027-03-31', grantedBy: 'cfo', approvers: ['payments'] });
    const found = compiled(card((of) => {
      of['failure-modes'] = [{ bad: 'x', 'found-by': { limit: 'send_email' } }, { bad: 'y', 'found-by': { provenance: 'send_email.to' } }];
      of.scopes[0].read = [{ table: 'sales.orders', columns: ['id'] }];
      call(of).approval = { tier: 'human' };
      call(of).requires = ['second-confirmation'];
    }));
    expect(found.rules['scope://outreach.send.cold/call/0']?.people).toBe(2);
    expect(compileSql(found, 'controls')).toContain('grant usage on schema "sales" to "controls-agent-outreach-closer"');
  });

  it('sums money, writes columns, and judges by the default tiers when no queue is at hand', () => {
    const of = card((made) => {
      made.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'verify' } }, { action: 'issue_refund', limits: [{ 'at-most': { currency: 'USD', 'minor-units': 5 }, 'sum-of': 'amount', per: 'day' }, { 'at-most': 5, 'sum-of': 'count', per: 'hour' }], approval: { tier: 'human' } }];
    });
    const scope = compile({ card: of, environment: 'dev', manifests: ALL, tiers: undefined });
    expect(scope.rules['scope://outreach.send.cold/call/1']?.limits).toMatchObject([{ atMost: 5, currency: 'USD', sumOf: 'amount', seconds: 86_400 }, { atMost: 5, sumOf: 'count', seconds: 3_600 }]);
    expect(compileSql(scope, 'controls')).toEqual(expect.arrayContaining(['grant insert ("tier") on "public"."customer" to "controls-agent-outreach-closer"', 'grant update ("tier") on "public"."customer" to "controls-agent-outreach-closer"']));
  });

  it('gives SQL of its own a tool, a rule, and no trust', () => {
    const scope = compiled(card((of) => { of.scopes[0]['direct-sql'] = true; }));
    expect(scope.tools.select_sql).toMatchObject({ kind: 'sql', effect: 'read', returns: {} });
    expect(scope.rules['scope://outreach.send.cold/direct-sql']).toMatchObject({ kind: 'auto', scope: 'scope://outreach.send.cold' });
    expect([scope.directSql, compiled(card()).directSql]).toEqual([true, false]);
  });

  it('refuses to sum what may be less than nothing', () => {
    const balance = { ...ISSUE_REFUND, parameters: { ...ISSUE_REFUND.parameters, balance: { type: 'integer' as const, min: -1, max: 1 } } };
    expect(() => compiled(refunds((of) => { of.limits = [{ 'at-most': 5, per: 'day', 'sum-of': 'balance' }]; }), [balance])).toThrow(/^BoundUnenforceable: .*sum-of: balance may be -1, and what is less than nothing would make room for more/);
  });

  it('grants what an action writes, and no reading along with it', () => {
    expect(compileSql(compiled(card(), [{ ...SEND_EMAIL, writes: ['lead_notes.note'] }]), 'controls').filter((sql) => sql.includes('lead_notes'))).toEqual(['insert', 'update'].map((verb) => `grant ${verb} ("note") on "public"."lead_notes" to "controls-agent-outreach-closer"`));
  });

  it('refuses a row that two parameters name, and says when no action is declared at all', () => {
    const two = { ...SEND_EMAIL, parameters: { ...SEND_EMAIL.parameters, other_id: { type: 'reference' as const, references: 'leads.id' } } };
    expect(() => compiled(card(), [two])).toThrow(/^BoundUnenforceable: .*lead_id and other_id of send_email both name a row of leads/);
    expect(() => compiled(card(), [])).toThrow(/declared are none; add the action/);
  });

  it('refuses an environment that the card does not name', () => {
    expect(() => compile({ card: card(), environment: 'stage', manifests: ALL, tiers: DEFAULT_TIERS })).toThrow(/^EnvironmentUnknown: environments: .*names dev, prod/);
  });

  it('refuses a write without a reverse', () => {
    const { reverse: _, ...bare } = SEND_EMAIL;
    expect(() => compiled(card(), [bare])).toThrow(/^ReverseMissing: send_email/);
  });

  it('refuses an action that is called like a gated read', () => {
    expect(() => compiled(card(), [...ALL, { ...SEND_EMAIL, name: 'read_leads' }])).toThrow(/^ActionDuplicate: read_leads/);
    expect(() => compiled(card((of) => { of.scopes[0]['direct-sql'] = true; }), [...ALL, { ...SEND_EMAIL, name: 'select_sql' }])).toThrow(/^ActionDuplicate: select_sql/);
  });

  it('refuses a column of an action without its table', () => {
    expect(() => compiled(tiers(() => undefined), [{ ...UPDATE_TIER, writes: ['tier'] }])).toThrow(/^ColumnUnnamed: update_tier\.writes/);
  });

  it('lets a card tighten its tier, and no more', () => {
    const loose = [{ name: 'verify', kind: 'verify' as const, windowSeconds: 600, approvers: ['a', 'b'], people: 2 }];
    const of = (approval: object): CompiledScope => compile({ card: card((made) => { call(made).approval = { tier: 'verify', ...approval }; }), environment: 'dev', manifests: ALL, tiers: loose });
    expect(of({ window: { minutes: 1 }, approvers: ['a'], people: 3 }).rules['scope://outreach.send.cold/call/0']).toMatchObject({ windowSeconds: 60, approvers: ['a'], people: 3 });
    expect(() => of({ people: 1 })).toThrow(/^TierLoosened: .*people: got 1, the tier asks for 2/);
    expect(() => of({ approvers: ['c'] })).toThrow(/^TierLoosened: .*approvers: "c"/);
  });
});

describe('a tier that asks for a reference', () => {
  const tiers = [{ name: 'verify', kind: 'verify', windowSeconds: 300, approvers: [], people: 1, referenceRequired: true }] as const;
  it('makes every call of it name a ticket, whatever the card says', () => {
    const compiled = compile({ card: card(), environment: 'dev', manifests: [SEND_EMAIL], tiers });
    expect(Object.values(compiled.rules).find(({ action }) => action === 'send_email')?.requires).toContain('ticket');
    expect(Object.values(compiled.rules).find(({ action }) => action === 'read_leads')?.requires).toEqual([]);
  });

  it('asks once where the card asks, too', () => {
    const compiled = compile({ card: card((of) => { of.scopes.find((scope: { call?: unknown }) => scope.call).call[0].requires = ['ticket']; }), environment: 'dev', manifests: [SEND_EMAIL], tiers });
    expect(Object.values(compiled.rules).find(({ action }) => action === 'send_email')?.requires).toEqual(['ticket']);
  });
});

describe('columns that no record keeps', () => {
  it('must be columns that the card reads', () => {
    const [of] = card().scopes.flatMap(({ read }) => read ?? []);
    const column = `${of?.table ?? ''}.${of?.columns[0] ?? ''}`;
    expect(compiled(card((made) => { made.redact = [column]; })).redact).toEqual([column]);
    expect(compiled(card()).redact).toEqual([]);
    for (const unknown of ['leads.nothing', 'nowhere.name']) expect(() => compiled(card((made) => { made.redact = [unknown]; }))).toThrow(/^RedactUnknown: redact\[0\]/);
  });
});

describe('the login of reversals', () => {
  const UNDONE: Manifest = { ...UPDATE_TIER, reads: ['customer.id', 'sales.plan.name'], writes: ['customer.tier'], reverse: { kind: 'restore', deletes: ['notes'] } };
  it('gets what reverses read, write and take out, what cards read of the same tables, and nothing else', () => {
    const statements = compileReverseSql([UNDONE, SEND_EMAIL, { ...UPDATE_TIER, name: 'shout', writes: ['secret.x'], reverse: { kind: 'impossible', sentence: 'No.' } }, { ...UPDATE_TIER, name: 'look', effect: 'read', reads: ['secret.y'], reverse: undefined } as unknown as Manifest],
      [{ table: '"public"."customer"', select: ['"company"'] }, { table: '"public"."secret"', select: ['"z"'] }], 'controls');
    const text = statements.join('\n');
    expect(statements[0]).toBe("select controls.clear_role('controls-reverse')");
    for (const right of ['grant select ("id") on "public"."customer"', 'grant select ("company") on "public"."customer"', 'grant update ("tier") on "public"."customer"', 'grant insert ("tier") on "public"."customer"', 'grant select ("name") on "sales"."plan"', 'grant delete on "public"."notes"', 'grant usage on schema "sales"']) expect(text).toContain(right);
    expect(text).not.toContain('secret');
    expect(text).toContain("attname = 'tier' and not attisdropped");
  });
});

describe('a tier of the business day', () => {
  it('keeps its hours and whom it escalates to', () => {
    const hours = { timeZone: 'UTC', opens: 540, closes: 1_020, holidays: [] };
    const scope = compile({ card: card((of) => { call(of).approval = { tier: 'day', approvers: ['sales-leads'] }; }), environment: 'dev', manifests: ALL, tiers: [{ name: 'day', kind: 'human', windowSeconds: 604_800, approvers: [], people: 1, hours, escalateTo: 'heads' }] });
    expect(Object.values(scope.rules)).toContainEqual(expect.objectContaining({ hours, escalateTo: 'heads' }));
  });
});
