import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { CardSigner } from '../lib/scope/approval';
import type { Manifest } from '../lib/scope/manifest';
import type { AgentRegistration, Registration } from '../lib/scope/registration';
import { DEFAULT_TIERS, Tier } from '../lib/scope/tier';

/** Where declarations of actions come from. */
export interface CatalogOptions {
  readonly catalog?: string;
  readonly assembly: string;
}

/** What an app declares besides its templates. */
export interface Catalog {
  /** Where it was read. */
  readonly from: string;
  readonly manifests: readonly Manifest[];
  readonly tiers: readonly Tier[];
  readonly signers: readonly CardSigner[] | undefined;
  readonly agents: readonly AgentRegistration[];
}

/** The options that `readCatalog` takes. */
export function withCatalog(command: Command): Command {
  return command
    .option('--catalog <file>', 'declarations of actions, as written by agent-controls actions export')
    .option('--assembly <folder>', 'folder that cdk synth wrote: actions, tiers and signers of the app', 'cdk.out');
}

/** Declarations from a catalog file or a synthesized app; `undefined` when there is neither. */
export function readCatalog({ catalog, assembly }: CatalogOptions): Catalog | undefined {
  if (catalog !== undefined) return { from: catalog, manifests: (JSON.parse(readFileSync(catalog, 'utf8')) as { actions: Manifest[] }).actions, tiers: DEFAULT_TIERS, signers: undefined, agents: [] };
  const registrations = registrationsOf(assembly);
  if (registrations.length === 0) return undefined;
  return {
    from: assembly,
    manifests: registrations.flatMap(({ actions }) => actions.map(({ manifest }) => manifest)),
    tiers: registrations.flatMap(({ tiers }) => tiers ?? []),
    signers: registrations.flatMap(({ signers }) => signers ?? []),
    agents: registrations.flatMap(({ agents }) => agents),
  };
}

/** What the stacks of an assembly, and of its stages, register: the assets that their templates name. */
function registrationsOf(assembly: string): Registration[] {
  if (!existsSync(join(assembly, 'manifest.json'))) return [];
  const inside = readdirSync(assembly, { withFileTypes: true });
  const stages = inside.filter((entry) => entry.isDirectory() && entry.name.startsWith('assembly-')).flatMap(({ name }) => registrationsOf(join(assembly, name)));
  const templates = inside.filter(({ name }) => name.endsWith('.template.json')).map(({ name }) => JSON.parse(readFileSync(join(assembly, name), 'utf8')) as { Resources?: Record<string, { Type: string; Properties?: { Key?: string } }> });
  const keys = templates.flatMap(({ Resources }) => Object.values(Resources ?? {})).filter(({ Type }) => Type === 'Custom::AgentControlsRegistration').map(({ Properties }) => Properties?.Key ?? '');
  return [...keys.map((key) => JSON.parse(readFileSync(join(assembly, `asset.${key}`), 'utf8')) as Registration), ...stages];
}
