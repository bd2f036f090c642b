import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { IssuerAnswer, IssuerRequest } from '../issuer/protocol';
import type { CredentialKind, Dead } from './credential';
import { forget, live, Version } from './vault';

/** Most credentials that are waiting to be revoked; a secret takes twenty stages. */
const MOST_LIVE = 12;

/** A credential that another company's system makes, through a function that speaks to it. Every one that was made is known until it was revoked. */
export function issued(secretArn: string, functionName: string): CredentialKind {
  const ask = async (request: IssuerRequest): Promise<IssuerAnswer> => {
    const { FunctionError, Payload } = await new LambdaClient({}).send(new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(request) }));
    const answer = JSON.parse(Payload?.transformToString() ?? 'null') as (IssuerAnswer & { readonly errorType?: string }) | null;
    // Its sentence may quote the credential.
    if (FunctionError !== undefined || !answer) throw new Error(`IssuerFailed: ${functionName} could not ${request.operation}: ${answer?.errorType ?? 'no answer'}`);
    return answer;
  };
  const others = async (current: string): Promise<Version[]> => (await live(secretArn)).filter(({ value, stages }) => value !== current && !stages.includes('AWSCURRENT'));
  /** Ends a credential; it is forgotten only once its issuer itself says that it is dead. */
  const end = async (version: Version): Promise<boolean> => {
    try {
      await ask({ operation: 'revoke', credential: version.value });
      if ((await ask({ operation: 'test', credential: version.value })).valid !== false) return false;
    } catch {
      return false; // what could not be asked is not known to be dead
    }
    await forget(secretArn, version);
    return true;
  };
  return {
    isLive: true,
    create: async (current, token) => {
      const before = await others(current);
      // The one before makes room, as an access key does; one that cannot be revoked does not keep the next from being made.
      for (const version of before) await end(version);
      if (before.length > MOST_LIVE) throw new Error(`CredentialsLeft: ${before.length} credentials of ${functionName} could not be revoked; see to them there`);
      const { credential } = await ask({ operation: 'create', current, token });
      if (typeof credential !== 'string' || credential === '') throw new Error(`IssuerFailed: ${functionName} made no credential`);
      return credential;
    },
    test: async (next) => {
      if ((await ask({ operation: 'test', credential: next })).valid !== true) throw new Error(`CredentialDead: ${functionName} does not take the credential that it made`);
    },
    retire: async (current) => {
      const before = await others(current);
      let alive = 0;
      for (const version of before) if (!await end(version)) alive += 1;
      if (alive > 0) throw Object.assign(new Error(`CredentialsLeft: ${alive} credentials of ${functionName} are not seen to be dead`), { name: 'CredentialsLeft' });
      return before.length > 0;
    },
    revoke: async (current) => {
      const before = await others(current);
      const alive = (await Promise.all(before.map(end))).filter((dead) => !dead).length;
      return [{ what: 'issued', state: alive === 0 ? 'proven' : 'propagating', evidence: alive === 0 ? `${before.length} credentials from before were revoked, and their issuer says that they are dead` : `of ${before.length} credentials from before ${alive} are not seen to be dead; what could not be revoked is tried again every day` } satisfies Dead];
    },
  };
}
