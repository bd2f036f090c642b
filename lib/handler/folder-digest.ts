import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** SHA-256 over the names and contents of the files of a bundle. */
export function folderDigest(folder: string): string {
  const digest = createHash('sha256');
  for (const name of readdirSync(folder).sort()) {
    const content = readFileSync(join(folder, name));
    digest.update(`${name}\0${content.length}\0`).update(content);
  }
  return digest.digest('hex');
}
