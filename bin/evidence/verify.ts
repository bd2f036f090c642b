import { KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProofFile, verifyProof } from '../../lambda/audit/proof';
import { Evidence, readStatement } from '../../lambda/audit/statement';
import { allFiles, BESIDE, Manifest, MANIFEST, sha256, SIGNATURE } from './folder';

/** What verifying a folder came to. */
export interface FolderVerification {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly files: number;
  readonly proofs: number;
  readonly statement: Evidence | null;
}

/** @throws `EvidenceMissing` where no folder was made, or one was not finished. */
export function demandEvidence(folder: string): void {
  if (!existsSync(join(folder, MANIFEST))) throw new Error(`EvidenceMissing: there is no ${MANIFEST} in ${folder}; agent-controls evidence --out writes one, when it is done`);
}

/** Verifies a folder from its files and public keys alone: every byte of it, and every proof in it. */
export function verifyFolder(folder: string, keys: readonly KeyObject[]): FolderVerification {
  demandEvidence(folder);
  const problems: string[] = [];
  const text = readFileSync(join(folder, MANIFEST), 'utf8');
  const signed = existsSync(join(folder, SIGNATURE)) ? readStatement(readFileSync(join(folder, SIGNATURE), 'utf8'), keys) : undefined;
  const statement = signed?.statement.format === 'agent-controls/evidence/1' ? signed.statement : null;
  if (!statement) problems.push(`${SIGNATURE} is not signed by a key that counts`);
  else if (statement.manifest !== sha256(text)) problems.push(`${MANIFEST} is not the one that was signed`);
  let files: Record<string, string> = {};
  try {
    files = { ...(JSON.parse(text) as Manifest).files };
  } catch {
    problems.push(`${MANIFEST} is no JSON`);
  }
  // The signature file is whole as it was written, too: what is not signed in it is nothing.
  if (signed && readFileSync(join(folder, SIGNATURE), 'utf8') !== `${JSON.stringify(signed, null, 2)}\n`) problems.push(`${SIGNATURE} is not as it was written`);
  const there = allFiles(folder).filter((path) => !BESIDE.includes(path));
  for (const path of there) if (!Object.hasOwn(files, path)) problems.push(`${path} was not there when the folder was made`);
  let proofs = 0;
  for (const [path, digest] of Object.entries(files)) {
    if (!there.includes(path)) problems.push(`${path} is gone`);
    else if (sha256(readFileSync(join(folder, path))) !== digest) problems.push(`${path} is not as it was made`);
    else if (path.startsWith('proofs/')) {
      proofs += 1;
      try {
        verifyProof(JSON.parse(readFileSync(join(folder, path), 'utf8')) as ProofFile, keys);
      } catch (error) {
        problems.push(`${path}: ${error instanceof Error ? error.message : 'it proves nothing'}`);
      }
    }
  }
  return { ok: problems.length === 0, problems, files: Object.keys(files).length, proofs, statement };
}
