import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Aws, Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { markOwn } from '../access/own';
import { ControlsDatabase, IControlsDatabase } from '../database/controls-database';
import { DutyLogin } from '../database/duty-login';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { handlerName, parameterName } from '../scope/names';
import { packageRoot } from '../scope/package-root';

/** What people ask of the keeper, through the API. */
export const KEEPER_ROUTES = [
  ['Checkpoints', 'POST', '/checkpoints'], ['Erasures', 'POST', '/erasures'],
  ['LegalHolds', 'GET', '/legal-holds'], ['PlaceLegalHold', 'POST', '/legal-holds'], ['ReleaseLegalHold', 'POST', '/legal-holds/{legalHoldId}/release'],
] as const;

/** What auditors ask of it: to sign the folder of evidence that they made. */
export const EVIDENCE_ROUTE = ['Evidence', 'POST', '/evidence'] as const;

/** Props of `AuditKeeper`. */
export interface AuditKeeperProps {
  readonly database: IControlsDatabase;
  readonly readSecretArn: string;
  readonly retentionMonths: number;
  readonly checkpointEvery: Duration;
  readonly imageDays: number;
  readonly immutable: boolean;
  readonly statementBucket?: s3.IBucket | undefined;
  readonly signingKey?: kms.IKey | undefined;
}

/** Longer than Aurora keeps any backup. */
const LONGEST_BACKUP_DAYS = 35;

/**
 * Keeps the log: signs checkpoints, drops months, erases subjects, closes what was left open. It alone may use the signing key and write
 * statements; no login of the database can do either.
 */
export class AuditKeeper extends Construct {
  public readonly function: lambda.Function;
  public readonly stateMachine: sfn.StateMachine;
  public readonly statementBucket: s3.IBucket;
  public readonly signingKey: kms.IKey;

  public constructor(scope: Construct, id: string, props: AuditKeeperProps) {
    super(scope, id);
    const { database, immutable } = props;
    const controls = database.controlsName;
    const retention = Duration.days(props.retentionMonths * 31 + 31); // a month is dropped when its last day is old enough
    // Not encrypted with a key of the control plane: statements outlive it, and hold digests and ids alone.
    this.statementBucket = props.statementBucket ?? new s3.Bucket(this, 'Statements', {
      objectLockEnabled: true,
      objectLockDefaultRetention: immutable ? s3.ObjectLockRetention.compliance(retention) : s3.ObjectLockRetention.governance(retention),
      encryption: s3.BucketEncryption.S3_MANAGED, enforceSSL: true, minimumTLSVersion: 1.2, blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL, objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    this.signingKey = props.signingKey ?? new kms.Key(this, 'SigningKey', {
      keySpec: kms.KeySpec.ECC_NIST_P256, keyUsage: kms.KeyUsage.SIGN_VERIFY, description: `Signs what is stated of the audit log of ${controls}`, removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });

    const login = new DutyLogin(this, 'Login', database, 'keeper');
    const keeper = new HandlerFunction(this, 'Keeper', {
      functionName: handlerName(controls, 'keeper'), code: handlerCode('keeper'), description: 'Signs checkpoints of the log, drops months, erases subjects',
      timeout: Duration.minutes(14), memorySize: Size.mebibytes(512),
      environment: {
        ...login.environment, ACCOUNT: Aws.ACCOUNT_ID, STATEMENT_BUCKET: this.statementBucket.bucketName, SIGNING_KEY_ARN: this.signingKey.keyArn, AUDITOR_SECRET_ARN: props.readSecretArn,
        RETENTION_MONTHS: String(props.retentionMonths), IMAGE_DAYS: String(props.imageDays), LOCK_MODE: immutable ? 'COMPLIANCE' : 'GOVERNANCE', LOCK_DAYS: String(retention.toDays()),
        BACKUP_DAYS: String(database instanceof ControlsDatabase ? database._backupDays ?? LONGEST_BACKUP_DAYS : LONGEST_BACKUP_DAYS),
      },
    });
    this.function = keeper.function;
    login.grantUse(keeper.role);
    const grant = (actions: string[], ...resourceArns: string[]): void => { iam.Grant.addToPrincipal({ grantee: keeper.role, actions, resourceArns }); };
    grant(['secretsmanager:GetSecretValue'], props.readSecretArn);
    grant(['kms:Sign', 'kms:GetPublicKey'], this.signingKey.keyArn);
    grant(['s3:PutObject', 's3:PutObjectRetention', 's3:GetObject', 's3:GetObjectVersion'], `${this.statementBucket.bucketArn}/*`);
    grant(['s3:ListBucketVersions'], this.statementBucket.bucketArn);

    this.stateMachine = new sfn.StateMachine(this, 'Checkpoint', {
      stateMachineName: handlerName(controls, 'checkpoint'),
      definitionBody: sfn.DefinitionBody.fromString(readFileSync(join(packageRoot(), 'lambda', 'keeper', 'checkpoint.asl.json'), 'utf8').replaceAll('arn:aws:', `arn:${Aws.PARTITION}:`).replace('"Seconds": 240', `"Seconds": ${props.checkpointEvery.toSeconds()}`)),
      definitionSubstitutions: { KeeperFunction: keeper.function.functionArn },
      comment: 'Has the log signed soon after something was appended',
    });
    markOwn(this.stateMachine.role);
    keeper.function.grantInvoke(this.stateMachine);
    if (!props.signingKey) {
      // Whatever other policies say: statements are the keeper's.
      this.signingKey.addToResourcePolicy(new iam.PolicyStatement({
        sid: 'KeeperAloneSigns', effect: iam.Effect.DENY, principals: [new iam.AnyPrincipal()], actions: ['kms:Sign'], resources: ['*'],
        conditions: { ArnNotEquals: { 'aws:PrincipalArn': `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/${handlerName(controls, 'keeper')}` } },
      }));
    }
    const daily = new events.CfnRule(this, 'Daily', {
      description: 'Retention, verification, and whatever was left over', scheduleExpression: 'rate(1 day)',
      targets: [{ id: 'keeper', arn: keeper.function.functionArn, input: JSON.stringify({ job: 'daily' }) }],
    });
    keeper.function.addPermission('Daily', { principal: new iam.ServicePrincipal('events.amazonaws.com'), sourceArn: daily.attrArn });
    for (const [what, value] of [['statement-bucket', this.statementBucket.bucketName], ['signing-key', this.signingKey.keyArn]] as const) {
      new ssm.StringParameter(this, `Parameter-${what}`, { parameterName: parameterName(controls, what), stringValue: value });
    }
  }
}
