import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { LEAK_EVENT, STOP_EVENT } from '../../lib/scope/names';
import { arg, callFunction, required } from '../database/connection';
import { announce } from '../notice/announce';

/** What was found, as it is told: no value, no row, only where to look. */
interface Finding {
  readonly finding: string;
  readonly rule: string;
  readonly agent: string | null;
  readonly subject: string;
  readonly response: 'notify' | 'hold' | 'rotate' | 'disable';
  readonly at: string;
}

/**
 * Looks for what is unusual in what was appended since the last look, and has it answered. A finding is committed before anybody is told, and told
 * before it is noted as told: whoever dies in between tells it again, and every answer may come twice.
 *
 * @returns how many findings were told.
 */
export async function watch(): Promise<number> {
  const rules = process.env.ANOMALY_RULES;
  if (rules === undefined) return 0;
  const findings = await callFunction<Finding[]>('anomaly.look', { rules: arg.text(rules) });
  for (const { finding, rule, agent, response } of findings) {
    await announce('anomaly found', { finding, rule, agent, response });
    const reason = `anomaly ${rule}, finding ${finding}`;
    if (agent !== null && response === 'disable') await put(STOP_EVENT, { agent, reason });
    if (agent !== null && response === 'rotate') await put(LEAK_EVENT, { credential: agent, reason });
    await callFunction<number>('anomaly.told', { findings: arg.text(JSON.stringify([finding])) });
  }
  return findings.length;
}

async function put({ source, detailType }: { readonly source: string; readonly detailType: string }, detail: object): Promise<void> {
  const { FailedEntryCount } = await new EventBridgeClient({}).send(new PutEventsCommand({ Entries: [{ EventBusName: required('CONTROLS_NAME'), Source: source, DetailType: detailType, Detail: JSON.stringify(detail) }] }));
  if (FailedEntryCount) throw new Error(`ResponseFailed: ${detailType} could not be told`);
}
