import * as v from 'valibot';
import type { CompiledScope } from '../../lib/scope/compile';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { isPlainJson } from '../../lib/scope/plain-text';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { HttpError, httpHandler, HttpRequest, HttpResponse, UUID } from '../http/http';
import { identifier, parse, plainText, reference } from '../http/parse';
import { decide, Known, Proposal, Verdict } from './decide';
import { answerTo, runPermitted, startHold } from './effects';
import { PolicySet } from './policy-set';

const Call = v.strictObject({
  callId: identifier(64),
  action: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/, 'the name of an action is expected')),
  parameters: v.pipe(v.unknown(), v.check((value) => !Array.isArray(value), 'an object is expected'), v.record(v.string(), v.unknown())),
  reason: v.pipe(plainText(4_000), v.minLength(1)),
  justification: v.optional(plainText(4_000)),
  reference: v.optional(reference()),
});

interface Opened extends Omit<Known, 'trustedRequest'> {
  readonly refused?: string;
  readonly request: string | null;
  readonly requestTrusted: boolean;
  readonly saw: readonly string[];
  readonly replay: Replay | null;
  readonly scopeVersion: string;
}

interface Replay {
  readonly answer: Answer;
  readonly status: string;
  readonly action: string;
  /** Whether the parameters are those of the first time. */
  readonly same: boolean;
}

interface Answer {
  readonly verdict: 'permit' | 'hold' | 'deny';
  readonly decisionId: string;
  readonly holdId?: string;
}

let policies: PolicySet | undefined;

async function call({ body, caller }: HttpRequest): Promise<HttpResponse> {
  const proposal = parse(Call, body);
  const { redact } = await import('../redaction/redact');
  // What is decided on is what would run: a secret in it is refused, and is not what is recorded.
  const parameters = await redact(proposal.parameters);
  const said = await redact({ reason: proposal.reason, ...(proposal.justification === undefined ? {} : { justification: proposal.justification }) });
  const told = said.value as { readonly reason: string; readonly justification?: string };
  const output = encodable(parameters.value as Record<string, unknown>);
  const opened = await callFunction<Opened>('gate.open_call', {
    principal: arg.text(caller.principalId), call: arg.text(proposal.callId), action: arg.text(proposal.action), parameters: arg.text(output),
  });
  if (opened.refused !== undefined) {
    await callFunction('gate.refuse', { principal: arg.text(caller.principalId), reason: arg.text(opened.refused) });
    throw new HttpError(403, opened.refused, 'this session is no run; start one with the broker');
  }
  if (opened.replay) return replayed(opened.replay, proposal.action, caller.principalId);

  const verdict = parameters.kinds.length === 0 ? await judge(opened, proposal, caller.principalId)
    : { verdict: 'deny', reasons: [`SecretInParameters: ${parameters.fields.join(', ')} hold what looks like ${parameters.kinds.join(', ')}; actions have credentials of their own, so leave it out`] } as const;
  const answer = await callFunction<Answer>('gate.commit_call', {
    call: arg.text(JSON.stringify({
      ...verdict,
      principal: caller.principalId, callId: proposal.callId, action: proposal.action, justification: told.justification, reference: proposal.reference, clock: new Date().toISOString(),
      redacted: [...new Set([...parameters.kinds, ...said.kinds])].sort(),
      reasons: JSON.stringify(verdict.reasons), policyDigest: policies?.digest, manifestDigest: opened.manifestDigest, output,
      inputs: canonicalJson({ request: opened.request, ...told, saw: opened.saw }),
    })),
  });
  return effect(answer);
}

async function judge(opened: Opened, proposal: Proposal, principal: string): Promise<Verdict> {
  try {
    if (policies?.version !== opened.scopeVersion) {
      const scope = await inChunks((chunk) => callFunction<string | null>('gate.read_scope', { principal: arg.text(principal), chunk: arg.int(chunk) }));
      policies = new PolicySet(opened.scopeVersion, JSON.parse(scope) as CompiledScope);
    }
    return decide(policies, proposal, { ...opened, trustedRequest: opened.requestTrusted ? opened.request : null });
  } catch {
    // Whatever could not be evaluated is a deny; the caller learns no more than that.
    return { verdict: 'deny', reasons: ['NotEvaluated: the policies of this agent could not be evaluated'] };
  }
}

async function effect(answer: Answer): Promise<HttpResponse> {
  if (answer.verdict === 'permit') return runPermitted(answer.decisionId);
  if (answer.verdict === 'hold') await startHold(required('STATE_MACHINE_ARN'), answer.holdId as string);
  return { status: 200, body: answer };
}

// The first answer again. Steps that a crash may have cut off are single-use or named, so taking them again is safe.
async function replayed({ answer, status, action, same }: Replay, proposed: string, principal: string): Promise<HttpResponse> {
  if (action !== proposed || !same) throw new HttpError(409, 'CallIdUsed', 'this call id was used for another call of this run; use a new one');
  if (status === 'permitted' || status === 'held') return effect(answer);
  if (answer.verdict !== 'permit') return { status: 200, body: answer };
  return answerTo(answer.decisionId, status, () => resultOf(answer.decisionId, principal));
}

/** The recorded result of a decision of this run. */
async function resultOf(decisionId: string, principal: string): Promise<unknown> {
  const text = await inChunks((chunk) => callFunction<string | null>('gate.read_result', { principal: arg.text(principal), decision: arg.uuid(decisionId), chunk: arg.int(chunk) }));
  return text === '' ? null : (JSON.parse(text) as unknown);
}

async function inChunks(read: (chunk: number) => Promise<string | null>): Promise<string> {
  let text = '';
  for (let chunk = 0; ; chunk += 1) {
    const more = await read(chunk);
    if (!more) return text;
    text += more;
  }
}

async function holdStatus({ path, caller }: HttpRequest): Promise<HttpResponse> {
  const holdId = path.holdId ?? '';
  const hold = UUID.test(holdId) ? await callFunction<{ decisionId: string; outcome: string } | null>('gate.read_hold', { principal: arg.text(caller.principalId), hold: arg.uuid(holdId) }) : null;
  if (!hold) throw new HttpError(404, 'HoldUnknown', 'this run has no such hold');
  return { status: 200, body: { ...hold, result: hold.outcome === 'executed' ? await resultOf(hold.decisionId, caller.principalId) : null } };
}

/** Most bytes of a call's parameters: what is approved must fit into a row that an approver can be shown. */
const LARGEST_PARAMETERS = 24 * 1024;

function encodable(parameters: Readonly<Record<string, unknown>>): string {
  if (!isPlainJson(parameters)) throw new HttpError(400, 'ParametersNotEncodable', 'the parameters hold NUL or a broken surrogate, which cannot be stored');
  const text = canonicalJson(parameters);
  if (Buffer.byteLength(text) > LARGEST_PARAMETERS) throw new HttpError(413, 'ParametersTooLarge', `the parameters have ${Buffer.byteLength(text)} bytes; at most ${LARGEST_PARAMETERS} are taken`);
  return text;
}

export const handler = httpHandler((request) => (request.route.startsWith('POST ') ? call(request) : holdStatus(request)), anchorSoon);
