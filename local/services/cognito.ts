import { createHash, createPublicKey, generateKeyPairSync, KeyObject, randomBytes, randomUUID } from 'node:crypto';
import type { OpenRequest, Operation, Reply, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { stableId } from '../identity/principals';
import { jsonOf, targetOf, xml } from './protocol';

/** A person of the directory. */
export interface DirectoryUser {
  readonly name: string;
  readonly groups: readonly string[];
  readonly enabled?: boolean;
  readonly secondFactor?: boolean;
}

interface Client { readonly id: string; readonly callbacks: readonly string[] }
interface Code { readonly user: string; readonly client: Client; readonly redirectUri: string; readonly challenge: string; readonly until: number }

const TOKEN_SECONDS = 900;

/**
 * A Cognito user pool: AdminGetUser, AdminListGroupsForUser, GetUserPoolMfaConfig, and the issuer that browsers sign in at. Nobody is asked for a
 * password or a code here; its tokens name an issuer on this machine, which nothing deployed accepts.
 */
export class Cognito implements Service {
  public readonly protocol = 'json';
  private readonly pools = new Map<string, { readonly mfa: string; readonly arn: string; readonly groups: Set<string>; readonly clients: Map<string, Client> }>();
  private readonly users = new Map<string, DirectoryUser>();
  private readonly codes = new Map<string, Code>();
  private key: KeyObject | undefined;

  public constructor(private readonly account: string, private readonly region: string, private readonly url: () => string) {}

  public addPool(name: string, mfa: string): { readonly id: string; readonly arn: string; readonly issuer: string } {
    const id = `${this.region}_${stableId('', name).slice(0, 9)}`;
    const arn = `arn:aws:cognito-idp:${this.region}:${this.account}:userpool/${id}`;
    this.pools.set(id, { mfa, arn, groups: new Set(), clients: new Map() });
    return { id, arn, issuer: this.issuerOf(id) };
  }

  public addGroup(poolId: string, name: string): void { this.pools.get(poolId)?.groups.add(name); }

  public addClient(poolId: string, name: string, callbacks: readonly string[]): string {
    const id = stableId('', name).toLowerCase();
    this.pools.get(poolId)?.clients.set(id, { id, callbacks });
    return id;
  }

  /** Adds a person or changes who they are, as an administrator does. */
  public setUser(user: DirectoryUser): void { this.users.set(user.name, user); }

  /** Somebody who signs in stays what an administrator made of them otherwise. */
  private signedInAs(name: string, groups: readonly string[]): void { this.setUser({ ...this.users.get(name), name, groups }); }

  /** An access token of somebody who has just signed in, or signed in some time ago. */
  public async token(name: string, signedInSecondsAgo = 0): Promise<string> {
    const [poolId, pool] = [...this.pools][0] ?? [];
    const [client] = pool?.clients.values() ?? [];
    if (poolId === undefined || !client) throw new Error('the assembly has no user pool with a client');
    return this.tokenOf(poolId, client, name, signedInSecondsAgo);
  }

  public name(request: SignedRequest): string { return targetOf(request); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    const { UserPoolId = '', Username = '' } = jsonOf<{ UserPoolId?: string; Username?: string }>(request);
    const pool = this.pools.get(UserPoolId);
    const user = (): DirectoryUser => {
      const found = this.users.get(Username);
      if (!found) throw new ServiceError('UserNotFoundException', 'User does not exist.');
      return found;
    };
    const run: Readonly<Record<string, () => object>> = {
      GetUserPoolMfaConfig: () => ({ MfaConfiguration: pool?.mfa ?? 'OFF' }),
      AdminGetUser: () => ({ Username, Enabled: user().enabled ?? true, UserStatus: 'CONFIRMED', UserAttributes: [{ Name: 'sub', Value: subOf(Username) }], UserMFASettingList: user().secondFactor === false ? [] : ['SOFTWARE_TOKEN_MFA'] }),
      AdminListGroupsForUser: () => ({ Groups: user().groups.map((GroupName) => ({ GroupName, UserPoolId })) }),
    };
    const does = Object.hasOwn(run, name) ? run[name] : undefined;
    return does && { permissions: [{ action: `cognito-idp:${name}`, resource: pool?.arn ?? '*' }], run: () => ({ body: does() }) };
  }

  /** Answers what a browser or a handler asks the issuer. */
  public async open({ method, path, query, body }: OpenRequest): Promise<Reply | undefined> {
    const [, poolId = '', file] = /^\/([\w-]+)\/\.well-known\/(openid-configuration|jwks\.json)$/.exec(path) ?? [];
    if (method === 'GET' && this.pools.has(poolId)) return { body: file === 'jwks.json' ? await this.jwks() : this.description(poolId) };
    if (path === '/oauth2/authorize') return method === 'POST' ? this.authorized(query, new URLSearchParams(body.toString('utf8'))) : this.form(query);
    if (path === '/logout') return { status: 302, headers: { location: this.clientOf(new URLSearchParams({ client_id: query.get('client_id') ?? '', redirect_uri: query.get('logout_uri') ?? '', code_challenge_method: 'S256' })).redirectUri }, body: '' };
    if (path === '/oauth2/token' && method === 'POST') return this.redeemed(new URLSearchParams(body.toString('utf8')));
    return undefined;
  }

  private issuerOf(poolId: string): string { return `${this.url()}/${poolId}`; }

  private description(poolId: string): object {
    const url = this.url();
    return { issuer: this.issuerOf(poolId), jwks_uri: `${this.issuerOf(poolId)}/.well-known/jwks.json`, authorization_endpoint: `${url}/oauth2/authorize`, token_endpoint: `${url}/oauth2/token`, end_session_endpoint: `${url}/logout`, response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'] };
  }

  private async jwks(): Promise<object> {
    const { exportJWK } = await import('jose');
    return { keys: [{ ...await exportJWK(createPublicKey(this.signingKey())), kid: 'local', alg: 'RS256', use: 'sig' }] };
  }

  private signingKey(): KeyObject { return (this.key ??= generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey); }

  private clientOf(query: URLSearchParams): { readonly client: Client; readonly groups: ReadonlySet<string>; readonly redirectUri: string } {
    for (const { clients, groups } of this.pools.values()) {
      const client = clients.get(query.get('client_id') ?? '');
      const redirectUri = query.get('redirect_uri') ?? '';
      if (client?.callbacks.includes(redirectUri) && query.get('code_challenge_method') === 'S256') return { client, groups, redirectUri };
    }
    throw new ServiceError('invalid_request', 'no client of a user pool redirects there with PKCE');
  }

  private form(query: URLSearchParams): Reply {
    const { groups } = this.clientOf(query);
    return html(`<h1>Sign in, on this machine</h1><p>Say who you are: nobody checks it here. Deployed, people sign in with a password and a code of their authenticator.</p>
<form method="post"><p><label>Name <input name="name" required maxlength="40" pattern="[\\w.@+\\-]+" value="dana" autofocus></label></p>
<fieldset><legend>Groups</legend>${[...groups].sort().map((group) => `<p><label><input type="checkbox" name="group" value="${xml(group)}" checked> ${xml(group)}</label></p>`).join('')}</fieldset><p><button>Sign in</button></p></form>`);
  }

  private authorized(query: URLSearchParams, said: URLSearchParams): Reply {
    const { client, groups, redirectUri } = this.clientOf(query);
    const name = said.get('name') ?? '';
    if (!/^[\w.@+-]{1,40}$/.test(name)) throw new ServiceError('invalid_request', 'a name of letters, digits and . @ + - is expected');
    this.signedInAs(name, said.getAll('group').filter((group) => groups.has(group)));
    const code = randomBytes(24).toString('base64url');
    this.codes.set(code, { user: name, client, redirectUri, challenge: query.get('code_challenge') ?? '', until: Date.now() + 60_000 });
    return { status: 303, headers: { location: `${redirectUri}?${new URLSearchParams({ code, state: query.get('state') ?? '' }).toString()}` }, body: '' };
  }

  private async redeemed(form: URLSearchParams): Promise<Reply> {
    const code = this.codes.get(form.get('code') ?? '');
    this.codes.delete(form.get('code') ?? '');
    const proven = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
    if (!code || code.until < Date.now() || code.client.id !== form.get('client_id') || code.redirectUri !== form.get('redirect_uri') || code.challenge !== proven) return { status: 400, body: { error: 'invalid_grant' } };
    const [poolId = ''] = [...this.pools].find(([, { clients }]) => clients.get(code.client.id) === code.client) ?? [];
    return { body: { access_token: await this.tokenOf(poolId, code.client, code.user, 0), token_type: 'Bearer', expires_in: TOKEN_SECONDS } };
  }

  private async tokenOf(poolId: string, client: Client, name: string, signedInSecondsAgo: number): Promise<string> {
    const { SignJWT } = await import('jose');
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT({ sub: subOf(name), client_id: client.id, token_use: 'access', scope: 'openid', auth_time: now - signedInSecondsAgo, jti: randomUUID(), username: name, 'cognito:groups': this.users.get(name)?.groups ?? [] })
      .setProtectedHeader({ alg: 'RS256', kid: 'local' }).setIssuer(this.issuerOf(poolId)).setIssuedAt(now).setExpirationTime(now + TOKEN_SECONDS).sign(this.signingKey());
  }
}

/** The same person has the same id after a restart. */
const subOf = (name: string): string => createHash('sha256').update(name).digest('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');

function html(body: string): Reply {
  return {
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'", 'cache-control': 'no-store', 'referrer-policy': 'same-origin' }, // without any, a form has no origin
    body: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sign in, locally</title><meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem}button,input{font:inherit;padding:.4rem .8rem}</style></head><body><main>${body}</main></body></html>`,
  };
}
