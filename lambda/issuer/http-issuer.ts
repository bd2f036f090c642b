/** One request. Headers carry what authorises it. */
export interface HttpCall {
  /** `https`. */
  readonly url: string;
  /** @default 'POST' */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. @default - no body */
  readonly body?: unknown;
}

/** The three requests of an issuer. */
export interface HttpIssuerOptions {
  readonly create: {
    readonly request: (current: string, token: string) => HttpCall;
    /** Finds the credential in the JSON that is answered. */
    readonly credential: (answer: any) => string | undefined;
  };
  /** A status of 401 or 403 means that the credential is dead. */
  readonly test: (credential: string) => HttpCall;
  /** A status of 401, 404 or 410 means that the credential is ended already. */
  readonly revoke: (credential: string) => HttpCall;
  /** @default 10,000 */
  readonly timeoutMs?: number;
}

/** Sends requests that carry credentials: over TLS, to where they were meant to go, and without quoting them in an error. */
export function requester(timeoutMs: number): (what: string, call: HttpCall, expected?: readonly number[]) => Promise<Response> {
  return async (what, { url, method = 'POST', headers = {}, body }, expected = []) => {
    const { protocol, hostname } = new URL(url);
    if (protocol !== 'https:' && hostname !== '127.0.0.1') throw new Error(`AddressRefused: ${what} must go to https, got ${protocol}//${hostname}; a credential is sent along`);
    const response = await fetch(url, {
      method, redirect: 'error', signal: AbortSignal.timeout(timeoutMs), headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok && !expected.includes(response.status)) throw new Error(`IssuerRefused: ${hostname} answered ${what} with ${response.status}`);
    return response;
  };
}
