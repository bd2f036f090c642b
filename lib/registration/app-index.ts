import { CfnResource, Stage } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, IConstruct } from 'constructs';
import { bypasses } from '../access/bypass';
import { resourcesOfTree } from '../access/resources';
import { CardSigner } from '../scope/approval';
import { Manifest } from '../scope/manifest';
import { Tier } from '../scope/tier';

/** What a card is checked against of a hold queue. */
export interface QueueEntry {
  readonly path: string;
  readonly tiers: readonly Tier[];
  /** Groups that somebody can decide for. */
  approverGroups(): readonly string[];
}

/** What is checked against of a model gateway. */
export interface GatewayEntry { readonly path: string; readonly providers: readonly string[] }

/** The secret of a login, and where what belongs to it is made. */
export interface DutySecret { readonly scope: Construct; readonly secretArn: string }

const INDEXES = new WeakMap<IConstruct, AppIndex>();

/**
 * What an app declares, noted as it is made and looked up when the app is complete, so that checking one agent costs the same
 * among a thousand.
 */
export class AppIndex {
  /** The index of the stage that `construct` is in: an app without stages is one. */
  public static of(construct: IConstruct): AppIndex {
    const stage = Stage.of(construct) ?? construct.node.root;
    const index = INDEXES.get(stage) ?? new AppIndex(stage);
    INDEXES.set(stage, index);
    return index;
  }

  private readonly claimed = new Map<string, string>();
  private readonly noted: Manifest[] = [];
  private readonly queues = new Map<string, QueueEntry>();
  private readonly signersOf = new Map<string, readonly CardSigner[]>();

  private readonly planes = new Set<string>();
  private readonly agents = new Map<string, string[]>();
  private readonly vouched = new Set<CfnResource>();
  private readonly rules = new Map<string, readonly string[]>();
  private readonly gateways = new Map<string, GatewayEntry>();
  private readonly duties = new Map<string, DutySecret[]>();
  private readonly onDuty = new Map<string, (secret: DutySecret) => void>();

  private constructor(private readonly stage: IConstruct) {
    stage.node.addValidation({ validate: () => this.bypasses() });
  }

  /** A control plane that this stage has to do with. */
  public addPlane(controlsName: string): void { this.planes.add(controlsName); }

  /** An agent, and what its construct vouches for. */
  public addAgent(controlsName: string, name: string, resources: readonly CfnResource[]): void {
    for (const resource of resources) this.vouched.add(resource);
    const known = this.agents.get(controlsName);
    if (known) known.push(name);
    else this.agents.set(controlsName, [name]);
  }

  /** A model gateway, and the providers that may be named where a residency policy says so. */
  public addGateway(controlsName: string, gateway: GatewayEntry): void { this.gateways.set(controlsName, gateway); }

  public gateway(controlsName: string): GatewayEntry | undefined { return this.gateways.get(controlsName); }

  /** Names of what a monitor watches for. */
  public addRules(controlsName: string, names: readonly string[]): void { this.rules.set(controlsName, names); }

  /** What is watched for, if this app makes the monitor. */
  public anomalies(controlsName: string): readonly string[] | undefined { return this.rules.get(controlsName); }

  /** A login of the control plane's own, for whatever looks after all of them, whichever is made first. */
  public addDuty(controlsName: string, secret: DutySecret): void {
    this.duties.set(controlsName, [...this.duties.get(controlsName) ?? [], secret]);
    this.onDuty.get(controlsName)?.(secret);
  }

  /** Tells `look` every login of the control plane's own, those to come included. */
  public eachDuty(controlsName: string, look: (secret: DutySecret) => void): void {
    this.onDuty.set(controlsName, look);
    this.duties.get(controlsName)?.forEach(look);
  }

  /** Every way around the gate that the stage opens. */
  private bypasses(): string[] {
    const planes = [...this.planes].map((controlsName) => ({ controlsName, agents: this.agents.get(controlsName) ?? [] }));
    return bypasses(resourcesOfTree(this.stage, (resource) => this.vouched.has(resource)), planes).filter(({ kind }) => kind === 'refused').map(({ code, sentence }) => `${code}: ${sentence}`);
  }

  /** Declarations of the actions of this app. */
  public get manifests(): readonly Manifest[] { return this.noted; }

  public addAction(manifest: Manifest): void { this.noted.push(manifest); }

  public addQueue(controlsName: string, queue: QueueEntry): void { this.queues.set(controlsName, queue); }

  /** The hold queue of a control plane, if this app makes it. */
  public queue(controlsName: string): QueueEntry | undefined { return this.queues.get(controlsName); }

  public addSigners(controlsName: string, signers: readonly CardSigner[]): void { this.signersOf.set(controlsName, signers); }

  /** People who may approve cards, if this app says so. */
  public signers(controlsName: string): readonly CardSigner[] | undefined { return this.signersOf.get(controlsName); }

  /** Takes a name in this app. Returns the path of whoever has it already. */
  public claim(name: string, path: string): string | undefined {
    const other = this.claimed.get(name);
    if (other === undefined) this.claimed.set(name, path);
    return other;
  }
}

/** Every role and secret of an app by its physical name, in one walk. */
export function resourcesByName(root: IConstruct): ReadonlyMap<string, readonly IConstruct[]> {
  const names = new Map<string, IConstruct[]>();
  for (const node of root.node.findAll()) {
    const name = node instanceof iam.CfnRole ? node.roleName : node instanceof secretsmanager.CfnSecret ? node.name : undefined;
    if (name === undefined) continue;
    const known = names.get(name);
    if (known) known.push(node);
    else names.set(name, [node]);
  }
  return names;
}
