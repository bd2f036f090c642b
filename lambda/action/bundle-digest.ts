import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

let digest: string | null | undefined;

/** SHA-256 of the bundle that runs; recorded on every decision, so the code behind an effect can be named. */
export function bundleDigest(): string | null {
  if (digest === undefined) {
    const path = `${process.env.LAMBDA_TASK_ROOT ?? ''}/index.js`;
    digest = process.env.LAMBDA_TASK_ROOT === undefined ? null : createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return digest;
}
