import type { AuthorizationServer } from 'oauth4webapi';
import { required } from '../database/connection';
import { HttpError } from '../http/http';

/** Where approvers sign in, as the construct says it. */
export type Directory = CognitoDirectory | OpenIdDirectory;

export interface CognitoDirectory {
  readonly kind: 'cognito';
  readonly issuer: string;
  readonly clientId: string;
  readonly userPoolId: string;
}

export interface OpenIdDirectory {
  readonly kind: 'oidc';
  readonly issuer: string;
  readonly clientId: string;
  /** What access tokens must be made for; never the client, which is what ID tokens are made for. */
  readonly audience: string;
  readonly groupsClaim: string;
  /** Values of `amr`, and of `acr`, of which one proves MFA. */
  readonly amr: readonly string[];
  readonly acr: readonly string[];
  readonly scopes: readonly string[];
}

/** The directory of this page. */
export function directory(): Directory {
  return JSON.parse(required('DIRECTORY')) as Directory;
}

/** An issuer without TLS is one on this machine: anywhere else it is refused. */
const isLoopback = (url: string): boolean => /^http:\/\/127\.0\.0\.1:\d+(\/|$)/.test(url);

/** Options of every request to the issuer. */
export async function asked(issuer: string): Promise<{ signal: AbortSignal }> {
  const { allowInsecureRequests } = await import('oauth4webapi');
  return { signal: AbortSignal.timeout(5_000), ...(isLoopback(issuer) ? { [allowInsecureRequests]: true } : {}) };
}

/** The issuer does not answer, or not what an issuer answers: that says nothing of whoever asks. */
export const unavailable = (): HttpError => new HttpError(503, 'DirectoryUnavailable', 'the directory does not answer; try again in a minute');

const DISCOVERED_FOR_MS = 60 * 60_000;
/** How long an issuer that failed is not asked again: anybody may ask for the page. */
const FAILED_FOR_MS = 10_000;
let discovered: { readonly server: AuthorizationServer | undefined; readonly until: number } | undefined;

/** The issuer's own description: where to sign in, and its keys. */
export async function authorizationServer(): Promise<AuthorizationServer> {
  if (!discovered || discovered.until < Date.now()) {
    const server = await discover(directory().issuer).catch((error: unknown) => {
      console.error(JSON.stringify({ level: 'error', error: 'DirectoryUnavailable', cause: error instanceof Error ? error.name : 'unknown' }));
      return undefined;
    });
    discovered = { server, until: Date.now() + (server ? DISCOVERED_FOR_MS : FAILED_FOR_MS) };
  }
  if (!discovered.server) throw unavailable();
  return discovered.server;
}

async function discover(issuer: string): Promise<AuthorizationServer> {
  const { discoveryRequest, processDiscoveryResponse } = await import('oauth4webapi');
  const server = await processDiscoveryResponse(new URL(issuer), await discoveryRequest(new URL(issuer), { algorithm: 'oidc', ...await asked(issuer) }));
  for (const url of [server.jwks_uri, server.authorization_endpoint, server.token_endpoint]) {
    if (url === undefined || !(url.startsWith('https://') || (isLoopback(issuer) && isLoopback(url)))) throw new Error(`IssuerInvalid: ${issuer} names no https address for its keys, sign-in or tokens`);
  }
  return server;
}
