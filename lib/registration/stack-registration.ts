import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfnResource, CustomResource, Duration, FileAssetPackaging, Lazy, Stack, Stage } from 'aws-cdk-lib';
import { Construct, IConstruct, IDependable } from 'constructs';
import { canonicalJson } from '../scope/canonical-json';
import { CardSigner } from '../scope/approval';
import { Manifest } from '../scope/manifest';
import { Duty } from '../scope/names';
import { ActionRegistration, AgentRegistration, Registration } from '../scope/registration';
import { ResidencyPolicy } from '../scope/residency';
import { Tier } from '../scope/tier';
import { AppIndex, resourcesByName } from './app-index';

/** What a registration must know of its database. */
export interface RegistrationTarget extends IConstruct {
  readonly controlsName: string;
  readonly clusterArn: string;
  readonly registrarServiceToken: string;
}

/** Tells the faults of one agent, given every role and secret of the app by name. */
export type Check = (names: ReadonlyMap<string, readonly IConstruct[]>) => string[];

/**
 * The one registration of a stack: everything the stack declares to the registrar, in one asset that is written when the
 * template is, so the order in which constructs are made does not matter.
 */
export class StackRegistration extends Construct {
  /** The registration of the stack that `scope` is in. */
  public static of(scope: Construct, database: RegistrationTarget): StackRegistration {
    const stack = Stack.of(scope);
    const id = `AgentControlsRegistration-${database.controlsName}`;
    return (stack.node.tryFindChild(id) as StackRegistration | undefined) ?? new StackRegistration(stack, id, database);
  }

  private tiers: readonly Tier[] | null = null;
  private signers: readonly CardSigner[] | null = null;
  private reviewGraceDays: number | null = null;
  private residency: ResidencyPolicy | null = null;
  private readonly duties: Duty[] = [];
  private readonly actions: (() => ActionRegistration)[] = [];
  private readonly agents: AgentRegistration[] = [];
  private readonly catalogs = new Set<() => readonly Manifest[]>();
  private readonly checks: Check[] = [];
  private written: { readonly count: string; readonly location: { bucketName: string; objectKey: string } } | undefined;
  private readonly resource: CustomResource;

  private readonly controlsName: string;

  private constructor(private readonly stack: Stack, id: string, database: RegistrationTarget) {
    super(stack, id);
    this.controlsName = database.controlsName;
    AppIndex.of(stack).addPlane(database.controlsName);
    this.resource = new CustomResource(this, 'Default', {
      resourceType: 'Custom::AgentControlsRegistration',
      serviceToken: database.registrarServiceToken,
      serviceTimeout: Duration.minutes(15),
      properties: {
        Bucket: Lazy.string({ produce: () => this.asset().bucketName }), Key: Lazy.string({ produce: () => this.asset().objectKey }),
        // Another cluster, as after a restore, knows nothing of what was declared since. A stack of agents alone imports nothing: a value that it did could never change.
        ...(Stack.of(database) === stack ? { Cluster: database.clusterArn } : {}),
      },
    });
    this.node.addValidation({ validate: () => {
      const names = resourcesByName(Stage.of(this) as Stage);
      return this.checks.flatMap((check) => check(names));
    } });
  }

  /** Registers after `migration`: tables and roles must be there. */
  public after(migration: IDependable): void { this.resource.node.addDependency(migration); }

  /** Makes `resource` only once what the stack declares is registered. */
  public before(resource: CfnResource): void { resource.addResourceDependency(this.resource.node.defaultChild as CfnResource); }

  public addTiers(tiers: readonly Tier[]): void { this.tiers = tiers; }

  /** @param graceDays that a card may be past its review; null for ever. */
  public addSigners(signers: readonly CardSigner[], graceDays: number | null): void {
    this.signers = signers;
    this.reviewGraceDays = graceDays;
  }

  public addResidency(policy: ResidencyPolicy): void { this.residency = policy; }

  public addDuty(duty: Duty, secret: IDependable): void {
    this.duties.push(duty);
    this.resource.node.addDependency(secret);
  }

  public addAction(action: () => ActionRegistration, fn: IDependable): void {
    this.actions.push(action);
    this.resource.node.addDependency(fn);
  }

  /**
   * @param check tells the agent's faults, once the app is complete.
   * @param catalog declarations of actions that another app deploys.
   */
  public addAgent(agent: AgentRegistration, secret: IDependable, check: Check, catalog?: () => readonly Manifest[]): void {
    this.agents.push(agent);
    if (catalog) this.catalogs.add(catalog);
    this.checks.push(check);
    this.resource.node.addDependency(secret);
  }

  // A template is resolved several times, and a thousand cards are a megabyte: written again only when something was added.
  private asset(): { bucketName: string; objectKey: string } {
    const count = `${this.duties.length} ${this.actions.length} ${this.agents.length} ${this.tiers?.length ?? ''} ${this.signers?.length ?? ''} ${this.residency === null ? '' : 'residency'}`;
    if (this.written?.count !== count) this.written = { count, location: this.write() };
    return this.written.location;
  }

  private write(): { bucketName: string; objectKey: string } {
    const called = new Set(this.agents.flatMap(({ card }) => card.scopes.flatMap(({ call }) => (call ?? []).map(({ action }) => action))));
    const catalog = [...new Map([...this.catalogs].flatMap((manifests) => manifests()).filter(({ name }) => called.has(name)).map((manifest) => [manifest.name, manifest])).values()];
    const registration: Registration = { controlsName: this.controlsName, catalog, tiers: this.tiers, signers: this.signers, reviewGraceDays: this.reviewGraceDays, residency: this.residency, duties: this.duties, actions: this.actions.map((action) => action()), agents: this.agents };
    const text = canonicalJson(registration);
    const sourceHash = createHash('sha256').update(text).digest('hex');
    const fileName = `asset.${sourceHash}.json`;
    const outdir = (Stage.of(this) as Stage).outdir;
    mkdirSync(outdir, { recursive: true });
    writeFileSync(join(outdir, fileName), text);
    return this.stack.synthesizer.addFileAsset({ sourceHash, fileName, packaging: FileAssetPackaging.FILE });
  }
}
