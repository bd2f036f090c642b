import { DataApiLog } from '../audit/data-api-log';
import { readAnchors, startAt } from '../audit/anchors';
import { Verifier } from '../audit/verify';
import { callFunction, dataApi, ownLogin, required } from '../database/connection';
import { bucket, ownKey } from './checkpoints';

/**
 * Verifies what was appended since the day before yesterday's last checkpoint, as the auditor's login. What is older was verified on its own
 * day, and by whoever runs the whole verification.
 *
 * @throws when the log does not verify: the function's errors are what the alarm watches.
 */
export async function verifyRecent(): Promise<number> {
  const { log } = await callFunction<{ log: string }>('audit.heads', {});
  const anchors = await readAnchors(bucket(), [await ownKey()], log);
  const from = anchors.checkpoints.filter(({ at }) => Date.parse(at) < Date.now() - 2 * 86_400_000).at(-1);
  const verifier = new Verifier(anchors, { start: from && startAt(from), partial: from !== undefined });
  const { ok, entries, findings } = await new DataApiLog(dataApi(), { ...ownLogin(), secretArn: required('AUDITOR_SECRET_ARN') }).verify(verifier);
  if (!ok) throw new Error(`LogDoesNotVerify: ${findings.length} findings, the first: ${findings[0]?.sentence ?? ''}; run agent-controls audit verify`);
  return entries;
}
