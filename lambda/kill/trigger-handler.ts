import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { SignedApi } from '../client/signed-api';
import { required } from '../database/connection';
import { quiet } from '../errors/quiet';
import type { StopReport } from './stop';

/** An event of a rule: of an alarm that somebody named, or of the control plane's own bus. */
interface StopEvent {
  readonly source?: string;
  readonly 'detail-type'?: string;
  readonly detail?: { readonly agent?: string; readonly reason?: string };
}

/**
 * Stops whatever agent an event names, `*` for all, through the API and as nobody who could do more: whatever a rule or a bus makes up, at worst
 * too much is stopped.
 */
async function stopOf({ source = 'an event', detail = {}, ...event }: StopEvent): Promise<object> {
  const api = new SignedApi(required('API_URL'), required('AWS_REGION'), defaultProvider());
  const agents = detail.agent === '*' ? (await api.send<{ agents: { agent: string }[] }>('GET', '/agents')).agents.map(({ agent }) => agent) : [detail.agent ?? ''];
  const reason = readable(`${source}: ${String(detail.reason ?? event['detail-type'] ?? 'no reason given')}`);
  const reports = await Promise.allSettled(agents.map((agent) => api.send<StopReport>('POST', `/agents/${encodeURIComponent(agent)}/disable`, { reason })));
  const unproven = reports.filter((report) => report.status === 'rejected' || report.value.outcome !== 'proven').length;
  // The rule asks again, and stopping what is stopped is looking again.
  if (unproven > 0) throw new Error(`StopUnproven: ${unproven} of ${agents.length} agents are not proven to be stopped; the log says which lever`);
  return { stopped: agents };
}

/** A reason may quote what an agent wrote, which must not keep the agent from being stopped. */
const readable = (text: string): string => Array.from(text).slice(0, 1_000).join('').replaceAll(/[\p{Cc}\p{Cs}]/gu, ' ');

export const handler = quiet(stopOf);
