import { required } from '../database/connection';
import { accessKeys } from './access-keys';
import { issued } from './issued';
import { postgresLogin } from './postgres-login';

/** What shows that a credential from before is dead. */
export interface Dead {
  readonly what: string;
  readonly state: 'proven' | 'propagating';
  readonly evidence: string;
}

/** How one kind of credential is made, tried and ended. Every function may be called twice, and after a process died in the middle of it. */
export interface CredentialKind {
  /** Login that the next version has, where there are two that alternate. */
  login?(current: string): string;
  /** Makes the next credential, as the secret will hold it. */
  create(current: string, token: string): Promise<string>;
  /** Has the other side take the next credential, where that is not what made it. Told the verifier that Postgres keeps. */
  verifier?(next: string): string;
  /** Sees the next credential work; throws when it does not. */
  test(next: string): Promise<void>;
  /** Ends the credential before, once its day is over. Without this it ends by itself. */
  retire?(before: string, current: string): Promise<void>;
  /** Ends the credentials from before a leak, at once, with whatever was opened with them. */
  revoke(before: readonly string[], current: string): Promise<readonly Dead[]>;
}

/** A secret that is rotated. */
export interface Credential {
  /** `agent/NAME`, `duty/NAME`, or the name of another secret. */
  readonly name: string;
  readonly secretArn: string;
  readonly kind: CredentialKind;
}

/** A credential besides those of agents and duties, as the construct tells it. */
export interface Declared { readonly arn: string; readonly name: string; readonly user?: string; readonly issuer?: string }

/** What this function rotates besides agents and duties. */
export function declared(): readonly Declared[] { return JSON.parse(required('CREDENTIALS')) as Declared[]; }

/** Finds a credential by the ARN of its secret. */
export function credentialOf(secretArn: string): Credential {
  const controls = required('CONTROLS_NAME');
  const own = new RegExp(`:secret:${controls}/((agent|duty)/[a-z][a-z0-9-]*)-\\w{6}$`).exec(secretArn)?.[1];
  if (own !== undefined) return { name: own, secretArn, kind: postgresLogin(controls, own) };
  const found = declared().find(({ arn }) => arn === secretArn);
  if (!found) throw new Error(`CredentialUnknown: ${secretArn} is no credential of ${controls}`);
  return { name: found.name, secretArn, kind: found.user === undefined ? issued(found.issuer ?? '') : accessKeys(found.user) };
}
