import { readFileSync } from 'node:fs';
import type { KeyObject } from 'node:crypto';
import { Command } from 'commander';
import { publicKeys } from '../../../lambda/audit/statement';
import type { Log } from '../../log';

/** Options of commands that believe signatures. */
export interface KeyOptions {
  readonly key: readonly string[];
}

/** Adds `--key`, as often as there are keys. */
export function withKeys(command: Command): Command {
  return command.option('--key <file>', 'public key that counts, as PEM; again for each', (file: string, before: string[]) => [...before, file], []);
}

/** Keys of files. */
export const keysOf = (files: readonly string[]): KeyObject[] => files.flatMap((file) => publicKeys([readText(file)], file));

/** Text of a file that somebody named. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

/** JSON of a file that somebody named. */
export function readJson(file: string): unknown {
  const text = readText(file);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${file} is not JSON`);
  }
}

/** The keys that count: pinned ones, or the account's own. */
export async function pinnedOr(log: Log, files: readonly string[]): Promise<{ keys: KeyObject[]; pinned: boolean; bucket: Awaited<ReturnType<Log['statements']>>['bucket'] }> {
  const { bucket, key } = await log.statements();
  return { bucket, keys: files.length > 0 ? keysOf(files) : [key], pinned: files.length > 0 };
}
