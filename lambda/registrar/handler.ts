import { CognitoIdentityProviderClient, GetUserPoolMfaConfigCommand } from '@aws-sdk/client-cognito-identity-provider';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Registration } from '../../lib/scope/registration';
import { required } from '../database/connection';
import { migrate } from './migrate';
import { register, removeWhatIsGone } from './register';

/** What CloudFormation sends to a custom resource's function. */
interface CustomResourceEvent {
  readonly RequestType: 'Create' | 'Update' | 'Delete';
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  readonly PhysicalResourceId?: string;
  readonly ResourceType: string;
  readonly ResourceProperties: Readonly<Record<string, string>>;
}

/**
 * The one custom resource provider of a control plane. Deleting the schema does nothing: a log outlives the stack that made it. Deleting the
 * registration of a stack takes its agents away, like a card that disappeared.
 */
export async function handler(event: CustomResourceEvent): Promise<void> {
  const answer = {
    PhysicalResourceId: event.PhysicalResourceId ?? `${event.LogicalResourceId}-${required('CONTROLS_NAME')}`,
    StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId,
  };
  let result: object;
  try {
    await apply(event);
    result = { ...answer, Status: 'SUCCESS' };
  } catch (error) {
    console.error(JSON.stringify({ level: 'error', resource: event.LogicalResourceId, error: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown' }));
    result = { ...answer, Status: 'FAILED', Reason: (error instanceof Error ? error.message : 'unknown').slice(0, 1_000) };
  }
  const { ok, status } = await fetch(event.ResponseURL, { method: 'PUT', body: JSON.stringify(result) });
  if (!ok) throw new Error(`CloudFormation did not take the answer: HTTP ${status}`);
}

async function apply({ RequestType, ResourceType, ResourceProperties, StackId }: CustomResourceEvent): Promise<void> {
  const controlsName = required('CONTROLS_NAME');
  if (ResourceType === 'Custom::AgentControlsMigration') {
    if (RequestType !== 'Delete') await migrate(controlsName);
    return;
  }
  if (ResourceType === 'Custom::AgentControlsDirectory') {
    if (RequestType !== 'Delete') await demandMfa(ResourceProperties.UserPoolId ?? '');
    return;
  }
  // The stack's name, not its id: a stack that is deleted and made again is the same owner of its agents.
  const stack = StackId.split('/')[1] ?? StackId;
  if (RequestType === 'Delete') {
    await removeWhatIsGone(controlsName, stack, { agents: [], actions: [] });
    return;
  }
  const { Bucket, Key } = ResourceProperties;
  const { Body } = await new S3Client({}).send(new GetObjectCommand({ Bucket, Key }));
  const registration = JSON.parse(await (Body as { transformToString(): Promise<string> }).transformToString()) as Registration;
  await register(controlsName, stack, registration);
}

/** A pool that another app made does not say at synth whether everybody in it has a second factor. */
async function demandMfa(UserPoolId: string): Promise<void> {
  const { MfaConfiguration } = await new CognitoIdentityProviderClient({}).send(new GetUserPoolMfaConfigCommand({ UserPoolId }));
  if (MfaConfiguration !== 'ON') throw new Error(`MfaNotRequired: user pool ${UserPoolId} must require MFA of everybody, got ${MfaConfiguration ?? 'OFF'}; set it to required`);
}
