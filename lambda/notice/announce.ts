import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { required } from '../database/connection';

/** What is told, on the control plane's own bus: anyone who may put events on the account's default bus could forge what comes from there. */
export type Notice = 'hold staged' | 'hold warned' | 'hold expired' | 'hold rejected' | 'hold executed' | 'hold failed' | 'break-glass used' | 'anomaly found';

/** Tells whoever subscribed. Ids and names only: nothing of a payload leaves the boundary. */
export async function announce(notice: Notice, detail: object): Promise<void> {
  const { FailedEntryCount } = await new EventBridgeClient({}).send(new PutEventsCommand({ Entries: [{ EventBusName: required('CONTROLS_NAME'), Source: 'agent-controls', DetailType: notice, Detail: JSON.stringify(detail) }] }));
  if (FailedEntryCount) throw new Error(`NoticeFailed: ${notice} could not be announced`);
}
