/** How long a handler takes to load, in a fresh process each time, against the least it could be. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { median, paired, Row } from './measure';

const root = join(__dirname, '..');
/** Until it could answer: what a handler goes on to load beside itself counts as well. */
const TIMER = "const began = process.hrtime.bigint(); Promise.resolve(require(process.argv[1]).ready).then(() => process.stdout.write(String(Number(process.hrtime.bigint() - began) / 1e6)));";

/** Milliseconds that `require` takes in a process of its own; the middle of three, since a process start is noisy. */
function load(file: string): number {
  return median(Array.from({ length: 3 }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', TIMER, file], { encoding: 'utf8', env: { AWS_REGION: 'us-east-1', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' } });
    if (status !== 0) throw new Error(`${file} does not load: ${stderr}`);
    return Number(stdout);
  }));
}

export async function coldInit(progress: (what: string) => void): Promise<Record<string, Row>> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-bench-'));
  try {
    const bundle = async (name: string, contents: string): Promise<string> => {
      const outfile = join(folder, name, 'index.js');
      await build({ stdin: { contents, resolveDir: root, loader: 'ts' }, outfile, bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, legalComments: 'none', mainFields: ['module', 'main'] });
      return outfile;
    };
    const empty = await bundle('empty', "import { RDSDataClient } from '@aws-sdk/client-rds-data'; const client = new RDSDataClient({}); export const handler = async () => client.config.region();");
    const CEDAR = "import { isAuthorized } from '@cedar-policy/cedar-wasm/nodejs';";
    const cedar = await bundle('cedar', `${CEDAR} export const handler = async () => isAuthorized;`);
    // The gate asks Cedar and the database on every call, so less than both it cannot be.
    const both = await bundle('both', `${CEDAR} import { RDSDataClient } from '@aws-sdk/client-rds-data'; const client = new RDSDataClient({}); export const handler = async () => [isAuthorized, await client.config.region()];`);
    for (const name of ['cedar', 'both']) copyFileSync(join(dirname(require.resolve('@cedar-policy/cedar-wasm/nodejs')), 'cedar_wasm_bg.wasm'), join(folder, name, 'cedar_wasm_bg.wasm'));
    progress('cold init of handlers');
    const handler = await paired('ms', () => load(join(root, 'dist/lambda/broker/index.js')), () => load(empty), 9);
    progress('cold init of the gate');
    const gate = (): number => load(join(root, 'dist/lambda/gate/index.js'));
    return { 'handler.cold-init': handler, 'gate.cold-init': await paired('ms', gate, () => load(both), 9), 'gate.cold-init.cedar': await paired('ms', gate, () => load(cedar), 9) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
