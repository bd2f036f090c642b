import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Clock } from '../clock';
import type { Permission } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import type { PolicyDocument, Principal, Principals, Role } from './principals';

/** The one call of the policy evaluator that is made. It is a development tool with a licence of its own, found if it is installed. */
type RunSimulation = (simulation: object, options: object) => Promise<{ readonly resultType: string; readonly overallResult?: string; readonly errors?: unknown; readonly result?: { readonly ignoredContextKeys?: readonly string[] } }>;

/** The evaluator of the project that is run, or of the one this code is in; none is said at every start and in every summary. */
function evaluator(): RunSimulation | undefined {
  for (const from of [join(process.cwd(), 'package.json'), __filename]) {
    try {
      return (createRequire(from)('@cloud-copilot/iam-simulate') as { runSimulation: RunSimulation }).runSimulation;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

/** How long a change of a policy takes to arrive. */
const ARRIVES_MS = 1_000;
/** Verdicts that are kept. */
const VERDICTS = 5_000;

/** A verdict, for tests that ask what was refused, and why. */
export interface Judged {
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly allowed: boolean;
}

/** Authorises every request against the synthesized policies, where a policy evaluator is installed. */
export class Authoriser {
  /** The latest verdicts. */
  public readonly judged: Judged[] = [];
  private readonly simulate: RunSimulation | undefined;
  private readonly latest = new Map<string, { readonly allowed: boolean; readonly until: number }>();
  /** Verdicts by the digest of all that they rest on: what was judged once needs no judging until something of it changes. */
  private readonly settled = new Map<string, boolean>();

  public constructor(private readonly principals: Principals, private readonly clock: Clock) {
    this.simulate = evaluator();
  }

  /** Whether requests are authorised at all. */
  public get evaluates(): boolean { return this.simulate !== undefined; }

  /** Refuses a permission that the principal does not have. */
  public async demand(principal: Principal, permission: Permission): Promise<void> {
    if (!(await this.allows(principal, permission))) {
      throw new ServiceError('AccessDeniedException', `User: ${principal.arn} is not authorized to perform: ${permission.action} on resource: ${permission.resource}`, 403);
    }
  }

  /** Whether a principal may assume a role: its own policies and the role's trust policy both have a say. */
  public async demandTrust(principal: Principal, role: Role, action: string, context: Permission['context']): Promise<void> {
    if (!(await this.allows(principal, { action, resource: role.arn, ...(context ? { context } : {}), resourcePolicy: role.trust }))) {
      throw new ServiceError('AccessDenied', `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${role.arn}`, 403);
    }
  }

  /** What was just asked of the same session is answered the same; a policy that changes takes this long to arrive, as on AWS, and no longer. */
  private async allows(principal: Principal, permission: Permission): Promise<boolean> {
    if (!this.simulate) return true;
    const { action, resource, context, resourcePolicy } = permission;
    const question = JSON.stringify([principal.accessKeyId, action, resource, context, resourcePolicy !== undefined]);
    const known = this.latest.get(question);
    if (known && known.until > Date.now()) return known.allowed;
    const allowed = await this.judge(this.simulate, principal, permission);
    if (this.latest.size > VERDICTS) this.latest.clear();
    this.latest.set(question, { allowed, until: Date.now() + ARRIVES_MS });
    this.judged.push({ principal: principal.arn, action, resource, allowed });
    if (this.judged.length > VERDICTS) this.judged.shift();
    return allowed;
  }

  private async judge(simulate: RunSimulation, principal: Principal, { action, resource, context = {}, resourcePolicy }: Permission): Promise<boolean> {
    const { role } = principal;
    const boundary = role?.boundaryArn === undefined ? undefined : this.managed(role.boundaryArn);
    const policies = {
      identityPolicies: role ? [...role.policies, ...role.managedPolicyArns.map((arn) => ({ name: arn, policy: this.managed(arn) }))] : principal.userPolicies ?? [],
      serviceControlPolicies: [], resourceControlPolicies: [],
      ...(resourcePolicy ? { resourcePolicy } : {}),
      ...(boundary ? { permissionBoundaryPolicies: [{ name: 'boundary', policy: boundary }] } : {}),
      ...(principal.sessionPolicy ? { sessionPolicy: principal.sessionPolicy } : {}),
    };
    const contextVariables = {
      'aws:PrincipalArn': role?.arn ?? principal.arn, 'aws:PrincipalAccount': this.principals.account, 'aws:userid': principal.userId, 'aws:TokenIssueTime': new Date(principal.issuedAt).toISOString(),
      ...(principal.userName === undefined ? {} : { 'aws:username': principal.userName }),
      ...(principal.mfa ? { 'aws:MultiFactorAuthPresent': 'true', 'aws:MultiFactorAuthAge': '60' } : {}),
      // Told only where a policy asks: with the time in it no question is asked twice.
      ...(/aws:CurrentTime/i.test(JSON.stringify(policies)) ? { 'aws:CurrentTime': new Date(this.clock.now()).toISOString() } : {}),
      ...context,
    };
    const simulation = { request: { principal: principal.arn, action, resource: { resource, accountId: this.principals.account }, contextVariables }, ...policies };
    const digest = createHash('sha256').update(JSON.stringify(simulation)).digest('base64');
    const settled = this.settled.get(digest);
    if (settled !== undefined) return settled;
    const outcome = await simulate(simulation, {});
    // An error means that a policy or a request could not be understood: a fault to mend, never an allow.
    if (outcome.resultType === 'error') throw new ServiceError('PolicyNotEvaluated', `${action} on ${resource}: ${JSON.stringify(outcome.errors)}`, 500);
    const allowed = outcome.overallResult === 'Allowed';
    if (this.settled.size > VERDICTS) this.settled.clear();
    this.settled.set(digest, allowed);
    return allowed;
  }

  private managed(arn: string): PolicyDocument {
    const policy = this.principals.managedPolicies.get(arn);
    if (!policy) throw new ServiceError('PolicyNotEvaluated', `managed policy ${arn} is not in the assembly`, 500);
    return policy;
  }
}
