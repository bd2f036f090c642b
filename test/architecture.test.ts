/** The arrows between rooms, read from the imports. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(__dirname, '..');
const files = (folder: string): string[] => readdirSync(join(root, folder), { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile() && /\.(tsx?|cjs)$/.test(entry.name)).map((entry) => relative(root, join(entry.parentPath, entry.name)));
const importsOf = (file: string): string[] => [...readFileSync(join(root, file), 'utf8').matchAll(/(?:^(?:import|export)\b[^;']*?from |^import |\bimport\(|\brequire\()'([^']+)'/gm)].map(([, name]) => name as string);
const room = (path: string): string => path.split(sep).slice(0, path.startsWith('lib') || path.startsWith('lambda') ? 2 : 1).join('/');

/** Where an import of `file` leads: a room of this repository, or a package. */
function leadsTo(file: string, name: string): string {
  if (name.startsWith('cdk-agent-controls')) return name;
  return name.startsWith('.') ? room(relative(root, join(root, dirname(file), name))) : name;
}

const allowed: readonly { readonly from: RegExp; readonly to: RegExp; readonly why: string }[] = [
  { from: /^lib\/scope/, to: /^(lib\/scope|node:(crypto|fs|path)|ajv\/dist\/2020|yaml|canonicalize)$/, why: 'the compiler is pure: no CDK, no AWS' },
  { from: /^lib\//, to: /^(lib\/[\w-]+|node:[\w/]+|aws-cdk-lib.*|constructs)$/, why: 'constructs reach handlers by asset path only' },
  { from: /^lambda\//, to: /^(lambda\/[\w-]+|lib\/scope|node:[\w/]+|@aws-sdk\/client-[\w-]+|@aws-sdk\/credential-provider-(node|env)|@aws-crypto\/sha256-js|@smithy\/[\w-]+|@cedar-policy\/cedar-wasm\/web|@cfworker\/json-schema|@secretlint\/[\w-]+|card-validator|jose|oauth4webapi|hono(\/[\w-]+)*|@modelcontextprotocol\/sdk\/[\w./-]+|jsonc-parser|libphonenumber-js\/min|eventsource-parser\/stream|tlds|valibot)$/, why: 'handlers know the compiler and AWS, and no CDK' },
  { from: /^local/, to: /^(local|lambda\/(client|audit)|jose|node:[\w/]+|@aws-sdk\/client-(sts|s3|kms)|@aws-crypto\/sha256-js|@noble\/curves\/nist\.js|@smithy\/[\w-]+|pg|pg-copy-streams)$/, why: 'the local runtime reads the assembly, and talks as a client' },
  { from: /^examples/, to: /^(examples|node:path|cdk-agent-controls\/(action|client|testing)|@aws-sdk\/client-sesv2|openai|pg)$/, why: 'examples import what users import' },
];

describe('imports', () => {
  const all = ['lib', 'lambda', 'local', 'examples'].flatMap(files);
  it('are found at all', () => expect(all.length).toBeGreaterThan(60));

  it.each(all)('of %s follow the arrows', (file) => {
    const { to, why } = allowed.find(({ from }) => from.test(file)) as (typeof allowed)[number];
    const strays = importsOf(file).map((name) => leadsTo(file, name)).filter((target) => !to.test(target));
    expect(strays, why).toEqual([]);
  });

  it('never lead to bin', () => {
    for (const file of [...all, ...files('scripts')]) expect(importsOf(file).map((name) => leadsTo(file, name)), file).not.toContain('bin');
  });

  it('and there is no room for what has no idea of its own', () => {
    for (const file of [...all, ...files('bin')]) expect(file).not.toMatch(/(^|\/)(utils?|common|helpers?|types)(\/|\.ts$)/);
  });
});

describe('the local runtime', () => {
  it('stays small', () => {
    const lines = files('local').reduce((sum, file) => sum + readFileSync(join(root, file), 'utf8').split('\n').filter((line) => line.trim() !== '').length, 0);
    expect(lines).toBeLessThan(4_000);
  });
});
