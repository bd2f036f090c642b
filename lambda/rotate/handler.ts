import { responderRoleName } from '../../lib/scope/names';
import { anchorSoon } from '../audit/anchor-soon';
import { required } from '../database/connection';
import { quiet } from '../errors/quiet';
import { ReplaceCredential } from '../http/bodies';
import { HttpError, HttpEvent, httpHandler, HttpRequest, HttpResponse } from '../http/http';
import { parse } from '../http/parse';
import { credentialOf } from './credential';
import { named, recorded, replace, Replaced } from './replace';
import { RotationRefused, Step, STEPS } from './steps';
import { Swept, sweep } from './sweep';

/** What Secrets Manager asks. */
interface StepEvent { readonly Step: string; readonly SecretId: string; readonly ClientRequestToken: string }
/** What a rule tells: that a day has passed, or a leak, on the control plane's own bus or by an alarm. */
interface RuleEvent { readonly source: string; readonly 'detail-type'?: string; readonly time?: string; readonly detail: { readonly credential?: string; readonly reason?: string } }

/** `POST /rotations`: a person replaces a credential, after a leak or to see that it can be done. */
async function asked({ body, caller }: HttpRequest): Promise<HttpResponse> {
  if (caller.roleName !== responderRoleName(required('CONTROLS_NAME'))) throw new HttpError(403, 'NotAResponder', 'a session of the responder role is needed');
  const { credential, leaked, reason } = parse(ReplaceCredential, body);
  try {
    return { status: 200, body: await told(credential, leaked, caller.arn, reason) };
  } catch (error) {
    if (error instanceof RotationRefused) throw new HttpError(409, error.code, error.message);
    throw error;
  }
}

async function told(name: string, leaked: boolean, person: string, reason: string): Promise<Replaced> {
  const of = await named(name);
  if (!of) throw new HttpError(404, 'CredentialUnknown', 'there is no credential of this name: an agent, duty/NAME, or secret/NAME of another secret that is rotated here');
  const { redact } = await import('../redaction/redact');
  return replace(of, leaked, person, await redact(reason).then(({ value }) => value as string, () => 'it could not be searched for secrets, and is not kept')); // a leak is answered whatever its reason
}

const http = httpHandler(asked, anchorSoon);

/** A step of Secrets Manager, a request of a person, an event that tells a leak, or the daily sweep: each comes from a service that alone may send it. */
async function rotate(event: StepEvent | HttpEvent | RuleEvent): Promise<object | null> {
  if ('requestContext' in event) return http(event);
  try {
    if ('Step' in event) {
      if (!(STEPS as readonly string[]).includes(event.Step)) throw new Error(`StepUnknown: ${event.Step}`);
      const of = credentialOf(event.SecretId);
      if (!of) throw new Error('CredentialUnknown: the secret is none of this control plane');
      await recorded(of, event.ClientRequestToken, event.Step as Step);
      return null;
    }
    if (event['detail-type'] === 'Scheduled Event') return demandNothingLate(await sweep(new Date(event.time ?? '')));
    const { credential, reason } = event.detail;
    // An event may name what it likes: at worst a credential is replaced.
    const report = await told(credential ?? '', true, event.source, `${event.source}: ${reason ?? 'no reason given'}`.slice(0, 1_000));
    if (report.outcome !== 'proven') console.error(JSON.stringify({ level: 'warn', credential: report.credential, outcome: report.outcome }));
    return report;
  } catch (error) {
    console.error(JSON.stringify({ level: 'error', error: error instanceof HttpError || error instanceof RotationRefused ? error.code : error instanceof Error ? error.name : 'unknown' }));
    // What fails here is what the alarm counts; its sentence may quote what must not be in the log.
    throw new Error(error instanceof RotationRefused ? error.message : `RotationFailed: ${error instanceof Error ? error.name : 'unknown'}`);
  } finally {
    await anchorSoon();
  }
}

function demandNothingLate(swept: Swept): Swept {
  const wrong = [...new Set([...swept.stuck, ...swept.late, ...swept.failed])];
  if (wrong.length > 0) throw new RotationRefused('RotationLate', wrong.join(', '));
  return swept;
}

export const handler = quiet(rotate);
