import type { Decision } from './search';

/** Application Activity, API Activity. */
const CATEGORY = 6;
const CLASS = 6_003;
/** Other: an agent's call is neither create, read, update nor delete by its name. */
const ACTIVITY = 99;
const SUCCESS = 1;
const FAILURE = 2;
const OTHER = 99;

/**
 * A decision as an event of the Open Cybersecurity Schema Framework 1.4, class API Activity, for whoever gathers events of many systems.
 *
 * @see https://schema.ocsf.io/1.4.0/classes/api_activity
 */
export function ocsf(decision: Decision): object {
  const { status } = decision;
  const statusId = status === 'executed' ? SUCCESS : status === 'unknown' || status === 'held' || status === 'approved' ? OTHER : FAILURE;
  return {
    metadata: { version: '1.4.0', uid: decision.decisionId, product: { name: 'cdk-agent-controls', vendor_name: 'cdk-agent-controls' }, correlation_uid: decision.reference },
    time: Date.parse(decision.time), category_uid: CATEGORY, category_name: 'Application Activity', class_uid: CLASS, class_name: 'API Activity',
    activity_id: ACTIVITY, activity_name: decision.decision, type_uid: CLASS * 100 + ACTIVITY, severity_id: statusId === SUCCESS ? 1 : 2,
    status, status_id: statusId, status_detail: Array.isArray(decision.reasons) ? decision.reasons.join(', ') : null,
    actor: { user: { name: decision.agent, type: 'Agent', type_id: 99 }, session: { uid: decision.runId }, authorizations: [{ decision: decision.verdict, policy: { name: decision.authorizedBy, uid: decision.policyDigest } }] },
    api: { operation: decision.decision, service: { name: 'agent-controls' }, request: { uid: decision.decisionId ?? '', data: decision.output }, response: { data: decision.result } },
    src_endpoint: { name: decision.agent },
    resources: decision.downstreamWrites.map((uid) => ({ uid })),
    unmapped: { inputs: decision.inputs, inputs_are: decision.inputsAre, inputs_hash: decision.inputsHash, output_hash: decision.outputHash, redacted: decision.redacted, erased: decision.erased, model: decision.model, approver: decision.approver, card_digest: decision.cardDigest },
  };
}
