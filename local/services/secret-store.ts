import { randomBytes, randomUUID } from 'node:crypto';
import { stableId } from '../identity/principals';
import { ServiceError } from '../endpoint/service-error';

/** One secret: versions, and which stage points to which. */
export interface Secret {
  readonly name: string;
  readonly arn: string;
  readonly createdAt: number;
  /** Aliases of the key that encrypts it; empty for the AWS managed key. */
  keyAliases: readonly string[];
  /** A version that a rotation was promised has no value yet. */
  readonly versions: Record<string, { value: string | undefined; readonly createdAt: number }>;
  readonly stages: Record<string, string>;
  rotatedAt?: number | undefined;
  nextRotationAt?: number | undefined;
}

/** Secrets, as the JSON file that keeps them over a restart. */
export type SecretsFile = Record<string, Secret>;

/** How many versions without a stage are kept. */
const MOST_UNSTAGED = 20;

const notFound = (message: string): ServiceError => new ServiceError('ResourceNotFoundException', message);

/** The secrets of an account: versions by their stages, as Secrets Manager keeps them. */
export class SecretStore {
  /** @param save called after every change. */
  public constructor(private readonly account: string, private readonly region: string, private readonly secrets: SecretsFile, public readonly save: () => void, public readonly now: () => number) {}

  public get all(): readonly Secret[] { return Object.values(this.secrets); }

  public find(id: string): Secret | undefined {
    return this.secrets[id] ?? this.all.find(({ arn }) => arn === id || arn.slice(0, -7) === id);
  }

  public demand(id: string): Secret {
    const secret = this.find(id);
    if (!secret) throw notFound("Secrets Manager can't find the specified secret.");
    return secret;
  }

  public arnOf(name: string): string { return `arn:aws:secretsmanager:${this.region}:${this.account}:secret:${name}-${stableId('', name).slice(0, 6)}`; }

  public add(name: string, value: string, keyAliases: readonly string[]): Secret {
    if (this.secrets[name]) throw new ServiceError('ResourceExistsException', `the secret ${name} already exists.`);
    const secret: Secret = { name, arn: this.arnOf(name), createdAt: this.now(), keyAliases, versions: {}, stages: {} };
    this.secrets[name] = secret;
    this.put(secret, value);
    return secret;
  }

  public remove(secret: Secret): void {
    delete this.secrets[secret.name];
    this.save();
  }

  public get(secret: Secret, asked?: string, id?: string): { readonly version: string; readonly value: string; readonly createdAt: number } {
    const stage = asked ?? 'AWSCURRENT';
    const version = asked === undefined && id !== undefined ? id : secret.stages[stage];
    if (id !== undefined && version !== id) {
      throw secret.versions[id] ? new ServiceError('InvalidRequestException', 'You provided a VersionStage that is not associated to the provided VersionId.') : notFound(`Secrets Manager can't find the specified secret value for VersionId: ${id}`);
    }
    const { value, createdAt } = secret.versions[version ?? ''] ?? {};
    if (version === undefined || value === undefined || createdAt === undefined) throw notFound(`Secrets Manager can't find the specified secret value for staging label: ${stage}`);
    return { version, value, createdAt };
  }

  /** Keeps a value under a version. The same token again is the same version, and takes no other value. */
  public put(secret: Secret, value: string, stages: readonly string[] = ['AWSCURRENT'], token: string = randomUUID()): string {
    if (value.length > 65_536) throw new ServiceError('InvalidParameterException', 'a secret has at most 65,536 characters');
    const known = secret.versions[token]?.value;
    if (known !== undefined && known !== value) throw new ServiceError('ResourceExistsException', 'a version with this token has another value');
    secret.versions[token] = { value, createdAt: secret.versions[token]?.createdAt ?? this.now() };
    for (const stage of stages) this.label(secret, stage, token);
    this.forgetUnstaged(secret);
    return token;
  }

  /** Moves a stage from one version to another, or takes it away. Whoever is wrong about where it is is refused. */
  public move(secret: Secret, stage: string, to: string | undefined, from: string | undefined): void {
    const holder = secret.stages[stage];
    if (holder !== undefined && from !== holder && holder !== to) throw new ServiceError('InvalidParameterException', `The parameter RemoveFromVersionId must be the version that has the staging label ${stage}.`);
    if (to !== undefined && !secret.versions[to]) throw notFound(`Secrets Manager can't find the specified secret version: ${to}`);
    if (to === undefined) delete secret.stages[stage];
    else this.label(secret, stage, to);
    this.forgetUnstaged(secret);
  }

  /** Promises a version to a rotation. */
  public promise(secret: Secret, token: string): void {
    secret.versions[token] ??= { value: undefined, createdAt: this.now() };
    secret.stages.AWSPENDING = token;
    this.forgetUnstaged(secret);
  }

  private label(secret: Secret, stage: string, token: string): void {
    const before = secret.stages[stage];
    if (stage === 'AWSCURRENT' && before !== undefined && before !== token) secret.stages.AWSPREVIOUS = before;
    secret.stages[stage] = token;
  }

  /** A version without a stage stays for a while, as on AWS, where it can be read by its id. */
  private forgetUnstaged(secret: Secret): void {
    const unstaged = Object.keys(secret.versions).filter((id) => !Object.values(secret.stages).includes(id));
    for (const id of unstaged.slice(0, -MOST_UNSTAGED)) delete secret.versions[id];
    this.save();
  }
}

/** A password as `GenerateSecretString` makes it without punctuation. */
export function generatedPassword(length: number): string {
  let password = '';
  while (password.length < length) password += randomBytes(length).toString('base64').replaceAll(/[^A-Za-z0-9]/g, '');
  return password.slice(0, length);
}
