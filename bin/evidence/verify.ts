import { KeyObject } from 'node:crypto';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProofFile, verifyProof } from '../../lambda/audit/proof';
import { Evidence, readStatement } from '../../lambda/audit/statement';
import { allFiles, BESIDE, Manifest, MANIFEST, sha256, SIGNATURE } from './folder';

/** What the page of decisions has, for machines. */
const SAMPLE = '03-decisions.json';

/** A name of a file as a terminal can be shown it: somebody else may have chosen it. */
const shown = (path: string): string => (/^[\w./-]+$/.test(path) ? path : JSON.stringify(path).replaceAll(/[^\x20-\x7e]/g, (sign) => `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`));

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
  let manifest: Partial<Manifest> = {};
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch {
    problems.push(`${MANIFEST} is no JSON`);
  }
  const files = { ...manifest.files };
  if (statement && (statement.files !== Object.keys(files).length || statement.from !== manifest.from || statement.until !== manifest.until)) problems.push(`${MANIFEST} is of another period or number of files than what was signed`);
  // The signature file is whole as it was written, too: what is not signed in it is nothing.
  if (signed && readFileSync(join(folder, SIGNATURE), 'utf8') !== `${JSON.stringify(signed, null, 2)}\n`) problems.push(`${SIGNATURE} is not as it was written`);
  const all = allFiles(folder);
  for (const path of all) if (!lstatSync(join(folder, path)).isFile()) problems.push(`${shown(path)} is no file, but leads elsewhere`);
  const there = all.filter((path) => !BESIDE.includes(path) && lstatSync(join(folder, path)).isFile());
  for (const path of there) if (!Object.hasOwn(files, path)) problems.push(`${shown(path)} was not there when the folder was made`);
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  const proven: string[] = [];
  for (const [path, digest] of Object.entries(files)) {
    if (!there.includes(path)) problems.push(`${shown(path)} is gone`);
    else if (sha256(readFileSync(join(folder, path))) !== digest) problems.push(`${shown(path)} is not as it was made`);
    else if (path.startsWith('proofs/')) {
      try {
        const proof = JSON.parse(read(path)) as ProofFile;
        const [entry] = verifyProof(proof, keys);
        if (path !== `proofs/${proof.decision}.json`) problems.push(`${shown(path)} proves another decision`);
        if (statement && entry?.log !== `${statement.log} of account ${statement.account}`) problems.push(`${shown(path)} is of another log`);
        proven.push(proof.decision);
      } catch (error) {
        problems.push(`${shown(path)}: ${error instanceof Error ? error.message : 'it proves nothing'}`);
      }
    } else if (path.startsWith('receipts/') && readStatement(read(path), keys)?.statement.log !== statement?.log) problems.push(`${shown(path)} is signed by no key that counts, or is of another log`);
  }
  // What the page tells of the sample is what is proven; a page that is not as it was made is a problem already.
  if (there.includes(SAMPLE) && sha256(readFileSync(join(folder, SAMPLE))) === files[SAMPLE]) {
    const sample = ((JSON.parse(read(SAMPLE)) as { data?: { sample?: { decision_id?: string }[] } }).data?.sample ?? []).map(({ decision_id: id }) => id ?? '');
    if (JSON.stringify([...sample].sort()) !== JSON.stringify([...proven].sort())) problems.push(`${SAMPLE} tells of other decisions than are proven`);
  }
  return { ok: problems.length === 0, problems, files: Object.keys(files).length, proofs: proven.length, statement };
}
