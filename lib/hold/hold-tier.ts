import { Duration } from 'aws-cdk-lib';
import { ControlsError, shown } from '../scope/controls-error';
import { Tier } from '../scope/tier';
import { Approver } from './approver';

/** Options of a tier with a fixed window. */
export interface HoldTierProps {
  /** Name that a card uses; give one to have several tiers of a kind. @default - `verify` or `human`, after the factory */
  readonly tierName?: string;
  /**
   * How long a call waits before it is cancelled. Literal: the window is written on the card page.
   *
   * @default Duration.minutes(5)
   */
  readonly window?: Duration;
  /** Who may decide. @default - the groups that the card names */
  readonly approvers?: Approver[];
  /** How many different people must approve. @default 1 */
  readonly approvalsRequired?: number;
  /** Whether a call without a ticket, request or business event is refused, whatever the card says. @default false */
  readonly referenceRequired?: boolean;
}

const MINUTE = 60;
const WEEK = 7 * 24 * 60 * MINUTE;

/**
 * How a held call is decided: by whom, how many of them, and within which window.
 *
 * A card picks a tier by name and may only tighten it. No answer inside the window is always a cancel: there is no tier
 * that allows on time-out.
 */
export class HoldTier {
  /**
   * Decided by the verifier or by a person.
   *
   * @throws `HoldWindowTooShort` under 1 minute, `HoldWindowTooLong` over 7 days.
   */
  public static verify(props: HoldTierProps = {}): HoldTier { return new HoldTier('verify', props); }

  /**
   * Decided by people only.
   *
   * @throws `HoldWindowTooShort` under 1 minute, `HoldWindowTooLong` over 7 days.
   */
  public static human(props: HoldTierProps = {}): HoldTier { return new HoldTier('human', props); }

  /** Name that a card uses. */
  public readonly tierName: string;

  /** @internal */
  public readonly _tier: Tier;

  private constructor(kind: 'verify' | 'human', props: HoldTierProps) {
    const { tierName = kind, window = Duration.minutes(5), approvers = [], approvalsRequired = 1 } = props;
    if (window.isUnresolved()) throw new ControlsError('HoldWindowNeedsLiteral', `window of tier ${tierName} is known only at deploy; write it out, because it stands on the card page`);
    if (!/^[a-z][a-z0-9-]{0,23}$/.test(tierName) || ['auto', 'standing'].includes(tierName)) throw new ControlsError('TierInvalid', `tierName must be 1 to 24 of a-z, 0-9 and -, and neither auto nor standing, got ${shown(tierName)}; rename the tier`);
    const windowSeconds = window.toSeconds();
    if (windowSeconds < MINUTE) throw new ControlsError('HoldWindowTooShort', `hold must be at least 1 minute, got ${window.toHumanString()}; raise window of tier ${tierName}`);
    if (windowSeconds > WEEK) throw new ControlsError('HoldWindowTooLong', `hold must be at most 7 days, got ${window.toHumanString()}; lower window of tier ${tierName}`);
    if (!Number.isInteger(approvalsRequired) || approvalsRequired < 1 || approvalsRequired > 5) throw new ControlsError('TierInvalid', `approvalsRequired of tier ${tierName} must be 1 to 5, got ${shown(approvalsRequired)}; correct it`);
    this.tierName = tierName;
    this._tier = { name: tierName, kind, windowSeconds, approvers: approvers.map(({ groupName }) => groupName), people: approvalsRequired, ...(props.referenceRequired ? { referenceRequired: true } : {}) };
  }
}
