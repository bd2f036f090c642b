import { createHash, randomBytes } from 'node:crypto';

/** A policy document. */
export type PolicyDocument = Readonly<Record<string, unknown>>;

/** An IAM role of the assembly. */
export interface Role {
  readonly name: string;
  readonly arn: string;
  readonly id: string;
  readonly trust: PolicyDocument;
  readonly policies: { name: string; policy: PolicyDocument }[];
  readonly managedPolicyArns: readonly string[];
  readonly boundaryArn: string | undefined;
  readonly maxSessionSeconds: number;
}

/** Who signed a request. */
export interface Principal {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  /** Of a role session, `arn:aws:sts::...:assumed-role/NAME/SESSION`; of a user, the user's. */
  readonly arn: string;
  /** `AROA...:session`, or `AIDA...`. */
  readonly userId: string;
  readonly role?: Role;
  readonly userName?: string;
  /** Policies of a user. */
  readonly userPolicies?: readonly { readonly name: string; readonly policy: PolicyDocument }[];
  readonly sessionPolicy?: PolicyDocument;
  readonly expiresAt?: number;
  readonly issuedAt: number;
  readonly mfa: boolean;
}

/** An id that follows from a name, so that a runtime started again knows the same principals. */
export function stableId(prefix: string, name: string): string {
  return prefix + createHash('sha256').update(name).digest('hex').toUpperCase().replaceAll(/[^A-Z0-9]/g, '').slice(0, 17);
}

/** Roles, users and open sessions of one account. */
export class Principals {
  public readonly roles = new Map<string, Role>();
  /** Users of the assembly. */
  public readonly users = new Map<string, { readonly policies: { name: string; policy: PolicyDocument }[] }>();
  public readonly managedPolicies = new Map<string, PolicyDocument>();
  private readonly keys = new Map<string, Principal>();

  public constructor(public readonly account: string) {}

  public byKey(accessKeyId: string): Principal | undefined { return this.keys.get(accessKeyId); }

  public roleByArn(arn: string): Role | undefined { return [...this.roles.values()].find((role) => role.arn === arn); }

  /** Keys of a person who has signed in with MFA. */
  public addUser(userName: string, policies: readonly { readonly name: string; readonly policy: PolicyDocument }[]): Principal {
    return this.add({ ...newKeys('ASIA'), arn: `arn:aws:iam::${this.account}:user/${userName}`, userId: stableId('AIDA', userName), userName, userPolicies: policies, mfa: true });
  }

  /** A long-lived access key of a user of the assembly. */
  public addAccessKey(userName: string, accessKeyId: string, secretAccessKey: string): Principal {
    return this.add({ accessKeyId, secretAccessKey, sessionToken: undefined, arn: `arn:aws:iam::${this.account}:user/${userName}`, userId: stableId('AIDA', userName), userName, userPolicies: this.users.get(userName)?.policies ?? [], mfa: false });
  }

  /** Takes a key away. */
  public forget(accessKeyId: string): void { this.keys.delete(accessKeyId); }

  /** A session of a role. */
  public addSession(role: Role, sessionName: string, more: { readonly sessionPolicy?: PolicyDocument; readonly expiresAt?: number; readonly mfa?: boolean } = {}): Principal {
    return this.add({
      ...newKeys('ASIA'), arn: `arn:aws:sts::${this.account}:assumed-role/${role.name}/${sessionName}`, userId: `${role.id}:${sessionName}`, role,
      mfa: more.mfa ?? false, ...(more.sessionPolicy ? { sessionPolicy: more.sessionPolicy } : {}), ...(more.expiresAt === undefined ? {} : { expiresAt: more.expiresAt }),
    });
  }

  private add(of: Omit<Principal, 'issuedAt'>): Principal {
    const principal = { ...of, issuedAt: Date.now() };
    this.keys.set(principal.accessKeyId, principal);
    return principal;
  }
}

function newKeys(prefix: string): { accessKeyId: string; secretAccessKey: string; sessionToken: string } {
  return { accessKeyId: `${prefix}LOCAL${randomBytes(6).toString('hex').toUpperCase().slice(0, 11)}`, secretAccessKey: randomBytes(30).toString('base64'), sessionToken: randomBytes(48).toString('base64') };
}
