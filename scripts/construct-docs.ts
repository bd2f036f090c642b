/** `npm run docs`: writes one page for each construct from what jsii read of the sources. A test compares them with what is committed. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, table, text } from '../lib/scope/markdown';

interface Docs { readonly summary?: string; readonly remarks?: string; readonly default?: string; readonly custom?: Readonly<Record<string, string>> }
interface Reference { readonly fqn?: string; readonly primitive?: string; readonly collection?: { readonly kind: 'array' | 'map'; readonly elementtype: Reference }; readonly union?: { readonly types: readonly Reference[] } }
interface Member { readonly name: string; readonly type: Reference; readonly optional?: boolean; readonly static?: boolean; readonly protected?: boolean; readonly overrides?: string; readonly docs?: Docs }
interface Method { readonly name: string; readonly parameters?: readonly Member[]; readonly returns?: { readonly type: Reference; readonly optional?: boolean }; readonly static?: boolean; readonly protected?: boolean; readonly docs?: Docs }
interface Type { readonly fqn: string; readonly kind: 'class' | 'interface' | 'enum'; readonly name: string; readonly base?: string; readonly abstract?: boolean; readonly docs?: Docs; readonly properties?: readonly Member[]; readonly methods?: readonly Method[]; readonly initializer?: { readonly parameters?: readonly Member[] }; readonly locationInModule?: { readonly filename: string } }
interface Assembly { readonly name: string; readonly types: Readonly<Record<string, Type>> }

/** The page that tells what a construct is for, by the folder that it lives in. */
const TOPICS: Readonly<Record<string, string>> = {
  access: 'scope-cards', action: 'piece-by-piece', anomaly: 'anomalies', audit: 'audit-log', controls: 'getting-started', database: 'piece-by-piece', gate: 'doors', hold: 'approvals', identity: 'scope-cards', kill: 'kill-switch', residency: 'residency', rollback: 'rollback', rotation: 'rotation',
};

const INHERITED = new Set(['node', 'stack', 'env', 'physicalName']);

/** Pages by their file name. */
export function constructDocs(jsii: string): Record<string, string> {
  const { name: module, types } = JSON.parse(jsii) as Assembly;
  const isConstruct = (type: Type | undefined): boolean => type !== undefined && (type.base === 'aws-cdk-lib.Resource' || type.base === 'constructs.Construct' || isConstruct(types[type.base ?? '']));
  const constructs = Object.values(types).filter((type) => type.kind === 'class' && !type.abstract && isConstruct(type)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const nameOf = ({ fqn, primitive, collection, union }: Reference): string => fqn?.replace(`${module}.`, '').replace(/^aws-cdk-lib\./, '').replaceAll('_', '-') ?? (collection ? `${nameOf(collection.elementtype)}${collection.kind === 'array' ? '[]' : ' by name'}` : union ? union.types.map(nameOf).join(' or ') : primitive ?? 'any');
  const words = ({ summary = '', remarks = '' }: Docs = {}): string => text(`${summary} ${remarks}`.trim());
  const methodsOf = (type: Type): Method[] => [...(type.methods ?? []), ...(types[type.base ?? ''] ? methodsOf(types[type.base ?? ''] as Type) : [])].filter(({ protected: closed, name }) => closed !== true && !name.startsWith('_'));
  const propertiesOf = (type: Type): Member[] => [...(type.properties ?? []), ...(types[type.base ?? ''] ? propertiesOf(types[type.base ?? ''] as Type) : [])].filter(({ protected: closed, name }) => closed !== true && !INHERITED.has(name));
  const once = <T extends { readonly name: string }>(all: readonly T[]): T[] => all.filter((each, index) => all.findIndex(({ name }) => name === each.name) === index);
  const page = (type: Type): string => {
    const props = types[type.initializer?.parameters?.find(({ name }) => name === 'props' || name === 'options')?.type.fqn ?? ''];
    const folder = type.locationInModule?.filename.split('/')[1] ?? '';
    return [
      `# ${type.name}`, '', words(type.docs), '', `[What it is for](../${TOPICS[folder] ?? 'getting-started'}.md)`, '',
      ...(props ? ['## Props', '', ...table(['prop', 'type', 'default', 'meaning'], [...(props.properties ?? [])].sort((a, b) => Number(a.optional ?? false) - Number(b.optional ?? false)).map(({ name, type: of, optional, docs }) => [code(name), code(nameOf(of)), optional ? text(docs?.default ?? '') : '**required**', words(docs)])), ''] : []),
      '## What it has', '', ...table(['attribute', 'type', 'meaning'], once(propertiesOf(type)).map(({ name, type: of, docs }) => [code(name), code(nameOf(of)), words(docs)])), '',
      '## What it does', '', ...table(['method', 'meaning'], once(methodsOf(type)).map(({ name, parameters = [], static: isStatic, docs }) => [code(`${isStatic ? `${type.name}.` : ''}${name}(${parameters.map((each) => `${each.name}${each.optional ? '?' : ''}`).join(', ')})`), words(docs)])), '',
    ].join('\n');
  };
  return {
    ...Object.fromEntries(constructs.map((type) => [`${type.name}.md`, page(type)])),
    'README.md': ['# Constructs', '', 'Made from the docstrings: `npm run docs`.', '', ...table(['construct', 'makes'], constructs.map((type) => [`[${type.name}](${type.name}.md)`, text(type.docs?.summary ?? '')])), ''].join('\n'),
  };
}

if (require.main === module) {
  const folder = join(__dirname, '..', 'docs', 'constructs');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, page] of Object.entries(constructDocs(readFileSync(join(__dirname, '..', '.jsii'), 'utf8')))) writeFileSync(join(folder, name), page);
}
