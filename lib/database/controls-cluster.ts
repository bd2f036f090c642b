import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { ControlsError, shown } from '../scope/controls-error';
import { BoundCluster } from './bound-cluster';

/** Options of a new cluster. */
export interface ServerlessControlsClusterProps {
  /**
   * Network of the cluster.
   *
   * @default - a new VPC with two isolated subnets, no NAT gateway and no endpoints: every handler uses the Data API
   */
  readonly vpc?: ec2.IVpc;
  /**
   * Subnets of the cluster inside `vpc`. Public subnets are refused (`PublicSubnet`).
   *
   * @default - the isolated subnets; when `vpc` has none, the private ones
   */
  readonly vpcSubnets?: ec2.SubnetSelection;
  /** Largest capacity, in Aurora capacity units. @default 2 */
  readonly maxCapacityUnits?: number;
  /**
   * How long the cluster idles before it pauses at 0 capacity, 5 minutes to 24 hours; `Duration.days(0)` keeps it awake.
   *
   * @default Duration.minutes(5)
   */
  readonly pauseAfter?: Duration;
  /** How long automatic backups are kept, 1 to 35 days. @default Duration.days(7) */
  readonly backupRetention?: Duration;
  /** Key of the storage. @default - the key of the `ControlsDatabase` */
  readonly storageEncryptionKey?: kms.IKey;
}

/** An Aurora PostgreSQL cluster that another team owns. */
export interface ExistingControlsClusterProps {
  /** The cluster; the Data API must be on. */
  readonly cluster: rds.IDatabaseCluster;
  /**
   * Login that owns `databaseName` and may create roles: used by the migration and the registrar, by nothing else.
   *
   * Asked for, not taken from the cluster: `IDatabaseCluster` does not carry its secret, and the master login is seldom the
   * one to hand over.
   */
  readonly ownerSecret: secretsmanager.ISecret;
  /** Database inside the cluster. It must exist; schemas `audit`, `hold`, `gate` and `controls` are made in it. */
  readonly databaseName: string;
}

/** No statement and no value in a log: an error quotes what an agent wrote, and whoever asked is told it anyway. */
const QUIET = { log_statement: 'none', log_min_duration_statement: '-1', log_min_messages: 'fatal', log_min_error_statement: 'panic', log_parameter_max_length_on_error: '0', log_error_verbosity: 'terse' };

/** Where the Postgres of the control plane comes from. */
export class ControlsCluster {
  /** A new Aurora PostgreSQL Serverless v2 cluster with Data API, encrypted, in isolated subnets. */
  public static serverless(props: ServerlessControlsClusterProps = {}): ControlsCluster {
    return new ControlsCluster((scope, key, removalPolicy) => serverless(scope, props, key, removalPolicy));
  }

  /**
   * A cluster that exists already. The control plane takes one database in it and creates nothing else.
   *
   * The migration runs as the owner and fails at deploy, before it changes anything, when the Data API is off or the login
   * may not create roles.
   *
   * @throws `EngineUnsupported` when the engine is known and is not Aurora PostgreSQL 16 or later.
   */
  public static existing(props: ExistingControlsClusterProps): ControlsCluster {
    const { engine } = props.cluster;
    const major = Number(engine?.engineVersion?.majorVersion ?? NaN);
    if (engine && (engine.engineType !== 'aurora-postgresql' || major < 16)) {
      throw new ControlsError('EngineUnsupported', `cluster must be Aurora PostgreSQL 16 or later, got ${shown(`${engine.engineType} ${engine.engineVersion?.fullVersion ?? ''}`)}; upgrade it, or use ControlsCluster.serverless()`);
    }
    return new ControlsCluster(() => ({ cluster: props.cluster, ownerSecret: props.ownerSecret, databaseName: props.databaseName, ready: undefined }));
  }

  /** @internal */
  public readonly _bind: (scope: Construct, key: kms.IKey, removalPolicy: RemovalPolicy) => BoundCluster;

  private constructor(bind: (scope: Construct, key: kms.IKey, removalPolicy: RemovalPolicy) => BoundCluster) { this._bind = bind; }
}

const DATABASE_NAME = 'agents';

function serverless(scope: Construct, props: ServerlessControlsClusterProps, key: kms.IKey, removalPolicy: RemovalPolicy): BoundCluster {
  const vpc = props.vpc ?? new ec2.Vpc(scope, 'Vpc', {
    maxAzs: 2, natGateways: 0, restrictDefaultSecurityGroup: false,
    subnetConfiguration: [{ name: 'isolated', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 28 }],
  });
  const subnets = props.vpcSubnets ?? { subnetType: vpc.isolatedSubnets.length > 0 ? ec2.SubnetType.PRIVATE_ISOLATED : ec2.SubnetType.PRIVATE_WITH_EGRESS };
  const open = vpc.selectSubnets(subnets).subnets.find((subnet) => vpc.publicSubnets.includes(subnet));
  if (open) throw new ControlsError('PublicSubnet', `vpcSubnets selects ${open.node.path}, a public subnet; the database needs no way in from outside, choose isolated or private ones`);
  const pause = props.pauseAfter ?? Duration.minutes(5);
  if (pause.toSeconds() !== 0 && (pause.toSeconds() < 300 || pause.toSeconds() > 86_400)) throw new ControlsError('PauseInvalid', `pauseAfter must be 0, or 5 minutes to 24 hours, got ${pause.toHumanString()}; Aurora takes no other`);
  const ownerSecret = new rds.DatabaseSecret(scope, 'Owner', { username: 'controls_owner', encryptionKey: key });
  const writer = rds.ClusterInstance.serverlessV2('Writer');
  const cluster = new rds.DatabaseCluster(scope, 'Cluster', {
    engine: rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.VER_17_9 }),
    writer,
    vpc, vpcSubnets: subnets,
    credentials: rds.Credentials.fromSecret(ownerSecret),
    parameters: { ...QUIET },
    defaultDatabaseName: DATABASE_NAME,
    enableDataApi: true,
    serverlessV2MinCapacity: 0,
    serverlessV2MaxCapacity: props.maxCapacityUnits ?? 2,
    ...(pause.toSeconds() === 0 ? {} : { serverlessV2AutoPauseDuration: pause }),
    storageEncrypted: true, // left unset by the construct, unencrypted
    storageEncryptionKey: props.storageEncryptionKey ?? key,
    backup: { retention: props.backupRetention ?? Duration.days(7) },
    copyTagsToSnapshot: true,
    deletionProtection: removalPolicy === RemovalPolicy.RETAIN,
    removalPolicy,
  });
  return { cluster, ownerSecret, databaseName: DATABASE_NAME, ready: cluster, backupDays: (props.backupRetention ?? Duration.days(7)).toDays() };
}
