import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock';
import type { Operation, Reply, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { PolicyDocument, Principals } from '../identity/principals';
import { formOf, xml } from './protocol';

/** Policies that handlers put on roles, as the JSON file that keeps them over a restart: by role, by name. */
export type RolePoliciesFile = Record<string, Record<string, string>>;
/** Access keys, by user. */
export type AccessKeysFile = Record<string, { readonly id: string; readonly secret: string; active: boolean; readonly createdAt: number }[]>;

type Policies = { name: string; policy: PolicyDocument }[];

/** Identity and Access Management: inline policies of roles and users, and access keys of users. */
export class Iam implements Service {
  public readonly protocol = 'query';

  public constructor(private readonly principals: Principals, private readonly kept: RolePoliciesFile, private readonly keys: AccessKeysFile, private readonly save: () => void, private readonly clock: Clock) {}

  /** What was put on a role or a user before it was deployed again: CloudFormation leaves it. */
  public restore(): void {
    for (const [role, policies] of Object.entries(this.kept)) for (const [name, text] of Object.entries(policies)) attach(this.principals.roles.get(role)?.policies, name, text);
    for (const [user, keys] of Object.entries(this.keys)) for (const { id, secret, active } of keys) if (active) this.principals.addAccessKey(user, id, secret);
  }

  public name(request: SignedRequest): string { return formOf(request).get('Action') ?? ''; }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    const form = formOf(request);
    const of = (field: string): string => form.get(field) ?? '';
    const does = this.ofRole(of)[name];
    if (does) {
      const role = this.principals.roles.get(of('RoleName'));
      return {
        permissions: [{ action: `iam:${name}`, resource: role?.arn ?? `arn:aws:iam::${this.principals.account}:role/${of('RoleName')}`, ...(role?.boundaryArn === undefined ? {} : { context: { 'iam:PermissionsBoundary': role.boundaryArn } }) }],
        run: () => {
          if (!role) throw new ServiceError('NoSuchEntity', `The role with name ${of('RoleName')} cannot be found.`, 404);
          return reply(name, does(role.policies));
        },
      };
    }
    const doesToUser = this.ofUser(of)[name];
    if (!doesToUser) return undefined;
    return {
      permissions: [{ action: `iam:${name}`, resource: `arn:aws:iam::${this.principals.account}:user/${of('UserName')}` }],
      run: () => {
        const user = this.principals.users.get(of('UserName'));
        if (!user) throw new ServiceError('NoSuchEntity', `The user with name ${of('UserName')} cannot be found.`, 404);
        const result = doesToUser(user.policies);
        this.save();
        return reply(name, result);
      },
    };
  }

  private ofRole(of: (field: string) => string): Readonly<Record<string, ((policies: Policies) => string) | undefined>> {
    const [role, policy] = [of('RoleName'), of('PolicyName')];
    return {
      PutRolePolicy: (policies) => {
        (this.kept[role] ??= {})[policy] = of('PolicyDocument');
        this.save();
        attach(policies, policy, of('PolicyDocument'));
        return '';
      },
      GetRolePolicy: () => {
        const text = this.kept[role]?.[policy];
        if (text === undefined) throw new ServiceError('NoSuchEntity', `The role policy with name ${policy} cannot be found.`, 404);
        return `<RoleName>${xml(role)}</RoleName><PolicyName>${xml(policy)}</PolicyName><PolicyDocument>${encodeURIComponent(text)}</PolicyDocument>`;
      },
    };
  }

  private ofUser(of: (field: string) => string): Readonly<Record<string, ((policies: Policies) => string) | undefined>> {
    const [user, id] = [of('UserName'), of('AccessKeyId')];
    const keys = (this.keys[user] ??= []);
    const key = (): (typeof keys)[number] => {
      const found = keys.find((known) => known.id === id);
      if (!found) throw new ServiceError('NoSuchEntity', `The Access Key with id ${id} cannot be found.`, 404);
      return found;
    };
    const told = ({ id: keyId, active, createdAt }: (typeof keys)[number]): string => `<UserName>${xml(user)}</UserName><AccessKeyId>${keyId}</AccessKeyId><Status>${active ? 'Active' : 'Inactive'}</Status><CreateDate>${new Date(createdAt).toISOString()}</CreateDate>`;
    return {
      PutUserPolicy: (policies) => { attach(policies, of('PolicyName'), of('PolicyDocument')); return ''; },
      ListAccessKeys: () => `<AccessKeyMetadata>${keys.map((known) => `<member>${told(known)}</member>`).join('')}</AccessKeyMetadata><IsTruncated>false</IsTruncated>`,
      CreateAccessKey: () => {
        if (keys.length >= 2) throw new ServiceError('LimitExceeded', 'Cannot exceed quota for AccessKeysPerUser: 2', 409);
        const made = { id: `AKIA${randomBytes(10).toString('hex').toUpperCase().slice(0, 16)}`, secret: randomBytes(30).toString('base64'), active: true, createdAt: this.clock.now() };
        keys.push(made);
        this.principals.addAccessKey(user, made.id, made.secret);
        return `<AccessKey>${told(made)}<SecretAccessKey>${xml(made.secret)}</SecretAccessKey></AccessKey>`;
      },
      UpdateAccessKey: () => {
        const found = key();
        found.active = of('Status') === 'Active';
        if (found.active) this.principals.addAccessKey(user, found.id, found.secret);
        else this.principals.forget(found.id);
        return '';
      },
      DeleteAccessKey: () => {
        const found = key();
        keys.splice(keys.indexOf(found), 1);
        this.principals.forget(found.id);
        return '';
      },
    };
  }
}

function attach(policies: Policies | undefined, name: string, text: string): void {
  if (!policies) return;
  const before = policies.findIndex((policy) => policy.name === name);
  policies.splice(before < 0 ? policies.length : before, before < 0 ? 0 : 1, { name, policy: JSON.parse(text) as PolicyDocument });
}

function reply(name: string, result: string): Reply {
  return { headers: { 'content-type': 'text/xml' }, body: `<${name}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><${name}Result>${result}</${name}Result></${name}Response>` };
}
