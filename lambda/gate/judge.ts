/**
 * The gate's own judgement, for those who ask before anything is deployed: synth validates the policies of every card with it, and the
 * access model asks it what an agent may do. One bundle, so that what is promised is decided by the code that will decide.
 */
import { cedarSchema } from '../../lib/scope/cedar-schema';
import type { CompiledScope } from '../../lib/scope/compile';
import type { Manifest } from '../../lib/scope/manifest';
import { demandCedar, validate } from './cedar';

export { decide, lookupFor } from './decide';
export { PolicySet } from './policy-set';

/** What Cedar's validator says against a compiled scope; empty when nothing. */
export function policyFaults(scope: CompiledScope, manifests: readonly Manifest[]): string[] {
  demandCedar();
  const answer = validate({ schema: cedarSchema(scope, manifests) as never, policies: { staticPolicies: { ...scope.policies } } });
  if (answer.type === 'failure') return answer.errors.map(({ message }) => message);
  return [...answer.validationErrors, ...answer.validationWarnings].map(({ policyId, error }) => `${policyId}: ${error.message}`);
}
