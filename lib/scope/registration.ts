import { CardApproval, CardSigner } from './approval';
import { Card } from './card';
import { Manifest } from './manifest';
import { Duty } from './names';
import { ResidencyPolicy } from './residency';
import { Tier } from './tier';

/** What one stack declares to the registrar: an asset, so a template does not grow with its cards. */
export interface Registration {
  /** Name of the control plane. */
  readonly controlsName: string;
  /** Tiers of the hold queue, if it is in this stack. */
  readonly tiers: readonly Tier[] | null;
  /** People who may approve cards, if the broker is in this stack. */
  readonly signers: readonly CardSigner[] | null;
  /** Days that a card may be past its review before it starts no run; null never ends one. */
  readonly reviewGraceDays: number | null;
  /** Which provider may see what, if the model gateway is in this stack. */
  readonly residency: ResidencyPolicy | null;
  /** Handlers of this stack that have a login. */
  readonly duties: readonly Duty[];
  readonly actions: readonly ActionRegistration[];
  readonly agents: readonly AgentRegistration[];
  /** Actions that agents of this stack call and that are declared elsewhere, as the app was told of them. */
  readonly catalog: readonly Manifest[];
}

export interface ActionRegistration {
  readonly manifest: Manifest;
  readonly functionName: string;
  /** SHA-256 of the code that was built. */
  readonly bundleDigest: string;
}

/** The card itself: the registrar compiles it, so nothing between synth and deploy can hand it other rights. */
export interface AgentRegistration {
  readonly card: Card;
  readonly environment: string;
  readonly approval: CardApproval | null;
}
