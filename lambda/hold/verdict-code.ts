import { GenerateMacCommand, KMSClient, VerifyMacCommand } from '@aws-sdk/client-kms';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { required } from '../database/connection';

/** What an approval is about: whoever approves these bytes of this hold. */
export interface Approval {
  readonly hold: string;
  readonly digest: string;
  readonly person: string;
}

const message = ({ hold, digest, person }: Approval): Buffer => Buffer.from(canonicalJson({ digest, hold, person, verdict: 'approve' }));

/** The authentication code of an approval. Who makes codes cannot execute, and who executes can only check them; the database does neither. */
export async function codeOf(approval: Approval): Promise<string> {
  const { Mac } = await new KMSClient({}).send(new GenerateMacCommand({ KeyId: required('VERDICT_KEY_ARN'), MacAlgorithm: 'HMAC_SHA_256', Message: message(approval) }));
  return Buffer.from(Mac as Uint8Array).toString('base64');
}

/** Whether a code is that of an approval. */
export async function isCodeOf(approval: Approval, code: string): Promise<boolean> {
  try {
    const { MacValid } = await new KMSClient({}).send(new VerifyMacCommand({ KeyId: required('VERDICT_KEY_ARN'), MacAlgorithm: 'HMAC_SHA_256', Message: message(approval), Mac: Buffer.from(code, 'base64') }));
    return MacValid === true;
  } catch (error) {
    if (error instanceof Error && error.name === 'KMSInvalidMacException') return false;
    throw error;
  }
}
