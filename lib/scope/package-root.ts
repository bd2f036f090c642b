import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

let root: string | undefined;

/** Folder of this package: the same from `lib/` in a checkout and from `dist/lib/` once installed. */
export function packageRoot(): string {
  root ??= rootAbove(__dirname);
  return root;
}

/** The folder of this package that holds `from`. */
export function rootAbove(from: string): string {
  let folder = from;
  while (!existsSync(join(folder, 'scope-card.schema.json'))) {
    const above = dirname(folder);
    if (above === folder) throw new Error(`cdk-agent-controls is incomplete: no scope-card.schema.json above ${from}; install it again`);
    folder = above;
  }
  return folder;
}
