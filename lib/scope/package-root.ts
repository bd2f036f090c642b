import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

let root: string | undefined;

/** Folder of this package: the same from `lib/` in a checkout and from `dist/lib/` once installed. */
export function packageRoot(): string {
  if (root !== undefined) return root;
  let folder = __dirname;
  while (!existsSync(join(folder, 'scope-card.schema.json'))) {
    const above = dirname(folder);
    if (above === folder) throw new Error(`cdk-agent-controls is incomplete: no scope-card.schema.json above ${__dirname}; install it again`);
    folder = above;
  }
  root = folder;
  return root;
}
