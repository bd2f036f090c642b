/** Builds what runs after deploy: every handler, and the runtime halves that users import. Same sources, same bytes. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, BuildOptions } from 'esbuild';

const root = join(__dirname, '..');
const out = join(root, 'dist', 'lambda');

/** Handlers by the name of their folder in the package. */
export const HANDLERS: Readonly<Record<string, string>> = {
  registrar: 'lambda/registrar/handler.ts',
  broker: 'lambda/broker/handler.ts',
  gate: 'lambda/gate/handler.ts',
  executor: 'lambda/executor/handler.ts',
  expiry: 'lambda/hold/expiry-handler.ts',
  decide: 'lambda/hold/decide-handler.ts',
  read: 'lambda/read/handler.ts',
};

const common: BuildOptions = {
  absWorkingDir: root, bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, legalComments: 'none', logLevel: 'warning',
  loader: { '.sql': 'text' }, mainFields: ['module', 'main'],
};

export async function buildHandlers(): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  const digests: Record<string, string> = {};
  await Promise.all([
    ...Object.entries(HANDLERS).map(async ([name, entry]) => {
      await build({ ...common, entryPoints: [entry], outfile: join(out, name, 'index.js') });
      digests[name] = createHash('sha256').update(readFileSync(join(out, name, 'index.js'))).digest('hex');
    }),
    build({ ...common, entryPoints: ['lambda/action/index.ts'], outfile: join(out, 'action', 'index.js') }),
    build({ ...common, entryPoints: ['lambda/client/index.ts'], outfile: join(out, 'client', 'index.js') }),
  ]);
  // Cedar reads its wasm from beside itself.
  const wasm = join(dirname(require.resolve('@cedar-policy/cedar-wasm/nodejs')), 'cedar_wasm_bg.wasm');
  mkdirSync(join(out, 'gate'), { recursive: true });
  copyFileSync(wasm, join(out, 'gate', 'cedar_wasm_bg.wasm'));
  writeFileSync(join(out, 'digests.json'), `${JSON.stringify(Object.fromEntries(Object.entries(digests).sort()), null, 2)}\n`);
}

if (require.main === module) void buildHandlers();
