import { GetRolePolicyCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { agentRoleName } from '../../lib/scope/names';
import { Credentials, GateError, SignedApi } from '../client/signed-api';
import { required } from '../database/connection';

/** Policies that are written to agents' roles at run time: by a stop, and after a leak. CloudFormation does not know them, so a deploy leaves them. */
export type DenyName = 'stopped' | 'leaked';

const denied = (when?: object): string => JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*', ...(when ? { Condition: when } : {}) }] });

/** What a stopped agent's sessions may do. */
export const NOTHING = denied();

/** What sessions that were handed out before may do, once the agent is back. */
export const nothingBefore = (time: Date): string => denied({ DateLessThan: { 'aws:TokenIssueTime': time.toISOString() } });

/** Puts a deny on an agent's role. */
export async function deny(agent: string, policy: string, name: DenyName = 'stopped'): Promise<void> {
  await new IAMClient({}).send(new PutRolePolicyCommand({ RoleName: agentRoleName(required('CONTROLS_NAME'), agent), PolicyName: name, PolicyDocument: policy }));
}

/** Whether a stopped agent's role carries its deny, as IAM reads it back. */
export async function isDenied(agent: string): Promise<boolean> {
  const { PolicyDocument = '' } = await new IAMClient({}).send(new GetRolePolicyCommand({ RoleName: agentRoleName(required('CONTROLS_NAME'), agent), PolicyName: 'stopped' satisfies DenyName }));
  return decodeURIComponent(PolicyDocument) === NOTHING;
}

/** The API as this handler itself. */
export async function ownApi(): Promise<SignedApi> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  return new SignedApi(required('API_URL'), required('AWS_REGION'), defaultProvider());
}

/** A session of the agent's role that belongs to no run, to see when it is refused. The broker alone may make one. */
export async function probeOf(agent: string): Promise<Credentials> {
  return (await (await ownApi()).send<{ credentials: Credentials }>('POST', `/agents/${agent}/probe`)).credentials;
}

/** Whether IAM refuses a session at the gate's door. The gate itself would answer that the session is no run. */
export async function isRefused(probe: Credentials): Promise<boolean> {
  try {
    await new SignedApi(required('API_URL'), required('AWS_REGION'), () => Promise.resolve(probe)).send('GET', '/tools');
    return false;
  } catch (error) {
    if (!(error instanceof GateError)) throw error;
    return error.status === 403 && error.code !== 'RunUnknown';
  }
}
