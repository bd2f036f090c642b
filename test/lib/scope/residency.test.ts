/** The residency policy by itself: who may be asked with what, and what it comes to for IAM and for a reviewer. */
import { describe, expect, it } from 'vitest';
import { bedrockResources, classOf, fateOf, isInferenceProfile, ProviderPolicy, ResidencyPolicy, ruling } from '../../../lib/scope/residency';
import { residencyPage } from '../../../lib/scope/residency-page';
import { deniesOutside, endpointPolicy, serviceControlPolicy } from '../../../lib/scope/residency-policies';

const provider = (name: string, clearedFor: string[], more: Partial<ProviderPolicy> = {}): ProviderPolicy => ({ name, kind: 'openai', company: 'Company', models: ['m'], clearedFor, processesIn: ['Somewhere'], baseUrl: 'https://x.example', ...more });
const policy = (providers: ProviderPolicy[], uncleared: ResidencyPolicy['uncleared'] = {}, columns: ResidencyPolicy['columns'] = {}): ResidencyPolicy => ({ regions: ['eu-central-1'], owner: 'o', reviewBy: '2099-01-01', providers, uncleared, columns, prose: 'business' });

describe('a ruling', () => {
  const inside = provider('inside', ['business', 'health', 'contact']);
  const outside = provider('outside', ['business']);
  const of = policy([outside, inside], { payment: { how: 'redact' }, health: { how: 'route', to: 'inside' } });
  it.each([
    ['what it may see', ['business'], { provider: outside, redact: [] }],
    ['what is taken out', ['payment'], { provider: outside, redact: ['payment'] }],
    ['what goes elsewhere', ['health', 'contact', 'payment'].filter((name) => name !== 'contact'), { provider: inside, redact: ['payment'], routedFrom: 'outside' }],
    ['what nobody treats', ['contact'], { refused: 'ClassBlocked', classes: ['contact'] }],
    ['what is unclassified', ['unclassified'], { refused: 'ClassBlocked', classes: ['unclassified'] }],
  ])('of %s', (_, classes, expected) => expect(ruling(of, 'outside', classes)).toEqual(expected));

  it('of a provider that is treated in its own way: the same data is taken out for one, goes elsewhere for another, and is refused for a third', () => {
    const rules = policy([outside, inside, provider('router', ['business'], { uncleared: { payment: { how: 'route', to: 'vault' } } }), provider('strict', ['business'], { uncleared: { payment: { how: 'block' } } }), provider('vault', ['business', 'payment'])], { payment: { how: 'redact' } });
    expect(['outside', 'router', 'strict'].map((asked) => ruling(rules, asked, ['business', 'payment']))).toMatchObject([
      { provider: { name: 'outside' }, redact: ['payment'] }, { provider: { name: 'vault' }, redact: [], routedFrom: 'router' }, { refused: 'ClassBlocked', classes: ['payment'] },
    ]);
  });

  it('of a class that is called as what every object has is a refusal like any other', () => expect(ruling(of, 'outside', ['constructor'])).toEqual({ refused: 'ClassBlocked', classes: ['constructor'] }));

  it('of a provider that nobody named, and of a route that would need another one', () => {
    expect(ruling(of, 'none', [])).toEqual({ refused: 'ProviderUnknown', classes: [] });
    const two = policy([outside, provider('a', ['health']), provider('b', ['contract'])], { health: { how: 'route', to: 'a' }, contract: { how: 'route', to: 'b' } });
    expect(ruling(two, 'outside', ['health', 'contract'])).toEqual({ refused: 'ClassBlocked', classes: ['health', 'contract'] });
  });
});

it('the class of a column is its own, that of its table, or none', () => {
  const { columns } = { columns: { 'leads.*': 'contact', 'leads.tier': 'business' } };
  expect(['leads.tier', 'leads.name', 'orders.id'].map((column) => classOf(policy([], {}, columns), column))).toEqual(['business', 'contact', 'unclassified']);
});

describe('what Bedrock is asked for', () => {
  it.each([['anthropic.claude-3', false], ['zai.glm-4.6', false], ['eu.anthropic.claude-3', true], ['us-gov.anthropic.claude-3', true], ['apac.amazon.nova', true], ['global.anthropic.claude-3', true], ['arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc', true]])('%s is a profile: %s', (id, is) => expect(isInferenceProfile(id)).toBe(is));

  it('is the model where it runs, and of a profile itself and the model wherever it may send', () => {
    const bedrock = (models: string[], more: Partial<ProviderPolicy> = {}): ProviderPolicy => provider('b', [], { kind: 'bedrock', models, region: 'eu-central-1', processesIn: ['eu-central-1', 'eu-west-1'], ...more });
    expect(bedrockResources(bedrock(['anthropic.m']))).toEqual(['arn:aws:bedrock:eu-central-1::foundation-model/anthropic.m']);
    expect(bedrockResources(bedrock(['eu.anthropic.m']))).toEqual(['arn:aws:bedrock:eu-central-1:*:inference-profile/eu.anthropic.m', 'arn:aws:bedrock:eu-central-1::foundation-model/anthropic.m', 'arn:aws:bedrock:eu-west-1::foundation-model/anthropic.m']);
    expect(bedrockResources(bedrock(['arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc'], { foundationModel: 'anthropic.m' }))[1]).toBe('arn:aws:bedrock:eu-central-1::foundation-model/anthropic.m');
    expect(bedrockResources(provider('n', [], { models: ['anthropic.m'] }))).toEqual(['arn:aws:bedrock:::foundation-model/anthropic.m']);
  });

  it.each([['cn-north-1', 'aws-cn'], ['us-gov-west-1', 'aws-us-gov'], ['eu-central-1', 'aws']])('is named as in its part of AWS: %s', (region, partition) => {
    const [resource] = bedrockResources(provider('b', [], { kind: 'bedrock', models: ['anthropic.m'], region, processesIn: [region] }));
    expect(resource).toBe(`arn:${partition}:bedrock:${region}::foundation-model/anthropic.m`);
  });

  it('is all that the denies, the service control policy and the endpoint let through', () => {
    const of = policy([provider('b', ['business'], { kind: 'bedrock', models: ['eu.anthropic.m'], region: 'eu-central-1', processesIn: ['eu-central-1', 'eu-west-1'] }), provider('n', [], { kind: 'bedrock', models: ['anthropic.n'] }), provider('h', ['business'])]);
    expect(deniesOutside(of)).toMatchSnapshot();
    expect(JSON.parse(serviceControlPolicy(of, 'agents', '111122223333'))).toMatchSnapshot();
    expect(serviceControlPolicy(of, 'agents', '111122223333').length).toBeLessThan(5_120);
    expect(JSON.parse(endpointPolicy(of, 'agents', '111122223333'))).toMatchSnapshot();
    const none = policy([provider('h', [])]);
    expect(deniesOutside(none)).toMatchObject([{ Effect: 'Deny', Action: expect.arrayContaining(['bedrock:*', 'bedrock-mantle:*']) as string[], Resource: '*' }]);
    expect(JSON.parse(endpointPolicy(none, 'agents', '111122223333'))).toMatchObject({ Statement: [{ Effect: 'Deny', Resource: '*' }] });
  });
});

it('the page says who may see what, on which terms, and what nobody has noted', () => {
  const terms = { url: 'https://x.example/terms', readOn: '2026-10-01', trainsOnData: true, retentionDays: 30 };
  expect(residencyPage(policy([
    provider('outside', ['business'], { terms }), provider('inside', ['business', 'health', 'badge'], { terms: { ...terms, trainsOnData: false, retentionDays: 0 } }), provider('new', []),
  ], { payment: { how: 'redact' }, health: { how: 'route', to: 'inside' } }, { 'b.c': 'badge', 'a.*': 'contact' }))).toMatchSnapshot();
  expect(residencyPage(policy([provider('p', ['business', 'health']), provider('q', ['health'])], { business: { how: 'route', to: 'p' } }))).toContain('goes to `p`');
  const open = policy([provider('a', ['public', 'contact'])], { business: { how: 'redact' } });
  expect(['public', 'contact', 'business'].map((name) => fateOf(open, 'a', name).how)).toEqual(['blocked', 'blocked', 'blocked']);
});
