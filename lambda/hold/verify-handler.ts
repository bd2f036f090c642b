import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as v from 'valibot';
import type { Manifest } from '../../lib/scope/manifest';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { quiet } from '../errors/quiet';
import { asData } from '../provenance/as-data';
import { openStaged } from './staged';
import { codeOf } from './verdict-code';

/** What a verifier gets: the call as it is declared and staged. Texts that the agent wrote are marked; what it says for itself is not here. */
export interface VerifierQuestion {
  readonly holdId: string;
  readonly agent: string;
  readonly action: string;
  /** The action's own sentence. */
  readonly description: string;
  readonly reach: string;
  /** How it is undone, in the sentence that approvers read. */
  readonly reverse: string;
  /** Values by parameter; free text as data between marks. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What the action made of them and would run; every text as data. */
  readonly resolved: unknown;
  /** What was asked of the run, where that is trusted. */
  readonly request: string | null;
  /** What to tell a model about the marks. */
  readonly instruction: string;
}

const Answer = v.strictObject({
  verdict: v.picklist(['approve', 'reject', 'unsure']),
  reason: v.pipe(v.string(), v.minLength(1), v.maxLength(2_000)),
  /** Names the verifier's code, model and policy; recorded with the verdict. */
  version: v.optional(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,100}$/))),
});

interface Proposal {
  readonly holdId: string;
  readonly agent: string;
  readonly action: string;
  readonly tier: string;
  readonly decisionId: string;
  readonly staged: string | null;
  readonly digest: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly request: string | null;
  readonly declaration: Manifest | null;
}

/** Asks the verifier about one hold, once. Down, late, unsure or unreadable: the hold stays with people. */
async function verify({ holdId }: { readonly holdId: string }): Promise<object> {
  const proposal = await callFunction<Proposal | null>('hold.proposal', { hold: arg.uuid(holdId) });
  if (!proposal) return { holdId, verdict: null };
  const { verdict, reason, version } = await asked(proposal);
  const { redact } = await import('../redaction/redact');
  const code = verdict === 'approve' ? await codeOf({ hold: holdId, digest: proposal.digest, person: `verifier:${proposal.tier}` }) : '';
  const told = await callFunction<{ refused?: string; status?: string }>('hold.verify', {
    hold: arg.uuid(holdId), digest: arg.text(proposal.digest), verdict: arg.text(verdict), reason: arg.text((await redact(reason)).value as string), version: arg.text(version), code: arg.text(code),
  });
  await anchorSoon();
  return { holdId, verdict, ...told };
}

async function asked(proposal: Proposal): Promise<v.InferOutput<typeof Answer>> {
  try {
    const { Payload, FunctionError } = await new LambdaClient({ maxAttempts: 1 }).send(new InvokeCommand({ FunctionName: required('VERIFIER_FUNCTION'), Payload: JSON.stringify(await questionOf(proposal)) }), { abortSignal: AbortSignal.timeout(30_000) });
    if (FunctionError !== undefined || !Payload) return unsure('the verifier failed');
    const answer = v.safeParse(Answer, JSON.parse(Payload.transformToString()));
    return answer.success ? answer.output : unsure('the verifier answered what is no verdict');
  } catch {
    return unsure('the verifier could not be reached in time');
  }
}

const unsure = (reason: string): v.InferOutput<typeof Answer> => ({ verdict: 'unsure', reason });

async function questionOf({ holdId, decisionId, agent, action, parameters, staged, request, declaration }: Proposal): Promise<VerifierQuestion> {
  const mark = asData('');
  const { resolved } = staged === null ? { resolved: undefined } : await openStaged(decisionId, staged);
  const every = (value: unknown): unknown => (typeof value === 'string' ? mark.again(value) : Array.isArray(value) ? value.map(every) : typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, every(inner)])) : value);
  const marked = (name: string, value: unknown): unknown => (declaration?.parameters[name]?.type === 'text' && typeof value === 'string' ? mark.again(value) : value);
  return {
    holdId, agent, action, description: declaration?.description ?? '', reach: declaration?.reach ?? '', reverse: declaration?.reverse?.sentence ?? declaration?.reverse?.kind ?? '',
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, marked(name, value)])), resolved: every(resolved ?? null), request, instruction: mark.instruction,
  };
}

export const handler = quiet(verify);
