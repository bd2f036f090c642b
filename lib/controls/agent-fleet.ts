import { createHash } from 'node:crypto';
import { Environment, Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { ActionCatalog } from '../action/action-catalog';
import { ScopeCard } from '../card/scope-card';
import { AgentIdentity, IAgentIdentity } from '../identity/agent-identity';
import { StackRegistration } from '../registration/stack-registration';
import { ControlsError } from '../scope/controls-error';
import { AgentControls } from './agent-controls';

/** Props of `AgentFleet`. */
export interface AgentFleetProps {
  /** Name of the control plane, in the account and region of `env`. */
  readonly controlsName: string;
  /** One card per agent. */
  readonly cards: ScopeCard[];
  /** Declarations of the actions that the cards call. @default - the `AgentAction`s of this app */
  readonly catalog?: ActionCatalog;
  /** Environment of the cards to compile. @default 'dev' - production data is closed until you ask for it */
  readonly environment?: string;
  /** Account and region of the stacks. @default - those of the enclosing `Stage`, else environment-agnostic */
  readonly env?: Environment;
  /**
   * How many stacks the fleet is spread over, 1 to 64. An agent's stack follows from its name alone, so adding an agent moves no
   * other. Changing this number moves most of them, and the deploy is refused while the old stack still has the agent
   * (`AgentElsewhere`): start with enough. A stack takes about 160 agents; one that would pass 500 resources does not synth.
   *
   * @default 10 - good for 1,000 agents
   */
  readonly stackCount?: number;
}

/**
 * Many agents, spread over stacks by a stable rule. Its scope is an `App` or a `Stage`: it makes the stacks, all of them, also those that
 * hold no agent yet: an agent whose card disappears is removed by the deploy of its stack.
 */
export class AgentFleet extends Construct {
  /** The stacks. */
  public readonly stacks: Stack[];
  private readonly agents = new Map<string, AgentIdentity>();

  constructor(scope: Construct, id: string, props: AgentFleetProps) {
    super(scope, id);
    const { controlsName, cards, stackCount = 10 } = props;
    if (!Number.isInteger(stackCount) || stackCount < 1 || stackCount > 64) throw new ControlsError('StackCountInvalid', `stackCount must be 1 to 64, got ${stackCount}; correct it`);
    const planes = Array.from({ length: stackCount }, (_, index) => {
      const stack = new Stack(this, `Agents${String(index).padStart(2, '0')}`, props.env ? { env: props.env } : {});
      const controls = AgentControls.fromControlsName(stack, 'Controls', controlsName);
      StackRegistration.of(stack, controls.database); // also where there is nothing to register, or nothing any more
      return { stack, controls };
    });
    this.stacks = planes.map(({ stack }) => stack);
    for (const card of cards) {
      const { agentName } = card;
      const plane = planes[stackOf(agentName, stackCount)] as (typeof planes)[number];
      this.agents.set(agentName, plane.controls.addAgent(agentName, { card, ...(props.catalog ? { catalog: props.catalog } : {}), ...(props.environment === undefined ? {} : { environment: props.environment }) }));
    }
  }

  /** The agent of this name. @throws `AgentUnknown` when no card names it. */
  public agent(agentName: string): IAgentIdentity {
    const agent = this.agents.get(agentName);
    if (!agent) throw new ControlsError('AgentUnknown', `the fleet ${this.node.path} has no card of ${JSON.stringify(agentName)}; it has ${[...this.agents.keys()].sort().slice(0, 20).join(', ') || 'none'}${this.agents.size > 20 ? ` and ${this.agents.size - 20} more` : ''}`);
    return agent;
  }
}

/** Which stack an agent is in: by its name alone. */
function stackOf(agentName: string, stackCount: number): number {
  return createHash('sha256').update(agentName).digest().readUInt32BE(0) % stackCount;
}
