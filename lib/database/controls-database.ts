import { Aws, CustomResource, Duration, IResource, RemovalPolicy, Resource, Size, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { StackRegistration } from '../registration/stack-registration';
import { ControlsError, shown } from '../scope/controls-error';
import { handlerName, parameterName } from '../scope/names';
import { grantDataApi, grantDecrypt, grantSecrets, registrarArn } from './access';
import { ControlsCluster } from './controls-cluster';
import { migrationDigest } from './migration-digest';

/** The Postgres database of a control plane: schema, logins, and the registrar that other stacks talk to. */
export interface IControlsDatabase extends IResource {
  /** Name of the control plane: prefix of every physical name that another stack may need to know. */
  readonly controlsName: string;
  /**
   * ARN of the cluster, for `resourceArn` of the Data API.
   *
   * @attribute
   */
  readonly clusterArn: string;
  /** Database inside the cluster. */
  readonly databaseName: string;
  /**
   * ARN of the registrar, the one custom resource provider of the control plane.
   *
   * It runs in the stack of the database, under one role, and writes the rows for agents and actions that other stacks
   * declare. Known by name, so a stack that registers something needs no CloudFormation import.
   */
  readonly registrarServiceToken: string;
}

/** Props of `ControlsDatabase`. */
export interface ControlsDatabaseProps {
  /**
   * Name of the control plane, 1 to 16 characters of `a-z`, `0-9` and `-`; one per account and region.
   *
   * Only what another stack must find carries it: roles, functions, secrets, the key's alias. Everything else keeps the name
   * CloudFormation gives it. The database remembers its name, so a renamed control plane fails its deploy at the migration
   * (`ControlsRenamed`), before anything is replaced.
   *
   * @default 'agent-controls'
   */
  readonly controlsName?: string;
  /** Where Postgres comes from. @default ControlsCluster.serverless() */
  readonly cluster?: ControlsCluster;
  /** Key of secrets; it gets the alias `alias/<controlsName>`. @default - a new key with yearly rotation */
  readonly encryptionKey?: kms.IKey;
  /**
   * What happens to the cluster this construct made. `DESTROY` also turns deletion protection off.
   *
   * An existing cluster is left alone, and so are the schemas in it.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** What another app must know of a database whose control plane does not follow the naming rule. */
export interface ControlsDatabaseAttributes {
  /** Name of the control plane. */
  readonly controlsName: string;
  /** ARN of the cluster. */
  readonly clusterArn: string;
  /** Database inside the cluster. */
  readonly databaseName: string;
}

/**
 * The root of a control plane: a Postgres database with the whole schema migrated, and the registrar.
 *
 * One migration brings every schema (audit, hold, gate), whatever other constructs the app uses, so no construct waits
 * for another's tables and none can be deployed against half a schema.
 */
export class ControlsDatabase extends Resource implements IControlsDatabase {
  /** Refers to a database of another app; creates nothing. */
  public static fromControlsDatabaseAttributes(scope: Construct, id: string, attrs: ControlsDatabaseAttributes): IControlsDatabase {
    return new ImportedControlsDatabase(scope, id, attrs);
  }

  public readonly controlsName: string;
  /** @attribute */
  public readonly clusterArn: string;
  public readonly databaseName: string;
  public readonly registrarServiceToken: string;
  /** The cluster, new or existing. */
  public readonly cluster: rds.IDatabaseCluster;
  /** Key of secrets. */
  public readonly encryptionKey: kms.IKey;
  /** @internal How long backups hold what was erased, where this app says so. */
  public readonly _backupDays: number | undefined;

  constructor(scope: Construct, id: string, props: ControlsDatabaseProps = {}) {
    super(scope, id);
    this.controlsName = checkedName(props.controlsName ?? 'agent-controls');
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    this.encryptionKey = props.encryptionKey ?? new kms.Key(this, 'Key', { enableKeyRotation: true, description: `Secrets of the agent controls ${this.controlsName}`, removalPolicy });
    new kms.Alias(this, 'KeyAlias', { aliasName: `alias/${this.controlsName}`, targetKey: this.encryptionKey });

    const bound = (props.cluster ?? ControlsCluster.serverless())._bind(this, this.encryptionKey, removalPolicy);
    this.cluster = bound.cluster;
    this.databaseName = bound.databaseName;
    this._backupDays = bound.backupDays;
    this.clusterArn = bound.cluster.clusterArn;

    const registrar = new HandlerFunction(this, 'Registrar', {
      functionName: handlerName(this.controlsName, 'registrar'),
      code: handlerCode('registrar'),
      description: 'Migrates the database and registers agents, actions and logins',
      timeout: Duration.minutes(14), memorySize: Size.mebibytes(512),
      environment: { CONTROLS_NAME: this.controlsName, CLUSTER_ARN: this.clusterArn, DATABASE_NAME: this.databaseName, LOGIN_SECRET_ARN: bound.ownerSecret.secretArn },
    });
    this.registrarServiceToken = registrarArn(this, this.controlsName);
    grantDataApi(registrar.role, this.clusterArn, 'transactions');
    bound.ownerSecret.grantRead(registrar.role);
    grantSecrets(registrar.role, this.controlsName, ['agent/*', 'duty/*'], ['secretsmanager:GetSecretValue']);
    grantSecrets(registrar.role, this.controlsName, ['agent/*'], ['secretsmanager:PutSecretValue']); // the compiled scope
    grantDecrypt(registrar.role, this.controlsName, 'kms:GenerateDataKey');
    registrar.role.addToPrincipalPolicy(new iam.PolicyStatement({
      // Registrations are assets of whatever stack declares agents; the bootstrap buckets of this account and region hold nothing else of ours.
      actions: ['s3:GetObject'],
      resources: [Stack.of(this).formatArn({ service: 's3', region: '', account: '', resource: `cdk-*-assets-${Aws.ACCOUNT_ID}-${Aws.REGION}`, resourceName: '*.json' })],
    }));
    registrar.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['cognito-idp:GetUserPoolMfaConfig'], resources: [Stack.of(this).formatArn({ service: 'cognito-idp', resource: 'userpool', resourceName: '*' })] })); // of pools that approvers sign in at
    registrar.function.addPermission('Stacks', { principal: new iam.ServicePrincipal('cloudformation.amazonaws.com'), sourceAccount: Aws.ACCOUNT_ID });

    const migration = new CustomResource(this, 'Migration', {
      resourceType: 'Custom::AgentControlsMigration', serviceToken: registrar.function.functionArn, serviceTimeout: Duration.minutes(15),
      properties: { Digest: migrationDigest(), Cluster: this.clusterArn }, // another cluster, as after a restore, has yet to be migrated
    });
    migration.node.addDependency(registrar.role);
    if (bound.ready) migration.node.addDependency(bound.ready);
    StackRegistration.of(this, this).after(migration);

    for (const [what, value] of [['cluster-arn', this.clusterArn], ['database', this.databaseName]] as const) {
      new ssm.StringParameter(this, `Parameter-${what}`, { parameterName: parameterName(this.controlsName, what), stringValue: value });
    }
  }
}

class ImportedControlsDatabase extends Resource implements IControlsDatabase {
  public readonly controlsName: string;
  public readonly clusterArn: string;
  public readonly databaseName: string;
  public readonly registrarServiceToken: string;

  constructor(scope: Construct, id: string, attrs: ControlsDatabaseAttributes) {
    super(scope, id);
    this.controlsName = checkedName(attrs.controlsName);
    this.clusterArn = attrs.clusterArn;
    this.databaseName = attrs.databaseName;
    this.registrarServiceToken = registrarArn(this, attrs.controlsName);
  }
}

function checkedName(name: string): string {
  if (Token.isUnresolved(name) || !/^[a-z][a-z0-9-]{0,15}$/.test(name) || name.endsWith('-')) {
    throw new ControlsError('ControlsNameInvalid', `controlsName must be 1 to 16 of a-z, 0-9 and -, written out, got ${shown(name)}; choose another`);
  }
  return name;
}

