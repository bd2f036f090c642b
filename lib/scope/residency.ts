/** Which data may be where, and which model provider may see it: what boundary, gateway, page and denies are made of. Pure. */

import type { Vendor } from './vendor';

/** Classes that are known by name. Another name is as restricted as `sensitive-pii` until a provider is cleared for it. */
export const DATA_CLASSES = ['public', 'business', 'contact', 'contract', 'payment', 'health', 'sensitive-pii', 'secret'] as const;

/** What carries no class. Nobody is ever cleared for it. */
export const UNCLASSIFIED = 'unclassified';

/** What a provider promises. */
export interface Terms { readonly url: string; readonly readOn: string; readonly trainsOnData: boolean; readonly retentionDays: number }

/** A company that runs models, where it runs them, and what it may see. */
export interface ProviderPolicy {
  readonly name: string;
  readonly kind: 'bedrock' | 'openai';
  /** Company that sees the data. */
  readonly company: string;
  readonly models: readonly string[];
  readonly clearedFor: readonly string[];
  /** Where it processes: every region that an inference profile may send to, or names of countries. */
  readonly processesIn: readonly string[];
  /** Region that is called; of Bedrock. */
  readonly region?: string;
  /** Foundation model that a profile runs; of Bedrock. */
  readonly foundationModel?: string;
  /** Base URL; of the others. */
  readonly baseUrl?: string;
  readonly terms?: Terms;
  /** Who reviewed the company, and whom to call there. */
  readonly vendor?: Vendor;
  /** What happens to classes that this one may not see, where it is not what the policy says. */
  readonly uncleared?: Readonly<Record<string, Uncleared>>;
}

/** What happens to a class that the asked provider may not see. What is nowhere is blocked. */
export type Uncleared = { readonly how: 'redact' } | { readonly how: 'route'; readonly to: string } | { readonly how: 'block' };

/** The policy, as the registrar keeps it and the gateway reads it. */
export interface ResidencyPolicy {
  readonly regions: readonly string[];
  readonly owner: string;
  readonly reviewBy: string;
  readonly providers: readonly ProviderPolicy[];
  readonly uncleared: Readonly<Record<string, Uncleared>>;
  /** Classes of columns, by `table.column` or `table.*`; the first is stronger. */
  readonly columns: Readonly<Record<string, string>>;
  /** Class of prose that no detector finds anything in. */
  readonly prose: string;
}

/** The class of a column. */
export function classOf({ columns }: ResidencyPolicy, column: string): string {
  return columns[column] ?? columns[`${column.slice(0, column.lastIndexOf('.'))}.*`] ?? UNCLASSIFIED;
}

/** Every class that a policy speaks of, from the most open one to what is none. */
export function classesOf({ providers, uncleared, columns, prose }: ResidencyPolicy): string[] {
  const own = new Set([...providers.flatMap(({ clearedFor }) => clearedFor), ...[{ uncleared }, ...providers].flatMap((of) => Object.keys(of.uncleared ?? {})), ...Object.values(columns), prose]);
  return [...DATA_CLASSES, ...[...own].filter((name) => !(DATA_CLASSES as readonly string[]).includes(name)), UNCLASSIFIED];
}

/** Who may be asked with some classes of data, and what is taken out before. */
export type Ruling =
  | { readonly provider: ProviderPolicy; readonly redact: readonly string[]; readonly routedFrom?: string }
  | { readonly refused: 'ProviderUnknown' | 'ClassBlocked'; readonly classes: readonly string[] };

/**
 * Decides a call of a model: the provider that was asked, another one that data of these classes goes to, or nobody. A route leads one step: what the
 * other may not see, and is not taken out, is blocked.
 */
export function ruling(policy: ResidencyPolicy, asked: string, classes: readonly string[]): Ruling {
  const provider = policy.providers.find(({ name }) => name === asked);
  if (!provider) return { refused: 'ProviderUnknown', classes: [] };
  const treated = (of: ProviderPolicy, how: Uncleared['how']): string[] => unseen(of, classes).filter((name) => treatment(policy, of, name).how === how);
  const blocked = treated(provider, 'block');
  if (blocked.length > 0) return { refused: 'ClassBlocked', classes: blocked };
  const routed = treated(provider, 'route');
  if (routed.length === 0) return { provider, redact: treated(provider, 'redact') };
  // Of several providers that classes would go to, the first that may see all of them.
  const routes = routed.map((name) => (treatment(policy, provider, name) as { to: string }).to);
  const other = policy.providers.find((candidate) => routes.includes(candidate.name) && unseen(candidate, classes).every((name) => treatment(policy, candidate, name).how === 'redact'));
  if (!other) return { refused: 'ClassBlocked', classes: routed };
  return { provider: other, redact: treated(other, 'redact'), routedFrom: provider.name };
}

function treatment(policy: ResidencyPolicy, { uncleared = {} }: ProviderPolicy, className: string): Uncleared {
  // A class may be called as what every object has.
  const said = [uncleared, policy.uncleared].find((of) => Object.hasOwn(of, className));
  return said?.[className] ?? { how: 'block' };
}

/** What becomes of one class in a call of a provider: prose is in every call, and never taken out. Several classes together go where all of them may. */
export function fateOf(policy: ResidencyPolicy, asked: string, className: string): { readonly how: 'may see' | 'taken out' | 'blocked' } | { readonly how: 'goes to'; readonly to: string } {
  const decided = ruling(policy, asked, [...new Set([className, policy.prose])]);
  if ('refused' in decided || decided.redact.includes(policy.prose)) return { how: 'blocked' };
  if (decided.routedFrom !== undefined) return { how: 'goes to', to: decided.provider.name };
  return { how: decided.redact.length > 0 ? 'taken out' : 'may see' };
}

/** Classes that a provider may not see. */
export function unseen({ clearedFor }: ProviderPolicy, classes: readonly string[]): string[] { return classes.filter((name) => !clearedFor.includes(name)); }

/** Whether a model id names an inference profile, which may send to several regions: of a geography, of the world, or of an application. */
export function isInferenceProfile(modelId: string): boolean {
  return /^(?:[a-z]{2}(?:-gov)?|apac|global)\.[a-z0-9-]+\./.test(modelId) || /:(?:application-)?inference-profile\//.test(modelId);
}

/** Where a profile of the whole world processes; IAM calls that region `unspecified`, and it has no name in an ARN. */
export const EVERYWHERE = 'every region';

/** The part of AWS that a region belongs to. */
export const partitionOf = (region: string): string => (region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws');

/** Where a request ends up, as ARNs of Bedrock: the profile that is asked, and the model in every region that it may send to. */
export function bedrockResources({ models, region = '', processesIn, foundationModel }: ProviderPolicy): string[] {
  const bedrock = `arn:${partitionOf(region)}:bedrock`;
  return models.flatMap((model) => {
    if (!isInferenceProfile(model)) return [`${bedrock}:${region}::foundation-model/${model}`];
    const profile = model.startsWith('arn:') ? model : `${bedrock}:${region}:*:inference-profile/${model}`;
    const destinations = processesIn.flatMap((name) => (name === EVERYWHERE ? [region, ''] : [name]));
    return [profile, ...destinations.map((destination) => `${bedrock}:${destination}::foundation-model/${foundationModel ?? model.replace(/^[^.]+\./, '')}`)];
  });
}

/** Regions that IAM sees when these are asked. */
export function bedrockRegions({ providers }: ResidencyPolicy): string[] {
  return [...new Set(providers.filter(({ kind }) => kind === 'bedrock').flatMap(({ region = '', processesIn }) => [region, ...processesIn]))].map((name) => (name === EVERYWHERE ? 'unspecified' : name)).sort();
}
