import { Duration } from 'aws-cdk-lib';
import { ControlsError, shown } from '../scope/controls-error';
import { Hours, Tier } from '../scope/tier';
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
  /** Group that may decide, too, when half of the window is gone. @default - nobody else; the warning is announced all the same */
  readonly escalateTo?: Approver;
}

/** Options of the same-day tier. */
export interface SameDayTierProps {
  /** Name that a card uses. @default 'same-day' */
  readonly tierName?: string;
  /** When the people work who decide. */
  readonly calendar: BusinessCalendar;
  /** Who may decide. @default - the groups that the card names */
  readonly approvers?: Approver[];
  /** How many different people must approve. @default 1 */
  readonly approvalsRequired?: number;
  /** Whether a call without a ticket, request or business event is refused, whatever the card says. @default false */
  readonly referenceRequired?: boolean;
  /** Group that may decide, too, when half of the window is gone, or when the day begins. @default - nobody else */
  readonly escalateTo?: Approver;
}

/** Hours and holidays of the people who approve. */
export interface BusinessCalendar {
  /** IANA name, for example `Europe/Berlin`. */
  readonly timeZone: string;
  /** Start of the day, minutes after midnight: nobody is warned before. @default 540 - 09:00 */
  readonly opensAtMinute?: number;
  /** End of the day, minutes after midnight. @default 1020 - 17:00 */
  readonly closesAtMinute?: number;
  /** Days off as `YYYY-MM-DD`. @default - Saturdays and Sundays only */
  readonly holidays?: string[];
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

  /**
   * Decided by people only, until the end of their business day. What is staged in its last hour or after it waits until the end of the next one,
   * at most 7 days.
   *
   * @throws `CalendarInvalid`
   */
  public static sameDay(props: SameDayTierProps): HoldTier {
    const { calendar, ...others } = props;
    return new HoldTier('human', { tierName: 'same-day', ...others, window: Duration.seconds(WEEK) }, hoursOf(calendar, others.tierName ?? 'same-day'));
  }

  /** @internal What a queue offers when nobody says otherwise: `DEFAULT_TIERS` of the compiler. */
  public static _defaults(): HoldTier[] {
    return [HoldTier.verify(), HoldTier.human(), HoldTier.human({ tierName: 'contract', window: Duration.minutes(60) }), HoldTier.sameDay({ calendar: { timeZone: 'UTC' } })];
  }

  /** Name that a card uses. */
  public readonly tierName: string;

  /** @internal */
  public readonly _tier: Tier;

  private constructor(kind: 'verify' | 'human', props: HoldTierProps, hours?: Hours) {
    const { tierName = kind, window = Duration.minutes(5), approvers = [], approvalsRequired = 1 } = props;
    if (window.isUnresolved()) throw new ControlsError('HoldWindowNeedsLiteral', `window of tier ${tierName} is known only at deploy; write it out, because it stands on the card page`);
    if (!/^[a-z][a-z0-9-]{0,23}$/.test(tierName) || ['auto', 'standing'].includes(tierName)) throw new ControlsError('TierInvalid', `tierName must be 1 to 24 of a-z, 0-9 and -, and neither auto nor standing, got ${shown(tierName)}; rename the tier`);
    const windowSeconds = window.toSeconds();
    if (windowSeconds < MINUTE) throw new ControlsError('HoldWindowTooShort', `hold must be at least 1 minute, got ${window.toHumanString()}; raise window of tier ${tierName}`);
    if (windowSeconds > WEEK) throw new ControlsError('HoldWindowTooLong', `hold must be at most 7 days, got ${window.toHumanString()}; lower window of tier ${tierName}`);
    if (!Number.isInteger(approvalsRequired) || approvalsRequired < 1 || approvalsRequired > 5) throw new ControlsError('TierInvalid', `approvalsRequired of tier ${tierName} must be 1 to 5, got ${shown(approvalsRequired)}; correct it`);
    this.tierName = tierName;
    this._tier = { name: tierName, kind, windowSeconds, approvers: approvers.map(({ groupName }) => groupName), people: approvalsRequired, ...(props.referenceRequired ? { referenceRequired: true } : {}), ...(hours ? { hours } : {}), ...(props.escalateTo ? { escalateTo: props.escalateTo.groupName } : {}) };
  }
}

function hoursOf({ timeZone, opensAtMinute: opens = 540, closesAtMinute: closes = 1_020, holidays = [] }: BusinessCalendar, tier: string): Hours {
  const invalid = (what: string): ControlsError => new ControlsError('CalendarInvalid', `calendar of tier ${tier}: ${what}; correct it`);
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw invalid(`timeZone must be an IANA name such as Europe/Berlin, got ${shown(timeZone)}`);
  }
  if (![opens, closes].every((minute) => Number.isInteger(minute) && minute >= 0 && minute <= 1_440) || closes - opens < 120) throw invalid(`a day must have at least 2 hours between opensAtMinute and closesAtMinute, both 0 to 1440, got ${shown(opens)} and ${shown(closes)}`);
  const wrong = holidays.find((day) => !/^\d{4}-\d{2}-\d{2}$/.test(day) || Number.isNaN(Date.parse(day)));
  if (wrong !== undefined) throw invalid(`holidays are days such as 2026-12-25, got ${shown(wrong)}`);
  return { timeZone, opens, closes, holidays: [...holidays] };
}
