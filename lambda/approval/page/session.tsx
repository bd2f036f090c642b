/** Who looks at the page: a token that this tab keeps, and that the issuer gave for a code (authorization code with PKCE). */
const { authorize = '', client = '', scopes = '', end = '' } = document.body.dataset;
const HERE = `${location.origin}/approve`;

/** The page refused, or could not answer. */
export class Refused extends Error {
  public constructor(public readonly code: string, public readonly status: number, message: string) {
    super(message);
  }
}

export const isSignedIn = (): boolean => sessionStorage.getItem('token') !== null;
export const forget = (): void => sessionStorage.removeItem('token');

/** Ends the session here and, where the directory has a page for that, there: on a shared machine the next one is somebody else. */
export function signOut(): void {
  forget();
  if (end !== '') location.assign(`${end}?${new URLSearchParams({ client_id: client, logout_uri: HERE }).toString()}`);
}

/** Asks the page's own address, as whoever signed in. */
export async function ask<T>(method: 'GET' | 'POST', path: string, body?: object | string): Promise<T> {
  const response = await fetch(`/approve${path}`, {
    method, headers: { authorization: `Bearer ${sessionStorage.getItem('token') ?? ''}`, ...(body ? { 'content-type': 'application/json' } : {}) }, ...(body ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
  }).catch(() => { throw new Refused('Unreachable', 0, 'the page cannot be reached; are you offline?'); });
  const answer = await response.json().catch(() => ({})) as T & { readonly error?: string; readonly message?: string };
  if (response.ok) return answer;
  if (response.status === 401 && answer.error !== 'SignInStale') forget();
  throw new Refused(answer.error ?? 'Failed', response.status, answer.message ?? `the page answered ${response.status}`);
}

/** Goes to where people sign in. Again means that a session of theirs is not enough: it is ended first, or the directory is told to ask anew. */
export async function signIn(again = false): Promise<void> {
  if (again && end !== '') {
    sessionStorage.setItem('again', location.search);
    signOut();
    return;
  }
  const [verifier, state] = [random(), random()];
  sessionStorage.setItem('sign-in', JSON.stringify({ verifier, state, search: location.search }));
  const challenge = base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)));
  const url = new URL(authorize);
  for (const [name, value] of Object.entries({ response_type: 'code', client_id: client, redirect_uri: HERE, scope: scopes, state, code_challenge: challenge, code_challenge_method: 'S256', ...(again ? { prompt: 'login', max_age: '0' } : {}) })) url.searchParams.set(name, value);
  location.assign(url);
}

/** Takes what the issuer sent back, once, and only if this tab asked for it. The address that stays holds no code. */
export async function finishSignIn(): Promise<void> {
  const again = sessionStorage.getItem('again');
  sessionStorage.removeItem('again');
  const given = new URLSearchParams(location.search);
  if (again !== null && !given.has('state')) {
    history.replaceState(null, '', `/approve${again}`);
    await signIn();
    return;
  }
  if (!given.has('state')) return;
  const kept = JSON.parse(sessionStorage.getItem('sign-in') ?? '{}') as { readonly verifier?: string; readonly state?: string; readonly search?: string };
  sessionStorage.removeItem('sign-in');
  history.replaceState(null, '', `/approve${kept.state === given.get('state') ? kept.search ?? '' : ''}`);
  if (kept.state !== given.get('state')) throw new Refused('SignInForeign', 0, 'this sign-in was not started in this tab; sign in here');
  if (!given.has('code')) throw new Refused('SignInRefused', 0, 'the directory did not let you in');
  const issuer = given.get('iss');
  const { accessToken } = await ask<{ accessToken: string }>('POST', '/token', { code: given.get('code') ?? '', verifier: kept.verifier ?? '', redirectUri: HERE, ...(issuer === null ? {} : { issuer }) });
  sessionStorage.setItem('token', accessToken);
}

const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));
const base64url = (bytes: ArrayBuffer | Uint8Array): string => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
