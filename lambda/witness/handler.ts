import { anchorSoon } from '../audit/anchor-soon';
import { arg, callFunction } from '../database/connection';
import { quiet } from '../errors/quiet';
import { announce } from '../notice/announce';

/** What EventBridge tells of a call of STS; only what is used here. */
interface AssumedRole {
  readonly time: string;
  readonly detail: {
    readonly eventID?: string;
    readonly errorCode?: string;
    readonly sourceIPAddress?: string;
    readonly userIdentity?: { readonly arn?: string };
    readonly requestParameters?: { readonly roleArn?: string; readonly roleSessionName?: string };
  };
}

/** Tells people that somebody uses the break-glass role, and records it. The alarm comes first: a sleeping database must not delay it. */
async function witness({ time, detail }: AssumedRole): Promise<void> {
  const { eventID, errorCode, sourceIPAddress, userIdentity, requestParameters } = detail;
  const facts = { role: requestParameters?.roleArn ?? null, address: sourceIPAddress ?? null, refused: errorCode ?? null, at: time, event: eventID ?? null };
  await announce('break-glass used', { person: userIdentity?.arn ?? null, session: requestParameters?.roleSessionName ?? null, ...facts });
  await callFunction('audit.append', { entries: arg.text(JSON.stringify([{ kind: 'app.break-glass', approver: userIdentity?.arn ?? null, facts, inputs: { session: requestParameters?.roleSessionName ?? null } }])) });
  await anchorSoon();
}

export const handler = quiet(witness);
