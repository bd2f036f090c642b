import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { buildAction } from '../../lib/action/build-action';
import type { Manifest } from '../../lib/scope/manifest';

/** `agent-controls actions`: builds actions where they are written, so that whoever deploys them needs no bundler. */
export function actionsCommand(): Command {
  return new Command('actions')
    .description('Builds actions, and tells what they declare.')
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
