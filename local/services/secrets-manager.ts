import type { PolicyDocument } from '../identity/principals';
import type { Operation, Permission, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { jsonOf, targetOf } from './protocol';
import type { SecretRotation } from './secret-rotation';
import type { Secret, SecretStore } from './secret-store';

interface Input {
  readonly SecretId?: string; readonly Name?: string; readonly KmsKeyId?: string; readonly VersionStage?: string; readonly VersionId?: string; readonly SecretString?: string; readonly VersionStages?: readonly string[];
  readonly ClientRequestToken?: string; readonly MoveToVersionId?: string; readonly RemoveFromVersionId?: string; readonly ForceDeleteWithoutRecovery?: boolean; readonly Filters?: readonly { readonly Key: string; readonly Values: readonly string[] }[];
}

/** What encryption asks of the caller: reading a value takes the key's Decrypt, writing one its GenerateDataKey. */
const KEY_ACTIONS: Readonly<Record<string, string>> = { GetSecretValue: 'kms:Decrypt', PutSecretValue: 'kms:GenerateDataKey', CreateSecret: 'kms:GenerateDataKey' };

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1_000);

/** Secrets Manager: values by version and stage, and rotation by a function of the assembly. */
export class SecretsManager implements Service {
  public readonly protocol = 'json';

  public constructor(private readonly store: SecretStore, private readonly rotation: Pick<SecretRotation, 'isScheduled' | 'begin'>, private readonly keyOf: (alias: string) => { readonly arn: string; readonly policy: PolicyDocument } | undefined) {}

  public name(request: SignedRequest): string { return targetOf(request); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    const input = jsonOf<Input>(request);
    const does = this.operations(input)[name];
    if (!does) return undefined;
    const permissions = name === 'ListSecrets' ? [{ action: 'secretsmanager:ListSecrets', resource: '*' }] : this.permissions(input.SecretId ?? input.Name ?? '', name, input.VersionStage, input.KmsKeyId);
    return { permissions, run: () => ({ body: does() }) };
  }

  private operations(input: Input): Readonly<Record<string, (() => object) | undefined>> {
    const { store } = this;
    const secret = (): Secret => store.demand(input.SecretId ?? '');
    const named = ({ arn, name }: Secret): { readonly ARN: string; readonly Name: string } => ({ ARN: arn, Name: name });
    return {
      GetSecretValue: () => {
        const of = secret();
        const { version, value, createdAt } = store.get(of, input.VersionStage, input.VersionId);
        return { ...named(of), VersionId: version, SecretString: value, VersionStages: stagesOf(of, version), CreatedDate: seconds(createdAt) };
      },
      PutSecretValue: () => {
        const of = secret();
        return { ...named(of), VersionId: store.put(of, input.SecretString ?? '', input.VersionStages, input.ClientRequestToken), VersionStages: input.VersionStages };
      },
      UpdateSecretVersionStage: () => {
        const of = secret();
        store.move(of, input.VersionStage ?? '', input.MoveToVersionId, input.RemoveFromVersionId);
        return named(of);
      },
      CreateSecret: () => named(store.add(input.Name ?? '', input.SecretString ?? '', input.KmsKeyId === undefined ? [] : [input.KmsKeyId])),
      DeleteSecret: () => {
        const of = secret();
        if (input.ForceDeleteWithoutRecovery !== true) throw new ServiceError('InvalidParameterException', 'the local runtime deletes secrets at once: set ForceDeleteWithoutRecovery');
        store.remove(of);
        return named(of);
      },
      DescribeSecret: () => this.described(secret()),
      ListSecrets: () => ({ SecretList: store.all.filter(({ name }) => (input.Filters ?? []).every(({ Key, Values }) => Key === 'name' && Values.some((prefix) => name.toLowerCase().startsWith(prefix.toLowerCase())))).map((of) => this.described(of)) }),
      ListSecretVersionIds: () => {
        const of = secret();
        return { ...named(of), Versions: Object.entries(of.versions).map(([VersionId, { createdAt }]) => ({ VersionId, VersionStages: stagesOf(of, VersionId), CreatedDate: seconds(createdAt) })) };
      },
      RotateSecret: () => {
        const of = secret();
        return { ...named(of), VersionId: this.rotation.begin(of, input.ClientRequestToken) };
      },
    };
  }

  private described(of: Secret): object {
    return {
      ARN: of.arn, Name: of.name, CreatedDate: seconds(of.createdAt), RotationEnabled: this.rotation.isScheduled(of), LastRotatedDate: seconds(of.rotatedAt), NextRotationDate: seconds(of.nextRotationAt),
      VersionIdsToStages: Object.fromEntries(Object.keys(of.versions).map((id) => [id, stagesOf(of, id)])),
    };
  }

  /** What an operation asks of the caller: the secret, and its key on the caller's behalf. */
  public permissions(id: string, operation: string, stage?: string, alias: string | undefined = this.store.find(id)?.keyAliases[0]): Permission[] {
    const secret = this.store.find(id);
    const resource = secret?.arn ?? (id.startsWith('arn:') ? id : this.store.arnOf(id));
    const own: Permission = { action: `secretsmanager:${operation}`, resource, ...(operation === 'GetSecretValue' && stage !== undefined ? { context: { 'secretsmanager:VersionStage': stage } } : {}) };
    const key = alias === undefined ? undefined : this.keyOf(alias);
    const action = KEY_ACTIONS[operation];
    if (key === undefined || action === undefined) return [own];
    return [own, { action, resource: key.arn, resourcePolicy: key.policy, context: { 'kms:ResourceAliases': [...secret?.keyAliases ?? [alias ?? '']], 'kms:ViaService': `secretsmanager.${resource.split(':')[3] ?? ''}.amazonaws.com` } }];
  }

  /** Makes a secret as CloudFormation does: a value is generated once, and a later deploy leaves it. */
  public create(name: string, value: () => string, keyAliases: readonly string[]): string {
    const existing = this.store.find(name);
    if (existing) {
      existing.keyAliases = keyAliases;
      return existing.arn;
    }
    return this.store.add(name, value(), keyAliases).arn;
  }

  /** The current value, for the parts of the runtime that stand for AWS itself. */
  public current(id: string): string { return this.store.get(this.store.demand(id)).value; }

  public arnOf(id: string): string | undefined { return this.store.find(id)?.arn; }
}

function stagesOf({ stages }: Secret, version: string): string[] { return Object.keys(stages).filter((stage) => stages[stage] === version); }
