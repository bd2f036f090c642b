import * as rds from 'aws-cdk-lib/aws-rds';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { IDependable } from 'constructs';

/** What a `ControlsDatabase` needs of its cluster. */
export interface BoundCluster {
  readonly cluster: rds.IDatabaseCluster;
  readonly ownerSecret: secretsmanager.ISecret;
  readonly databaseName: string;
  /** What must exist before the first statement: the instance that answers it. */
  readonly ready: IDependable | undefined;
  /** How long its backups are kept, where this app says so. */
  readonly backupDays?: number;
}
