/** Tokens that are none: each attack against a real issuer on this machine, with real keys. */
import { createServer, Server } from 'node:http';
import { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, GenerateKeyPairResult, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { HttpError } from '../../../lambda/http/http';

let server: Server;
let issuer = '';
let keys: GenerateKeyPairResult;
let strange: GenerateKeyPairResult;
let keysDown = false;
let userInfo: { status: number; body: object } = { status: 200, body: {} };

beforeAll(async () => {
  keys = await generateKeyPair('RS256', { extractable: true });
  strange = await generateKeyPair('RS256', { extractable: true });
  const jwks = { keys: [{ ...await exportJWK(keys.publicKey), kid: 'k', alg: 'RS256', use: 'sig' }] };
  server = createServer((request, response) => {
    const [status, body] = request.url?.endsWith('/openid-configuration') ? [200, { issuer, jwks_uri: `${issuer}/keys`, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, userinfo_endpoint: `${issuer}/me` }]
      : request.url?.endsWith('/keys') ? [keysDown ? 500 : 200, jwks] : [userInfo.status, userInfo.body];
    response.writeHead(status, { 'content-type': 'application/json', ...(status === 401 ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {}) }).end(JSON.stringify(body));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pool`;
});
afterAll(() => new Promise((closed) => server.close(closed)));

const now = (): number => Math.floor(Date.now() / 1_000);
const COGNITO = { kind: 'cognito', clientId: 'page', userPoolId: 'pool' };
const GROUPS = ['legal', 'payments-leads'];
const OIDC = { kind: 'oidc', clientId: 'page', audience: 'https://approvals.example.com', groupsClaim: 'groups', amr: ['mfa', 'hwk'], acr: ['urn:two'], scopes: ['openid'] };

async function use(directory: object): Promise<typeof import('../../../lambda/approval/person')> {
  vi.resetModules();
  vi.stubEnv('DIRECTORY', JSON.stringify({ issuer, ...directory }));
  vi.stubEnv('SIGN_IN_WITHIN_SECONDS', '900');
  vi.stubEnv('APPROVER_GROUPS', JSON.stringify(GROUPS));
  return import('../../../lambda/approval/person');
}
const token = (claims: object, key = keys.privateKey, header: object = {}): Promise<string> => new SignJWT({ iss: issuer, sub: 'u-1', iat: now(), exp: now() + 600, auth_time: now() - 30, ...claims }).setProtectedHeader({ alg: 'RS256', kid: 'k', ...header }).sign(key);
const code = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'taken', (error: unknown) => (error instanceof Error && 'code' in error ? String((error as HttpError).code) : String(error)));

describe('an access token of Cognito', () => {
  const GOOD = { token_use: 'access', client_id: 'page', username: 'dana', scope: 'openid' };
  let signedIn: (authorization?: string) => Promise<unknown>;
  beforeEach(async () => { ({ signedIn } = await use(COGNITO)); });

  it('is taken', async () => expect(await signedIn(`Bearer ${await token(GOOD)}`)).toMatchObject({ sub: 'u-1' }));
  it.each<[string, () => Promise<string>, string]>([
    ['signed by somebody else', () => token(GOOD, strange.privateKey), 'TokenInvalid'],
    ['under a key the issuer does not have', () => token(GOOD, strange.privateKey, { kid: 'mine' }), 'TokenInvalid'],
    ['that is over', () => token({ ...GOOD, iat: now() - 700, exp: now() - 10 }), 'TokenExpired'],
    ['that never ends', () => token({ ...GOOD, exp: undefined }), 'TokenInvalid'],
    ['made hours ago, whatever its end says', () => token({ ...GOOD, iat: now() - 7_200, exp: now() + 7_200 }), 'TokenExpired'],
    ['from a clock ahead of time', () => token({ ...GOOD, iat: now() + 600 }), 'TokenInvalid'],
    ['of a sign-in that is still to come', () => token({ ...GOOD, auth_time: now() + 3_600 }), 'TokenInvalid'],
    ['that does not say when somebody signed in', () => token({ ...GOOD, auth_time: undefined }), 'TokenInvalid'],
    ['of another issuer', () => token({ ...GOOD, iss: 'https://evil.example.com' }), 'TokenInvalid'],
    ['of another client of the pool', () => token({ ...GOOD, client_id: 'other' }), 'TokenInvalid'],
    ['that a program got without the sign-in page', () => token({ ...GOOD, scope: 'aws.cognito.signin.user.admin' }), 'TokenInvalid'],
    ['that is an ID token', () => token({ ...GOOD, token_use: 'id', aud: 'page' }), 'NotAnAccessToken'],
    ['that does not say what it is for', () => token({ ...GOOD, token_use: undefined }), 'NotAnAccessToken'],
  ])('is refused when it is one %s', async (_, make, expected) => expect(await code(signedIn(`Bearer ${await make()}`))).toBe(expected));

  it('is refused without a signature, or with one of a shared secret', async () => {
    const claims = { iss: issuer, sub: 'u-1', iat: now(), exp: now() + 600, auth_time: now(), ...GOOD };
    expect(await code(signedIn(`Bearer ${new UnsecuredJWT(claims).encode()}`))).toBe('TokenMissing');
    expect(await code(signedIn(`Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.AAAA`))).toBe('TokenInvalid');
    // The issuer's public key, taken for the secret of an HMAC.
    const { n = '' } = await exportJWK(keys.publicKey);
    expect(await code(signedIn(`Bearer ${await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k' }).sign(Buffer.from(n, 'base64url'))}`))).toBe('TokenInvalid');
  });

  it.each(['', 'Bearer', 'Bearer x', 'Basic ZGFuYTpw', 'Bearer a.b.c d'])('is missing in %j', async (authorization) => expect(await code(signedIn(authorization))).toMatch(/^Token(Missing|Invalid)$/));
});

describe('an access token of another issuer', () => {
  const GOOD = { aud: OIDC.audience, client_id: 'page', amr: ['pwd', 'mfa'] };
  const signedIn = async (claims: object): Promise<unknown> => (await use(OIDC)).signedIn(`Bearer ${await token(claims)}`);

  it.each<[string, object, string]>([
    ['with a second factor', GOOD, 'taken'],
    ['with a context that stands for one', { ...GOOD, amr: undefined, acr: 'urn:two' }, 'taken'],
    ['that names the client as other issuers do', { ...GOOD, client_id: undefined, azp: 'page' }, 'taken'],
    ['of a password alone', { ...GOOD, amr: ['pwd'] }, 'MfaNotProven'],
    ['that says nothing of factors', { ...GOOD, amr: undefined }, 'MfaNotProven'],
    ['for another API', { ...GOOD, aud: 'https://other.example.com' }, 'TokenInvalid'],
    ['for the client, which is an ID token', { ...GOOD, aud: [OIDC.audience, 'page'] }, 'NotAnAccessToken'],
    ['of another client', { ...GOOD, client_id: 'other' }, 'TokenInvalid'],
  ])('%s', async (_, claims, expected) => expect(await code(signedIn(claims))).toBe(expected));

  it('names a person by issuer and subject, in the groups that the issuer says now', async () => {
    userInfo = { status: 200, body: { sub: 'u-1', groups: ['legal', '*', 'everyone', 'Not A Group'], preferred_username: 'dana', email: 'dana@example.com' } };
    const { signedIn: sign, livePerson } = await use(OIDC);
    const person = await livePerson(await sign(`Bearer ${await token({ ...GOOD, groups: ['payments-leads'] })}`));
    expect(person).toMatchObject({ person: `${issuer.slice('http://'.length)}#u-1`, name: 'dana', aliases: ['u-1', 'dana', 'dana@example.com'], groups: ['legal'], fresh: true });
    expect(person.signedIn).toMatch(/^pwd,mfa at 20/);
  });

  it('of a sign-in of an hour ago is not fresh, however new the token', async () => {
    const { signedIn: sign, livePerson } = await use(OIDC);
    expect((await livePerson(await sign(`Bearer ${await token({ ...GOOD, auth_time: now() - 3_600 })}`))).fresh).toBe(false);
  });

  it('that the issuer has revoked, or that belongs to somebody else there, is refused', async () => {
    const { signedIn: sign, livePerson } = await use(OIDC);
    const who = await sign(`Bearer ${await token(GOOD)}`);
    userInfo = { status: 401, body: {} };
    expect(await code(livePerson(who))).toBe('TokenInvalid');
    userInfo = { status: 200, body: { sub: 'u-2', groups: ['legal'] } };
    await expect(livePerson(who)).rejects.toThrow();
  });
});

describe('an issuer', () => {
  const quiet = (): unknown => vi.spyOn(console, 'error').mockImplementation(() => undefined);
  it('without TLS is refused anywhere but on this machine', async () => {
    quiet();
    const { signedIn } = await use({ ...COGNITO, issuer: 'http://issuer.example.com' });
    expect(await code(signedIn(`Bearer ${await token({})}`))).toBe('DirectoryUnavailable');
  });

  it('whose keys cannot be read says nothing of a token', async () => {
    quiet();
    const { signedIn } = await use(OIDC);
    keysDown = true;
    expect(await code(signedIn(`Bearer ${await token({ aud: OIDC.audience, client_id: 'page', amr: ['mfa'] })}`))).toBe('DirectoryUnavailable');
    keysDown = false;
  });
});
