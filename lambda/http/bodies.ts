/** What the HTTP API takes: the handlers parse with these, and the OpenAPI document is made from them. */
import * as v from 'valibot';
import { UUID } from './http';
import { identifier, plainText, reference } from './parse';

const parametersOf = v.pipe(v.unknown(), v.check((value) => !Array.isArray(value), 'an object is expected'), v.record(v.string(), v.unknown()));

/** `POST /calls` */
export const Call = v.strictObject({
  callId: v.pipe(identifier(64), v.check((id) => !id.startsWith('change:'), 'change: begins the ids of what people propose; choose another')),
  action: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/, 'the name of an action is expected')),
  parameters: parametersOf,
  reason: v.pipe(plainText(4_000), v.minLength(1)),
  justification: v.optional(plainText(4_000)),
  reference: v.optional(reference()),
  /** Answers what would happen, and does nothing: no effect, no hold, nothing counted. The question itself is recorded. */
  dryRun: v.optional(v.boolean()),
});

const Asked = v.strictObject({ text: plainText(8_000), reference: v.optional(reference()) });

/** `POST /agents/{agent}/requests` */
export const Ask = v.strictObject({ request: Asked });

/** `POST /agents/{agent}/runs` of the compute itself. */
export const StartRun = v.strictObject({ request: Asked, model: v.optional(identifier(100)), promptDigest: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'the SHA-256 of the system prompt is expected, in hex'))) });

/** `POST /agents/{agent}/runs` with what a trigger asked. */
export const StartAsked = v.strictObject({ requestId: v.pipe(v.string(), v.regex(UUID, 'the id that the trigger was given is expected')), model: v.optional(identifier(100)), promptDigest: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'the SHA-256 of the system prompt is expected, in hex'))) });

/** `POST /rollbacks` */
export const Rollback = v.strictObject({
  /** Which decisions: one, those of a run, or those of an agent since a time. */
  of: v.union([
    v.strictObject({ decision: v.pipe(v.string(), v.regex(UUID, 'the id of a decision is expected')) }),
    v.strictObject({ run: identifier(100) }),
    v.strictObject({ agent: identifier(64), since: v.pipe(v.string(), v.isoTimestamp('a time such as 2026-05-01T09:30:00Z is expected')), until: v.optional(v.pipe(v.string(), v.isoTimestamp('a time such as 2026-05-01T09:30:00Z is expected'))) }),
  ]),
  /** Digest of the plan that was looked at; without one nothing is done, and the plan is answered. */
  plan: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'the digest of a plan is expected'))),
  reason: v.optional(v.pipe(plainText(2_000), v.minLength(1))),
  reference: v.optional(reference()),
});

/** `POST /agents/{agent}/disable` and `POST /agents/{agent}/enable` */
export const Reasoned = v.strictObject({ reason: v.pipe(plainText(2_000), v.minLength(1)) });

/** `POST /rotations` */
export const ReplaceCredential = v.strictObject({ credential: v.pipe(plainText(400), v.minLength(1)), leaked: v.boolean(), reason: v.pipe(plainText(2_000), v.minLength(1)) });

/** `POST /rollbacks/{rollbackId}/reversals/{reversalId}`: what a person found out where nobody knew. */
export const Resolved = v.strictObject({ status: v.picklist(['reversed', 'failed']), reason: v.pipe(plainText(2_000), v.minLength(1)) });

/** `POST /decisions/{decisionId}/outcome`: what a person found out about a call of which nobody knew. */
export const CallOutcome = v.strictObject({ status: v.picklist(['executed', 'failed']), reason: v.pipe(plainText(2_000), v.minLength(1)) });

/** `POST /approvals/{holdId}/verdict` */
export const Verdict = v.strictObject({
  verdict: v.picklist(['approve', 'reject']),
  /** Digest of what was shown; a verdict on anything else has no effect. */
  digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'the digest of the hold that was shown is expected')),
  reason: v.pipe(plainText(2_000), v.minLength(1)),
});

/** `POST /approve/holds/{holdId}/changes`: rejects what was shown, and proposes something else instead. */
export const Change = v.strictObject({ digest: Verdict.entries.digest, parameters: parametersOf, reason: Verdict.entries.reason });

/** `POST /changes`, of the page alone: what a person proposes instead of a call that waits. */
export const Proposed = v.strictObject({ holdId: v.pipe(v.string(), v.regex(UUID, 'the id of a hold is expected')), person: identifier(400), names: v.pipe(v.array(plainText(400)), v.maxLength(10)), parameters: parametersOf, reason: Verdict.entries.reason, dryRun: v.boolean() });

/** `POST /approve/token`: the code that an issuer gave the page, and what proves that the page asked for it (RFC 7636). */
export const SignInCode = v.strictObject({ code: identifier(4_000), verifier: v.pipe(v.string(), v.regex(/^[\w.~-]{43,128}$/, 'a code verifier is expected')), redirectUri: v.pipe(v.string(), v.url(), v.maxLength(400)), issuer: v.optional(identifier(400)) });
