import { Stage } from 'aws-cdk-lib';
import { IConstruct } from 'constructs';
import { compile } from '../scope/compile';
import { ControlsError } from '../scope/controls-error';
import { agentRoleName, agentSecretName } from '../scope/names';
import { AgentAccess, Known } from './agent-access';
import { bypasses, Finding, programsOf } from './bypass';
import { Permission, permissionsOf } from './permissions';
import { Deployment, deploymentsOf, namesOf, physicalName } from './resources';
import { rolesOf } from './roles';
import { statementsOf } from './statements';

/** Who may do what, computed from a synthesized app. For tests, and for reviewers through `agent-controls access`. */
export class AccessModel {
  /**
   * Synthesizes the app and computes.
   *
   * @param app the app, or a stage of it.
   */
  public static fromApp(app: IConstruct): AccessModel {
    const stage = Stage.isStage(app) ? app : Stage.of(app); // `of` a stage is the one around it
    if (!stage) throw new ControlsError('AppMissing', `${app.node.path} is in no App; put it into one`);
    return new AccessModel(deploymentsOf(stage.synth().directory));
  }

  /**
   * Computes from the folder that `cdk synth` wrote.
   *
   * @param path relative to the working directory, or absolute.
   */
  public static fromAssembly(path: string): AccessModel { return new AccessModel(deploymentsOf(path)); }

  /** Names of the agents; with the stage in front where the app has several, as `Prod/refunder`. */
  public readonly agentNames: string[];
  /** @internal */
  public readonly _findings: readonly Finding[];
  /** @internal programs that may start runs, and triggers that may ask, by agent. */
  public readonly _programs: ReadonlyMap<string, { readonly programs: readonly string[]; readonly triggers: readonly string[] }>;
  private readonly agents: ReadonlyMap<string, Known>;
  private readonly shared: readonly string[];

  private constructor(deployments: readonly Deployment[]) {
    const withAgents = deployments.filter(({ registrations }) => registrations.some(({ agents }) => agents.length > 0));
    const all = withAgents.map((deployment) => modelOf(deployment, withAgents.length > 1 ? `${deployment.name}/` : ''));
    this.agents = new Map(all.flatMap(({ agents }) => agents));
    this.agentNames = [...this.agents.keys()].sort();
    this._findings = all.flatMap(({ findings }) => findings);
    this._programs = new Map(all.flatMap(({ programs }) => programs));
    this.shared = all.flatMap(({ shared }) => shared);
  }

  /** One agent. @throws `AgentUnknown` and lists those there are. */
  public agent(agentName: string): AgentAccess {
    const known = this.agents.get(agentName);
    if (!known) throw new ControlsError('AgentUnknown', `got ${JSON.stringify(agentName)}; the app has ${this.agentNames.join(', ') || 'no agents'}`);
    return AgentAccess._of(known);
  }

  /** Throws if two agents share a role, a secret or a login, or somebody else than the broker can become one. */
  public assertNothingShared(): void {
    const faults = [...this.shared, ...this._findings.filter(({ code }) => code === 'TrustWidened').map(({ sentence }) => sentence)];
    if (faults.length > 0) throw new ControlsError('IdentityShared', faults.join('\n'));
  }

  /** Throws if any path but the gate and the executor leads to an action's function, a secret, a login or a verdict. */
  public assertNoBypass(): void {
    const refused = this._findings.filter(({ kind }) => kind === 'refused');
    if (refused.length > 0) throw new ControlsError('GateBypassed', refused.map(({ sentence }) => sentence).join('\n'));
  }

  /** What could not be ruled out, because it leads through something that the app does not show. */
  public unproven(): string[] { return this._findings.filter(({ kind }) => kind === 'unproven').map(({ sentence }) => sentence).sort(); }

  /** The whole model as sorted text, for a snapshot: one line per agent and permission, with the enforcer's name. */
  public toText(): string {
    return [...this._permissions().map(({ agent, verb, what, when, enforcedBy }) => `${agent} ${verb} ${what} (${when}) [${enforcedBy}]`), ...this.unproven().map((sentence) => `unproven: ${sentence}`)].join('\n');
  }

  /** @internal */
  public _permissions(): Permission[] {
    return this.agentNames.flatMap((name) => (this.agents.get(name)?.permissions ?? []).map((permission) => ({ ...permission, agent: name })));
  }
}

interface Model {
  readonly agents: readonly (readonly [string, Known])[];
  readonly findings: readonly Finding[];
  readonly programs: readonly (readonly [string, { readonly programs: readonly string[]; readonly triggers: readonly string[] }])[];
  readonly shared: readonly string[];
}

function modelOf({ resources, registrations }: Deployment, prefix: string): Model {
  const roles = rolesOf(resources);
  const declared = [...registrations.flatMap(({ actions }) => actions.map(({ manifest }) => manifest)), ...registrations.flatMap((each) => each.catalog)];
  const manifests = [...new Map(declared.map((manifest) => [manifest.name, manifest])).values()];
  const tiers = registrations.flatMap((each) => each.tiers ?? []);
  const planes = [...new Set(registrations.map(({ controlsName }) => controlsName))].map((controlsName) => ({ controlsName, agents: registrations.filter((each) => each.controlsName === controlsName).flatMap(({ agents }) => agents.map(({ card }) => card.agent)) }));
  const findings = bypasses(resources, planes);
  const names = namesOf(resources);
  const resourcePolicies = resources.filter(({ type }) => /^AWS::(S3::BucketPolicy|SQS::QueuePolicy|SNS::TopicPolicy)$/.test(type)).flatMap(({ properties, stack, path }) => statementsOf(properties.PolicyDocument, names(stack), path));
  const agents = registrations.flatMap((registration) => registration.agents.map(({ card, environment }): readonly [string, Known] => {
    const compiled = compile({ card, environment, manifests, tiers: tiers.length > 0 ? tiers : undefined });
    const role = roles.get(`role/${agentRoleName(registration.controlsName, card.agent)}`);
    const own = findings.filter(({ sentence }) => sentence.includes(`agent ${card.agent} `) || sentence.includes(`runs of ${card.agent},`));
    return [`${prefix}${card.agent}`, { agentName: card.agent, compiled, permissions: permissionsOf(card, compiled, manifests, role), declared: manifests.map(({ name }) => name).sort(), role, resourcePolicies, findings: own }];
  }));
  return {
    agents, findings,
    programs: registrations.flatMap(({ agents: cards }) => cards.map(({ card }) => [`${prefix}${card.agent}`, { programs: programsOf({ api: 'api', roles }, card.agent).map(({ name }) => name), triggers: programsOf({ api: 'api', roles }, card.agent, 'requests').map(({ name }) => name) }] as const)),
    shared: planes.flatMap(({ controlsName, agents: names }) => names.flatMap((name) => [['AWS::IAM::Role', agentRoleName(controlsName, name)], ['AWS::SecretsManager::Secret', agentSecretName(controlsName, name)]].flatMap(([type, physical]) => {
      const owners = resources.filter((resource) => resource.type === type && physicalName(resource) === physical);
      return owners.length > 1 ? [`${owners.map(({ path }) => path).join(' and ')} are both ${String(physical)}`] : [];
    }))),
  };
}

