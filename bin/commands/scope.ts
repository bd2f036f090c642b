import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { Card } from '../../lib/scope/card';
import { cardFromYaml } from '../../lib/scope/card-file';
import { cardDigest, compile } from '../../lib/scope/compile';
import { ControlsError } from '../../lib/scope/controls-error';
import type { Manifest } from '../../lib/scope/manifest';
import { green, red } from '../terminal';

interface Options {
  readonly catalog?: string;
  readonly json?: true;
}

interface Checked {
  readonly file: string;
  readonly ok: boolean;
  readonly agent?: string;
  readonly digest?: string;
  readonly scopes?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string };
}

/** `agent-controls scope`: checks cards before anything is synthesized. */
export function scopeCommand(): Command {
  return new Command('scope')
    .description('Checks scope cards.')
    .addCommand(new Command('check')
      .description('Reads cards and names file, line, field and fix of what is wrong. With --catalog, also compiles them against the actions they call.')
      .argument('<file...>', 'scope cards, YAML')
      .option('--catalog <file>', 'declarations of actions, as written by agent-controls actions export')
      .option('--json', 'print JSON on standard output')
      .addHelpText('after', '\nExit codes: 0 every card is fine, 1 one is not, 2 a file could not be read.')
      .action(check));
}

function check(files: readonly string[], { catalog, json }: Options): void {
  const manifests = catalog === undefined ? undefined : (JSON.parse(readFileSync(catalog, 'utf8')) as { actions: Manifest[] }).actions;
  const results = files.map((file) => checkFile(file, manifests));
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else for (const { file, ok, agent, scopes, digest, error } of results) {
    process.stdout.write(ok ? `${green('✓')} ${file}: ${agent ?? ''}, ${scopes?.join(', ') ?? ''}, digest ${digest?.slice(0, 12) ?? ''}\n` : `${red('✗')} ${error?.message ?? ''}\n`);
  }
  if (!json && manifests === undefined) process.stdout.write('Actions were not looked at: synth does it, and so does --catalog.\n');
  process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
}

function checkFile(file: string, manifests: readonly Manifest[] | undefined): Checked {
  const text = readFileSync(file, 'utf8');
  try {
    const card: Card = cardFromYaml(text, file);
    if (manifests) for (const environment of Object.keys(card.environments)) compile({ card, environment, manifests, tiers: undefined });
    return { file, ok: true, agent: card.agent, digest: cardDigest(card), scopes: card.scopes.map(({ scope }) => scope) };
  } catch (error) {
    if (!(error instanceof ControlsError)) throw error;
    return { file, ok: false, error: { code: error.code, message: error.message.includes(file) ? error.message : `${file}: ${error.message}` } };
  }
}
