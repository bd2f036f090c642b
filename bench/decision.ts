/** One decision with 200 policies installed, against one raw call of Cedar with one policy that is parsed already. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import type { Known } from '../lambda/gate/decide';
import type { Card } from '../lib/scope/card';
import { compile } from '../lib/scope/compile';
import { Manifest, manifestDigest } from '../lib/scope/manifest';
import { DEFAULT_TIERS } from '../lib/scope/tier';
import { median, paired, Row } from './measure';

const POLICIES = 200;
const ROUND = 300;

const actions: Manifest[] = Array.from({ length: POLICIES }, (_, index) => ({
  name: `act_${index}`, description: 'Does it.', effect: 'write', reach: 'internal', asks: ['do'], sinks: ['row'], returns: {}, reverse: { kind: 'restore' },
  parameters: { row: { type: 'reference', references: 'things.id' }, kind: { type: 'one-of', values: ['a', 'b'] }, note: { type: 'text', maxLength: 500 } },
}));
const card: Card = {
  agent: 'bench', purpose: 'Is measured by a bench.', owners: { product: 'p', security: 's', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' }, 'data-inputs': [{ system: 's', classes: ['business'] }], models: ['m'],
  environments: { dev: { data: 'synthetic' } }, scopes: [{ scope: 'scope://bench.all', call: actions.map(({ name }) => ({ action: name, bounds: { kind: { in: ['a'] } }, approval: { tier: 'auto' } })) }],
  'failure-modes': [{ bad: 'It is slow.', 'found-by': { anomaly: 'slow' } }], retention: { inputs: { months: 13 } },
};

export async function decision(progress: (what: string) => void): Promise<Record<string, Row>> {
  // The bundle that ships, as synth and the gate run it.
  const { decide, lookupFor, PolicySet } = createRequire(__filename)(join(__dirname, '..', 'dist', 'judge', 'index.js')) as typeof import('../lambda/gate/judge');
  progress(`decision with ${POLICIES} policies`);
  const set = new PolicySet('bench', compile({ card, environment: 'dev', manifests: actions, tiers: DEFAULT_TIERS }));
  const proposal = { action: 'act_77', parameters: { row: 'T_1', kind: 'a', note: 'We looked at it together and changed it as it was asked.' } };
  const request = 'Please do it for T_1';
  const known: Known = { stopped: null, manifestDigest: manifestDigest(actions[77] as Manifest), rowsHold: [], trustedRequest: request, today: '2026-05-01', hasRead: true };
  preparsePolicySet('floor', { staticPolicies: { one: 'permit (principal == Agent::"bench", action == Action::"act_77", resource) when { context.parameters["kind"] == "a" };' } });
  const p50 = (once: () => void): number => median(Array.from({ length: ROUND }, () => {
    const began = process.hrtime.bigint();
    once();
    return Number(process.hrtime.bigint() - began) / 1e3;
  }));
  const ours = (): number => p50(() => {
    const asked = lookupFor(set, proposal, { trustedRequest: request });
    const { verdict } = decide(set, proposal, asked ? { ...known, asked } : known);
    if (verdict !== 'permit') throw new Error(`the bench expects a permit, got ${verdict}`);
  });
  const floor = (): number => p50(() => {
    const answer = statefulIsAuthorized({ principal: { type: 'Agent', id: 'bench' }, action: { type: 'Action', id: 'act_77' }, resource: { type: 'Tool', id: 'act_77' }, context: { parameters: proposal.parameters }, preparsedPolicySetId: 'floor', entities: [] });
    if (answer.type !== 'success' || answer.response.decision !== 'allow') throw new Error('the floor does not permit');
  });
  return { 'gate.decision': await paired('µs', ours, floor) };
}
