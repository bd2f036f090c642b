import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ApprovalSubject, approvalState, approve, CardApproval, CardSigner, checkPublicKey, requiredSigners, reviewHolds, signReview } from '../../../lib/scope/approval';
import type { Card } from '../../../lib/scope/card';
import type { Manifest } from '../../../lib/scope/manifest';
import { DEFAULT_TIERS, Tier } from '../../../lib/scope/tier';
import { approvalFromJson, approvalPath } from '../../../lib/scope/approval-file';
import { card, ISSUE_REFUND, SEND_EMAIL } from '../../support/cards';

const ALL = [SEND_EMAIL, ISSUE_REFUND];
const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string, privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
};
const SECURITY = 'appsec@example.com';
const PAYMENTS = 'head-of-payments@example.com';
const [security, payments, eve] = [pair(), pair(), pair()];
const SIGNERS: readonly CardSigner[] = [{ name: SECURITY, publicKey: security.publicKey, security: true }, { name: PAYMENTS, publicKey: payments.publicKey, security: false }];
const of = (made: Card, manifests: readonly Manifest[] = ALL, tiers: readonly Tier[] = DEFAULT_TIERS): ApprovalSubject => ({ card: made, manifests, tiers });
const AT = new Date('2026-05-14T14:22:03Z');
const mailer = card((of) => of.scopes.push({ scope: 'scope://outreach.look', read: [{ table: 'leads', columns: ['id'] }] }));
const refunder = card((of) => {
  of.scopes[0].call = [{ action: 'issue_refund', bounds: { count: { 'at-most': 1 } }, limits: [{ 'at-most': 1, per: 'day' }], approval: { tier: 'standing', 'granted-by': PAYMENTS, until: '2027-01-31' } }];
});
const signed = (made = mailer): CardApproval => approve(of(made), SECURITY, AT, security.privateKey);

describe('a card', () => {
  it('is in force once its security owner signed it', () => {
    expect(requiredSigners(mailer)).toEqual([SECURITY]);
    expect(approvalState(of(mailer), undefined, SIGNERS).faults).toEqual(['nobody has approved it; it asks for appsec@example.com']);
    const { signed: signatures, faults } = approvalState(of(mailer), signed(), SIGNERS);
    expect(faults).toEqual([]);
    expect(signatures).toMatchObject([{ by: SECURITY, at: AT.toISOString(), key: expect.stringMatching(/^SHA256:/) }]);
  });

  it('with a standing approval also asks for the one who grants it', () => {
    const first = signed(refunder);
    expect(approvalState(of(refunder), first, SIGNERS).faults).toEqual([`${PAYMENTS} has not signed it`]);
    const both = approve(of(refunder), PAYMENTS, AT, payments.privateKey, first);
    expect(approvalState(of(refunder), both, SIGNERS).faults).toEqual([]);
    expect(both.approvals.map(({ by }) => by)).toEqual([SECURITY, PAYMENTS]);
    expect(approve(of(refunder), SECURITY, AT, security.privateKey, both).approvals).toHaveLength(2);
  });

  it.each<[string, string, () => ReturnType<typeof approvalState>]>([
    ['a changed card', 'the card changed since it was approved', () => approvalState(of(card((of) => { of.purpose += '!'; })), signed(), SIGNERS)],
    ['the approval of another agent', 'the card changed since it was approved', () => approvalState(of(card((of) => { of.agent = 'other'; })), signed(), SIGNERS)],
    ['an action that writes more than it did', 'an action that it calls was declared anew since it was approved', () => approvalState(of(mailer, [{ ...SEND_EMAIL, writes: ['contracts.terms'] }]), signed(), SIGNERS)],
    ['an action that is gone', 'an action that it calls was declared anew since it was approved', () => approvalState(of(mailer, []), signed(), SIGNERS)],
    ['a tier that asks fewer people', 'a tier that it names asks other people, fewer of them or for another time than when it was approved', () => approvalState(of(mailer, ALL, DEFAULT_TIERS.map((tier) => ({ ...tier, kind: 'verify', windowSeconds: 604_800, approvers: ['interns'] }))), signed(), SIGNERS)],
    ['a security owner who is none', `${SECURITY} has no public key here as a security owner; add a CardApprover of this name`, () => approvalState(of(mailer), signed(), SIGNERS.map((signer) => ({ ...signer, security: false })))],
    ['a key of somebody else', `${SECURITY} has not signed it`, () => approvalState(of(mailer), approve(of(mailer), SECURITY, AT, eve.privateKey), SIGNERS)],
    ['a key of somebody else under the right key\'s name', `${SECURITY} has not signed it`, () => {
      const forged = approve(of(mailer), SECURITY, AT, eve.privateKey);
      return approvalState(of(mailer), { ...forged, approvals: forged.approvals.map((each) => ({ ...each, key: signed().approvals[0]?.key ?? '' })) }, SIGNERS);
    }],
    ['a later date under the same signature', `${SECURITY} has not signed it`, () => approvalState(of(mailer), { ...signed(), approvals: signed().approvals.map((each) => ({ ...each, at: '2027-01-01T00:00:00.000Z' })) }, SIGNERS)],
    ['another name under the same signature', `${PAYMENTS} has not signed it`, () => {
      const first = signed(refunder);
      return approvalState(of(refunder), { ...first, approvals: [...first.approvals, { ...(first.approvals[0] as (typeof first.approvals)[number]), by: PAYMENTS }] }, SIGNERS);
    }],
    ['a signer that the control plane does not know', `${SECURITY} has no public key here as a security owner; add a CardApprover of this name`, () => approvalState(of(mailer), signed(), [])],
    ['a signature that is none', `${SECURITY} has not signed it`, () => approvalState(of(mailer), { ...signed(), approvals: signed().approvals.map((each) => ({ ...each, signature: '' })) }, SIGNERS)],
  ])('is not in force with %s', (_what, fault, state) => {
    expect(state().faults).toEqual([fault]);
  });

  it('says whose key is missing, also of those who grant standing approvals', () => {
    expect(approvalState(of(refunder), signed(refunder), SIGNERS.slice(0, 1)).faults).toEqual([`${PAYMENTS} has no public key here; add a CardApprover of this name`]);
  });

  it('drops signatures that stood under something else', () => {
    const changed = card((of) => { of.purpose += '!'; });
    const again = approve(of(changed), SECURITY, AT, security.privateKey, signed());
    expect(again.approvals).toHaveLength(1);
    expect(approvalState(of(changed), again, SIGNERS).faults).toEqual([]);
  });

  it('is signed by its own people, with Ed25519, and never with a private key for all to read', () => {
    expect(() => approve(of(mailer), 'dana@example.com', AT, security.privateKey)).toThrow(/^SignerNotOwner: "dana@example.com" approves nothing on the card of outreach-closer; it asks for appsec@example.com/);
    expect(() => approve(of(mailer), SECURITY, AT, 'no key')).toThrow(/^KeyInvalid: the key of the signer must be an Ed25519 key as PEM, got something else/);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    expect(() => approve(of(mailer), SECURITY, AT, rsa)).toThrow(/^KeyInvalid: .*got rsa/);
    expect(() => checkPublicKey(security.privateKey, SECURITY)).toThrow(/^KeyInvalid: a private key was given/);
    expect(() => checkPublicKey(security.publicKey, SECURITY)).not.toThrow();
  });
});

describe('a review', () => {
  const review = signReview(mailer, ['scope://a/read/0'], SECURITY, AT, security.privateKey);
  it('holds as its owner signed it, and in no other way', () => {
    expect(reviewHolds(review, SIGNERS)).toBe(true);
    for (const forged of [{ ...review, kept: [] }, { ...review, card_digest: 'x' }, { ...review, by: PAYMENTS }, { ...review, by: 'eve' }, { ...review, signature: '' }, { ...signReview(mailer, ['scope://a/read/0'], SECURITY, AT, eve.privateKey), key: review.key }]) expect(reviewHolds(forged, SIGNERS)).toBe(false);
    expect(() => signReview(mailer, [], 'eve', AT, eve.privateKey)).toThrow(/^SignerNotOwner: "eve" reviews nothing on the card of outreach-closer; appsec@example\.com or revenue-ops@example\.com does/);
  });
});

describe('an approval file', () => {
  it('lies beside its card and reads as it was written', () => {
    expect(approvalPath('cards/refunder.yaml')).toBe('cards/refunder.approval.json');
    expect(approvalPath('cards/refunder.yml')).toBe('cards/refunder.approval.json');
    expect(approvalFromJson(JSON.stringify(signed()), 'x')).toEqual(signed());
  });

  it.each([['{', /^ApprovalInvalid: x: not readable as JSON/], ['{}', /^ApprovalInvalid: x: the approval must have required property/], [JSON.stringify({ ...signed(), card_digest: 'abc' }), /^ApprovalInvalid: x: \/card_digest must match/]])('is refused as %s', (text, message) => {
    expect(() => approvalFromJson(text, 'x')).toThrow(message);
  });
});
