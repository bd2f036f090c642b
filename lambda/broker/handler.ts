import { randomUUID } from 'node:crypto';
import type { AssumeRoleCommandOutput } from '@aws-sdk/client-sts';
import * as v from 'valibot';
import { agentRoleName, agentSecretName, SCOPE_STAGE } from '../../lib/scope/names';
import { arg, callFunction, required } from '../database/connection';
import { HttpError, httpHandler, HttpRequest, HttpResponse } from '../http/http';
import { identifier, parse, plainText } from '../http/parse';
import { sessionPolicy } from './session-policy';

const StartRun = v.strictObject({
  request: v.strictObject({ text: plainText(8_000), reference: v.optional(identifier(200)) }),
  model: v.optional(identifier(100)),
});

/** `POST /agents/{agent}/runs`: IAM has checked that the caller may start this agent; the card and its approval are checked here. */
async function startRun({ path, body, caller }: HttpRequest): Promise<HttpResponse> {
  const agent = path.agent ?? '';
  if (!/^[a-z][a-z0-9-]{0,23}$/.test(agent)) throw new HttpError(404, 'AgentUnknown', 'there is no agent of this name');
  const { request, model } = parse(StartRun, body);
  const runId = `run-${randomUUID()}`;
  const seconds = Number(required('SESSION_SECONDS'));

  const digest = await currentCardDigest(agent);
  const started = await callFunction<{ refused?: string; expiresAt?: string }>('gate.start_run', {
    run: arg.text(runId), agent: arg.text(agent), starter: arg.text(caller.arn), digest: arg.text(digest), request: arg.text(request.text),
    reference: arg.text(request.reference), model: arg.text(model), seconds: arg.int(seconds),
  });
  if (started.refused !== undefined) throw new HttpError(started.refused === 'AgentUnknown' ? 404 : 403, started.refused, REFUSALS[started.refused] ?? 'the run was refused');

  const session = await assume(agent, runId, caller.sessionName, seconds);
  // Until this commits the session opens nothing: the gate knows runs by the session that STS named.
  const bound = await callFunction<boolean>('gate.bind_run', { run: arg.text(runId), principal: arg.text(session.AssumedRoleUser?.AssumedRoleId) });
  if (!bound) throw new HttpError(409, 'RunIdUsed', 'the run was bound already; start another');
  return {
    status: 201,
    body: {
      runId,
      expiresAt: started.expiresAt,
      credentials: { accessKeyId: session.Credentials?.AccessKeyId, secretAccessKey: session.Credentials?.SecretAccessKey, sessionToken: session.Credentials?.SessionToken },
    },
  };
}

const REFUSALS: Readonly<Record<string, string>> = {
  AgentUnknown: 'there is no agent of this name',
  AgentDisabled: 'the agent is disabled; two people can bring it back',
  CardNotApproved: 'nobody has approved the card that is deployed; its security owner approves its digest',
  CardChanged: 'the card changed since the scope was written; deploy again',
};

/** The digest of the scope as Secrets Manager has it now: read fresh, so a changed scope starts no run under an old one. */
async function currentCardDigest(agent: string): Promise<string | null> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  try {
    const { SecretString } = await new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId: agentSecretName(required('CONTROLS_NAME'), agent), VersionStage: SCOPE_STAGE }));
    return (JSON.parse(SecretString ?? '{}') as { cardDigest?: string }).cardDigest ?? null;
  } catch (error) {
    // An unknown agent has no secret; the refusal is recorded like any other.
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return null;
    throw error;
  }
}

async function assume(agent: string, runId: string, starter: string, seconds: number): Promise<AssumeRoleCommandOutput> {
  const { AssumeRoleCommand, STSClient } = await import('@aws-sdk/client-sts');
  return new STSClient({}).send(new AssumeRoleCommand({
    RoleArn: `arn:${required('PARTITION')}:iam::${required('ACCOUNT')}:role/${agentRoleName(required('CONTROLS_NAME'), agent)}`,
    RoleSessionName: runId,
    SourceIdentity: starter.replaceAll(/[^\w+=,.@-]/g, '-').slice(0, 64),
    DurationSeconds: seconds,
    Tags: [{ Key: 'run', Value: runId }],
    Policy: sessionPolicy(required('API_ARN')),
  }));
}

export const handler = httpHandler(startRun);
