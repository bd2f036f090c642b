import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { LEAK_EVENT, STOP_EVENT } from '../../lib/scope/names';
import { arg, callFunction, required } from '../database/connection';
import { announce } from '../notice/announce';

/** What was found, as it is told: no value, no row, only where to look. */
interface Finding {
  readonly finding: string;
  readonly rule: string;
  readonly agent: string | null;
  readonly response: 'notify' | 'hold' | 'rotate' | 'disable';
}

/** How long one look may count what is old; the rest is for the next. */
const COUNTING_MS = 60_000;

/**
 * Looks for what is unusual in what was appended since the last look, and has it answered. Every rule, every day that is counted and every finding is
 * done by itself: whichever fails keeps none of the others from being done, and is told when all were tried. A finding is committed before anybody is
 * told, and told before it is noted as told: whoever dies in between tells it again, and every answer may come twice.
 *
 * @returns how many findings were told.
 */
export async function watch(): Promise<number> {
  if (process.env.ANOMALY_RULES === undefined) return 0;
  const failed: unknown[] = [];
  const tried = (work: Promise<unknown>): Promise<void> => work.then(() => undefined, (error: unknown) => { failed.push(error); });
  for (const rule of JSON.parse(process.env.ANOMALY_RULES) as object[]) await tried(callFunction<number>('anomaly.look', { rule: arg.text(JSON.stringify(rule)) }));
  const told = new Set<string>();
  for (;;) {
    const findings = (await callFunction<Finding[]>('anomaly.untold', {})).filter(({ finding }) => !told.has(finding));
    if (findings.length === 0) break;
    for (const each of findings) {
      told.add(each.finding);
      await tried(tell(each));
    }
    if (failed.length > 0) break; // what could not be told is told by the next look
  }
  // What was done before is counted last: what is new is compared with what was there before it.
  const began = Date.now();
  await tried((async () => { while (await callFunction<boolean>('anomaly.count_hours', {}) && Date.now() - began < COUNTING_MS); })());
  if (failed.length > 0) throw failed[0];
  return told.size;
}

async function tell({ finding, rule, agent, response }: Finding): Promise<void> {
  await announce('anomaly found', { finding, rule, agent, response });
  const reason = `anomaly ${rule}, finding ${finding}`;
  if (agent !== null && response === 'disable') await put(STOP_EVENT, { agent, reason });
  if (agent !== null && response === 'rotate') await put(LEAK_EVENT, { credential: agent, reason });
  await callFunction<number>('anomaly.told', { findings: arg.text(JSON.stringify([finding])) });
}

async function put({ source, detailType }: { readonly source: string; readonly detailType: string }, detail: object): Promise<void> {
  const { FailedEntryCount } = await new EventBridgeClient({}).send(new PutEventsCommand({ Entries: [{ EventBusName: required('CONTROLS_NAME'), Source: source, DetailType: detailType, Detail: JSON.stringify(detail) }] }));
  if (FailedEntryCount) throw new Error(`ResponseFailed: ${detailType} could not be told`);
}
