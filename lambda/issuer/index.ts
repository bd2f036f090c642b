/** What a function imports that makes credentials of a system outside AWS: `cdk-agent-controls/issuer`. */
import { requester, HttpIssuerOptions } from './http-issuer';
import type { IssuerAnswer, IssuerRequest } from './protocol';

export type { IssuerAnswer, IssuerRequest, HttpIssuerOptions };
export type { HttpCall } from './http-issuer';

/** How a system makes, tries and revokes a credential. Any of them may be asked twice: a rotation that was cut off goes on where it was. */
export interface IssuerCode {
  /**
   * Makes a credential beside the current one, which goes on to work.
   *
   * @param current what the secret holds; often it is what may ask for another.
   * @param token the same when a rotation is tried again: a system that takes an idempotency key makes one credential and not two.
   */
  create(current: string, token: string): Promise<string>;
  /** Whether a credential works. Throws when that could not be found out: what is not known is not dead. */
  test(credential: string): Promise<boolean>;
  /** Ends a credential. One that is ended already is no error. */
  revoke(credential: string): Promise<void>;
}

/** The handler of an issuer's function. What it throws reaches no log but the function's own. */
export function issueCredentials(code: IssuerCode): (request: IssuerRequest) => Promise<IssuerAnswer> {
  return async (request) => {
    switch (request.operation) {
      case 'create': return { credential: await code.create(request.current, request.token) };
      case 'test': return { valid: await code.test(request.credential) };
      case 'revoke': await code.revoke(request.credential); return {};
      default: throw new Error(`OperationUnknown: ${(request as { operation?: string }).operation ?? 'none'}; create, test and revoke are known`);
    }
  };
}

/** An issuer with an HTTP API: three requests, and where the answer holds the credential. */
export function httpIssuer(options: HttpIssuerOptions): IssuerCode {
  const send = requester(options.timeoutMs ?? 10_000);
  return {
    create: async (current, token) => {
      const credential = options.create.credential(await (await send('create', options.create.request(current, token))).json());
      if (typeof credential !== 'string' || credential === '') throw new Error('CredentialMissing: the answer to create holds no credential where it was looked for');
      return credential;
    },
    test: async (credential) => (await send('test', options.test(credential), [401, 403])).ok,
    revoke: async (credential) => { await send('revoke', options.revoke(credential), [401, 404, 410]); },
  };
}
