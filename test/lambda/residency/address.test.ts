/** The gateway's address is open to anybody: whoever has no token has nothing done, not even a checkpoint, whose keeper would wake the database. */
import { createServer, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

const asked: string[] = [];
let aws: Server;
beforeAll(async () => {
  aws = createServer((request, response) => {
    asked.push(String(request.headers['x-amz-target'] ?? request.url));
    response.end('{}');
  });
  await new Promise<void>((up) => aws.listen(0, '127.0.0.1', up));
  for (const [name, value] of Object.entries({ AWS_ENDPOINT_URL: `http://127.0.0.1:${(aws.address() as AddressInfo).port}`, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', CONTROLS_NAME: 'c', CHECKPOINT_SECONDS: '240', CHECKPOINT_MACHINE_ARN: 'arn:aws:states:us-east-1:111122223333:stateMachine:c-checkpoint', CLUSTER_ARN: 'c', DATABASE_NAME: 'd', LOGIN_SECRET_ARN: 's' })) vi.stubEnv(name, value);
  vi.stubGlobal('awslambda', { streamifyResponse: (handle: unknown) => handle, HttpResponseStream: { from: (stream: Writable, metadata: object) => Object.assign(stream, { metadata }) } });
});
afterAll(() => {
  aws.close();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

it.each([['none at all', undefined], ['a made-up one', 'Bearer x.y.z']])('of a token: %s', async (_, authorization) => {
  const { handler } = await import('../../../lambda/residency/handler') as unknown as { handler: (event: object, stream: Writable) => Promise<void> };
  const stream = new Writable({ write: (_chunk, _encoding, done) => { done(); } });
  await handler({ headers: authorization === undefined ? {} : { authorization }, requestContext: { requestId: 'r', http: { method: 'POST', path: '/v1/chat/completions' } }, rawPath: '/v1/chat/completions', body: '{}' }, stream);
  expect((stream as unknown as { metadata: { statusCode: number } }).metadata.statusCode).toBe(401);
  expect(asked.filter((what) => what.startsWith('AWSStepFunctions'))).toEqual([]);
});
