import { describe, expect, it } from 'vitest';
import { decide, Known, Proposal, Verdict } from '../../../lambda/gate/decide';
import { PolicySet } from '../../../lambda/gate/policy-set';
import { Card } from '../../../lib/scope/card';
import { compile } from '../../../lib/scope/compile';
import { Manifest, manifestDigest } from '../../../lib/scope/manifest';
import { DEFAULT_TIERS } from '../../../lib/scope/tier';
import { card, ISSUE_REFUND, SEND_EMAIL, UPDATE_TIER } from '../../support/cards';

const ALL: readonly Manifest[] = [SEND_EMAIL, UPDATE_TIER, ISSUE_REFUND];
let version = 0;
const policies = (of: Card = card()): PolicySet => new PolicySet(`test-${(version += 1)}`, compile({ card: of, environment: 'dev', manifests: ALL, tiers: DEFAULT_TIERS }));
const MAIL = { lead_id: 'L_1', to: 'ada@example.com', subject: 's', body: 'b' };
const RULE = 'scope://outreach.send.cold/call/0';

function judged(proposal: Partial<Proposal>, known: Partial<Known> = {}, set = policies()): Verdict {
  const action = proposal.action ?? 'send_email';
  const manifest = ALL.find(({ name }) => name === action);
  return decide(set, { action, parameters: MAIL, ...proposal }, { stopped: null, manifestDigest: manifest ? manifestDigest(manifest) : null, rowsHold: [RULE], trustedRequest: 'Follow up: mail ada@example.com, and see to the tier of C_1', today: '2026-05-01', hasRead: false, ...known });
}
const reason = ({ reasons }: Verdict): string => reasons.map((text) => text.split(':')[0]).join();

describe('the gate denies', () => {
  it.each<[string, string, Partial<Proposal>, Partial<Known>]>([
    ['whatever a stopped run proposes', 'RunExpired', {}, { stopped: 'RunExpired' }],
    ['an action that the card does not call', 'ActionUnknown', { action: 'issue_refund' }, {}],
    ['an action with a name of every object', 'ActionUnknown', { action: 'constructor' }, {}],
    ['an action whose declaration changed', 'ActionChanged', {}, { manifestDigest: 'x' }],
    ['an action that is not deployed any more', 'ActionChanged', {}, { manifestDigest: null }],
    ['an extra parameter', 'ParameterUnknown', { parameters: { ...MAIL, bcc: 'eve@example.com' } }, {}],
    ['a parameter called __proto__', 'ParameterUnknown', { parameters: JSON.parse('{"lead_id":"L_1","to":"a@example.com","subject":"s","body":"b","__proto__":{"x":1}}') as Record<string, unknown> }, {}],
    ['a missing parameter', 'ParameterMissing', { parameters: { lead_id: 'L_1', to: 'ada@example.com', subject: 's' } }, {}],
    ['a parameter that is there by inheritance only', 'ParameterMissing', { parameters: Object.create(MAIL) as Record<string, unknown> }, {}],
    ['a wrong type', 'ParameterInvalid', { parameters: { ...MAIL, subject: 5 } }, {}],
    ['a list where one value belongs', 'ParameterInvalid', { parameters: { ...MAIL, to: ['ada@example.com', 'eve@example.com'] } }, {}],
    ['null', 'ParameterInvalid', { parameters: { ...MAIL, body: null } }, {}],
    ['text that is too long', 'ParameterInvalid', { parameters: { ...MAIL, subject: 'x'.repeat(121) } }, {}],
    ['empty text', 'ParameterInvalid', { parameters: { ...MAIL, body: '' } }, {}],
    ['what is no address', 'ParameterInvalid', { parameters: { ...MAIL, to: 'ada' } }, {}],
    ['two addresses in one', 'ParameterInvalid', { parameters: { ...MAIL, to: 'ada@example.com, eve@example.com' } }, {}],
    ['a row that the card does not allow', 'RowOutOfScope', {}, { rowsHold: [] }],
    ['a read of a column that is closed', 'ParameterInvalid', { action: 'read_leads', parameters: { columns: ['name', 'phone'] } }, {}],
    ['a filter on a column that is closed', 'ParameterInvalid', { action: 'read_leads', parameters: { columns: ['name'], where: { phone: '+49' } } }, {}],
    ['a read of more rows than allowed', 'ParameterInvalid', { action: 'read_leads', parameters: { columns: ['name'], limit: 101 } }, {}],
    ['a read of no column', 'ParameterInvalid', { action: 'read_leads', parameters: { columns: [] } }, {}],
  ])('%s', (_what, code, proposal, known) => {
    const verdict = judged(proposal, known);
    expect(verdict.verdict).toBe('deny');
    expect(reason(verdict)).toBe(code);
  });

  it('a call outside the bounds of every scope', () => {
    const set = policies(card((of) => { of.scopes[0].call[0] = { action: 'update_tier', bounds: { tier: { in: ['free', 'growth'] } }, approval: { tier: 'auto' } }; }));
    const of = (tier: string): Verdict => judged({ action: 'update_tier', parameters: { customer_id: 'C_1', tier } }, {}, set);
    expect([of('growth').verdict, of('free').verdict]).toEqual(['permit', 'permit']);
    expect(reason(of('enterprise'))).toBe('OutOfScope');
  });

  it('money over its bound, in another currency, or written as anything but minor units', () => {
    const set = policies(card((of) => { of.scopes[0].call = [{ action: 'issue_refund', bounds: { amount: { 'less-than': { currency: 'USD', 'minor-units': 50_000 } } }, approval: { tier: 'human' } }]; }));
    const refund = (amount: unknown): Verdict => judged({ action: 'issue_refund', parameters: { charge_id: 'ch_1', count: 1, amount } }, {}, set);
    expect(refund({ currency: 'USD', minorUnits: 49_999 }).verdict).toBe('hold');
    expect(reason(refund({ currency: 'USD', minorUnits: 50_000 }))).toBe('OutOfScope');
    for (const amount of [{ currency: 'EUR', minorUnits: 1 }, { currency: 'USD', minorUnits: 499.99 }, { currency: 'USD', minorUnits: -1 }, { currency: 'USD', minorUnits: '1' }, { currency: 'USD', minorUnits: 1e300 }, { currency: 'USD', minorUnits: NaN }, { currency: 'USD', minorUnits: 1, more: 1 }, '500', 500, null]) {
      expect(reason(refund(amount)), JSON.stringify(amount)).toBe('ParameterInvalid');
    }
  });

  it('a scope\'s evidence that is missing', () => {
    const set = policies(card((of) => { of.scopes[0].call[0].requires = ['written-justification', 'ticket']; }));
    expect(reason(judged({}, {}, set))).toBe('JustificationMissing,ReferenceMissing');
    expect(reason(judged({ justification: '  ', reference: 'T-1' }, {}, set))).toBe('JustificationMissing');
    expect(judged({ justification: 'she asked', reference: 'T-1' }, {}, set).verdict).toBe('hold');
  });
});

describe('the gate holds', () => {
  it('what its tier asks people about, and names the scope', () => {
    expect(judged({})).toMatchObject({ verdict: 'hold', ruleId: RULE, reasons: ['TierAsksPeople: scope://outreach.send.cold is of tier verify'] });
  });

  it('an unattended effect that goes somewhere', () => {
    const set = new PolicySet(`test-${(version += 1)}`, compile({ card: card((of) => { of.scopes[0].call[0] = { action: 'send_email', approval: { tier: 'auto' } }; }), environment: 'dev', manifests: [{ ...SEND_EMAIL, reverse: { kind: 'restore' } }], tiers: DEFAULT_TIERS }));
    const verdict = judged({}, { manifestDigest: manifestDigest({ ...SEND_EMAIL, reverse: { kind: 'restore' } }), trustedRequest: 'Mail them' }, set);
    expect(verdict.verdict).toBe('hold');
    expect(reason(verdict)).toBe('ProvenanceUnknown');
  });

  it('by the stricter of two scopes that overlap', () => {
    const set = policies(card((of) => {
      of.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'auto' } }];
      of.scopes.push({ scope: 'scope://crm.careful', call: [{ action: 'update_tier', bounds: { tier: { equals: 'growth' } }, approval: { tier: 'human' } }] });
    }));
    const of = (tier: string): Verdict => judged({ action: 'update_tier', parameters: { customer_id: 'C_1', tier } }, {}, set);
    expect(of('growth')).toMatchObject({ verdict: 'hold', rule: { scope: 'scope://crm.careful' } });
    expect(of('free')).toMatchObject({ verdict: 'permit', rule: { scope: 'scope://outreach.send.cold' } });
  });
});

describe('the gate permits', () => {
  it('a read of open columns, with a filter on open columns', () => {
    expect(judged({ action: 'read_leads', parameters: { columns: ['name', 'company'], where: { company: 'Northwind' }, limit: 5 } })).toMatchObject({ verdict: 'permit', rule: { scope: 'scope://outreach.send.cold' } });
  });
});

describe('policies that cannot be evaluated', () => {
  it('are refused when they are loaded', () => {
    const scope = compile({ card: card(), environment: 'dev', manifests: ALL, tiers: DEFAULT_TIERS });
    expect(() => new PolicySet('broken', { ...scope, policies: { x: 'permit (' } })).toThrow('PolicyUnparsable');
  });

  it('permit nothing when one of them fails', () => {
    const scope = compile({ card: card(), environment: 'dev', manifests: ALL, tiers: DEFAULT_TIERS });
    const set = new PolicySet('failing', { ...scope, policies: { ...scope.policies, bad: 'permit (principal, action, resource) when { context.nothing.there };' } });
    expect(set.permitting({ agent: 'outreach-closer', action: 'send_email', parameters: MAIL, columns: [] })).toEqual([]);
  });
});

describe('what Cedar is shown', () => {
  const set = (policy: string): PolicySet => {
    const scope = compile({ card: card(), environment: 'dev', manifests: ALL, tiers: DEFAULT_TIERS });
    return new PolicySet(`shown-${(version += 1)}`, { ...scope, policies: { [RULE]: policy } });
  };
  const asked = (policy: string): number => set(policy).permitting({ agent: 'outreach-closer', action: 'send_email', parameters: MAIL, columns: [] }).length;
  it.each([
    'context.parameters["to"] == "ada@example.com"', 'context.parameters has "to" && context.lengths["subject"] <= 1', 'context.parameters.to == "ada@example.com"', 'context["parameters"]["to"] == "ada@example.com"', 'context has "parameters" && context.parameters has to',
    'context.parameters["subject"] != "context.parameters[\\"x\\"]"', 'context.parameters == {"lead_id":"L_1","to":"ada@example.com","subject":"s","body":"b"}', 'context.parameters["\\u{74}o"] == "ada@example.com"',
  ])('is all that a policy looks at: %s', (condition) => { expect(asked(`permit (principal, action, resource) when { ${condition} };`)).toBe(1); });

  it('is no reason to permit where a policy forbids', () => {
    expect(asked('permit (principal, action, resource) unless { context.parameters["to"] like "*@example.com" };')).toBe(0);
  });
});

describe('what Cedar answered', () => {
  const RULES = { [RULE]: 'permit (principal == Agent::"outreach-closer", action, resource) when { context.parameters["to"] like "*@example.com" };' };
  const fresh = (): PolicySet => new PolicySet(`kept-${(version += 1)}`, { ...compile({ card: card(), environment: 'dev', manifests: ALL, tiers: DEFAULT_TIERS }), policies: RULES });
  const ask = (set: PolicySet, to: unknown, agent = 'outreach-closer'): number => set.permitting({ agent, action: 'send_email', parameters: { ...MAIL, to }, columns: [] }).length;

  it('is the same when it is asked again, and another for another value or another agent', () => {
    const set = fresh();
    for (let round = 0; round < 3; round += 1) {
      expect([ask(set, 'ada@example.com'), ask(set, 'eve@evil.example'), ask(set, 'ada@example.com', 'refunder'), ask(set, ['ada@example.com']), ask(set, null)]).toEqual([1, 0, 0, 0, 0]);
    }
  });

  it('is forgotten before it grows, and no long question is kept', () => {
    const set = fresh();
    for (let each = 0; each < 2_500; each += 1) ask(set, `${each}@example.com`);
    expect(ask(set, `${'a'.repeat(2_000)}@example.com`)).toBe(1);
    const kept = [...(set as unknown as { asked: ReadonlyMap<string, { answers: ReadonlyMap<string, unknown> }> }).asked.values()].map(({ answers }) => answers.size);
    expect(Math.max(...kept)).toBeLessThanOrEqual(1_000);
    expect([ask(set, '7@example.com'), ask(set, '7@evil.example')]).toEqual([1, 0]);
  });
});

describe('two scopes that overlap', () => {
  const overlapping = (a: string[], b: string[]): PolicySet => policies(card((of) => { of.scopes[0].call = [{ action: 'update_tier', approval: { tier: 'human', approvers: a } }, { action: 'update_tier', approval: { tier: 'human', approvers: b } }]; }));
  const call = { action: 'update_tier', parameters: { customer_id: 'C_1', tier: 'free' } };
  it('are answered by groups that both name, and by nobody when they share none', () => {
    expect(judged(call, {}, overlapping(['sales', 'legal'], ['legal', 'finance'])).rule?.approvers).toEqual(['legal']);
    expect(judged(call, {}, overlapping([], ['legal'])).rule?.approvers).toEqual(['legal']);
    expect(reason(judged(call, {}, overlapping(['sales'], ['legal'])))).toBe('ApproversDisjoint');
  });
});

describe('a sink', () => {
  const set = policies(card((of) => { of.scopes[0].call[0].approval = { tier: 'verify' }; of.scopes[0].call = [{ action: 'issue_refund', bounds: { count: { 'at-most': 5 } }, limits: [{ 'at-most': 9, per: 'day' }], approval: { tier: 'standing', 'granted-by': 'cfo', until: '2027-03-31' } }]; }));
  const refund = { action: 'issue_refund', parameters: { charge_id: 'ch_1', amount: { currency: 'USD', minorUnits: 1 }, count: 1 } };
  it('that a trusted request names needs nobody under a standing approval; one that it does not name is held', () => {
    expect(judged(refund, { trustedRequest: 'Refund 0.01 of ch_1, please' }, set).verdict).toBe('permit');
    expect(reason(judged(refund, { trustedRequest: 'Refund ch_1, please' }, set))).toBe('AmountUnknown');
    expect(reason(judged(refund, { trustedRequest: 'Refund ch_10, please' }, set))).toBe('ProvenanceUnknown');
    expect(reason(judged(refund, { trustedRequest: null }, set))).toBe('NotAskedFor,ProvenanceUnknown');
  });
});
