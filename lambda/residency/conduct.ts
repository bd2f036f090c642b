import { canonicalJson } from '../../lib/scope/canonical-json';
import type { ReturnedField } from '../../lib/scope/manifest';
import { ProviderPolicy, ResidencyPolicy, ruling, UNCLASSIFIED } from '../../lib/scope/residency';
import { arg, callFunction } from '../database/connection';
import { HttpError } from '../http/http';
import { redact } from '../redaction/redact';
import { finderOf, Labels, labelsOf, Read } from './classes';
import type { ModelEvent, ModelRequest, Usage } from './converse';
import { examine } from './examiners';
import { filesOf } from './files';
import { ask, ProviderFailed } from './providers';

/** What the database tells of a run that asks a model. */
interface Opened {
  readonly refused?: string;
  readonly agent: string;
  readonly models: readonly string[];
  readonly directSql: boolean;
  readonly columns: readonly string[];
  readonly policy: ResidencyPolicy | null;
  readonly policyDigest: string;
  readonly reads: readonly { readonly decision: string; readonly action: string; readonly parameters: Read['parameters']; readonly length: number }[];
  readonly manifests: Readonly<Record<string, Readonly<Record<string, ReturnedField>> | null>>;
}

/** A call that the policy lets through, and how. */
interface Plan { readonly provider: ProviderPolicy; readonly model: string; readonly redact: readonly string[]; readonly routedFrom: string | undefined }

const REFUSED: Readonly<Record<string, string>> = {
  RunUnknown: 'the token is of no run that goes on', AgentDisabled: 'the agent is disabled', CardNotApproved: 'nobody has approved the card that is deployed', CardChanged: 'the card changed since the run began', RunExpired: 'the run is over; start another',
  ModelNotOnCard: 'the card of the agent does not name this provider under models', ModelUnknown: 'the provider has no model of this name', ProviderUnknown: 'no provider of the residency policy is called so',
  ClassBlocked: 'the provider may not see data of these classes', PolicyMissing: 'no residency policy is deployed',
};

const refusal = (code: string, more = ''): HttpError => new HttpError(code === 'RunUnknown' || code === 'RunExpired' ? 401 : 403, code, `${REFUSED[code] ?? 'the call was refused'}${more}`);

/** How often a call that has begun asks whether it may go on. */
const ASKED_EVERY_MS = 2_000;

/** Longest result of a call whose values are looked for; of a longer one only the classes count, and nothing of them can be taken out. */
const LONGEST_RESULT = 200_000;

/**
 * Decides and conducts one call of a model. Everything is decided before anything is sent: who may be asked follows from what the run has read and from
 * what is in the text. What comes back is handed on as it comes.
 *
 * @throws HttpError
 */
export async function* conduct(run: string, asked: string, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const opened = await callFunction<Opened>('gate.open_model', { run: arg.text(run) });
  if (opened.refused !== undefined) throw refusal(opened.refused);
  const { policy } = opened;
  if (!policy) throw refusal('PolicyMissing');
  const refuse = async (code: string, facts: object, more = ''): Promise<never> => {
    await callFunction('gate.refuse_model', { run: arg.text(run), facts: arg.text(canonicalJson({ asked, reason: code, policy: opened.policyDigest, ...facts })) });
    throw refusal(code, more);
  };
  const [name = '', ...model] = asked.split('/');
  if (!opened.models.includes(name)) return refuse('ModelNotOnCard', {}, `: ${opened.models.join(', ') || 'none'}`);

  const { labels, unread } = await labelled(run, opened, policy);
  const { request: readable, isOpaque } = filesOf(request);
  const found = await examine(readable);
  const seen = await redact(readable, finderOf(labels, found));
  const classes = [...new Set([...labels.classes, ...seen.kinds, ...(isOpaque ? [UNCLASSIFIED] : [])])].sort();

  const plan = (provider: string, named?: string): Plan | { readonly refused: string; readonly classes: readonly string[] } => {
    const decided = ruling(policy, provider, classes);
    if ('refused' in decided) return decided;
    // What nobody has at hand cannot be taken out.
    const lost = decided.redact.filter((className) => unread.has(className));
    if (lost.length > 0) return { refused: 'ClassBlocked', classes: lost };
    const chosen = named === undefined || decided.routedFrom !== undefined ? decided.provider.models[0] : decided.provider.models.find((id) => id === named);
    return chosen === undefined ? { refused: 'ModelUnknown', classes: [] } : { provider: decided.provider, model: chosen, redact: decided.redact, routedFrom: decided.routedFrom };
  };
  const first = plan(name, model.length > 0 ? model.join('/') : undefined);
  if ('refused' in first) return refuse(first.refused, { classes, blocked: first.classes }, first.classes.length > 0 ? `: ${first.classes.join(', ')}` : '');
  // Whoever steps in is decided by the same policy and the same classes: a provider that is away widens nothing.
  const others = opened.models.filter((other) => other !== name).map((other) => plan(other)).filter((other): other is Plan => !('refused' in other) && other.provider.name !== first.provider.name);

  let last: ProviderFailed | undefined;
  for (const { provider, model: chosen, redact: taken, routedFrom } of [first, ...others]) {
    const { value, kinds } = taken.length > 0 ? await redact(readable, finderOf(labels, found, new Set(taken))) : { value: readable, kinds: [] as readonly string[] };
    const sent = value as ModelRequest;
    const facts = { asked, provider: provider.name, model: chosen, processes_in: provider.processesIn, classes, redacted: kinds, routed_from: routedFrom ?? null, instead_of: last ? last.provider : null, policy: opened.policyDigest };
    const begun = await callFunction<{ refused?: string; decision: string }>('gate.begin_model', { run: arg.text(run), facts: arg.text(canonicalJson(facts)), inputs: arg.text(canonicalJson(sent)) });
    if (begun.refused !== undefined) throw refusal(begun.refused);
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

/** What the run has read, and classes of which not every value is at hand. */
async function labelled(run: string, opened: Opened, policy: ResidencyPolicy): Promise<{ readonly labels: Labels; readonly unread: ReadonlySet<string> }> {
  const reads = await Promise.all(opened.reads.map(async ({ decision, action, parameters, length }): Promise<Read> => ({
    action, parameters, returns: opened.manifests[action] ?? {}, isDirect: opened.directSql && action === 'sql', result: length > LONGEST_RESULT ? undefined : await resultOf(run, decision, length),
  })));
  const labels = labelsOf(policy, reads, opened.columns);
  const unread = new Set([...labelsOf(policy, reads.filter(({ result, isDirect }) => result === undefined || isDirect), opened.columns).classes]);
  return { labels, unread };
}

async function resultOf(run: string, decision: string, length: number): Promise<unknown> {
  const chunks = await Promise.all(Array.from({ length: Math.ceil(length / 15_000) }, (_, chunk) => callFunction<string | null>('gate.model_result', { run: arg.text(run), decision: arg.uuid(decision), chunk: arg.int(chunk) })));
  return JSON.parse(chunks.map((chunk) => chunk ?? '').join('') || 'null') as unknown;
}

/** Hands an answer on as it comes, until it ends, fails, or the agent is stopped; how it ended is recorded whatever happens. */
async function* handedOn(decision: string, provider: ProviderPolicy, model: string, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const stopping = new AbortController();
  const watching = setInterval(() => void callFunction<boolean>('gate.model_goes_on', { decision: arg.uuid(decision) }).then((on) => { if (!on) stopping.abort(); }, () => undefined), ASKED_EVERY_MS); // the database is asked again
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
    await callFunction('gate.end_model', { decision: arg.uuid(decision), outcome: arg.text(outcome), facts: arg.text(canonicalJson({ provider: provider.name, model, input_tokens: usage?.inputTokens ?? null, output_tokens: usage?.outputTokens ?? null })) });
  }
}
