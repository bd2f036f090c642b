import { createHash } from 'node:crypto';
import { AdminGetUserCommand, CognitoIdentityProviderClient, GetUserPoolMfaConfigCommand, paginateAdminListGroupsForUser } from '@aws-sdk/client-cognito-identity-provider';
import { createRemoteJWKSet, errors, JWTPayload, jwtVerify, JWTVerifyGetKey } from 'jose';
import { required } from '../database/connection';
import type { Decider } from '../hold/give-verdict';
import { HttpError } from '../http/http';
import { asked, authorizationServer, CognitoDirectory, directory, OpenIdDirectory, unavailable } from './directory';

/** An access token whose signature, issuer, audience, use and age are in order, and whose sign-in took a second factor. */
export interface SignedIn {
  readonly token: string;
  readonly sub: string;
  /** When the person signed in, in seconds; a token that is made later does not move it. */
  readonly authTime: number;
  readonly claims: JWTPayload;
}

/** Signatures of key pairs only: a client that knows a shared secret, or `none`, signs nothing here. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];
/** Tokens live shorter than that; an issuer that makes longer ones is not trusted with the rest of their life. */
const OLDEST_TOKEN = '1 hour';

let keys: { readonly of: string; readonly get: JWTVerifyGetKey } | undefined;

/**
 * Whoever sent the token. Cognito says what a token is for in `token_use` and `client_id`; of other issuers an access token is made for the API
 * (RFC 9068), an ID token for the client.
 *
 * @throws HttpError 401
 */
export async function signedIn(authorization: string | undefined): Promise<SignedIn> {
  const [, token] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(authorization ?? '') ?? [];
  if (token === undefined) throw new HttpError(401, 'TokenMissing', 'sign in first');
  const of = directory();
  const { jwks_uri: url = '' } = await authorizationServer();
  if (keys?.of !== url) keys = { of: url, get: createRemoteJWKSet(new URL(url), { timeoutDuration: 5_000 }) };
  try {
    const { payload } = await jwtVerify(token, keys.get, { issuer: of.issuer, algorithms: ALGORITHMS, clockTolerance: 5, maxTokenAge: OLDEST_TOKEN, requiredClaims: ['sub', 'exp', 'iat', 'auth_time'], ...(of.kind === 'oidc' ? { audience: of.audience } : {}) });
    const fault = of.kind === 'cognito' ? faultOfCognito(payload, of) : faultOfOpenId(payload, of);
    if (fault !== undefined) throw new HttpError(401, fault, FAULTS[fault]);
    const { sub = '', auth_time: authTime } = payload;
    if (typeof authTime !== 'number' || authTime > Date.now() / 1_000 + 60) throw new HttpError(401, 'TokenInvalid', FAULTS.TokenInvalid);
    return { token, sub, authTime, claims: payload };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new HttpError(401, 'TokenExpired', 'the session is over; sign in again');
    if (error instanceof HttpError) throw error;
    if (FAULTY.some((name) => error instanceof errors[name])) throw new HttpError(401, 'TokenInvalid', FAULTS.TokenInvalid);
    throw unavailable();
  }
}

/** What is wrong with a token, and not with its issuer. */
const FAULTY = ['JWTClaimValidationFailed', 'JWTInvalid', 'JWSInvalid', 'JWSSignatureVerificationFailed', 'JOSEAlgNotAllowed', 'JOSENotSupported', 'JWKSNoMatchingKey', 'JWKSMultipleMatchingKeys'] as const;

const FAULTS = {
  TokenInvalid: 'the token is not one of this directory for this page; sign in again',
  NotAnAccessToken: 'an access token is needed, not one that says who somebody is',
  MfaNotProven: 'the directory does not say that this sign-in took a second factor',
} as const;

/** Only a token that came through the sign-in page has the scope: what a pool gives to programs that ask it themselves may have skipped a step. */
function faultOfCognito({ token_use: use, client_id: client, scope }: JWTPayload, { clientId }: CognitoDirectory): keyof typeof FAULTS | undefined {
  return use !== 'access' ? 'NotAnAccessToken' : client !== clientId || !String(scope).split(' ').includes('openid') ? 'TokenInvalid' : undefined;
}

function faultOfOpenId({ aud, token_use: use, client_id: client, azp, cid, amr, acr }: JWTPayload, of: OpenIdDirectory): keyof typeof FAULTS | undefined {
  if ([aud].flat().includes(of.clientId) || (use !== undefined && use !== 'access')) return 'NotAnAccessToken';
  if ((client ?? azp ?? cid) !== of.clientId) return 'TokenInvalid';
  return [amr].flat().some((method) => of.amr.includes(method as string)) || of.acr.includes(acr as string) ? undefined : 'MfaNotProven';
}

/** What the directory says of a person now: a token remembers groups that somebody has left since. */
export async function livePerson({ token, sub, authTime, claims }: SignedIn): Promise<Decider> {
  const of = directory();
  const { names, groups, how } = of.kind === 'cognito' ? await ofCognito(of, sub, claims) : await ofOpenId(of, sub, token, claims);
  const [name = sub] = names;
  return {
    person: `${of.issuer.replace(/^https?:\/\//, '')}#${/^[\w|.:-]{1,128}$/.test(sub) ? sub : createHash('sha256').update(sub).digest('hex')}`, name, aliases: [sub, ...names],
    groups: approverGroups().filter((group) => groups.includes(group)), // a directory has groups for other things, too
    signedIn: `${how} at ${new Date(authTime * 1_000).toISOString()}`, fresh: authTime > Date.now() / 1_000 - Number(required('SIGN_IN_WITHIN_SECONDS')),
  };
}

/** Groups that tiers and cards name. A hold that names none is for all of these, and for nobody else. */
const approverGroups = (): readonly string[] => JSON.parse(required('APPROVER_GROUPS')) as readonly string[];

interface Live {
  /** The first is what people call them. */
  readonly names: readonly string[];
  readonly groups: readonly string[];
  readonly how: string;
}

async function ofCognito({ userPoolId: UserPoolId }: CognitoDirectory, sub: string, { username }: JWTPayload): Promise<Live> {
  const client = new CognitoIdentityProviderClient({});
  const Username = String(username);
  // Without MFA for everybody a token may be older than the second factor of its owner.
  const { MfaConfiguration } = await client.send(new GetUserPoolMfaConfigCommand({ UserPoolId }));
  if (MfaConfiguration !== 'ON') throw new HttpError(403, 'MfaNotRequired', 'the user pool does not require MFA of everybody; set it to required');
  const user = await client.send(new AdminGetUserCommand({ UserPoolId, Username })).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'UserNotFoundException') throw new HttpError(403, 'NotAnApprover', 'there is no such person in the directory any more');
    throw error;
  });
  const attribute = (name: string): string | undefined => user.UserAttributes?.find(({ Name }) => Name === name)?.Value;
  // A name may belong to somebody else by now; federated people skip the pool's MFA.
  if (user.Enabled !== true || user.UserStatus !== 'CONFIRMED' || attribute('sub') !== sub) throw new HttpError(403, 'NotAnApprover', 'the directory does not let this person in any more');
  if (!user.UserMFASettingList?.length) throw new HttpError(403, 'MfaNotProven', 'this person has no second factor');
  const groups: string[] = [];
  for await (const { Groups = [] } of paginateAdminListGroupsForUser({ client }, { UserPoolId, Username })) groups.push(...Groups.map(({ GroupName = '' }) => GroupName));
  return { names: [Username, attribute('email'), attribute('preferred_username')].filter((name) => name !== undefined), groups, how: user.UserMFASettingList.join(',') };
}

async function ofOpenId({ issuer, clientId, groupsClaim }: OpenIdDirectory, sub: string, token: string, { amr, acr }: JWTPayload): Promise<Live> {
  const { processUserInfoResponse, userInfoRequest, ResponseBodyError, WWWAuthenticateChallengeError } = await import('oauth4webapi');
  const client = { client_id: clientId };
  const server = await authorizationServer();
  try {
    const { [groupsClaim]: groups, preferred_username: username, name, email } = await processUserInfoResponse(server, client, sub, await userInfoRequest(server, client, token, await asked(issuer)));
    return { names: [username, name, email].filter((one): one is string => typeof one === 'string' && one !== ''), groups: [groups].flat().filter((group) => typeof group === 'string'), how: [amr, acr].flat().filter((method): method is string => typeof method === 'string').join(',') };
  } catch (error) {
    if (error instanceof WWWAuthenticateChallengeError || error instanceof ResponseBodyError) throw new HttpError(401, 'TokenInvalid', FAULTS.TokenInvalid); // revoked meanwhile
    throw error;
  }
}
