import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { IssuerAnswer, IssuerRequest } from '../issuer/protocol';
import type { CredentialKind } from './credential';

/** A credential that another company's system makes, through a function that speaks to it. */
export function issued(functionName: string): CredentialKind {
  const ask = async (request: IssuerRequest): Promise<IssuerAnswer> => {
    const { FunctionError, Payload } = await new LambdaClient({}).send(new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(request) }));
    const answer = JSON.parse(Payload?.transformToString() ?? 'null') as (IssuerAnswer & { readonly errorType?: string }) | null;
    // Its sentence may quote the credential.
    if (FunctionError !== undefined || !answer) throw new Error(`IssuerFailed: ${functionName} could not ${request.operation}: ${answer?.errorType ?? 'no answer'}`);
    return answer;
  };
  const revoke = async (before: readonly string[]): Promise<void> => { for (const credential of before) await ask({ operation: 'revoke', credential }); };
  return {
    create: async (current, token) => {
      const { credential } = await ask({ operation: 'create', current, token });
      if (typeof credential !== 'string' || credential === '') throw new Error(`IssuerFailed: ${functionName} made no credential`);
      return credential;
    },
    test: async (next) => { await ask({ operation: 'test', credential: next }); },
    retire: (before) => revoke([before]),
    revoke: async (before) => {
      await revoke(before);
      // What nobody could revoke must not be called dead: the issuer's own test has to fail.
      for (const credential of before) {
        if (await ask({ operation: 'test', credential }).then(() => true, () => false)) return [{ what: 'issued', state: 'propagating', evidence: 'the issuer was told to revoke; a credential from before still passes its test' }];
      }
      return [{ what: 'issued', state: 'proven', evidence: `${before.length} credentials from before were revoked, and none passes the issuer's test any more` }];
    },
  };
}
