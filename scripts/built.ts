/** Which sources the bundles that lie in a folder are of: what is built is not built again, and what somebody has changed there is. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..');
const SOURCES = ['bin', 'lambda', 'lib', 'local', 'scripts', 'package-lock.json'];
const BUILT = ['lambda', 'judge', 'local', 'bin'];
const RECORD = 'bundles.json';

interface Build { readonly sources: string; readonly files: Readonly<Record<string, string>> }

/** What bundles are made of, as one SHA-256. */
export const sourcesDigest = (): string => createHash('sha256').update(JSON.stringify(digests(root, SOURCES))).digest('hex');

/** Whether every file that was built of these sources lies there, byte for byte. */
export function isBuilt(dist: string, sources: string): boolean {
  const record = join(dist, RECORD);
  if (!existsSync(record) || !BUILT.every((folder) => existsSync(join(dist, folder)))) return false;
  const built = JSON.parse(readFileSync(record, 'utf8')) as Build;
  const there = digests(dist, BUILT);
  return built.sources === sources && Object.entries(built.files).every(([file, digest]) => there[file] === digest);
}

/** Makes room for a build. */
export function removeBuilt(dist: string): void {
  rmSync(join(dist, RECORD), { force: true });
  for (const folder of BUILT) rmSync(join(dist, folder), { recursive: true, force: true });
}

/** Writes down a build, last of all: whole or not at all. */
export function recordBuilt(dist: string, sources: string): void {
  const record = join(dist, RECORD);
  writeFileSync(`${record}.part`, JSON.stringify({ sources, files: digests(dist, BUILT) } satisfies Build));
  renameSync(`${record}.part`, record);
}

/** Files below some folders, and the SHA-256 of each. */
function digests(base: string, below: readonly string[]): Record<string, string> {
  const files = below.flatMap((name) => (statSync(join(base, name)).isFile() ? [name] : readdirSync(join(base, name), { recursive: true, encoding: 'utf8' }).map((file) => join(name, file)).filter((file) => statSync(join(base, file)).isFile())));
  return Object.fromEntries(files.sort().map((file) => [file, createHash('sha256').update(readFileSync(join(base, file))).digest('hex')]));
}
