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
  /** Whether a version stays valid until it is revoked, and so must not be forgotten before. */
  readonly isLive: boolean;
  /** Makes the next credential, as the secret will hold it. */
  create(current: string, token: string): Promise<string>;
  /** What Postgres keeps of the next credential. */
  verifier?(next: string): string;
  /** Sees the next credential work; throws when it does not. */
  test(next: string): Promise<void>;
  /** Ends the credentials from before, once their day is over. Without this they end by themselves. */
  retire?(current: string): Promise<boolean>;
  /** After a leak: ends whatever was opened with the credentials from before, and shows that they are dead. Told how many sessions of them were still there. */
  revoke(current: string, left: number): Promise<readonly Dead[]>;
}

/** A secret that is rotated. */
export interface Credential {
  /** `agent/NAME`, `duty/NAME` or `secret/NAME`. */
  readonly name: string;
  readonly secretArn: string;
  readonly kind: CredentialKind;
}

/** A credential besides those of agents and duties, as the construct tells it. */
export interface Declared { readonly arn: string; readonly name: string; readonly user?: string; readonly issuer?: string }

/** What this function rotates besides agents and duties. */
export function declared(): readonly Declared[] { return JSON.parse(required('CREDENTIALS')) as Declared[]; }

/** Finds a credential by the ARN of its secret. */
export function credentialOf(secretArn: string): Credential | undefined {
  const controls = required('CONTROLS_NAME');
  const own = new RegExp(`:secret:${controls}/((agent|duty)/[a-z][a-z0-9-]*)-\\w{6}$`).exec(secretArn)?.[1];
  if (own !== undefined) return { name: own, secretArn, kind: postgresLogin(controls, own) };
  const found = declared().find(({ arn }) => arn === secretArn);
  return found && { name: `secret/${found.name}`, secretArn, kind: found.user === undefined ? issued(secretArn, found.issuer ?? '') : accessKeys(found.user) };
}
