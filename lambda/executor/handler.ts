import { createHash } from 'node:crypto';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { handlerName } from '../../lib/scope/names';
import { readActionName } from '../../lib/scope/compile';
import { canonicalJson } from '../../lib/scope/canonical-json';
import type { ReturnedField } from '../../lib/scope/manifest';
import { plainJson } from '../../lib/scope/plain-text';
import type { ActionAnswer, ActionRequest } from '../action/protocol';
import { quiet } from '../errors/quiet';
import { openStaged } from '../hold/staged';
import { isCodeOf } from '../hold/verdict-code';
import { advance, Advanced, look } from './rollback';
import { stage } from './stage';
import { KnownValue, returnedValues, UNREADABLE } from '../provenance/returned';

/** A permitted call, or an approved hold. Ids only: everything else is in Postgres, where nobody between here and there can change it. */
type ExecutorEvent = { readonly decisionId: string } | { readonly holdId: string } | { readonly rollback: string } | { readonly look: string } | { readonly stage: string };

interface Redeemed extends Omit<ActionRequest, 'table' | 'columns' | 'stage' | 'staged'> {
  readonly refused?: string;
  readonly kind: 'action' | 'read' | 'sql' | 'rollback';
  readonly function: string | null;
  readonly table: string | null;
  readonly columns: readonly string[] | null;
  /** What was asked of the run, if that is trusted. */
  readonly request: string | null;
  readonly registered: Readonly<Record<string, readonly string[]>> | null;
  readonly effect: 'read' | 'write';
  /** Whether an attempt whose outcome is not known may be made again. */
  readonly idempotent: boolean;
  readonly returns: Readonly<Record<string, ReturnedField>>;
  /** Columns, as `table.column`, that no record keeps. */
  readonly redact: readonly string[] | null;
  readonly salt: string;
  readonly digest: string;
  /** Of a hold: what was fixed and shown, sealed. */
  readonly staged: string | null;
  /** Of a hold: how many people had to approve, and who did, with what proves it. */
  readonly people?: number;
  readonly approvals?: readonly { readonly person: string; readonly code: string }[] | null;
}

/** How often an idempotent action is run again when nobody knows what came of it. */
const AGAIN = 2;

type Outcome = { readonly status: 'executed' | 'failed' | 'unknown'; readonly answer: ActionAnswer };

/** Redeems the ticket, invokes the action once, and records what came of it; or goes on with a rollback that has begun. */
async function execute(event: ExecutorEvent, { getRemainingTimeInMillis }: { readonly getRemainingTimeInMillis: () => number }): Promise<object> {
  if ('look' in event) return look(event.look);
  if ('stage' in event) return stage(event.stage);
  if ('rollback' in event) return advanced(event.rollback, getRemainingTimeInMillis);
  const ticket = 'holdId' in event
    ? await callFunction<Redeemed>('hold.claim', { hold: arg.uuid(event.holdId) })
    : await callFunction<Redeemed>('gate.redeem', { decision: arg.uuid(event.decisionId) });
  if (ticket.refused !== undefined) return { status: 'refused', refused: ticket.refused };

  if ('holdId' in event && !await isApproved(event.holdId, ticket)) {
    await callFunction('gate.outcome', { decision: arg.uuid(ticket.decisionId), status: arg.text('failed'), result: arg.text('{"error":"ApprovalForged"}'), writes: arg.text('[]'), bundle: arg.text(null), redacted: arg.text('[]'), values: arg.text('[]'), clock: arg.text(new Date().toISOString()) });
    await anchorSoon();
    return { status: 'refused', refused: 'ApprovalForged' };
  }
  // It has begun: from here on whoever asks again goes on with it, and nothing that fails ends it.
  if (ticket.kind === 'rollback') return { status: 'more', rollback: ticket.decisionId };

  let outcome = await invoke(ticket);
  for (let again = 0; again < AGAIN && outcome.status === 'unknown' && ticket.idempotent && getRemainingTimeInMillis() > 60_000; again += 1) outcome = await invoke(ticket);
  const answer = plainJson(outcome.answer) as ActionAnswer; // a result may hold what some other system wrote
  const { redact } = await import('../redaction/redact');
  // The agent gets what it may read, without secrets; the record leaves out what the card says, too.
  const given = await redact(answer.error === undefined ? answer.result ?? null : { error: answer.error });
  const kept = withoutColumns(given, ticket);
  const writes = await redact(answer.writes);
  const values = outcome.status === 'executed' ? read(given.value, ticket) : [];
  await callFunction('gate.outcome', {
    decision: arg.uuid(ticket.decisionId), status: arg.text(outcome.status), result: arg.text(canonicalJson(kept.value)),
    writes: arg.text(canonicalJson(writes.value)), bundle: arg.text(answer.bundleDigest), redacted: arg.text(JSON.stringify([...new Set([...kept.kinds, ...writes.kinds])].sort())), values: arg.text(JSON.stringify(values)), clock: arg.text(new Date().toISOString()),
  });
  await anchorSoon();
  if ('holdId' in event) return { status: outcome.status }; // what the state machine is told stands in its history
  return outcome.status === 'executed' ? { status: 'executed', result: given.value } : { status: outcome.status, error: answer.error };
}

/** Whether as many different people as it takes approved these very bytes: the key says so, whatever stands in the table. */
async function isApproved(hold: string, ticket: Redeemed): Promise<boolean> {
  const { digest, people = 1, approvals } = ticket;
  if (digestOf(ticket) !== digest) return false;
  const proven = new Set<string>();
  for (const { person, code } of approvals ?? []) if (await isCodeOf({ hold, digest, person }, code)) proven.add(person);
  return proven.size >= people;
}

const digestOf = ({ salt, parameters, staged }: Redeemed): string => createHash('sha256').update(Buffer.from(salt, 'hex')).update(parameters + (staged === null ? '' : `\n${staged}`), 'utf8').digest('hex');

async function advanced(rollback: string, timeLeft: () => number): Promise<Advanced> {
  const told = await advance(rollback, timeLeft);
  await anchorSoon();
  return told;
}

/** What a result says. The effect has happened: whatever cannot be read must not keep the outcome from being recorded. */
function read(result: unknown, { returns, request, effect, parameters, registered }: Redeemed): readonly KnownValue[] {
  try {
    return returnedValues(result, returns, { request, made: effect === 'write', parameters: JSON.parse(parameters) as Record<string, unknown>, registered: registered ?? {} });
  } catch {
    return UNREADABLE;
  }
}

/** A result without the columns that no record keeps: of a read those of its table, else of whatever is called like one. */
function withoutColumns({ value, kinds }: { readonly value: unknown; readonly kinds: readonly string[] }, { redact, kind, action }: Redeemed): { value: unknown; kinds: readonly string[] } {
  const names = new Set((redact ?? []).filter((column) => kind !== 'read' || action === readActionName(column.slice(0, column.lastIndexOf('.')))).map((column) => column.slice(column.lastIndexOf('.') + 1)));
  if (names.size === 0) return { value, kinds };
  let found = false;
  const mask = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(mask);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => {
      if (!names.has(key) || inner === null) return [key, mask(inner)];
      found = true;
      return [key, '[redacted: column]'];
    }));
  };
  const masked = mask(value);
  return { value: masked, kinds: found ? [...kinds, 'column'] : kinds };
}

async function invoke(ticket: Redeemed): Promise<Outcome> {
  const none = { writes: [], bundleDigest: null };
  // The bytes that run are the bytes that were decided on, whoever wrote to the table since.
  if (digestOf(ticket) !== ticket.digest) return { status: 'failed', answer: { ...none, error: 'DigestChanged' } };
  const { decisionId, agent, action, loginSecretArn, parameters, justification, table, columns } = ticket;
  const staged = ticket.staged === null ? undefined : await openStaged(decisionId, ticket.staged);
  const request: ActionRequest = { decisionId, agent, action, loginSecretArn, parameters, justification, ...(staged ? { staged } : {}), ...(table !== null && columns ? { table, columns } : {}) };
  try {
    // One attempt: the SDK's retries could run an effect twice.
    const { Payload, FunctionError } = await new LambdaClient({ maxAttempts: 1 }).send(new InvokeCommand({
      FunctionName: ticket.kind === 'action' ? ticket.function ?? '' : handlerName(required('CONTROLS_NAME'), 'read'),
      Payload: JSON.stringify(request),
    }));
    if (FunctionError !== undefined || !Payload) return { status: 'unknown', answer: { ...none, error: 'the action ended without an answer' } };
    const answer = JSON.parse(Payload.transformToString()) as ActionAnswer;
    return { status: answer.error === undefined ? 'executed' : answer.uncertain ? 'unknown' : 'failed', answer };
  } catch (error) {
    return { status: 'unknown', answer: { ...none, error: error instanceof Error ? error.name : 'the action could not be reached' } };
  }
}

export const handler = quiet(execute);
