import type { AssemblyStack } from '../assembly/assembly';
import { references, resolveValue, Scope } from '../assembly/intrinsics';
import type { Account } from './account';
import { provision, Provisioned } from './resources';

/** Deploys the stacks of an assembly in their order, each resource after what it refers to. */
export async function deploy(account: Account, progress: (what: string) => void): Promise<void> {
  for (const stack of account.assembly.stacks) await deployStack(stack, account, progress);
}

async function deployStack({ name, template }: AssemblyStack, account: Account, progress: (what: string) => void): Promise<void> {
  const made = new Map<string, Provisioned>();
  const of = (id: string): Provisioned => {
    const resource = made.get(id);
    if (!resource) throw new Error(`${name}: ${id} is referred to before it is made`);
    return resource;
  };
  const scope: Scope = {
    pseudo: {
      'AWS::Region': account.region, 'AWS::AccountId': account.id, 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com', 'AWS::StackName': name,
      'AWS::StackId': `arn:aws:cloudformation:${account.region}:${account.id}:stack/${name}/local`,
    },
    ref: (id) => of(id).ref,
    attribute: (id, attribute) => {
      const value = of(id).attributes?.[attribute];
      if (value === undefined) throw new Error(`${name}: the local runtime knows no attribute ${attribute} of ${id} (${template.Resources[id]?.Type ?? ''})`);
      return value;
    },
    dynamic: (reference) => dynamic(reference, account),
  };
  for (const logicalId of inOrder(template.Resources)) {
    const resource = template.Resources[logicalId] as (typeof template.Resources)[string];
    if (resource.Type === 'AWS::CDK::Metadata') continue;
    if (resource.Condition !== undefined) throw new Error(`${name}: ${logicalId} has a Condition, which the local runtime does not play`);
    if (resource.Type.startsWith('Custom::')) progress(resource.Type.replace('Custom::AgentControls', '').toLowerCase());
    made.set(logicalId, await provision({ stack: name, logicalId, type: resource.Type, properties: resolveValue(resource.Properties ?? {}, scope) as Record<string, unknown> }, account));
  }
}

function inOrder(resources: AssemblyStack['template']['Resources']): string[] {
  const order: string[] = [];
  const open = new Set<string>();
  const done = new Set<string>();
  const visit = (id: string): void => {
    const resource = resources[id];
    if (!resource || done.has(id)) return;
    if (open.has(id)) throw new Error(`the template's resources refer to each other in a circle: ${[...open, id].join(' -> ')}`);
    open.add(id);
    for (const before of [...references(resource.Properties ?? {}), ...[resource.DependsOn ?? []].flat()]) visit(before);
    open.delete(id);
    done.add(id);
    order.push(id);
  };
  // Aliases first: a secret finds the aliases of its key when it is made. Policies before functions: a role is complete when it is used.
  const rank = (type: string): number => ['AWS::KMS::Key', 'AWS::KMS::Alias', 'AWS::IAM::ManagedPolicy', 'AWS::IAM::Role', 'AWS::IAM::Policy'].indexOf(type) + 1 || 9;
  Object.keys(resources).sort((a, b) => rank(resources[a]?.Type ?? '') - rank(resources[b]?.Type ?? '')).forEach(visit);
  return order;
}

function dynamic(reference: string, account: Account): string {
  const match = /^\{\{resolve:secretsmanager:(arn:[^}]+?|[^:}]+):SecretString:([^:}]*)(?::[^}]*)?\}\}$/.exec(reference);
  if (!match) throw new Error(`${reference} is not known to the local runtime; it resolves secretsmanager SecretString references`);
  const value = account.secrets.current(match[1] as string);
  return match[2] === '' ? value : String((JSON.parse(value) as Record<string, unknown>)[match[2] as string]);
}
