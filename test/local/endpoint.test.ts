import { request } from 'node:http';
import { ExecuteStatementCommand, RDSDataClient } from '@aws-sdk/client-rds-data';
import { GetRandomPasswordCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { IAMClient, ListRolesCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../local/identity/principals';
import { loneDataApi } from '../support/lone-data-api';

let api: Awaited<ReturnType<typeof loneDataApi>>;
beforeAll(async () => { api = await loneDataApi(); });
afterAll(() => api.stop());

const send = (headers: Record<string, string>, path = '/', method = 'GET', body = ''): Promise<{ status: number; body: string }> => new Promise((resolve, reject) => {
  const { hostname, port } = new URL(api.url);
  const sent = request({ hostname, port, path, method, headers, setHost: !('host' in headers) }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
  });
  sent.on('error', reject).end(body);
});
const keys = () => {
  const { accessKeyId, secretAccessKey, sessionToken } = api.principals.addUser('u', [{ name: 'all', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] } }]);
  return { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' };
};
const secrets = (credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string }, region = 'us-east-1') => new SecretsManagerClient({ endpoint: api.url, region, credentials, maxAttempts: 1 });
const refusal = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'no error', (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`);
const read = new GetSecretValueCommand({ SecretId: 'own' });

describe('a request', () => {
  it('is done when its signature is right', async () => {
    expect((await secrets(keys()).send(read)).SecretString).toContain('data_api_owner');
  });

  it('is refused without a signature', async () => {
    expect(await send({ 'x-amz-target': 'secretsmanager.GetSecretValue' }, '/', 'POST', '{"SecretId":"own"}')).toMatchObject({ status: 403, body: expect.stringContaining('MissingAuthenticationToken') as string });
  });

  it.each([
    ['another secret key', (own: ReturnType<typeof keys>) => secrets({ ...own, secretAccessKey: 'x' }), /^SignatureDoesNotMatch/],
    ['another session token', (own: ReturnType<typeof keys>) => secrets({ ...own, sessionToken: 'x' }), /^UnrecognizedClientException/],
    ['a key that nobody has', (own: ReturnType<typeof keys>) => secrets({ ...own, accessKeyId: 'ASIALOCALNOBODY' }), /^UnrecognizedClientException/],
    ['another region', (own: ReturnType<typeof keys>) => secrets(own, 'eu-west-1'), /^SignatureDoesNotMatch/],
  ])('is refused with %s', async (_what, client, message) => {
    expect(await refusal(client(keys()).send(read))).toMatch(message);
  });

  it('is refused when its body, path or a signed header changed on the way', async () => {
    const client = secrets(keys());
    client.middlewareStack.add((next) => async (args) => {
      (args.request as { body: string }).body = '{"SecretId":"two"}';
      return next(args);
    }, { step: 'deserialize', priority: 'low' });
    expect(await refusal(client.send(read))).toMatch(/^(SignatureDoesNotMatch|XAmzContentSHA256Mismatch)/);
    const moved = new RDSDataClient({ endpoint: api.url, region: 'us-east-1', credentials: keys(), maxAttempts: 1 });
    moved.middlewareStack.add((next) => async (args) => {
      (args.request as { path: string }).path = '/BeginTransaction';
      return next(args);
    }, { step: 'deserialize', priority: 'low' });
    expect(await refusal(moved.send(new ExecuteStatementCommand({ ...api.login, sql: 'select 1' })))).toMatch(/^SignatureDoesNotMatch/);
  });

  it('is refused when its session is over', async () => {
    const role = { name: 'r', arn: 'arn:aws:iam::000000000000:role/r', id: 'AROA1', trust: {}, policies: [], managedPolicyArns: [], boundaryArn: undefined, maxSessionSeconds: 3_600 };
    const { accessKeyId, secretAccessKey, sessionToken } = api.principals.addSession(role, 's', { expiresAt: Date.now() - 1 });
    expect(await refusal(secrets({ accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' }).send(read))).toMatch(/^ExpiredTokenException/);
  });

  it('is refused when its principal\'s policies do not allow it', async () => {
    const role = { name: 'none', arn: 'arn:aws:iam::000000000000:role/none', id: 'AROA2', trust: {}, policies: [], managedPolicyArns: [], boundaryArn: undefined, maxSessionSeconds: 3_600 };
    const { accessKeyId, secretAccessKey, sessionToken } = api.principals.addSession(role, 's');
    expect(await refusal(secrets({ accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' }).send(read))).toMatch(/^AccessDeniedException: User: .*assumed-role\/none\/s is not authorized to perform: secretsmanager:GetSecretValue/);
  });

  it('is judged by the policies and the time of now, however often it was judged before', async () => {
    const until = new Date(api.clock.now() + 60_000).toISOString();
    const role: Role = {
      name: 'guest', arn: 'arn:aws:iam::000000000000:role/guest', id: 'AROA3', trust: {}, managedPolicyArns: [], boundaryArn: undefined, maxSessionSeconds: 3_600,
      policies: [{ name: 'read', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: '*', Condition: { DateLessThan: { 'aws:currentTime': until } } }] } }],
    };
    const { accessKeyId, secretAccessKey, sessionToken } = api.principals.addSession(role, 's');
    const client = secrets({ accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' });
    const arrived = (): Promise<void> => new Promise((later) => setTimeout(later, 1_100));
    expect((await client.send(read)).SecretString).toContain('data_api_owner');
    api.clock.advance(61_000);
    await arrived();
    expect(await refusal(client.send(read))).toMatch(/^AccessDeniedException/);
    const always = { name: 'always', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'secretsmanager:*', Resource: '*' }] } };
    role.policies.splice(0, 1, always);
    await arrived();
    expect((await client.send(read)).SecretString).toContain('data_api_owner');
    role.policies.push({ name: 'never', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }] } });
    await arrived();
    expect(await refusal(client.send(read))).toMatch(/^AccessDeniedException/);
    role.policies.pop();
    await arrived();
    expect((await client.send(read)).SecretString).toContain('data_api_owner');
  });

  it('for an operation or a service that is not played is refused by name', async () => {
    expect(await refusal(secrets(keys()).send(new GetRandomPasswordCommand({})))).toMatch(/^UnknownOperation: the local runtime does not play secretsmanager:GetRandomPassword/);
    expect(await refusal(new IAMClient({ endpoint: api.url, region: 'us-east-1', credentials: keys(), maxAttempts: 1 }).send(new ListRolesCommand({})))).toMatch(/^UnknownService: .*does not play iam/);
  });
});

describe('a browser', () => {
  it('gets the page at the address it was told, and only there', async () => {
    expect(await send({}, '/?token=token')).toEqual({ status: 200, body: 'page' });
    expect((await send({}, '/')).status).toBe(403);
    expect((await send({}, '/?token=other')).status).toBe(403);
  });

  it('of another origin, or with a name that was bound to loopback, gets nothing', async () => {
    expect((await send({ host: 'evil.example' })).status).toBe(421);
    expect((await send({ origin: 'https://evil.example' })).status).toBe(403);
    expect((await send({ origin: 'null' })).status).toBe(403);
  });
});
