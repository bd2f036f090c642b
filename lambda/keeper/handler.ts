import * as v from 'valibot';
import { errorCode } from '../errors/error-code';
import { privacyRoleName } from '../../lib/scope/names';
import { arg, callFunction, required } from '../database/connection';
import { quiet } from '../errors/quiet';
import { HttpError, HttpEvent, httpHandler, HttpRequest, HttpResponse, UUID } from '../http/http';
import { parse, plainText, reference } from '../http/parse';
import { watch } from '../anomaly/watch';
import { checkpoint } from './checkpoints';
import { carryOut, finishErasures } from './erasures';
import { signEvidence } from './evidence';
import { dropDueMonths } from './retention';
import { verifyRecent } from './verify-recent';

/** What a state machine or a schedule asks. */
type Job = { readonly job: 'checkpoint' | 'daily' };

/** Keeps the log: checkpoints some minutes after something was appended; once a day retention, verification and whatever was left over. */
async function work({ job }: Job): Promise<object> {
  const done: Record<string, unknown> = {};
  const failed: unknown[] = [];
  // None of the steps rests on another, and none keeps another from being done: the last to fail is told when all were tried.
  const step = async (name: string, of: () => Promise<unknown>): Promise<void> => {
    try {
      done[name] = await of();
    } catch (error) {
      console.error(JSON.stringify({ level: 'error', error: 'StepFailed', step: name, cause: errorCode(error) }));
      failed.push(error);
    }
  };
  // The database is awake now: whoever never reported an outcome is not going to.
  await step('reconciled', () => callFunction<number>('gate.reconcile', {}));
  await step('findings', watch);
  await step('checkpoint', checkpoint);
  await step('erased', finishErasures);
  if (job === 'daily') {
    await step('months', () => callFunction('audit.make_months', {}));
    await step('retention', dropDueMonths);
    await step('images', () => callFunction<number>('undo.expire', { days: arg.int(Number(required('IMAGE_DAYS'))) }));
    await step('anchored', checkpoint);
    await step('verified', verifyRecent);
  }
  if (failed.length > 0) throw failed[0];
  return done;
}

const subject = v.pipe(plainText(200), v.minLength(3, 'at least 3 characters are expected: fewer would be in everything'));
const Erase = v.strictObject({ subject, reference: reference(), dryRun: v.optional(v.boolean()) });
const PlaceHold = v.strictObject({ subject: v.optional(subject), reference: reference() });

const day = v.pipe(plainText(40), v.check((text) => !Number.isNaN(Date.parse(text)), 'a time is expected'));
const MadeEvidence = v.strictObject({ manifest: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'the SHA-256 of a manifest is expected, in hex')), files: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000)), from: v.nullable(day), until: v.nullable(day) });

const REFUSALS: Readonly<Record<string, string>> = {
  LegalHold: 'a legal hold is open about this subject or about everything; it is released first',
  SubjectUnknown: 'nothing here mentions this subject, so nothing is erased; look at how it is spelt',
  CallsOpen: 'calls about this subject still wait or run; they are decided first',
  LegalHoldUnknown: 'there is no open legal hold of this id',
};

/** What people ask; the API has checked that they may. */
async function ask({ route, path, body, caller }: HttpRequest): Promise<HttpResponse> {
  // Whoever may read the log may have said what was read; the statement names who asked.
  if (route === 'POST /evidence') return { status: 200, body: await signEvidence(parse(MadeEvidence, body), caller.arn) };
  // The API's policies say who may; that it is a person with this duty is asked again.
  if (caller.roleName !== privacyRoleName(required('CONTROLS_NAME'))) throw new HttpError(403, 'NotPrivacy', 'a session of the privacy role is needed');
  const by = arg.text(caller.arn);
  switch (route) {
    case 'POST /checkpoints': return { status: 200, body: { ...await checkpoint(), findings: await watch() } };
    case 'POST /erasures': {
      const erase = parse(Erase, body);
      const ordered = demand(await callFunction<Answer & { erasure?: string }>('audit.order_erasure', { subject: arg.text(erase.subject), by, reference: arg.text(erase.reference), dry: { cast: 'boolean', value: erase.dryRun ?? false } }));
      if (erase.dryRun) return { status: 200, body: ordered };
      return { status: 200, body: await carryOut({ erasure: ordered.erasure ?? '', subject: erase.subject, orderedBy: caller.arn, reference: erase.reference }) };
    }
    case 'GET /legal-holds': return { status: 200, body: { legalHolds: await callFunction('audit.legal_holds', {}) } };
    case 'POST /legal-holds': {
      const hold = parse(PlaceHold, body);
      return { status: 201, body: await callFunction<object>('audit.place_legal_hold', { subject: arg.text(hold.subject), by, reference: arg.text(hold.reference) }) };
    }
    default: {
      const id = path.legalHoldId ?? '';
      if (!UUID.test(id)) throw new HttpError(404, 'LegalHoldUnknown', REFUSALS.LegalHoldUnknown ?? '');
      return { status: 200, body: demand(await callFunction<Answer>('audit.release_legal_hold', { hold: arg.uuid(id), by })) };
    }
  }
}

interface Answer { readonly refused?: string }

function demand<T extends Answer>(answer: T): T {
  if (answer.refused !== undefined) throw new HttpError(answer.refused.endsWith('Unknown') ? 404 : 409, answer.refused, REFUSALS[answer.refused] ?? 'refused');
  return answer;
}

// What a person asked for is anchored at once.
const http = httpHandler(ask, async () => { await checkpoint(); });

export const handler = quiet((event: HttpEvent | Job): Promise<object> => ('job' in event ? work(event) : http(event)));
