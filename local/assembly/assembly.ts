import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** A CloudFormation resource as a template says it. */
export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string | readonly string[];
  readonly Condition?: string;
}

export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
}

/** One stack of an assembly. */
export interface AssemblyStack {
  readonly name: string;
  readonly template: Template;
  /** Region, where the app names one. */
  readonly region: string | undefined;
}

/** A synthesized app: its stacks, and the files that it would upload. */
export interface Assembly {
  readonly folder: string;
  readonly stacks: readonly AssemblyStack[];
  /** Path of a file asset by its object key. */
  asset(objectKey: string): string | undefined;
}

interface Manifest {
  readonly artifacts?: Readonly<Record<string, { readonly type: string; readonly dependencies?: readonly string[]; readonly environment?: string; readonly properties?: { readonly templateFile?: string; readonly stackName?: string; readonly file?: string } }>>;
}

/** Account that is played. It is no real one, and by it every signed statement says that it is local. */
export const LOCAL_ACCOUNT = '000000000000';

/** Reads what `app.synth()` wrote, with the local account wherever the app names one of its own. */
export function readAssembly(path: string): Assembly {
  const folder = resolve(path);
  const file = join(folder, 'manifest.json');
  if (!existsSync(file)) throw new Error(`there is no ${file}; synthesize the app first (npx cdk synth)`);
  const { artifacts = {} } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  const assets = new Map<string, string>();
  const stacks: AssemblyStack[] = [];
  for (const { type, properties } of Object.values(artifacts)) {
    if (type !== 'cdk:asset-manifest' || properties?.file === undefined) continue;
    const { files = {} } = JSON.parse(readFileSync(join(folder, properties.file), 'utf8')) as { files?: Record<string, { source: { path?: string }; destinations: Record<string, { objectKey: string }> }> };
    for (const { source, destinations } of Object.values(files)) {
      for (const { objectKey } of Object.values(destinations)) if (source.path !== undefined) assets.set(objectKey, join(folder, source.path));
    }
  }
  for (const name of inOrder(artifacts)) {
    const { type, environment = '', properties } = artifacts[name] as NonNullable<Manifest['artifacts']>[string];
    if (type !== 'aws:cloudformation:stack' || properties?.templateFile === undefined) continue;
    const [, account, region] = /^aws:\/\/(\d{12}|unknown-account)\/([a-z0-9-]+)$/.exec(environment) ?? [];
    const text = readFileSync(join(folder, properties.templateFile), 'utf8');
    stacks.push({ name: properties.stackName ?? name, region: region === 'unknown-region' ? undefined : region, template: JSON.parse(account === undefined || account === 'unknown-account' ? text : text.replaceAll(account, LOCAL_ACCOUNT)) as Template });
  }
  return { folder, stacks, asset: (key) => assets.get(key) };
}

function inOrder(artifacts: NonNullable<Manifest['artifacts']>): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name) || !artifacts[name]) return;
    for (const dependency of artifacts[name].dependencies ?? []) visit(dependency);
    order.push(name);
  };
  Object.keys(artifacts).forEach(visit);
  return order;
}
