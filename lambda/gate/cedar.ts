/**
 * Cedar's wasm: read and compiled beside the rest of a start, since it is most of it, or at once for whoever cannot wait. The module is the
 * same in each of the library's editions; this one lets its user say when it is loaded.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { initSync, SyncInitInput } from '@cedar-policy/cedar-wasm/web';

export { preparsePolicySet, statefulIsAuthorized, validate } from '@cedar-policy/cedar-wasm/web';

/** Node.js has it, its types do not. */
declare const WebAssembly: { compile(bytes: Uint8Array): Promise<SyncInitInput> };

const FILE = 'cedar_wasm_bg.wasm';

/** Beside the bundle, or where the library is installed. */
function path(): string {
  const beside = join(__dirname, FILE);
  return existsSync(beside) ? beside : join(dirname(createRequire(__filename).resolve('@cedar-policy/cedar-wasm/nodejs')), FILE);
}

let loaded = false;

/** Begins to load Cedar on other threads. Whoever decides waits for it. */
export async function loadCedar(): Promise<void> {
  // Read at once: a start is one long turn of the event loop, and what waits for a file would begin to compile after it.
  const module = await WebAssembly.compile(readFileSync(path()));
  initSync({ module });
  loaded = true;
}

/** Loads Cedar now, where nobody has. */
export function demandCedar(): void {
  if (loaded) return; // its file has megabytes, and would be read for nothing
  initSync({ module: readFileSync(path()) });
  loaded = true;
}
