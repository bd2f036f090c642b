import { cedarLoading } from './cedar-loading';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolSchema } from '../../lib/scope/tool-schema';
import type { CompiledScope } from '../../lib/scope/compile';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { handlerName } from '../../lib/scope/names';
import { isPlainJson } from '../../lib/scope/plain-text';
import { bundleDigest } from '../action/bundle-digest';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { HttpError, httpHandler, HttpRequest, HttpResponse, UUID } from '../http/http';
import { Call, Proposed } from '../http/bodies';
import { parse } from '../http/parse';
import { decide, isQuestion, Known, lookupFor, Proposal, Verdict } from './decide';
import type { Provenance } from './doubts';
import { answerTo, runPermitted, startHold } from './effects';
import { PolicySet } from './policy-set';

interface Opened extends Omit<Known, 'trustedRequest' | 'hasRead' | 'asked' | 'provenance'> {
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

/** A call of an agent. */
const call = ({ body, caller }: HttpRequest): Promise<HttpResponse> => propose(parse(Call, body), caller.principalId);

/** What a person proposes instead of a call that waits, in the run of that call. Only the page asks it, for somebody who may decide the hold. */
async function change({ body, caller }: HttpRequest): Promise<HttpResponse> {
  if (caller.roleName !== handlerName(required('CONTROLS_NAME'), 'decide')) throw new HttpError(403, 'NotThePage', 'changes are proposed on the approval page');
  const { holdId, person, names, ...proposed } = parse(Proposed, body);
  const of = await callFunction<{ principal: string; decisionId: string; action: string; justification: string | null; reference: string | null } | null>('gate.open_change', { hold: arg.uuid(holdId), person: arg.text(person), dry: arg.boolean(proposed.dryRun) });
  if (!of) throw new HttpError(409, 'HoldUnknown', 'there is no such hold to change');
  return propose({ ...proposed, callId: `change:${holdId}`, action: of.action, ...(of.justification === null ? {} : { justification: of.justification }), ...(of.reference === null ? {} : { reference: of.reference }) }, of.principal, { of: of.decisionId, person, names });
}

async function propose(proposal: Proposal & { readonly callId: string; readonly reason: string; readonly dryRun?: boolean }, principal: string, change?: { readonly of: string; readonly person: string; readonly names: readonly string[] }): Promise<HttpResponse> {
  const { redact } = await import('../redaction/redact');
  // What is decided on is what would run: a secret in it is refused, and is not what is recorded.
  const parameters = await redact(proposal.parameters);
  const said = await redact({ reason: proposal.reason, ...(proposal.justification === undefined ? {} : { justification: proposal.justification }) });
  const names = await redact([proposal.callId, proposal.reference ?? '']);
  if (names.kinds.length > 0) throw new HttpError(400, 'SecretInName', `callId or reference holds what looks like ${names.kinds.join(', ')}; they stay in the log for ever, so name the call otherwise`);
  const told = said.value as { readonly reason: string; readonly justification?: string };
  const output = encodable(parameters.value as Record<string, unknown>);
  const opened = await callFunction<Opened>('gate.open_call', {
    principal: arg.text(principal), call: arg.text(proposal.callId), action: arg.text(proposal.action), parameters: arg.text(output),
  });
  if (opened.refused !== undefined) {
    await callFunction('gate.refuse', { principal: arg.text(principal), reason: arg.text(opened.refused) });
    throw new HttpError(403, opened.refused, 'this session is no run; start one with the broker');
  }
  // What a stopped agent read before is not told again either.
  if (opened.replay && opened.stopped === 'AgentDisabled') throw new HttpError(403, 'AgentDisabled', 'the agent is disabled; two people can bring it back');
  if (opened.replay && !proposal.dryRun) return replayed(opened.replay, proposal.action, principal);

  // A person may propose when the session of the run is over; the program of the agent may not.
  const verdict = parameters.kinds.length === 0 ? await judge(change && opened.stopped === 'RunExpired' ? { ...opened, stopped: null } : opened, proposal, principal, change !== undefined)
    : { verdict: 'deny', reasons: [`SecretInParameters: ${parameters.fields.join(', ')} hold what looks like ${parameters.kinds.join(', ')}; actions have credentials of their own, so leave it out`] } as const;
  const answer = await callFunction<Answer>('gate.commit_call', {
    call: arg.text(JSON.stringify({
      ...verdict, ...(change ? { change } : {}),
      principal, callId: proposal.callId, action: proposal.action, dryRun: proposal.dryRun, justification: told.justification, reference: proposal.reference, clock: new Date().toISOString(),
      redacted: [...new Set([...parameters.kinds, ...said.kinds])].sort(),
      reasons: JSON.stringify(verdict.reasons), policyDigest: policies?.digest, schemaDigest: policies?.schemaDigest(proposal.action), gateDigest: bundleDigest(), manifestDigest: opened.manifestDigest, output,
      inputs: canonicalJson({ request: opened.request, ...told, saw: opened.saw }),
    })),
  });
  return proposal.dryRun ? { status: 200, body: answer } : effect(answer);
}

/** The compiled scope that a run is under, whole. */
async function scopeOf(principal: string): Promise<CompiledScope> {
  const text = await inChunks((chunk) => callFunction<string | null>('gate.read_scope', { principal: arg.text(principal), chunk: arg.int(chunk) }));
  if (text === '') throw new HttpError(403, 'RunUnknown', 'this session is no run; start one with the broker');
  return JSON.parse(text) as CompiledScope;
}

/** What the run may call, as a model is shown it. */
async function tools({ caller }: HttpRequest): Promise<HttpResponse> {
  const { agent, cardDigest, tools: all } = await scopeOf(caller.principalId);
  return { status: 200, body: { agent, cardDigest, tools: Object.values(all).map(({ schema, effect }) => ({ ...schema, effect })) } };
}

/** One message of an MCP client. Nothing is kept between two: whatever a run is, Postgres knows. */
async function mcp(request: HttpRequest): Promise<HttpResponse> {
  const { answerMcp } = await import('../mcp/http');
  const refused = (error: unknown): never => { throw error instanceof HttpError ? new Error(`${error.code}: ${error.message}`) : error; };
  return answerMcp(request.body, {
    tools: async () => ((await tools(request)).body as { tools: ToolSchema[] }).tools,
    call: async (action, parameters, { callId = randomUUID(), ...said }) => (await call({ ...request, body: { callId, action, parameters, ...said } }).catch(refused)).body as { verdict: string },
    hold: async (holdId) => (await holdStatus({ ...request, path: { holdId } }).catch(refused)).body as object,
  });
}

async function judge(opened: Opened, proposal: Proposal, principal: string, changed: boolean): Promise<Verdict> {
  try {
    const verdict = await judged(opened, proposal, principal);
    // Whoever wrote the parameters is not who agrees to them, whatever the card says.
    return changed && verdict.verdict !== 'deny' ? { ...verdict, verdict: 'hold', doubted: true, reasons: [...verdict.reasons, 'ChangedByPerson: somebody changed the parameters, so somebody else must agree'] } : verdict;
  } catch {
    // Whatever could not be evaluated is a deny; the caller learns no more than that.
    return { verdict: 'deny', reasons: ['NotEvaluated: the policies of this agent could not be evaluated'] };
  }
}

async function judged(opened: Opened, proposal: Proposal, principal: string): Promise<Verdict> {
  if (policies?.version !== opened.scopeVersion) {
    await cedarLoading;
    policies = new PolicySet(opened.scopeVersion, await scopeOf(principal));
  }
  const known = { ...opened, trustedRequest: opened.requestTrusted ? opened.request : null, hasRead: opened.saw.length > 0 };
  const asked = lookupFor(policies, proposal, known);
  if (!asked || !isQuestion(asked)) return decide(policies, proposal, { ...known, ...(asked ? { asked } : {}) });
  const { values, phrases, private: closed } = asked;
  return decide(policies, proposal, { ...known, asked, provenance: await callFunction<Provenance>('gate.provenance', { principal: arg.text(principal), asked: arg.text(JSON.stringify({ values, phrases, private: closed })) }) });
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

const ROUTES: Readonly<Record<string, (request: HttpRequest) => Promise<HttpResponse>>> = {
  'POST /calls': call,
  'POST /changes': change,
  'GET /holds/{holdId}': holdStatus,
  'GET /tools': tools,
  'POST /mcp': mcp,
  // It lies beside the bundle: who calls need not wait for it to be read.
  'GET /openapi.json': () => Promise.resolve({ status: 200, body: JSON.parse(readFileSync(join(__dirname, 'openapi.json'), 'utf8')) as unknown }),
};

export const handler = httpHandler((request) => {
  const route = ROUTES[request.route];
  if (!route) throw new HttpError(404, 'RouteUnknown', 'there is nothing here');
  return route(request);
}, anchorSoon);

/** Settled when nothing of a start is left. */
export const ready = cedarLoading;
