import { IResource, Resource } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { grantDataApi, grantDecrypt } from '../database/access';
import { IControlsDatabase } from '../database/controls-database';
import { DutyLogin } from '../database/duty-login';

/** One row per decision, chained. There is no grant to update or delete: the absence is the control. */
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
  /** Lets `grantee` append entries of kinds `app.*`: the Data API on this cluster, and the append secret. */
  grantAppend(grantee: iam.IGrantable): iam.Grant;
  /** Lets `grantee` read decisions: the Data API on this cluster, and the read secret. */
  grantRead(grantee: iam.IGrantable): iam.Grant;
  /** Lets `grantee` run `agent-controls audit verify`: what `grantRead` gives, since entries and payload are read-only to it. */
  grantVerify(grantee: iam.IGrantable): iam.Grant;
}

/** Props of `AuditLogTable`. */
export interface AuditLogTableProps {
  /** Database of the control plane. */
  readonly database: IControlsDatabase;
}

/** What another app must know of an audit log whose control plane does not follow the naming rule. */
export interface AuditLogTableAttributes {
  /** Database that holds the log. */
  readonly database: IControlsDatabase;
  /** ARN of the append secret. */
  readonly appendSecretArn: string;
  /** ARN of the read secret. */
  readonly readSecretArn: string;
}

abstract class AuditLogTableBase extends Resource implements IAuditLogTable {
  public abstract readonly database: IControlsDatabase;
  public abstract readonly appendSecretArn: string;
  public abstract readonly readSecretArn: string;

  public grantAppend(grantee: iam.IGrantable): iam.Grant { return this.grantUse(grantee, this.appendSecretArn); }
  public grantRead(grantee: iam.IGrantable): iam.Grant { return this.grantUse(grantee, this.readSecretArn); }
  public grantVerify(grantee: iam.IGrantable): iam.Grant { return this.grantRead(grantee); }

  private grantUse(grantee: iam.IGrantable, secretArn: string): iam.Grant {
    iam.Grant.addToPrincipal({ grantee, actions: ['secretsmanager:GetSecretValue'], resourceArns: [secretArn] });
    grantDecrypt(grantee, this.database.controlsName);
    return grantDataApi(grantee, this.database.clusterArn);
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
  private append: DutyLogin | undefined;

  constructor(scope: Construct, id: string, props: AuditLogTableProps) {
    super(scope, id);
    this.database = props.database;
    this.readSecretArn = new DutyLogin(this, 'Reader', this.database, 'auditor').secret.secretArn;
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

  constructor(scope: Construct, id: string, attrs: AuditLogTableAttributes) {
    super(scope, id);
    this.database = attrs.database;
    this.appendSecretArn = attrs.appendSecretArn;
    this.readSecretArn = attrs.readSecretArn;
  }
}
