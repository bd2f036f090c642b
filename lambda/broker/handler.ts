import { randomUUID } from 'node:crypto';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import type { AssumeRoleCommandOutput } from '@aws-sdk/client-sts';
import { agentRoleName, agentSecretName, handlerName, SCOPE_STAGE } from '../../lib/scope/names';
import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction, required } from '../database/connection';
import { Ask, StartAsked, StartRun } from '../http/bodies';
import { HttpError, httpHandler, HttpRequest, HttpResponse } from '../http/http';
import { parse } from '../http/parse';
import { gatewayToken } from '../residency/token';
import { sessionPolicy } from './session-policy';

/** `POST /agents/{agent}/requests`: what a trigger asks. It gets an id to hand on, and no credentials. */
async function ask(agent: string, { body, caller }: HttpRequest): Promise<HttpResponse> {
  const { request } = parse(Ask, body);
  const text = await withoutSecrets(request.text);
  const asked = await callFunction<{ refused?: string }>('gate.ask', { agent: arg.text(agent), body: arg.text(text), reference: arg.text(request.reference), asked_by: arg.text(caller.arn) });
  if (asked.refused !== undefined) throw refusal(asked.refused);
  return { status: 201, body: asked };
}

/** `POST /agents/{agent}/runs`: IAM has checked that the caller may start this agent; the card and its approval are checked here. */
async function startRun(agent: string, { body, caller }: HttpRequest): Promise<HttpResponse> {
  const start = typeof body === 'object' && body !== null && 'requestId' in body ? parse(StartAsked, body) : parse(StartRun, body);
  const request = 'request' in start ? start.request : undefined;
  const runId = `run-${randomUUID()}`;
  const seconds = Number(required('SESSION_SECONDS'));

  const names = await (await import('../redaction/redact')).redact([request?.reference ?? '', start.model ?? '']);
  if (names.kinds.length > 0) throw new HttpError(400, 'SecretInName', `reference or model holds what looks like ${names.kinds.join(', ')}; they stay in the log for ever, so name it otherwise`);
  const digest = await currentCardDigest(agent);
  const started = await callFunction<{ refused?: string; expiresAt?: string }>('gate.start_run', {
    run: arg.text(runId), agent: arg.text(agent), starter: arg.text(caller.arn), digest: arg.text(digest), body: arg.text(request && await withoutSecrets(request.text)),
    request: arg.optionalUuid('requestId' in start ? start.requestId : null), reference: arg.text(request?.reference), model: arg.text(start.model), seconds: arg.int(seconds), prompt: arg.text(start.promptDigest),
  });
  if (started.refused !== undefined) throw refusal(started.refused);

  const session = await assume(agent, runId, caller.sessionName, seconds);
  // Until this commits the session opens nothing: the gate knows runs by the session that STS named.
  const bound = await callFunction<boolean>('gate.bind_run', { run: arg.text(runId), principal: arg.text(session.AssumedRoleUser?.AssumedRoleId) });
  if (!bound) throw new HttpError(409, 'RunIdUsed', 'the run was bound already; start another');
  return {
    status: 201,
    body: {
      runId,
      expiresAt: started.expiresAt,
      ...(process.env.GATEWAY_URL === undefined ? {} : { models: { url: process.env.GATEWAY_URL, token: await modelToken(runId, agent, String(started.expiresAt), seconds) } }),
      credentials: { accessKeyId: session.Credentials?.AccessKeyId, secretAccessKey: session.Credentials?.SecretAccessKey, sessionToken: session.Credentials?.SessionToken },
    },
  };
}

/** What the run shows the model gateway, for as long as it lasts. */
async function modelToken(run: string, agent: string, expiresAt: string, seconds: number): Promise<string> {
  const until = new Date(expiresAt);
  return gatewayToken({ run, agent }, new Date(until.getTime() - seconds * 1_000), until);
}

/** `POST /agents/{agent}/probe`: a session that belongs to no run, for the kill switch and the rotation to see refused. It asks nothing of the database, which may be what is down. */
async function probe(agent: string, { caller }: HttpRequest): Promise<HttpResponse> {
  if (!['kill', 'rotate'].some((handler) => caller.roleName === handlerName(required('CONTROLS_NAME'), handler))) throw new HttpError(403, 'NotTheKillSwitch', 'a session without a run is for the kill switch and the rotation alone');
  const { Credentials } = await assume(agent, `probe-${randomUUID()}`, caller.sessionName, 900);
  return { status: 200, body: { credentials: { accessKeyId: Credentials?.AccessKeyId, secretAccessKey: Credentials?.SecretAccessKey, sessionToken: Credentials?.SessionToken } } };
}

/** A request as it is recorded, and as agents get it. */
async function withoutSecrets(text: string): Promise<string> {
  const { redact } = await import('../redaction/redact');
  return (await redact(text)).value as string;
}

const REFUSALS: Readonly<Record<string, string>> = {
  AgentUnknown: 'there is no agent of this name',
  AgentDisabled: 'the agent is disabled; two people can bring it back',
  CardNotApproved: 'nobody has approved the card that is deployed; its security owner approves its digest',
  CardChanged: 'the card changed since the scope was written; deploy again',
  ReviewOverdue: 'the card is past its review; review it and give it a new date',
  RequestUnknown: 'no trigger asked this of this agent',
  RequestUsed: 'the request has had its run; a trigger asks again',
  RequestExpired: 'the request is over an hour old; a trigger asks again',
};

function refusal(code: string): HttpError {
  return new HttpError(code === 'AgentUnknown' ? 404 : 403, code, REFUSALS[code] ?? 'the run was refused');
}

/** The digest of the scope as Secrets Manager has it now: read fresh, so a changed scope starts no run under an old one. */
async function currentCardDigest(agent: string): Promise<string | null> {
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
  return new STSClient({}).send(new AssumeRoleCommand({
    RoleArn: `arn:${required('PARTITION')}:iam::${required('ACCOUNT')}:role/${agentRoleName(required('CONTROLS_NAME'), agent)}`,
    RoleSessionName: runId,
    SourceIdentity: starter.replaceAll(/[^\w+=,.@-]/g, '-').slice(0, 64),
    DurationSeconds: seconds,
    Tags: [{ Key: 'run', Value: runId }],
    Policy: sessionPolicy(required('API_ARN')),
  }));
}

export const handler = httpHandler((request) => {
  const agent = request.path.agent ?? '';
  if (!/^[a-z][a-z0-9-]{0,23}$/.test(agent)) throw refusal('AgentUnknown');
  if (request.route.endsWith('/probe')) return probe(agent, request);
  return request.route.endsWith('/requests') ? ask(agent, request) : startRun(agent, request);
}, anchorSoon);
