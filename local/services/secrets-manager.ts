import { randomBytes, randomUUID } from 'node:crypto';
import { PolicyDocument, stableId } from '../identity/principals';
import type { Operation, Permission, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { jsonOf, targetOf } from './protocol';

/** One secret: versions, and which stage points to which. */
interface Secret {
  readonly name: string;
  readonly arn: string;
  /** Aliases of the key that encrypts it; empty for the AWS managed key. */
  keyAliases: readonly string[];
  readonly versions: Record<string, string>;
  readonly stages: Record<string, string>;
}

/** Secrets, as the JSON file that keeps them over a restart. */
export type SecretsFile = Record<string, Secret>;

interface Named { readonly SecretId?: string; readonly VersionStage?: string; readonly VersionId?: string; readonly SecretString?: string; readonly VersionStages?: readonly string[] }

/** Secrets Manager: GetSecretValue and PutSecretValue. */
export class SecretsManager implements Service {
  public readonly protocol = 'json';

  /** @param save called after every change. */
  public constructor(private readonly account: string, private readonly region: string, private readonly secrets: SecretsFile, private readonly save: (secrets: SecretsFile) => void, private readonly keyOf: (alias: string) => { readonly arn: string; readonly policy: PolicyDocument } | undefined) {}

  public name(request: SignedRequest): string { return targetOf(request); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'GetSecretValue' && name !== 'PutSecretValue') return undefined;
    const input = jsonOf<Named>(request);
    const secret = this.find(input.SecretId ?? '');
    const get = name === 'GetSecretValue';
    return {
      permissions: this.permissions(input.SecretId ?? '', get ? 'get' : 'put', input.VersionStage),
      run: () => {
        if (!secret) throw new ServiceError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
        return { body: get ? this.get(secret, input) : this.put(secret, input) };
      },
    };
  }

  /** What reading or writing a secret asks of the caller: the secret, and its key on the caller's behalf. */
  public permissions(id: string, what: 'get' | 'put', stage?: string): Permission[] {
    const secret = this.find(id);
    const resource = secret?.arn ?? (id.startsWith('arn:') ? id : `arn:aws:secretsmanager:${this.region}:${this.account}:secret:${id}-000000`);
    const context: Record<string, string> = what === 'get' && stage !== undefined ? { 'secretsmanager:VersionStage': stage } : {};
    const own = { action: `secretsmanager:${what === 'get' ? 'GetSecretValue' : 'PutSecretValue'}`, resource, context };
    const alias = secret?.keyAliases[0];
    const key = alias === undefined ? undefined : this.keyOf(alias);
    if (key === undefined || !secret) return [own];
    return [own, { action: what === 'get' ? 'kms:Decrypt' : 'kms:GenerateDataKey', resource: key.arn, resourcePolicy: key.policy, context: { 'kms:ResourceAliases': [...secret.keyAliases], 'kms:ViaService': `secretsmanager.${this.region}.amazonaws.com` } }];
  }

  /** Makes a secret as CloudFormation does: a value is generated once, and a later deploy leaves it. */
  public create(name: string, value: () => string, keyAliases: readonly string[]): string {
    const existing = this.secrets[name];
    if (existing) {
      existing.keyAliases = keyAliases;
      return existing.arn;
    }
    const secret: Secret = { name, arn: `arn:aws:secretsmanager:${this.region}:${this.account}:secret:${name}-${stableId('', name).slice(0, 6)}`, keyAliases, versions: {}, stages: {} };
    this.secrets[name] = secret;
    this.put(secret, { SecretString: value() });
    return secret.arn;
  }

  /** The current value, for the parts of the runtime that stand for AWS itself. */
  public current(id: string): string {
    const secret = this.find(id);
    if (!secret) throw new ServiceError('ResourceNotFoundException', `there is no secret ${id}`);
    return secret.versions[secret.stages.AWSCURRENT ?? ''] ?? '';
  }

  public arnOf(id: string): string | undefined { return this.find(id)?.arn; }

  private find(id: string): Secret | undefined {
    return this.secrets[id] ?? Object.values(this.secrets).find(({ arn }) => arn === id || arn.slice(0, -7) === id);
  }

  private get(secret: Secret, { VersionStage: stage = 'AWSCURRENT', VersionId }: Named): object {
    const version = secret.stages[stage];
    if (VersionId !== undefined && VersionId !== version) throw new ServiceError('ResourceNotFoundException', 'the version does not have the stage; the local runtime reads versions by stage');
    const value = version === undefined ? undefined : secret.versions[version];
    if (version === undefined || value === undefined) throw new ServiceError('ResourceNotFoundException', `Secrets Manager can't find the specified secret value for staging label: ${stage}`);
    return { ARN: secret.arn, Name: secret.name, VersionId: version, SecretString: value, VersionStages: Object.keys(secret.stages).filter((name) => secret.stages[name] === version) };
  }

  private put(secret: Secret, { SecretString = '', VersionStages = ['AWSCURRENT'] }: Named): object {
    if (SecretString.length > 65_536) throw new ServiceError('InvalidParameterException', 'a secret has at most 65,536 characters');
    const version = randomUUID();
    secret.versions[version] = SecretString;
    for (const stage of VersionStages) {
      const before = secret.stages[stage];
      if (stage === 'AWSCURRENT' && before !== undefined) secret.stages.AWSPREVIOUS = before;
      secret.stages[stage] = version;
    }
    for (const id of Object.keys(secret.versions)) if (!Object.values(secret.stages).includes(id)) delete secret.versions[id];
    this.save(this.secrets);
    return { ARN: secret.arn, Name: secret.name, VersionId: version, VersionStages };
  }
}

/** A password as `GenerateSecretString` makes it without punctuation. */
export function generatedPassword(length: number): string {
  let password = '';
  while (password.length < length) password += randomBytes(length).toString('base64').replaceAll(/[^A-Za-z0-9]/g, '');
  return password.slice(0, length);
}
