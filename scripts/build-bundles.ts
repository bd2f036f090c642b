/** Builds every bundle: handlers, the runtime halves that users import, and the command line. Same sources, same bytes. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build, BuildOptions, Plugin } from 'esbuild';
import { folderDigest } from '../lib/handler/folder-digest';
import { isBuilt, recordBuilt, removeBuilt, sourcesDigest } from './built';

const root = join(__dirname, '..');

/** Handlers by the name of their folder in the package. */
export const HANDLERS: Readonly<Record<string, string>> = {
  registrar: 'lambda/registrar/handler.ts',
  broker: 'lambda/broker/handler.ts',
  gate: 'lambda/gate/handler.ts',
  executor: 'lambda/executor/handler.ts',
  expiry: 'lambda/hold/expiry-handler.ts',
  decide: 'lambda/hold/decide-handler.ts',
  verify: 'lambda/hold/verify-handler.ts',
  'rule-verifier': 'lambda/hold/rule-verifier-handler.ts',
  'model-verifier': 'lambda/hold/model-verifier-handler.ts',
  read: 'lambda/read/handler.ts',
  rollback: 'lambda/rollback/handler.ts',
  kill: 'lambda/kill/handler.ts',
  'kill-trigger': 'lambda/kill/trigger-handler.ts',
  rotate: 'lambda/rotate/handler.ts',
  gateway: 'lambda/residency/handler.ts',
  witness: 'lambda/witness/handler.ts',
  keeper: 'lambda/keeper/handler.ts',
};

/**
 * What a client could send and receive, as the SDK has it: lists whose keys are constants, in brackets. A bundler cannot know that such a key does nothing, and keeps
 * them all; with the constant in its place it leaves out what nobody sends.
 */
const LITERAL_KEYS: Plugin = {
  name: 'literal-keys',
  setup: (build) => {
    build.onLoad({ filter: /@aws-sdk[\\/]client-[^\\/]+[\\/]dist-es[\\/]schemas[\\/]/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const constants = new Map([...text.matchAll(/^const (\w+) = ("[^"]*");$/gm)].map(([, name = '', value = '']) => [name, value]));
      return { contents: text.replaceAll(/\[(\w+)\]:/g, (key, name: string) => (constants.has(name) ? `${constants.get(name) ?? ''}:` : key)) };
    });
  },
};

/** Handlers whose answers come as streams of events. */
const STREAMS = ['gateway'];

/**
 * The SDK loads event streams with the first operation that needs them, which a bundle in one file can only do by wrapping each module that these touch, and that is most
 * of the SDK: it is then read twice. Clients that were made for such operations have theirs nonetheless.
 */
const NO_EVENT_STREAMS: Plugin = {
  name: 'no-event-streams',
  setup: (build) => { build.onResolve({ filter: /^@smithy\/core\/event-streams$/ }, ({ kind }) => (kind === 'dynamic-import' ? { path: join(root, 'lambda/http/no-event-streams.ts') } : undefined)); },
};

/** How the SDK is bundled. */
const SDK = [LITERAL_KEYS, NO_EVENT_STREAMS];

const common: BuildOptions = {
  absWorkingDir: root, bundle: true, platform: 'node', target: 'node20', format: 'cjs', minify: true, legalComments: 'none', logLevel: 'warning',
  supported: { 'dynamic-import': false }, // a file that lies beside is required: the loader of modules would read it three times
  plugins: SDK, loader: { '.sql': 'text' }, logOverride: { 'empty-import-meta': 'silent' }, mainFields: ['module', 'main'], alias: { '@secretlint/profiler': './lambda/redaction/no-profiler.ts' },
};

/** What runs in Lambda besides: never on anybody's own machine. */
const inLambda: BuildOptions = { ...common, alias: { ...common.alias, '@aws-sdk/credential-provider-node': './lambda/credentials/own-role.ts' } };

/** The MCP server lies beside the gate and is read with the first message to it: a call that comes through another door need not wait for it. */
const MCP_APART: Plugin = { name: 'mcp-apart', setup: (build) => { build.onResolve({ filter: /^\.\.\/mcp\/http$/ }, () => ({ path: './mcp.js', external: true })); } };

/** Bundles of the command line, which lie beside it: whoever asks for one command does not wait for all to be read. */
const COMMANDS = ['local', 'mcp', 'of-a-log', 'of-an-app'];
const COMMANDS_APART: Plugin = { name: 'commands-apart', setup: (build) => { build.onResolve({ filter: new RegExp(`^\\./commands/(${COMMANDS.join('|')})$`) }, ({ path }) => ({ path: `./${basename(path)}.js`, external: true })); } };

/** What runs beside an app; its peers are whoever's who has it. */
const beside: BuildOptions = { ...common, external: ['pg-native', 'aws-cdk-lib', 'constructs'], plugins: [COMMANDS_APART, ...SDK] };

/** What the local runtime starts as processes of their own; they lie beside whatever bundle it is in. */
const CHILDREN = ['local/postgres/watchdog.cjs', 'local/lambda/child.cjs'];

/** Builds the bundles, unless those that lie there are of these very sources. @param building told when they are not. */
export async function demandBundles(building: () => void = () => undefined, dist = join(root, 'dist')): Promise<void> {
  if (isBuilt(dist, sourcesDigest())) return;
  building();
  await buildBundles(dist);
}

async function buildBundles(dist: string): Promise<void> {
  const sources = sourcesDigest();
  const out = join(dist, 'lambda');
  removeBuilt(dist);
  await Promise.all([
    ...Object.entries(HANDLERS).map(([name, entry]) => build({ ...inLambda, entryPoints: [entry], outfile: join(out, name, 'index.js'), plugins: [MCP_APART, ...SDK.filter((plugin) => plugin !== NO_EVENT_STREAMS || !STREAMS.includes(name))] })),
    build({ ...inLambda, entryPoints: ['lambda/mcp/http.ts'], outfile: join(out, 'gate', 'mcp.js') }),
    build({ ...common, platform: 'browser', target: 'es2022', format: 'esm', entryPoints: ['lambda/approval/page/main.tsx'], outfile: join(out, 'decide', 'page.js'), jsx: 'automatic', jsxImportSource: 'hono/jsx/dom' }),
    build({ ...common, entryPoints: ['lambda/approval/page/page.css'], outfile: join(out, 'decide', 'page.css') }),
    ...[['action', inLambda], ['client', common], ['issuer', inLambda]].map(([name, options]) => build({ ...options as BuildOptions, entryPoints: [`lambda/${name as string}/index.ts`], outfile: join(out, name as string, 'index.js') })),
    // Synth asks the gate's own code. Cedar's wasm is large, and lies with the gate already.
    build({ ...common, entryPoints: ['lambda/gate/judge.ts'], outfile: join(dist, 'judge', 'index.js'), define: { __dirname: '__gate' }, banner: { js: "const __gate = require('node:path').join(__dirname, '../lambda/gate');" } }),
    // What a user's tests fail in keeps its names.
    build({ ...beside, entryPoints: ['local/testing/index.ts'], outfile: join(dist, 'local/testing/index.js'), minify: false, minifyWhitespace: true, minifySyntax: true }),
    ...[['bin/agent-controls.ts', 'agent-controls.js'], ...COMMANDS.map((name) => [`bin/commands/${name}.ts`, `${name}.js`])].map(([entry, file]) => build({ ...beside, entryPoints: [entry as string], outfile: join(dist, 'bin', file as string) })),
  ]);
  // Cedar reads its wasm from beside itself.
  copyFileSync(join(dirname(require.resolve('@cedar-policy/cedar-wasm/nodejs')), 'cedar_wasm_bg.wasm'), join(out, 'gate', 'cedar_wasm_bg.wasm'));
  copyFileSync(join(root, 'lambda/http/openapi.json'), join(out, 'gate', 'openapi.json'));
  for (const folder of ['local/testing', 'bin']) for (const child of CHILDREN) copyFileSync(join(root, child), join(dist, folder, basename(child)));
  const handlers = Object.fromEntries(Object.keys(HANDLERS).sort().map((name) => [name, folderDigest(join(out, name))]));
  writeFileSync(join(out, 'digests.json'), `${JSON.stringify(handlers, null, 2)}\n`);
  recordBuilt(dist, sources);
}

if (require.main === module) void demandBundles();
