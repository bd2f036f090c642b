import { readAnchors, startAt } from '../audit/anchors';
import { Verifier } from '../audit/verify';
import { callFunction } from '../database/connection';
import { auditorsLog, bucket, ownKey } from './checkpoints';

/**
 * Verifies what was appended since the day before yesterday's last checkpoint, as the auditor's login. What is older was verified on its own
 * day, and by whoever runs the whole verification.
 *
 * @throws when the log does not verify: the function's errors are what the alarm watches.
 */
export async function verifyRecent(): Promise<number> {
  const { log } = await callFunction<{ log: string }>('audit.state', {});
  const anchors = await readAnchors(bucket(), [await ownKey()], log, { newest: 2_000 });
  const from = anchors.checkpoints.filter(({ at }) => Date.parse(at) < Date.now() - 2 * 86_400_000).at(-1);
  const verifier = new Verifier(anchors, { start: from && startAt(from), partial: from !== undefined });
  const { ok, entries, findings } = await auditorsLog().verify(verifier);
  if (!ok) throw new Error(`LogDoesNotVerify: ${findings.length} findings, the first: ${findings[0]?.sentence ?? ''}; run agent-controls audit verify`);
  return entries;
}
