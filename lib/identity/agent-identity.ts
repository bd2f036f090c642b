import { Annotations, Aws, Fn, IResource, RemovalPolicy, Resource } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, IConstruct } from 'constructs';
import { ActionCatalog } from '../action/action-catalog';
import { ScopeCard } from '../card/scope-card';
import { invokeArn } from '../gate/api-route';
import { policyFaults } from '../gate/judge';
import { AppIndex } from '../registration/app-index';
import { StackRegistration } from '../registration/stack-registration';
import { approvalState } from '../scope/approval';
import { cardPage } from '../scope/card-page';
import { compile, holdsProductionData } from '../scope/compile';
import { compileAws } from '../scope/compile-aws';
import { ControlsError } from '../scope/controls-error';
import { Manifest } from '../scope/manifest';
import { agentBoundaryName, agentLogin, agentPolicyName, agentRoleName, agentSecretName } from '../scope/names';
import { IRotationSchedule } from '../rotation/rotation-schedule';
import { addSchedule } from '../rotation/secret-schedule';
import { IRunBroker } from './run-broker';

/** One agent: a role, a secret and two alternating database logins that no other agent has. */
export interface IAgentIdentity extends IResource {
  /** Name on the card. */
  readonly agentName: string;
  /**
   * ARN of the agent's role, which only the broker may assume.
   *
   * @attribute
   */
  readonly roleArn: string;
  /**
   * Lets the agent's compute ask the broker for a run of this agent, and of no other.
   *
   * `compute` needs no other permission, and gets none: it becomes the agent only for the length of a run.
   */
  grantStartRun(compute: iam.IGrantable): iam.Grant;
  /**
   * Lets a trigger, such as the system that a person files a request in, ask something of this agent. What it asks is the trusted request
   * of one run. A trigger gets no credentials; it is never the agent's own compute (`TriggerIsCompute`).
   */
  grantTrigger(trigger: iam.IGrantable): iam.Grant;
}

/** Props of `AgentIdentity`. */
export interface AgentIdentityProps {
  /** What the agent may read and call. */
  readonly card: ScopeCard;
  /** Broker that starts its runs. */
  readonly broker: IRunBroker;
  /**
   * Environment of the card to compile. A card that does not name it does not synth (`EnvironmentUnknown`).
   *
   * @default 'dev' - production data is closed until you ask for it
   */
  readonly environment?: string;
  /**
   * Declarations of the actions that the card calls.
   *
   * @default - the `AgentAction`s of this app; give `ActionCatalog.fromFile` when they are deployed by another
   */
  readonly catalog?: ActionCatalog;
  /**
   * Schedule that rotates its login.
   *
   * @default - none: synth warns (`AgentNotRotated`), and refuses where production data is
   */
  readonly rotation?: IRotationSchedule;
}

/** What another stack must know of an agent. */
export interface AgentIdentityAttributes {
  /** Name on the card. */
  readonly agentName: string;
  /** Broker that starts its runs. */
  readonly broker: IRunBroker;
}

abstract class AgentIdentityBase extends Resource implements IAgentIdentity {
  public abstract readonly agentName: string;
  public abstract readonly roleArn: string;
  protected abstract readonly broker: IRunBroker;

  public grantStartRun(compute: iam.IGrantable): iam.Grant {
    return iam.Grant.addToPrincipal({ grantee: compute, actions: ['execute-api:Invoke'], resourceArns: [invokeArn(this, this.broker.apiId, 'POST', `/agents/${this.agentName}/runs`)] });
  }

  /** @internal */
  protected _triggered = false;

  public grantTrigger(trigger: iam.IGrantable): iam.Grant {
    this._triggered = true;
    return iam.Grant.addToPrincipal({ grantee: trigger, actions: ['execute-api:Invoke'], resourceArns: [invokeArn(this, this.broker.apiId, 'POST', `/agents/${this.agentName}/requests`)] });
  }

  protected arnOfRole(): string {
    return `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/${agentRoleName(this.broker.auditLog.database.controlsName, this.agentName)}`;
  }
}

/**
 * An agent's own identity: control 1.
 *
 * There is no `addToRolePolicy`, and the class is not `IGrantable`: what the card does not say, nobody can add. Give AWS permissions
 * to an action, or write them on the card under `aws`.
 */
export class AgentIdentity extends AgentIdentityBase {
  /** Refers to an agent of another stack; creates nothing. */
  public static fromAgentIdentityAttributes(scope: Construct, id: string, attrs: AgentIdentityAttributes): IAgentIdentity {
    return new ImportedAgentIdentity(scope, id, attrs);
  }

  public readonly agentName: string;
  /** @attribute */
  public readonly roleArn: string;
  /**
   * ARN of the agent's secret: credential and compiled scope.
   *
   * @attribute
   */
  public readonly secretArn: string;
  protected readonly broker: IRunBroker;
  private readonly card: ScopeCard;
  private readonly environment: string;
  private readonly catalog: ActionCatalog | undefined;
  private readonly role: iam.CfnRole;
  private readonly secret: secretsmanager.CfnSecret;
  private readonly made: string;

  constructor(scope: Construct, id: string, props: AgentIdentityProps) {
    super(scope, id);
    this.card = props.card;
    this.broker = props.broker;
    this.environment = props.environment ?? 'dev';
    this.catalog = props.catalog;
    this.agentName = props.card.agentName;
    const { database } = props.broker.auditLog;
    const controls = database.controlsName;
    const other = AppIndex.of(this).claim(`agent:${controls}/${this.agentName}`, this.node.path);
    if (other !== undefined) throw new ControlsError('AgentDuplicate', `${this.node.path}: agent ${this.agentName} has role, secret and login at ${other} already, and no two agents share any; rename one on its card`);

    // L1: at a thousand agents the L2s cost more than everything else, and their grants are what must not be there.
    const aws = props.card._card.scopes.flatMap((of, index) => compileAws(of, `scopes[${index}]`));
    // Fn::Sub is half as long in the template as the Fn::Join of the same ARN, a thousand times over.
    const arn = (resource: string): string => Fn.sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:${resource}`);
    this.role = new iam.CfnRole(this, 'Role', {
      roleName: agentRoleName(controls, this.agentName),
      maxSessionDuration: 3600, // the least that IAM takes; the broker asks for less
      permissionsBoundary: arn(`policy/${agentBoundaryName(controls)}`),
      managedPolicyArns: [arn(`policy/${agentPolicyName(controls)}`)],
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        // By name and not by the role's ARN as principal, which IAM would pin to an id that a recreated broker does not have.
        Statement: [{
          Effect: 'Allow', Principal: { AWS: arn('root') }, Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
          Condition: { ArnEquals: { 'aws:PrincipalArn': props.broker.role.roleArn } },
        }],
      },
      ...(aws.length > 0 ? { policies: [{ policyName: 'card', policyDocument: { Version: '2012-10-17', Statement: aws } }] } : {}),
    });
    this.made = this.roleAsItIs();
    this.roleArn = this.arnOfRole();
    this.secret = new secretsmanager.CfnSecret(this, 'Secret', {
      name: agentSecretName(controls, this.agentName),
      kmsKeyId: `alias/${controls}`,
      // Byte for byte for ever: any change makes CloudFormation generate a new password.
      generateSecretString: { secretStringTemplate: JSON.stringify({ username: agentLogin(controls, this.agentName) }), generateStringKey: 'password', excludePunctuation: true, passwordLength: 40 },
    });
    // A secret that CloudFormation deletes is gone at once; where production data is, it outlives a mistake.
    this.secret.applyRemovalPolicy(holdsProductionData(props.card._card, this.environment) ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY);
    this.secretArn = this.secret.ref;
    AppIndex.of(this).addAgent(controls, this.agentName, [this.role, this.secret]);
    if (props.rotation) addSchedule(this, props.rotation, this.secret.ref);
    else if (holdsProductionData(props.card._card, this.environment)) throw new ControlsError('AgentNotRotated', `${this.node.path}: the password of ${this.agentName} is never replaced, and it reads production data; give it a rotation`);
    else Annotations.of(this).addWarningV2('cdk-agent-controls:AgentNotRotated', `the password of ${this.agentName} is never replaced; give it a rotation`);
    StackRegistration.of(this, database).addAgent({ card: props.card._card, environment: this.environment, approval: props.card._approval ?? null }, this.secret, (names) => this.faults(names), props.catalog?._manifests);
  }

  /** What a reviewer reads and signs, as Markdown; complete once the actions of the app are there. */
  public get cardPage(): string {
    const app = AppIndex.of(this);
    const { controlsName } = this.broker.auditLog.database;
    const signers = app.signers(controlsName);
    const tiers = app.queue(controlsName)?.tiers;
    const manifests = this.manifests();
    return cardPage({ card: this.card._card, manifests, ...(tiers ? { tiers } : {}), ...(signers ? { approval: approvalState({ card: this.card._card, manifests, tiers: tiers ?? [] }, this.card._approval, signers) } : {}) });
  }

  /** All that decides who is the agent and what it may do; aspects and overrides can reach it. */
  private roleAsItIs(): string {
    const { assumeRolePolicyDocument, permissionsBoundary, managedPolicyArns, policies } = this.role;
    return JSON.stringify([assumeRolePolicyDocument, permissionsBoundary, managedPolicyArns, policies, (this.role as unknown as { rawOverrides: unknown }).rawOverrides]);
  }

  private manifests(): readonly Manifest[] { return this.catalog?._manifests() ?? AppIndex.of(this).manifests; }

  /** A deploy may come before the signature; until it is there no run starts, and the author should hear of it now. */
  private warnOfApproval(manifests: readonly Manifest[]): void {
    const { _card: card, _approval: approval } = this.card;
    if (card['review-by'] < new Date().toISOString().slice(0, 10)) {
      Annotations.of(this).addWarningV2('cdk-agent-controls:ReviewOverdue', `the card of ${this.agentName} was to be reviewed by ${card['review-by']}; review it, and give it a new date`);
    }
    const signers = AppIndex.of(this).signers(this.broker.auditLog.database.controlsName);
    if (!signers || (signers.length === 0 && !holdsProductionData(card, this.environment))) return; // another app knows whom to ask, or nobody is to be asked
    const tiers = AppIndex.of(this).queue(this.broker.auditLog.database.controlsName)?.tiers ?? [];
    const { faults } = approvalState({ card, manifests, tiers }, approval, signers);
    if (faults.length > 0) Annotations.of(this).addWarningV2('cdk-agent-controls:CardNotApproved', `the card of ${this.agentName} starts no run: ${faults.join('; ')}; sign it with agent-controls scope approve`);
  }

  /** Faults that show only once the whole app is there: actions and tiers may be declared after the agent. */
  private faults(names: ReadonlyMap<string, readonly IConstruct[]>): string[] {
    const { controlsName } = this.broker.auditLog.database;
    const app = AppIndex.of(this);
    const faults: string[] = [];
    const refuse = (code: string, sentence: string): void => { faults.push(new ControlsError(code, sentence).message); };
    try {
      const queue = app.queue(controlsName);
      const manifests = this.manifests();
      const compiled = compile({ card: this.card._card, environment: this.environment, manifests, tiers: queue?.tiers });
      for (const fault of policyFaults(compiled, manifests)) refuse('PolicyInvalid', `the card of ${this.agentName}: ${fault}; Cedar would not decide by it`);
      this.warnOfApproval(manifests);
      if (this.card._card.request['trusted-from'] === 'trigger' && !this._triggered) {
        Annotations.of(this).addWarningV2('cdk-agent-controls:NoTrigger', `the card of ${this.agentName} takes what was asked from a trigger, and none may ask it here; call grantTrigger, or every effect with a sink is held`);
      }
      const watched = app.anomalies(controlsName);
      for (const { 'found-by': foundBy } of watched ? this.card._card['failure-modes'] : []) {
        if (foundBy.anomaly !== undefined && !watched?.includes(foundBy.anomaly)) refuse('AnomalyUnknown', `the card of ${this.agentName} relies on the anomaly ${foundBy.anomaly}, and the monitor watches for ${watched?.join(', ') ?? ''}; name one of these, or add the rule`);
      }
      const providers = app.gateway(controlsName)?.providers;
      for (const name of providers ? this.card._card.models.filter((model) => !providers.includes(model)) : []) refuse('ProviderUnknown', `the card of ${this.agentName} names the model provider ${name}, and the residency policy does not: it has ${providers?.join(', ') ?? ''}; correct models`);
      const { rules } = compiled;
      const groups = new Set(Object.values(rules).flatMap(({ approvers }) => approvers));
      const nobody = queue !== undefined && queue.approverGroups().length === 0;
      if (nobody && Object.values(rules).some(({ windowSeconds }) => windowSeconds > 0)) {
        refuse('ApproverMissing', `calls of ${this.agentName} wait for people, and neither its card nor a tier of ${queue.path} names approvers, so every one would expire; name a group under approval.approvers`);
      } else if (nobody && Object.values(rules).some(({ limits }) => limits.length > 0)) {
        Annotations.of(this).addWarningV2('cdk-agent-controls:NoApprovers', `a call of ${this.agentName} that exceeds a limit is held, and neither its card nor a tier of ${queue.path} names approvers, so it would expire; add Approver.group(...) to a human tier, or name a group under approval.approvers`);
      }
      for (const group of queue ? [...groups].filter((name) => !queue.approverGroups().includes(name)) : []) {
        refuse('ApproverUnknown', `the card of ${this.agentName} names the approvers ${group}, and no tier of ${queue?.path ?? ''} does, so nobody could decide; add Approver.group('${group}') to a tier`);
      }
    } catch (error) {
      if (!(error instanceof ControlsError)) throw error;
      faults.push(`the card of ${this.agentName}: ${error.message}`);
    }
    if (this.role.roleName !== agentRoleName(controlsName, this.agentName) || this.secret.name !== agentSecretName(controlsName, this.agentName)) {
      refuse('IdentityShared', `${this.node.path}: role and secret of an agent are its own, got ${String(this.role.roleName)} and ${String(this.secret.name)}; remove the override`);
    }
    if (this.roleAsItIs() !== this.made) refuse('RoleChanged', `${this.node.path}: trust, boundary and policies of an agent's role are what its card comes to; remove what changed them, such as PermissionsBoundary.of(...) or an override`);
    for (const [what, resource, name] of [['role', this.role, this.role.roleName], ['secret', this.secret, this.secret.name]] as const) {
      const stranger = names.get(name ?? '')?.find((other) => other !== resource);
      if (stranger) refuse('IdentityShared', `${stranger.node.path} takes the ${what} of agent ${this.agentName}; rename it`);
    }
    return faults;
  }
}

class ImportedAgentIdentity extends AgentIdentityBase {
  public readonly agentName: string;
  public readonly roleArn: string;
  protected readonly broker: IRunBroker;

  constructor(scope: Construct, id: string, attrs: AgentIdentityAttributes) {
    super(scope, id);
    this.agentName = attrs.agentName;
    this.broker = attrs.broker;
    this.roleArn = this.arnOfRole();
  }
}
