import type { Operation, Reply, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { PolicyDocument, Principals, Role } from '../identity/principals';
import { formOf, xml } from './protocol';

/** Policies that handlers put on roles, as the JSON file that keeps them over a restart: by role, by name. */
export type RolePoliciesFile = Record<string, Record<string, string>>;

/** Identity and Access Management: PutRolePolicy and GetRolePolicy. */
export class Iam implements Service {
  public readonly protocol = 'query';

  public constructor(private readonly principals: Principals, private readonly kept: RolePoliciesFile, private readonly save: () => void) {}

  /** What was put on a role before it was deployed again: CloudFormation leaves it. */
  public restore(): void {
    for (const [role, policies] of Object.entries(this.kept)) for (const [name, text] of Object.entries(policies)) this.attach(this.principals.roles.get(role), name, text);
  }

  public name(request: SignedRequest): string { return formOf(request).get('Action') ?? ''; }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'PutRolePolicy' && name !== 'GetRolePolicy') return undefined;
    const form = formOf(request);
    const [roleName, policyName] = [form.get('RoleName') ?? '', form.get('PolicyName') ?? ''];
    const role = this.principals.roles.get(roleName);
    return {
      permissions: [{ action: `iam:${name}`, resource: role?.arn ?? `arn:aws:iam::${this.principals.account}:role/${roleName}`, ...(role?.boundaryArn === undefined ? {} : { context: { 'iam:PermissionsBoundary': role.boundaryArn } }) }],
      run: () => {
        if (!role) throw new ServiceError('NoSuchEntity', `The role with name ${roleName} cannot be found.`, 404);
        if (name === 'GetRolePolicy') return this.get(roleName, policyName);
        const text = form.get('PolicyDocument') ?? '';
        (this.kept[roleName] ??= {})[policyName] = text;
        this.save();
        this.attach(role, policyName, text);
        return reply(name, '');
      },
    };
  }

  private get(role: string, policy: string): Reply {
    const text = this.kept[role]?.[policy];
    if (text === undefined) throw new ServiceError('NoSuchEntity', `The role policy with name ${policy} cannot be found.`, 404);
    return reply('GetRolePolicy', `<RoleName>${xml(role)}</RoleName><PolicyName>${xml(policy)}</PolicyName><PolicyDocument>${encodeURIComponent(text)}</PolicyDocument>`);
  }

  private attach(role: Role | undefined, name: string, text: string): void {
    if (!role) return;
    const before = role.policies.findIndex((policy) => policy.name === name);
    role.policies.splice(before < 0 ? role.policies.length : before, before < 0 ? 0 : 1, { name, policy: JSON.parse(text) as PolicyDocument });
  }
}

function reply(name: string, result: string): Reply {
  return { headers: { 'content-type': 'text/xml' }, body: `<${name}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><${name}Result>${result}</${name}Result></${name}Response>` };
}
