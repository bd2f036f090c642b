import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { deploymentsOf } from '../lib/access/resources';
import type { CardSigner } from '../lib/scope/approval';
import type { Manifest } from '../lib/scope/manifest';
import type { AgentRegistration } from '../lib/scope/registration';
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
  const registrations = deploymentsOf(assembly).flatMap((deployment) => deployment.registrations);
  if (registrations.length === 0) return undefined;
  return {
    from: assembly,
    manifests: registrations.flatMap(({ actions }) => actions.map(({ manifest }) => manifest)),
    tiers: registrations.flatMap(({ tiers }) => tiers ?? []),
    signers: registrations.flatMap(({ signers }) => signers ?? []),
    agents: registrations.flatMap(({ agents }) => agents),
  };
}
