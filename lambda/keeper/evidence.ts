import type { Evidence } from '../audit/statement';
import { arg, callFunction } from '../database/connection';
import { HttpError } from '../http/http';
import { bucket, checkpoint, place, state } from './checkpoints';

/**
 * Signs a folder of evidence by the digest of its manifest, after whatever it rests on was anchored. Says who made it, and nothing of whether what is in
 * it is true: that is what its proofs are for.
 */
export async function signEvidence({ manifest, files, from, until }: Pick<Evidence, 'manifest' | 'files' | 'from' | 'until'>, by: string): Promise<object> {
  await checkpoint();
  const { log } = await callFunction<{ log: string }>('audit.state', {});
  const latest = await bucket().latestCheckpoint();
  if (!latest) throw new HttpError(409, 'NothingAnchored', 'the log has no checkpoint, so there is nothing that evidence could rest on');
  const { name } = await state<Evidence>({ format: 'agent-controls/evidence/1', log, ...place(), at: new Date().toISOString(), manifest, files, by, from, until, checkpoint: Number(/(\d+)\.json$/.exec(latest.key)?.[1]) });
  await callFunction('audit.record_evidence', { by: arg.text(by), manifest: arg.text(manifest), statement: arg.text(name) });
  return JSON.parse(await bucket().get({ key: name, versionId: undefined })) as object;
}
