import { createHash, createPrivateKey, createPublicKey, KeyObject, sign, verify } from 'node:crypto';
import { Card } from './card';
import { canonicalJson } from './canonical-json';
import { ControlsError, shown } from './controls-error';
import { cardDigest } from './compile';
import { Manifest, manifestDigest } from './manifest';
import { Tier } from './tier';

/** Who approved a card, as it lies beside the card in the repository: `refunder.yaml` and `refunder.approval.json`. */
export interface CardApproval {
  readonly agent: string;
  /** Digest of the card that was approved. */
  readonly card_digest: string;
  /** Digests of the declarations of the actions that the card calls: an action that writes more is another permission. */
  readonly actions: Readonly<Record<string, string>>;
  /** The tiers that the card names, as the hold queue had them: who is asked, how many, for how long. */
  readonly tiers: Readonly<Record<string, Omit<Tier, 'name'>>>;
  readonly approvals: readonly SignedApproval[];
}

/** One person's signature under a card. */
export interface SignedApproval {
  /** Name as the card has it, under `owners.security` or `granted-by`. */
  readonly by: string;
  /** When, by the signer's clock, ISO 8601 UTC. */
  readonly at: string;
  /** SHA-256 of the public key, as `keyId` writes it. */
  readonly key: string;
  /** Ed25519 over `statement`, base64. */
  readonly signature: string;
}

/** A person who may approve cards, with the public key that proves it. */
export interface CardSigner {
  readonly name: string;
  /** Ed25519 public key, PEM. */
  readonly publicKey: string;
  /** Whether this is a security owner, who approves cards; others grant standing approvals. */
  readonly security: boolean;
}

/** What a signature is under: the card, and what gives its words their meaning. */
export interface ApprovalSubject {
  readonly card: Card;
  /** Declarations of the actions it calls. */
  readonly manifests: readonly Manifest[];
  /** Tiers of the hold queue. */
  readonly tiers: readonly Tier[];
}

/** What an approval comes to for one card. */
export interface ApprovalState {
  /** Signatures that hold. */
  readonly signed: readonly SignedApproval[];
  /** Why the card is not in force; empty when it is. */
  readonly faults: string[];
}

/** The people without whose signature a card is not in force: its security owner, and whoever grants a standing approval. */
export function requiredSigners(card: Card): string[] {
  const granters = card.scopes.flatMap(({ call }) => (call ?? []).flatMap(({ approval }) => approval['granted-by'] ?? []));
  return [...new Set([card.owners.security, ...granters])];
}

/** Digests of the declarations that a card's calls rest on. */
export function actionDigests(card: Card, manifests: readonly Manifest[]): Record<string, string> {
  const called = new Set(card.scopes.flatMap(({ call }) => (call ?? []).map(({ action }) => action)));
  return Object.fromEntries(manifests.filter(({ name }) => called.has(name)).map((manifest) => [manifest.name, manifestDigest(manifest)]));
}

/**
 * Adds a person's signature. Signatures under another card or other actions are dropped: they approved something else.
 *
 * @param before the approval as it lies in the repository, if there is one.
 * @param privateKey Ed25519, PEM.
 * @throws `SignerNotOwner`, `KeyInvalid`.
 */
export function approve({ card, ...rest }: ApprovalSubject, by: string, at: Date, privateKey: string | KeyObject, before?: CardApproval): CardApproval {
  const signers = requiredSigners(card);
  if (!signers.includes(by)) throw new ControlsError('SignerNotOwner', `${shown(by)} approves nothing on the card of ${card.agent}; it asks for ${signers.join(' and ')}`);
  const key = ed25519(() => (typeof privateKey === 'string' ? createPrivateKey(privateKey) : privateKey), 'the key of the signer');
  const what = subjectOf({ card, ...rest });
  const moment = at.toISOString();
  const signature = sign(null, statement(what, by, moment), key).toString('base64');
  const kept = before !== undefined && sameSubject(before, what) ? before.approvals.filter((other) => other.by !== by) : [];
  return { ...what, approvals: [...kept, { by, at: moment, key: keyId(createPublicKey(key)), signature }] };
}

/** Whether a card is in force: every required signature is there, holds, and is under this very card and these actions. */
export function approvalState({ card, ...rest }: ApprovalSubject, approval: CardApproval | undefined, signers: readonly CardSigner[]): ApprovalState {
  const required = requiredSigners(card);
  if (!approval) return { signed: [], faults: [`nobody has approved it; it asks for ${required.join(' and ')}`] };
  const what = subjectOf({ card, ...rest });
  if (approval.agent !== what.agent || approval.card_digest !== what.card_digest) return { signed: [], faults: ['the card changed since it was approved'] };
  if (canonicalJson(approval.actions) !== canonicalJson(what.actions)) return { signed: [], faults: ['an action that it calls was declared anew since it was approved'] };
  if (canonicalJson(approval.tiers) !== canonicalJson(what.tiers)) return { signed: [], faults: ['a tier that it names asks other people, fewer of them or for another time than when it was approved'] };
  const signed = approval.approvals.filter(({ by, at, key, signature }) => signers.some((signer) => {
    if (signer.name !== by || (by === card.owners.security && !signer.security)) return false;
    const publicKey = ed25519(() => createPublicKey(signer.publicKey), `the public key of ${signer.name}`);
    return keyId(publicKey) === key && verify(null, statement(what, by, at), publicKey, Buffer.from(signature, 'base64'));
  }));
  const missing = required.filter((name) => !signed.some(({ by }) => by === name));
  return { signed, faults: missing.map((name) => (signers.some((signer) => signer.name === name && (signer.security || name !== card.owners.security)) ? `${name} has not signed it` : `${name} has no public key here${name === card.owners.security ? ' as a security owner' : ''}; add a CardApprover of this name`)) };
}

/** What a person recertified: these permissions of this card. */
export interface AccessReview extends SignedApproval {
  readonly agent: string;
  readonly card_digest: string;
  /** Rules that were looked at and stay. */
  readonly kept: readonly string[];
}

/** Signs a review of what an agent may do. @throws `SignerNotOwner`, `KeyInvalid`. */
export function signReview(card: Card, kept: readonly string[], by: string, at: Date, privateKey: string): AccessReview {
  const owners = [card.owners.security, card.owners.product];
  if (!owners.includes(by)) throw new ControlsError('SignerNotOwner', `${shown(by)} reviews nothing on the card of ${card.agent}; ${owners.join(' or ')} does`);
  const key = ed25519(() => createPrivateKey(privateKey), 'the key of the signer');
  const review = { agent: card.agent, card_digest: cardDigest(card), kept, by, at: at.toISOString() };
  return { ...review, key: keyId(createPublicKey(key)), signature: sign(null, reviewStatement(review), key).toString('base64') };
}

/** Whether a review was signed by the one it names. */
export function reviewHolds({ key, signature, ...review }: AccessReview, signers: readonly CardSigner[]): boolean {
  const signer = signers.find(({ name }) => name === review.by);
  if (!signer) return false;
  const publicKey = ed25519(() => createPublicKey(signer.publicKey), `the public key of ${signer.name}`);
  return keyId(publicKey) === key && verify(null, reviewStatement(review), publicKey, Buffer.from(signature, 'base64'));
}

function reviewStatement({ agent, card_digest, kept, by, at }: Omit<AccessReview, 'key' | 'signature'>): Buffer {
  return Buffer.from(canonicalJson({ statement: 'cdk-agent-controls access review 1', agent, card_digest, kept, by, at }), 'utf8');
}

/** Name of a public key: SHA-256 of its DER, as SSH and others write it. */
export function keyId(publicKey: KeyObject): string {
  return `SHA256:${createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64')}`;
}

/** @throws `KeyInvalid` unless this is the PEM of an Ed25519 public key; a private key is refused, since it would be deployed. */
export function checkPublicKey(publicKey: string, owner: string): void {
  if (publicKey.includes('PRIVATE')) throw new ControlsError('KeyInvalid', `a private key was given as the public key of ${owner}; give what openssl pkey -pubout writes, and keep the other one to its owner`);
  ed25519(() => createPublicKey(publicKey), `the public key of ${owner}`);
}

function ed25519(read: () => KeyObject, what: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read();
  } catch {
    // said below, without the key in the sentence
  }
  if (key?.asymmetricKeyType !== 'ed25519') throw new ControlsError('KeyInvalid', `${what} must be an Ed25519 key as PEM, got ${key?.asymmetricKeyType ?? 'something else'}; make one with openssl genpkey -algorithm ed25519`);
  return key;
}

type Subject = Pick<CardApproval, 'agent' | 'card_digest' | 'actions' | 'tiers'>;

function subjectOf({ card, manifests, tiers }: ApprovalSubject): Subject {
  const named = new Set(card.scopes.flatMap(({ call }) => (call ?? []).map(({ approval }) => approval.tier)));
  return {
    agent: card.agent, card_digest: cardDigest(card), actions: actionDigests(card, manifests),
    tiers: Object.fromEntries(tiers.filter(({ name }) => named.has(name)).map(({ name, ...tier }) => [name, tier])),
  };
}

function sameSubject({ agent, card_digest, actions, tiers }: Subject, other: Subject): boolean {
  return canonicalJson([agent, card_digest, actions, tiers]) === canonicalJson([other.agent, other.card_digest, other.actions, other.tiers]);
}

/** The bytes that are signed. The first field keeps a signature from meaning anything elsewhere. */
function statement({ agent, card_digest, actions, tiers }: Subject, by: string, at: string): Buffer {
  return Buffer.from(canonicalJson({ statement: 'cdk-agent-controls card approval 1', agent, card_digest, actions, tiers, by, at }), 'utf8');
}
