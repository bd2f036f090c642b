import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalFile } from '../local/local-file';

/** What the local runtime that runs now says of itself. */
export function readLocalFile(folder: string): LocalFile {
  const path = join(folder, 'local.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LocalFile;
  } catch {
    throw new Error(`no local runtime runs here: there is no ${path}; start one with npm start or agent-controls local`);
  }
}
