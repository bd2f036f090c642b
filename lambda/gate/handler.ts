import * as v from 'valibot';
import type { CompiledScope } from '../../lib/scope/compile';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { arg, callFunction, required } from '../database/connection';
import { HttpError, httpHandler, HttpRequest, HttpResponse } from '../http/http';
import { identifier, parse } from '../http/parse';
import { decide, Known, Proposal, Verdict } from './decide';
import { runPermitted, startHold } from './effects';
import { PolicySet } from './policy-set';

const Call = v.strictObject({
  callId: identifier(64),
  action: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/, 'the name of an action is expected')),
  parameters: v.record(v.string(), v.unknown()),
  reason: v.pipe(v.string(), v.minLength(1), v.maxLength(4_000)),
  justification: v.optional(v.pipe(v.string(), v.maxLength(4_000))),
  reference: v.optional(identifier(200)),
});

interface Opened extends Known {
  readonly refused?: string;
  readonly request: string | null;
  readonly saw: readonly string[];
  readonly replay: Replay | null;
  readonly scopeVersion: string;
  readonly scope: CompiledScope | null;
}

interface Replay {
  readonly answer: Answer;
  readonly status: string;
  readonly result: unknown;
  readonly action: string;
  readonly parameters: string;
}

interface Answer {
  readonly verdict: 'permit' | 'hold' | 'deny';
  readonly decisionId: string;
  readonly holdId?: string;
}

let policies: PolicySet | undefined;

async function call({ body, caller }: HttpRequest): Promise<HttpResponse> {
  const proposal = parse(Call, body);
  const output = encodable(proposal.parameters);
  const opened = await callFunction<Opened>('gate.open_call', {
    principal: arg.text(caller.principalId), call: arg.text(proposal.callId), action: arg.text(proposal.action), parameters: arg.text(output), known: arg.text(policies?.version),
  });
  if (opened.refused !== undefined) {
    await callFunction('gate.refuse', { kind: arg.text('call.refused'), principal: arg.text(caller.principalId), reason: arg.text(opened.refused) });
    throw new HttpError(403, opened.refused, 'this session is no run; start one with the broker');
  }
  if (opened.replay) return replayed(opened.replay, proposal.action, output);

  const verdict = judge(opened, proposal);
  const answer = await callFunction<Answer>('gate.commit_call', {
    call: arg.text(JSON.stringify({
      ...verdict,
      principal: caller.principalId, callId: proposal.callId, action: proposal.action, justification: proposal.justification, reference: proposal.reference,
      reasons: JSON.stringify(verdict.reasons), policyDigest: policies?.digest, manifestDigest: opened.manifestDigest, output,
      inputs: canonicalJson({ request: opened.request, reason: proposal.reason, ...(proposal.justification === undefined ? {} : { justification: proposal.justification }), saw: opened.saw }),
    })),
  });
  return effect(answer);
}

function judge(opened: Opened, proposal: Proposal): Verdict {
  try {
    if (policies?.version !== opened.scopeVersion) policies = new PolicySet(opened.scopeVersion, opened.scope as CompiledScope);
    return decide(policies, proposal, opened);
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
async function replayed({ answer, status, result, action, parameters }: Replay, proposed: string, output: string): Promise<HttpResponse> {
  if (action !== proposed || parameters !== output) throw new HttpError(409, 'CallIdUsed', 'this call id was used for another call of this run; use a new one');
  if (status === 'permitted' || status === 'held') return effect(answer);
  if (status === 'executing' || status === 'unknown') throw new HttpError(409, 'OutcomeUnknown', `decision ${answer.decisionId} was permitted and its outcome is not known; a person looks at it`);
  return { status: 200, body: { ...answer, ...(answer.verdict === 'permit' ? { result } : {}) } };
}

async function holdStatus({ path, caller }: HttpRequest): Promise<HttpResponse> {
  const holdId = path.holdId ?? '';
  const hold = /^[0-9a-f-]{36}$/.test(holdId) ? await callFunction<object | null>('gate.read_hold', { principal: arg.text(caller.principalId), hold: arg.uuid(holdId) }) : null;
  if (!hold) throw new HttpError(404, 'HoldUnknown', 'this run has no such hold');
  return { status: 200, body: hold };
}

function encodable(parameters: unknown): string {
  try {
    const text = canonicalJson(parameters);
    if (/\\u0000|\\ud[89a-f]/i.test(text)) throw new Error('not encodable');
    return text;
  } catch {
    throw new HttpError(400, 'ParametersNotEncodable', 'the parameters hold NUL, a broken surrogate or a number that JSON cannot carry');
  }
}

export const handler = httpHandler((request) => (request.route.startsWith('POST ') ? call(request) : holdStatus(request)));
