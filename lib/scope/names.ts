/*
 * Every name that another stack, a handler or Postgres must know follows from the name of the control plane, so nothing is
 * looked up or exported. Agents and duties live under different words: no agent can be named so that it meets a handler.
 */

/** Handlers that have a Postgres login of their own, and people who read. */
export const DUTIES = ['broker', 'gate', 'executor', 'decide', 'expiry', 'verifier', 'append', 'auditor', 'keeper', 'rollback', 'reverse', 'kill', 'rotate', 'gateway'] as const;
export type Duty = (typeof DUTIES)[number];

/** IAM role of an agent, and the Postgres role that holds its grants. */
export const agentRoleName = (controls: string, agent: string): string => `${controls}-agent-${agent}`;
/** Login of an agent; two alternate, so that one is always current. */
export const agentLogin = (controls: string, agent: string, half: 'a' | 'b' = 'a'): string => `${controls}-login-${agent}-${half}`;
/** Secret of an agent: its login, and under the stage `SCOPE` its compiled scope. */
export const agentSecretName = (controls: string, agent: string): string => `${controls}/agent/${agent}`;
/** Postgres role that holds the grants of a duty. */
export const dutyRole = (controls: string, duty: Duty): string => `${controls}-${duty}`;
/** Login of a duty; two alternate. */
export const dutyLogin = (controls: string, duty: Duty, half: 'a' | 'b' = 'a'): string => `${controls}-${duty}-${half}`;
/** Secret of a duty's login. */
export const dutySecretName = (controls: string, duty: Duty): string => `${controls}/duty/${duty}`;
/** Function and IAM role of a handler. */
export const handlerName = (controls: string, handler: string): string => `${controls}-${handler}`;
/** Function and IAM role of an action. */
export const actionFunctionName = (controls: string, action: string): string => `${controls}-action-${action}`;
/** Boundary of every agent role. */
export const agentBoundaryName = (controls: string): string => `${controls}-agent-boundary`;
/** IAM role that people of an approver group assume, with MFA, to decide holds. */
export const approverRoleName = (controls: string, group: string): string => `${controls}-approver-${group}`;
/** IAM role that auditors assume, with MFA. */
export const auditorRoleName = (controls: string): string => `${controls}-auditor`;
/** IAM role of people who erase subjects and place legal holds, with MFA. */
export const privacyRoleName = (controls: string): string => `${controls}-privacy`;
/** IAM role of people who answer when an agent did the wrong thing, with MFA. */
export const responderRoleName = (controls: string): string => `${controls}-responder`;
/** IAM role for emergencies. */
export const breakGlassRoleName = (controls: string): string => `${controls}-break-glass`;
/** Parameter that tells another stack or a person what cannot be derived. */
export const parameterName = (controls: string, what: 'api-id' | 'cluster-arn' | 'database' | 'statement-bucket' | 'signing-key'): string => `/${controls}/${what}`;

/** Stage of an agent's secret that holds the compiled scope; the only stage that the broker may read. */
export const SCOPE_STAGE = 'SCOPE';
/** Policy of every agent role: the gate, and the refusals. */
export const agentPolicyName = (controls: string): string => `${controls}-agent-policy`;

/** Routes that the session of a run may call, and no others: the gate's own. */
export const RUN_ROUTES = [['POST', '/calls'], ['GET', '/holds/*'], ['GET', '/tools'], ['POST', '/mcp'], ['GET', '/openapi.json']] as const;

/** Routes by which agents are stopped, and brought back. */
export const KILL_ROUTES = [['GET', '/agents'], ['POST', '/agents/*/disable'], ['GET', '/agents/*/stop'], ['POST', '/agents/*/enable'], ['POST', '/agents/*/hold'], ['POST', '/agents/*/release']] as const;

/** Route by which people replace a credential. */
export const ROTATION_ROUTES = [['POST', '/rotations']] as const;

/** Event on the control plane's own bus that says that a credential leaked: `detail.credential` and `detail.reason`. */
export const LEAK_EVENT = { source: 'agent-controls.leak', detailType: 'credential leaked' } as const;

/** Event on the control plane's own bus that has an agent stopped: `detail.agent` and `detail.reason`. */
export const STOP_EVENT = { source: 'agent-controls.anomaly', detailType: 'agent to stop' } as const;

/** Routes that a responder may call. */
export const ROLLBACK_ROUTES = [['POST', '/rollbacks'], ['GET', '/rollbacks/*'], ['POST', '/rollbacks/*/reversals/*'], ['POST', '/decisions/*/outcome']] as const;
