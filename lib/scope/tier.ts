import { Approval, durationSeconds } from './card';
import { ControlsError, shown } from './controls-error';
import { Manifest } from './manifest';

/** Who must agree, as the hold queue offers it. */
export interface Tier {
  readonly name: string;
  /** `verify`: a second agent or a person; `human`: people only. */
  readonly kind: 'verify' | 'human';
  readonly windowSeconds: number;
  /** Groups that may decide; empty means any group that a card names. */
  readonly approvers: readonly string[];
  /** How many different people must approve. */
  readonly people: number;
  /** Whether every call must name a ticket, request or business event. */
  readonly referenceRequired?: boolean;
  /** Of a tier that waits until the end of the business day; `windowSeconds` is the longest it can be. */
  readonly hours?: Hours;
  /** Group that may decide, too, when half of the window is gone. */
  readonly escalateTo?: string;
}

/** When the people work who answer holds. */
export interface Hours {
  /** IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
  /** Minutes after midnight. */
  readonly opens: number;
  readonly closes: number;
  /** Days off besides Saturdays and Sundays, `YYYY-MM-DD`. */
  readonly holidays: readonly string[];
}

/** A card's approval, after the queue's tier has been applied. */
export interface TierRule {
  readonly tier: string;
  readonly kind: 'auto' | 'verify' | 'human' | 'standing';
  readonly windowSeconds: number;
  readonly approvers: readonly string[];
  readonly people: number;
  /** Whether every call must name a ticket, request or business event. */
  readonly referenceRequired?: boolean;
  /** Of a tier that waits until the end of the business day. */
  readonly hours?: Hours;
  /** Group that may decide, too, when half of the window is gone. */
  readonly escalateTo?: string;
  /** Of a standing approval: the last day it holds, UTC. */
  readonly until?: string;
  /** Of a standing approval: the person who answers for it. */
  readonly grantedBy?: string;
}

// A standing approval is a person's, given in advance.
const RANK = { auto: 0, verify: 1, human: 2, standing: 2 } as const;
/** The lowest tier that the reverse of a write allows. */
export const LOWEST = { restore: 'auto', compensate: 'verify', impossible: 'human' } as const;

/**
 * What a card's approval comes to. A card may only tighten its tier.
 *
 * @throws `TierUnknown`, `TierLoosened`, `TierTooLow`, `ReverseMissing`
 */
export function tierFor(approval: Approval, manifest: Manifest, tiers: readonly Tier[] | undefined, field: string): TierRule {
  const rule = resolve(approval, tiers, field);
  if (manifest.effect === 'write') {
    if (!manifest.reverse) throw new ControlsError('ReverseMissing', `${manifest.name} changes something and declares no reverse; declare restore, compensate, or why it is impossible`);
    const lowest = LOWEST[manifest.reverse.kind];
    if (RANK[rule.kind] < RANK[lowest]) {
      throw new ControlsError('TierTooLow', `${field}.tier: got ${shown(approval.tier)}, but the reverse of ${manifest.name} is ${manifest.reverse.kind}; the lowest tier is ${lowest}`);
    }
  }
  return rule;
}

function resolve(approval: Approval, tiers: readonly Tier[] | undefined, field: string): TierRule {
  if (approval.tier === 'auto') return { tier: 'auto', kind: 'auto', windowSeconds: 0, approvers: [], people: 0 };
  if (approval.tier === 'standing') {
    return { tier: 'standing', kind: 'standing', windowSeconds: 0, approvers: approval.approvers ?? [], people: 0, until: approval.until, grantedBy: approval['granted-by'] };
  }
  // Without the queue at hand only its own default names can be judged; the registrar, which has it, judges all.
  const known = tiers ?? DEFAULT_TIERS;
  const tier = known.find(({ name }) => name === approval.tier);
  if (!tier) throw new ControlsError('TierUnknown', `${field}.tier: got ${shown(approval.tier)}, the hold queue offers auto, standing, ${known.map(({ name }) => name).join(', ')}; add the tier to the queue, or name one of these`);
  const windowSeconds = approval.window === undefined ? tier.windowSeconds : durationSeconds(approval.window);
  if (windowSeconds > tier.windowSeconds) throw new ControlsError('TierLoosened', `${field}.window: got ${windowSeconds} seconds, the tier allows ${tier.windowSeconds}; a card may only tighten its tier`);
  if (windowSeconds < 60) throw new ControlsError('HoldWindowTooShort', `${field}.window: got ${windowSeconds} seconds, a hold must be at least 1 minute; raise it`);
  const people = approval.people ?? tier.people;
  if (people < tier.people) throw new ControlsError('TierLoosened', `${field}.people: got ${people}, the tier asks for ${tier.people}; a card may only tighten its tier`);
  const approvers = approval.approvers ?? tier.approvers;
  const stranger = tier.approvers.length > 0 ? approvers.find((group) => !tier.approvers.includes(group)) : undefined;
  if (stranger !== undefined) throw new ControlsError('TierLoosened', `${field}.approvers: ${shown(stranger)} is not among the tier's ${tier.approvers.join(', ')}; a card may only tighten its tier`);
  return { tier: tier.name, kind: tier.kind, windowSeconds, approvers, people, ...(tier.referenceRequired ? { referenceRequired: true } : {}), ...(tier.hours ? { hours: tier.hours } : {}), ...(tier.escalateTo === undefined ? {} : { escalateTo: tier.escalateTo }) };
}

/** What a queue offers when nobody says otherwise. */
export const DEFAULT_TIERS: readonly Tier[] = [
  { name: 'verify', kind: 'verify', windowSeconds: 300, approvers: [], people: 1 },
  { name: 'human', kind: 'human', windowSeconds: 300, approvers: [], people: 1 },
  { name: 'contract', kind: 'human', windowSeconds: 3_600, approvers: [], people: 1 },
  { name: 'same-day', kind: 'human', windowSeconds: 604_800, approvers: [], people: 1, hours: { timeZone: 'UTC', opens: 540, closes: 1_020, holidays: [] } },
];
