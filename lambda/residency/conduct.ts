import { canonicalJson } from '../../lib/scope/canonical-json';
import { classOf, ProviderPolicy, ResidencyPolicy, ruling, UNCLASSIFIED } from '../../lib/scope/residency';
import { arg, callFunction } from '../database/connection';
import { HttpError } from '../http/http';
import { redact } from '../redaction/redact';
import { countOf, ModelEvent, ModelRequest, Usage } from './converse';
import { DETECTORS } from './detectors';
import { examine } from './examiners';
import { filesOf } from './files';
import { finderOf } from './finder';
import { Labels, labelsOf, Read, Returns, Touched } from './labels';
import { ask, ProviderFailed } from './providers';
import { textsOf, withTexts } from './texts';

/** What the database tells of a run that asks a model. */
interface Opened {
  readonly refused?: string;
  readonly run: string | null;
  readonly agent: string;
  /** Providers that the card names; null where no card binds. */
  readonly models: readonly string[] | null;
  readonly columns: readonly string[];
  /** Digest of the policy that is deployed. */
  readonly policy: string | null;
  /** How many calls returned something, and those that fit into one answer. */
  readonly calls: number;
  readonly touched: readonly Touched[];
  readonly reads: readonly (Omit<Read, 'result'> & { readonly decision: string; readonly length: number | null })[];
  readonly returns: Returns;
  /** Columns that the action behind a hold reads. */
  readonly staged: readonly string[];
}

/** Who asks: a run, or the verifier about a hold, for which all that its run has read counts. */
export type Asker = { readonly run: string } | { readonly hold: string };

/** A call that the policy lets through, and how. */
interface Plan { readonly provider: ProviderPolicy; readonly model: string; readonly redact: readonly string[]; readonly routedFrom: string | undefined }

const REFUSED: Readonly<Record<string, string>> = {
  RunUnknown: 'the token is of no run that goes on', AgentDisabled: 'the agent is disabled', CardNotApproved: 'nobody has approved the card that is deployed', CardChanged: 'the card changed since the run began', RunExpired: 'the run is over; start another', HoldDecided: 'the hold is decided already',
  ModelNotOnCard: 'the card of the agent does not name this provider under models', ModelUnknown: 'the provider has no model of this name', ProviderUnknown: 'no provider of the residency policy is called so',
  ClassBlocked: 'the provider may not see data of these classes', PolicyMissing: 'no residency policy is deployed', ExaminerFailed: 'an examiner did not say what is in the texts',
  ParameterUnsupported: 'the provider that would be asked does not take these parameters',
};

const refusal = (code: string, more = ''): HttpError => new HttpError(code === 'RunUnknown' || code === 'RunExpired' ? 401 : 403, code, `${REFUSED[code] ?? 'the call was refused'}${more}`);

/** How often a call that has begun asks whether it may go on. */
const ASKED_EVERY_MS = 2_000;

/** How often in a row it may get no answer. */
const MOST_SILENT = 5;

/** Longest result of a call whose values are looked for; of a longer one only the classes count, and nothing of them can be taken out. */
const LONGEST_RESULT = 200_000;

/**
 * Decides and conducts one call of a model. Everything is decided before anything is sent: who may be asked follows from what the run has read and from
 * what is in the text. What comes back is handed on as it comes.
 *
 * @throws HttpError
 */
export async function* conduct(asker: Asker, asked: string, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const hold = 'hold' in asker ? asker.hold : null;
  const opened = await callFunction<Opened>('gate.open_model', { run: arg.text('run' in asker ? asker.run : null), hold: arg.optionalUuid(hold) });
  const run = opened.run ?? '';
  const by = hold === null ? {} : { by: 'verifier', hold };
  const [name = '', ...rest] = asked.split('/');
  const model = rest.length > 0 ? rest.join('/') : undefined;
  const policy = typeof opened.policy === 'string' ? await policyOf(opened.policy) : undefined;
  // In the log stands what is known by name, and nothing that the agent made up.
  const known = policy?.providers.find((provider) => provider.name === name);
  const told = known === undefined ? null : model !== undefined && known.models.includes(model) ? `${name}/${model}` : name;
  const refuse = async (code: string, classes: readonly string[] = [], blocked: readonly string[] = [], more = ''): Promise<never> => {
    await callFunction('gate.refuse_model', { run: arg.text(run), facts: arg.text(canonicalJson({ ...by, asked: told, reason: code, policy: opened.policy ?? null, classes, blocked })) });
    throw refusal(code, more);
  };
  if (opened.refused !== undefined) return refuse(opened.refused);
  if (!policy) return refuse('PolicyMissing');
  if (opened.models && !opened.models.includes(name)) return refuse('ModelNotOnCard', [], [], `: ${opened.models.join(', ') || 'none'}`);
  if (model !== undefined && known && !known.models.includes(model)) return refuse('ModelUnknown', [], [], `: ${known.models.join(', ')}`);

  const labels = await labelled(run, opened, policy);
  const { request: readable, isOpaque } = filesOf(request);
  const texts = textsOf(readable);
  const found = await examine(texts).catch(() => undefined);
  if (!found) return refuse('ExaminerFailed');
  const seen = await redact(texts.written, finderOf(labels, found));
  const named = await redact([...texts.names], finderOf(labels, found));
  const counted = await redact([...texts.figures], DETECTORS);
  const classes = [...new Set([policy.prose, ...labels.classes, ...opened.staged.map((column) => classOf(policy, column)), ...seen.kinds, ...named.kinds, ...counted.kinds, ...(isOpaque ? [UNCLASSIFIED] : [])])].sort();
  // Nothing is taken out of names, nor of what a model or a person says in words of their own.
  const unread = new Set([policy.prose, ...labels.unread, ...named.kinds, ...counted.kinds]);

  const plan = (provider: string, wanted?: string): Plan | { readonly refused: string; readonly blocked: readonly string[]; readonly more: string } => {
    const decided = ruling(policy, provider, classes);
    if ('refused' in decided) return { refused: decided.refused, blocked: decided.classes, more: decided.classes.join(', ') };
    // A verifier must not judge what it does not see: whatever a run has compared could be taken out of what it is told.
    const lost = hold === null ? decided.redact.filter((className) => unread.has(className)) : decided.redact;
    if (lost.length > 0) return { refused: 'ClassBlocked', blocked: lost, more: lost.join(', ') };
    const unsupported = decided.provider.kind === 'bedrock' ? Object.keys(request.extra) : [];
    if (unsupported.length > 0) return { refused: 'ParameterUnsupported', blocked: [], more: `${decided.provider.name}: ${unsupported.join(', ')}` };
    return { provider: decided.provider, model: (decided.routedFrom === undefined ? wanted : undefined) ?? decided.provider.models[0] ?? '', redact: decided.redact, routedFrom: decided.routedFrom };
  };
  const first = plan(name, model);
  if ('refused' in first) return refuse(first.refused, classes, first.blocked, first.more === '' ? '' : `: ${first.more}`);
  // Whoever steps in is decided by the same policy and the same classes: a provider that is away widens nothing.
  const others = (opened.models ?? []).filter((other) => other !== name).map((other) => plan(other)).filter((other): other is Plan => !('refused' in other) && other.provider.name !== first.provider.name);

  let last: ProviderFailed | undefined;
  for (const { provider, model: chosen, redact: taken, routedFrom } of [first, ...others]) {
    const { value, kinds } = taken.length > 0 ? await redact(texts.written, finderOf(labels, found, new Set(taken))) : { value: texts.written, kinds: [] as readonly string[] };
    const sent = withTexts(readable, value as readonly unknown[]);
    const facts = { ...by, asked: told, provider: provider.name, model: chosen, processes_in: provider.processesIn, classes, redacted: kinds, routed_from: routedFrom ?? null, instead_of: last ? last.provider : null, policy: opened.policy };
    // A provider may see what no record keeps.
    const kept = await redact(sent);
    const begun = await callFunction<{ refused?: string; decision: string }>('gate.begin_model', { run: arg.text(run), hold: arg.optionalUuid(hold), facts: arg.text(canonicalJson(facts)), inputs: arg.text(canonicalJson(kept.value)) });
    if (begun.refused !== undefined) return refuse(begun.refused, classes);
    try {
      yield* handedOn(begun.decision, provider, chosen, sent);
      return;
    } catch (error) {
      if (!(error instanceof ProviderFailed)) throw error;
      last = error;
      if (!error.again) break;
    }
  }
  throw new HttpError(502, 'ProviderFailed', last?.message ?? 'no provider could be asked');
}

/** Policies by their digest, which says what they are. */
const policies = new Map<string, ResidencyPolicy>();

async function policyOf(digest: string): Promise<ResidencyPolicy> {
  const known = policies.get(digest);
  if (known) return known;
  let text = '';
  for (let chunk = 0; ; chunk += 1) {
    const part = await callFunction<string | null>('gate.model_policy', { digest: arg.text(digest), chunk: arg.int(chunk) });
    if (part === null) break;
    text += part;
  }
  const policy = JSON.parse(text) as ResidencyPolicy;
  policies.set(digest, policy);
  return policy;
}

async function labelled(run: string, { columns, returns, touched, reads, calls }: Opened, policy: ResidencyPolicy): Promise<Labels> {
  const results = await Promise.all(reads.map(async ({ decision, length, ...read }): Promise<Read> => ({ ...read, result: length === null || length > LONGEST_RESULT ? undefined : await resultOf(run, decision, length) })));
  return labelsOf(policy, columns, returns, touched, results, reads.length === calls);
}

async function resultOf(run: string, decision: string, length: number): Promise<unknown> {
  const chunks = await Promise.all(Array.from({ length: Math.ceil(length / 15_000) }, (_, chunk) => callFunction<string | null>('gate.model_result', { run: arg.text(run), decision: arg.uuid(decision), chunk: arg.int(chunk) })));
  return JSON.parse(chunks.map((chunk) => chunk ?? '').join('') || 'null') as unknown;
}

/** Hands an answer on as it comes, until it ends, fails, or the agent is stopped; how it ended is recorded whatever happens. */
async function* handedOn(decision: string, provider: ProviderPolicy, model: string, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const stopping = new AbortController();
  // Whoever cannot be asked whether the agent was stopped may have been told so.
  let silent = 0;
  const watching = setInterval(() => void callFunction<boolean>('gate.model_goes_on', { decision: arg.uuid(decision) }).then((on) => { silent = 0; if (!on) stopping.abort(); }, () => { silent += 1; if (silent >= MOST_SILENT) stopping.abort(); }), ASKED_EVERY_MS);
  let usage: Usage | undefined;
  let outcome = 'broken off';
  let hasBegun = false;
  try {
    for await (const event of ask(provider, model, request, stopping.signal)) {
      if (stopping.signal.aborted) throw new ProviderFailed(provider.name, false, 'the agent was stopped');
      hasBegun = true;
      if ('metadata' in event) ({ usage } = event.metadata);
      yield event;
    }
    outcome = 'answered';
  } catch (error) {
    outcome = stopping.signal.aborted ? 'stopped' : 'failed';
    const { again, message } = error instanceof ProviderFailed ? error : { again: true, message: error instanceof Error ? error.name : 'unknown' };
    throw new ProviderFailed(provider.name, again && !hasBegun && !stopping.signal.aborted, message.replace(`${provider.name}: `, ''));
  } finally {
    clearInterval(watching);
    await callFunction('gate.end_model', { decision: arg.uuid(decision), outcome: arg.text(outcome), facts: arg.text(canonicalJson({ provider: provider.name, model, input_tokens: usage ? countOf(usage.inputTokens) : null, output_tokens: usage ? countOf(usage.outputTokens) : null })) });
  }
}
