/** A stack to put constructs in, and an action that needs no bundler. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { ActionCode } from '../../lib';
import { Manifest } from '../../lib/scope/manifest';

export function stack(): Stack {
  return new Stack(new App(), 'Test');
}

/** Code of an action with this declaration. */
export function action(manifest: Manifest): ActionCode {
  const folder = join(mkdtempSync(join(tmpdir(), 'agent-controls-bundle-')), manifest.name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'index.js'), `exports.handler = async () => ${JSON.stringify(manifest.name)};`);
  writeFileSync(join(folder, 'action.json'), JSON.stringify({ manifest, bundleDigest: createHash('sha256').update(readFileSync(join(folder, 'index.js'))).digest('hex') }));
  return ActionCode.fromBundle(folder);
}

type Json = Record<string, any>;

/** The policy statements of the role with this name, as `action on resource`, tokens written short. */
export function statements(template: Template, roleName: string): string[] {
  const resources = template.toJSON().Resources as Record<string, Json>;
  const [id] = Object.entries(resources).find(([, { Type, Properties }]) => Type === 'AWS::IAM::Role' && Properties?.RoleName === roleName) ?? [];
  if (id === undefined) throw new Error(`there is no role ${roleName}`);
  return Object.values(resources).filter(({ Type, Properties }) => Type === 'AWS::IAM::Policy' && (Properties.Roles as Json[]).some(({ Ref }) => Ref === id))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Json[])
    .flatMap(({ Effect, Action, Resource, NotResource, Condition }) => [Action].flat().flatMap((name: string) => (NotResource ? [`whatever is not ${[NotResource].flat().map(short).join(' or ')}`] : [Resource].flat().map(short)).map((of) => `${Effect === 'Allow' ? '' : 'DENY '}${name} on ${of}${Condition ? ` if ${JSON.stringify(Condition)}` : ''}`)))
    .sort();
}

/** A template's value as one line: logical ids without their hashes. */
export function short(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(short).join('');
  const { Ref, 'Fn::Join': join, 'Fn::GetAtt': attribute, 'Fn::Sub': sub } = value as Json;
  if (Ref !== undefined) return `<${String(Ref).replace(/[0-9A-F]{8}$/, '').replace('AWS::', '')}>`;
  if (join !== undefined) return (join[1] as unknown[]).map(short).join(join[0] as string);
  if (attribute !== undefined) return `<${String(attribute[0]).replace(/[0-9A-F]{8}$/, '')}.${String(attribute[1])}>`;
  return sub === undefined ? JSON.stringify(value) : String(sub);
}
