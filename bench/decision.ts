/**
 * One decision with 200 policies installed, against one raw call of Cedar with one policy that is parsed already. What is bound is of a few values,
 * as in most calls, or (`new-value`) is another one in every call, so that Cedar is asked anew.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import type { Known } from '../lambda/gate/decide';
import type { Card, Conditions } from '../lib/scope/card';
import { compile } from '../lib/scope/compile';
import { Manifest, manifestDigest } from '../lib/scope/manifest';
import { DEFAULT_TIERS } from '../lib/scope/tier';
import { median, paired, Row } from './measure';

const POLICIES = 200;
const ROUND = 1_000;
/** Calls before the first that counts: the engine compiles what is called often, Cedar and its caller alike. */
const WARM = 4_000;

/** The action whose bound is on a value that every call has another of. */
const NEW = 'act_78';

const actions: Manifest[] = Array.from({ length: POLICIES }, (_, index) => ({
  name: `act_${index}`, description: 'Does it.', effect: 'write', reach: 'internal', asks: ['do'], sinks: ['row'], returns: {}, reverse: { kind: 'restore' },
  parameters: { row: { type: 'reference', references: 'things.id' }, kind: { type: 'one-of', values: ['a', 'b'] }, note: { type: 'text', maxLength: 500 } },
}));
const boundsOf = (name: string): Conditions => (name === NEW ? { row: { 'starts-with': 'T_' } } : { kind: { in: ['a'] } });

const card: Card = {
  agent: 'bench', purpose: 'Is measured by a bench.', owners: { product: 'p', security: 's', 'on-call': 'o' }, 'review-by': '2099-12-31', request: { 'trusted-from': 'compute' }, 'data-inputs': [{ system: 's', classes: ['business'] }], models: ['m'],
  environments: { dev: { data: 'synthetic' } }, scopes: [{ scope: 'scope://bench.all', call: actions.map(({ name }) => ({ action: name, bounds: boundsOf(name), approval: { tier: 'auto' } })) }],
  'failure-modes': [{ bad: 'It is slow.', 'found-by': { anomaly: 'rate-spike' } }], retention: { inputs: { months: 13 } },
};

export async function decision(progress: (what: string) => void): Promise<Record<string, Row>> {
  // The bundle that ships, as synth and the gate run it.
  const { decide, lookupFor, PolicySet } = createRequire(__filename)(join(__dirname, '..', 'dist', 'judge', 'index.js')) as typeof import('../lambda/gate/judge');
  progress(`decision with ${POLICIES} policies`);
  const set = new PolicySet('bench', compile({ card, environment: 'dev', manifests: actions, tiers: DEFAULT_TIERS }));
  const manifests = new Map(actions.map((manifest) => [manifest.name, manifestDigest(manifest)]));
  let calls = 0;
  const p50 = (once: (row: string, note: string) => void): number => median(Array.from({ length: ROUND }, () => {
    calls += 1;
    const [row, note] = [`T_${calls}`, `We looked at number ${calls % 97} together and changed it as it was asked.`];
    const began = process.hrtime.bigint();
    once(row, note);
    return Number(process.hrtime.bigint() - began) / 1e3;
  }));
  const ours = (action: string) => (): number => p50((row, note) => {
    const proposal = { action, parameters: { row, kind: 'a', note } };
    const trustedRequest = `Please do it for ${row}`;
    const known: Known = { stopped: null, manifestDigest: manifests.get(action) ?? null, rowsHold: [], trustedRequest, today: '2026-05-01', hasRead: true };
    const asked = lookupFor(set, proposal, known);
    const { verdict, reasons } = decide(set, proposal, asked ? { ...known, asked } : known);
    if (verdict !== 'permit') throw new Error(`the bench expects a permit, got ${verdict}: ${reasons.join('; ')}`);
  });
  preparsePolicySet('floor', { staticPolicies: { one: 'permit (principal == Agent::"bench", action == Action::"act_77", resource) when { context.parameters["kind"] == "a" };' } });
  const floor = (): number => p50((row, note) => {
    const answer = statefulIsAuthorized({ principal: { type: 'Agent', id: 'bench' }, action: { type: 'Action', id: 'act_77' }, resource: { type: 'Tool', id: 'act_77' }, context: { parameters: { row, kind: 'a', note } }, preparsedPolicySetId: 'floor', entities: [] });
    if (answer.type !== 'success' || answer.response.decision !== 'allow') throw new Error('the floor does not permit');
  });
  const rows: Record<string, Row> = {};
  for (const [name, action] of [['gate.decision', 'act_77'], ['gate.decision.new-value', NEW]] as const) {
    for (let call = 0; call < WARM; call += ROUND) { ours(action)(); floor(); }
    rows[name] = await paired('µs', ours(action), floor);
  }
  return rows;
}
