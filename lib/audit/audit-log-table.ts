import { Duration, Expiration, IResource, Resource } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { grantDataApi, grantDecrypt } from '../database/access';
import { IControlsDatabase } from '../database/controls-database';
import { DutyLogin } from '../database/duty-login';
import { ControlsError, shown } from '../scope/controls-error';
import { AuditAlarms } from './audit-alarms';
import { AuditKeeper } from './audit-keeper';

/** One row per decision, chained and checkpointed. There is no grant to update or delete: the absence is the control. */
export interface IAuditLogTable extends IResource {
  /** Database that holds the log. */
  readonly database: IControlsDatabase;
  /**
   * ARN of the secret whose login may execute `audit.append` and nothing else.
   *
   * @attribute
   */
  readonly appendSecretArn: string;
  /**
   * ARN of the secret whose login may read the log and nothing else.
   *
   * @attribute
   */
  readonly readSecretArn: string;
  /**
   * ARN of the write-once bucket of signed statements: checkpoints, erasures, months that were dropped.
   *
   * @attribute
   */
  readonly statementBucketArn: string;
  /**
   * ARN of the key that signs statements. Verifiers pin its public half.
   *
   * @attribute
   */
  readonly signingKeyArn: string;
  /** Lets `grantee` append entries of kinds `app.*`: the Data API on this cluster, and the append secret. */
  grantAppend(grantee: iam.IGrantable): iam.Grant;
  /** Lets `grantee` read decisions: the Data API on this cluster, and the read secret. */
  grantRead(grantee: iam.IGrantable): iam.Grant;
  /** Lets `grantee` run `agent-controls audit verify` and `audit prove`: `grantRead`, and reading statements and the public key. */
  grantVerify(grantee: iam.IGrantable): iam.Grant;
  /** `grantVerify` that ends by itself, for auditors who come for some weeks. */
  grantVerifyUntil(grantee: iam.IGrantable, end: Expiration): iam.Grant;
}

/** Props of `AuditLogTable`. */
export interface AuditLogTableProps {
  /** Database of the control plane. */
  readonly database: IControlsDatabase;
  /**
   * How long decisions are kept, in months of 31 days; a month is dropped when its last day is that old.
   *
   * @throws `RetentionTooShort` under 93 days, `RetentionInvalid` for what is no whole number of months.
   * @default Duration.days(403) - 13 months
   */
  readonly retention?: Duration;
  /**
   * How long after the first entry that no checkpoint covers the next one is signed: the unanchored window, 1 minute to 1 day.
   *
   * Under 5 minutes the database is still awake; over it, each checkpoint may wake it up.
   *
   * @default Duration.minutes(4)
   */
  readonly checkpointEvery?: Duration;
  /**
   * Bucket of signed statements, made with Object Lock; a checkpoint into a bucket without it fails. An account of its own is
   * out of reach of whoever administers this one.
   *
   * @default - a new bucket, retained whatever the app's removal policies say
   */
  readonly statementBucket?: s3.IBucket;
  /**
   * Whether nobody at all can delete a statement before `retention` is over (compliance mode). Otherwise somebody with
   * `s3:BypassGovernanceRetention` can, and the stack of an experiment can be removed.
   *
   * @default true
   */
  readonly immutable?: boolean;
  /**
   * How long the sealed before-image of a write is kept, 1 to 90 days: as long it can be undone by command.
   *
   * @default Duration.days(30)
   */
  readonly imageRetention?: Duration;
  /** Key that signs statements: asymmetric, ECC_NIST_P256, SIGN_VERIFY. @default - a new key, retained */
  readonly signingKey?: kms.IKey;
  /** Where late checkpoints, failed verifications and failed appends are announced. @default - alarms exist, but tell nobody */
  readonly alarmTopic?: sns.ITopic;
  /** Whether to make a CloudWatch dashboard of the log, at $3 a month. @default false */
  readonly dashboard?: boolean;
}

/** What another app must know of an audit log whose control plane does not follow the naming rule. */
export interface AuditLogTableAttributes {
  /** Database that holds the log. */
  readonly database: IControlsDatabase;
  /** ARN of the append secret. */
  readonly appendSecretArn: string;
  /** ARN of the read secret. */
  readonly readSecretArn: string;
  /** ARN of the bucket of signed statements. */
  readonly statementBucketArn: string;
  /** ARN of the key that signs them. */
  readonly signingKeyArn: string;
}

abstract class AuditLogTableBase extends Resource implements IAuditLogTable {
  public abstract readonly database: IControlsDatabase;
  public abstract readonly appendSecretArn: string;
  public abstract readonly readSecretArn: string;
  public abstract readonly statementBucketArn: string;
  public abstract readonly signingKeyArn: string;

  public grantAppend(grantee: iam.IGrantable): iam.Grant { return this.grantUse(grantee, this.appendSecretArn); }
  public grantRead(grantee: iam.IGrantable): iam.Grant { return this.grantUse(grantee, this.readSecretArn); }
  public grantVerify(grantee: iam.IGrantable): iam.Grant { return this.verify(grantee, {}); }
  public grantVerifyUntil(grantee: iam.IGrantable, end: Expiration): iam.Grant {
    if (end.date.getTime() <= Date.now()) throw new ControlsError('GrantOver', `${this.node.path}: the grant ends on ${end.date.toISOString().slice(0, 10)}, which is over; give a later day, or take it away`);
    return this.verify(grantee, { DateLessThan: { 'aws:CurrentTime': end.date.toISOString().replace(/\.\d+Z$/, 'Z') } });
  }

  private verify(grantee: iam.IGrantable, conditions: Record<string, Record<string, string>>): iam.Grant {
    const statement = (actions: string[], resourceArns: string[]): iam.Grant => iam.Grant.addToPrincipal({ grantee, actions, resourceArns, conditions });
    statement(['s3:ListBucketVersions'], [this.statementBucketArn]);
    statement(['s3:GetObject', 's3:GetObjectVersion'], [`${this.statementBucketArn}/*`]);
    statement(['kms:GetPublicKey'], [this.signingKeyArn]);
    return this.grantUse(grantee, this.readSecretArn, conditions);
  }

  private grantUse(grantee: iam.IGrantable, secretArn: string, conditions: Record<string, Record<string, string>> = {}): iam.Grant {
    iam.Grant.addToPrincipal({ grantee, actions: ['secretsmanager:GetSecretValue'], resourceArns: [secretArn], conditions });
    grantDecrypt(grantee, this.database.controlsName);
    return grantDataApi(grantee, this.database.clusterArn, 'statements', conditions);
  }
}

/** The audit log: control 2. */
export class AuditLogTable extends AuditLogTableBase {
  /** Refers to an audit log of another app; creates nothing. */
  public static fromAuditLogTableAttributes(scope: Construct, id: string, attrs: AuditLogTableAttributes): IAuditLogTable {
    return new ImportedAuditLogTable(scope, id, attrs);
  }

  public readonly database: IControlsDatabase;
  /** @attribute */
  public readonly readSecretArn: string;
  /** @attribute */
  public readonly statementBucketArn: string;
  /** @attribute */
  public readonly signingKeyArn: string;
  /** Bucket of signed statements. */
  public readonly statementBucket: s3.IBucket;
  /** Key that signs statements. */
  public readonly signingKey: kms.IKey;
  /** @internal Whom the API asks for erasures, legal holds and checkpoints. */
  public readonly _keeper: lambda.IFunction;
  /** @internal */
  public readonly _alarms: AuditAlarms;
  /** @internal */
  public readonly _checkpointSeconds: number;
  private readonly keeper: AuditKeeper;
  private watched = false;
  private append: DutyLogin | undefined;

  constructor(scope: Construct, id: string, props: AuditLogTableProps) {
    super(scope, id);
    this.database = props.database;
    this.readSecretArn = new DutyLogin(this, 'Reader', this.database, 'auditor').secret.secretArn;
    demandSigningKey(this, props.signingKey);
    demandLock(this, props.statementBucket);
    const every = checkedInterval(this, props.checkpointEvery ?? Duration.minutes(4));
    this._checkpointSeconds = every.toSeconds();
    const keeper = new AuditKeeper(this, 'Keeper', {
      database: this.database, readSecretArn: this.readSecretArn, retentionMonths: monthsOf(this, props.retention ?? Duration.days(403)), checkpointEvery: every, imageDays: imageDaysOf(this, props.imageRetention ?? Duration.days(30)),
      immutable: props.immutable ?? true, statementBucket: props.statementBucket, signingKey: props.signingKey,
    });
    this.keeper = keeper;
    this.statementBucket = keeper.statementBucket;
    this.statementBucketArn = keeper.statementBucket.bucketArn;
    this.signingKey = keeper.signingKey;
    this.signingKeyArn = keeper.signingKey.keyArn;
    this._keeper = keeper.function;
    this._alarms = new AuditAlarms(this, 'Alarms', { controlsName: this.database.controlsName, keeper: keeper.function, stateMachine: keeper.stateMachine, alarmTopic: props.alarmTopic, dashboard: props.dashboard ?? false });
  }

  /** @internal Has the keeper look for what these rules find, as JSON, whenever it is awake. */
  public _watch(rules: string): void {
    const { function: keeper } = this.keeper;
    if (this.watched) throw new ControlsError('AnomalyMonitorTwice', `${this.node.path} is watched by another monitor; give one all rules`);
    this.watched = true;
    keeper.addEnvironment('ANOMALY_RULES', rules);
    iam.Grant.addToPrincipal({ grantee: keeper, actions: ['events:PutEvents'], resourceArns: [this.stack.formatArn({ service: 'events', resource: 'event-bus', resourceName: this.database.controlsName })] });
  }

  /**
   * Made when it is first asked for: a secret costs $0.40 a month, and most control planes append through the gate alone.
   *
   * @attribute
   */
  public get appendSecretArn(): string {
    this.append ??= new DutyLogin(this, 'Append', this.database, 'append');
    return this.append.secret.secretArn;
  }
}

class ImportedAuditLogTable extends AuditLogTableBase {
  public readonly database: IControlsDatabase;
  public readonly appendSecretArn: string;
  public readonly readSecretArn: string;
  public readonly statementBucketArn: string;
  public readonly signingKeyArn: string;

  constructor(scope: Construct, id: string, attrs: AuditLogTableAttributes) {
    super(scope, id);
    this.database = attrs.database;
    this.appendSecretArn = attrs.appendSecretArn;
    this.readSecretArn = attrs.readSecretArn;
    this.statementBucketArn = attrs.statementBucketArn;
    this.signingKeyArn = attrs.signingKeyArn;
  }
}

const MONTH_DAYS = 31;

function monthsOf(scope: Construct, retention: Duration): number {
  if (retention.isUnresolved()) throw new ControlsError('RetentionInvalid', `${scope.node.path}: retention is known only at deploy; write it out, because it is what people are promised`);
  const days = retention.toDays({ integral: false });
  if (days < 3 * MONTH_DAYS) throw new ControlsError('RetentionTooShort', `${scope.node.path}: retention must be at least 93 days, got ${retention.toHumanString()}; reviewers ask for 13 months, Duration.days(403)`);
  if (!Number.isInteger(days / MONTH_DAYS)) throw new ControlsError('RetentionInvalid', `${scope.node.path}: retention must be whole months of 31 days, got ${shown(days)} days; for ${Math.ceil(days / MONTH_DAYS)} months write Duration.days(${Math.ceil(days / MONTH_DAYS) * MONTH_DAYS})`);
  return days / MONTH_DAYS;
}

function imageDaysOf(scope: Construct, retention: Duration): number {
  const days = retention.isUnresolved() ? NaN : retention.toDays({ integral: false });
  if (!Number.isInteger(days) || days < 1 || days > 90) throw new ControlsError('ImageRetentionInvalid', `${scope.node.path}: imageRetention must be 1 to 90 whole days, written out, got ${retention.isUnresolved() ? 'a value that is known at deploy' : retention.toHumanString()}; correct it`);
  return days;
}

function checkedInterval(scope: Construct, every: Duration): Duration {
  if (every.isUnresolved() || every.toSeconds() < 60 || every.toSeconds() > 86_400) throw new ControlsError('CheckpointIntervalInvalid', `${scope.node.path}: checkpointEvery must be 1 minute to 1 day, written out, got ${every.isUnresolved() ? 'a value that is known at deploy' : every.toHumanString()}; correct it`);
  return every;
}

/** What this app makes itself is looked at now; of what it only refers to, the first checkpoint is the test. */
function demandSigningKey(scope: Construct, key: kms.IKey | undefined): void {
  const made = key?.node.defaultChild;
  if (made instanceof kms.CfnKey && (made.keySpec !== kms.KeySpec.ECC_NIST_P256 as string || made.keyUsage !== kms.KeyUsage.SIGN_VERIFY as string)) {
    throw new ControlsError('SigningKeyInvalid', `${scope.node.path}: signingKey must have keySpec ECC_NIST_P256 and keyUsage SIGN_VERIFY, got ${made.keySpec ?? 'SYMMETRIC_DEFAULT'} and ${made.keyUsage ?? 'ENCRYPT_DECRYPT'}; make it with these`);
  }
}

function demandLock(scope: Construct, bucket: s3.IBucket | undefined): void {
  const made = bucket?.node.defaultChild;
  if (made instanceof s3.CfnBucket && made.objectLockEnabled !== true) {
    throw new ControlsError('BucketNotLocked', `${scope.node.path}: statementBucket ${made.node.path} has no Object Lock; make it with objectLockEnabled: true`);
  }
}
