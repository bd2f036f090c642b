import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { buildAction } from '../../lib/action/build-action';
import type { Manifest } from '../../lib/scope/manifest';
import { LOWEST } from '../../lib/scope/tier';
import { CatalogOptions, readCatalog, withCatalog } from '../catalog';
import { bold } from '../terminal';

/** `agent-controls actions`: the register of what agents may call and how each is undone; builds actions where they are written. */
export function actionsCommand(): Command {
  return new Command('actions')
    .description('Prints the register of actions: what each reaches, and how it is undone. Builds actions.')
    .addCommand(withCatalog(new Command('register')).description('Prints the register (the default).').option('--json', 'print JSON on standard output').action(register), { isDefault: true })
    .addCommand(new Command('build')
      .description('Bundles an action file into a folder for ActionCode.fromBundle. Needs esbuild in your project.')
      .argument('<entry>', 'action file')
      .requiredOption('--out <folder>', 'folder to write index.js and action.json to')
      .action((entry: string, { out }: { out: string }) => {
        const { folder, manifest, bundleDigest } = buildAction(entry);
        mkdirSync(out, { recursive: true });
        copyFileSync(join(folder, 'index.js'), join(out, 'index.js'));
        writeFileSync(join(out, 'action.json'), `${JSON.stringify({ manifest, bundleDigest }, null, 2)}\n`);
        process.stdout.write(`${manifest.name}: ${join(out, 'index.js')}, ${join(out, 'action.json')}\n`);
      }))
    .addCommand(new Command('export')
      .description('Writes the declarations of built actions as a catalog, for cards that are deployed elsewhere.')
      .argument('<folder>', 'a folder that was built, or one of such folders')
      .action((folder: string) => {
        const built = [folder, ...readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name))].map((each) => join(each, 'action.json')).filter(existsSync);
        if (built.length === 0) throw new Error(`there is no action.json in ${folder} or a folder of it; build actions into it with agent-controls actions build`);
        const actions = built.map((file) => (JSON.parse(readFileSync(file, 'utf8')) as { manifest: Manifest }).manifest);
        process.stdout.write(`${JSON.stringify({ actions }, null, 2)}\n`);
      }));
}

function register({ json, ...from }: CatalogOptions & { readonly json?: true }): void {
  const catalog = readCatalog(from);
  if (!catalog) throw new Error(`CatalogMissing: there are no actions in ${from.assembly}; run cdk synth first, or give --catalog FILE`);
  const actions = [...catalog.manifests].sort((a, b) => a.name.localeCompare(b.name));
  if (json) {
    process.stdout.write(`${JSON.stringify({ actions: actions.map(({ name, effect, reach, reverse, reads, writes }) => ({ name, effect, reach, reverse: reverse ?? null, lowestTier: reverse ? LOWEST[reverse.kind] : 'auto', reads: reads ?? [], writes: writes ?? [] })) })}\n`);
    return;
  }
  const table = new Table({ head: ['action', 'reach', 'writes', 'undone by', 'tier at least'].map((text) => bold(text)), style: { head: [], border: [] }, colWidths: [null, null, 34, 52, null], wordWrap: true });
  table.push(...actions.map(({ name, effect, reach, reverse, writes = [] }) => [name, reach, writes.join(', '), effect === 'read' ? 'nothing to undo' : reverse?.kind === 'restore' ? 'putting the prior value back' : reverse?.kind === 'compensate' ? `making up for it: ${reverse.sentence ?? ''}` : `nothing: ${reverse?.sentence ?? ''}`, reverse ? LOWEST[reverse.kind] : 'auto']));
  process.stdout.write(`${table.toString()}\n${actions.length} actions of ${catalog.from}.\n`);
}
