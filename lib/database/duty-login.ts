import { RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { AppIndex } from '../registration/app-index';
import { StackRegistration } from '../registration/stack-registration';
import { Duty, dutyLogin, dutySecretName } from '../scope/names';
import { grantDataApi, grantDecrypt } from './access';
import { IControlsDatabase } from './controls-database';

/** The Postgres login of one duty: a secret, made here, and a login that the registrar makes from it. */
export class DutyLogin extends Construct {
  public readonly secret: secretsmanager.Secret;

  public constructor(scope: Construct, id: string, private readonly database: IControlsDatabase, duty: Duty) {
    super(scope, id);
    this.secret = new secretsmanager.Secret(this, 'Secret', {
      secretName: dutySecretName(database.controlsName, duty),
      description: `Postgres login of the ${duty}`,
      encryptionKey: kms.Alias.fromAliasName(this, 'Key', `alias/${database.controlsName}`),
      // Byte for byte for ever: any change makes CloudFormation generate a new password.
      generateSecretString: { secretStringTemplate: JSON.stringify({ username: dutyLogin(database.controlsName, duty) }), generateStringKey: 'password', excludePunctuation: true, passwordLength: 40 },
      removalPolicy: RemovalPolicy.DESTROY,
    });
    StackRegistration.of(this, database).addDuty(duty, this.secret);
    AppIndex.of(this).addDuty(database.controlsName, { scope: this, secretArn: this.secret.secretArn });
  }

  /** Lets `grantee` run statements as this login, and as no other. */
  public grantUse(grantee: iam.IGrantable): iam.Grant {
    iam.Grant.addToPrincipal({ grantee, actions: ['secretsmanager:GetSecretValue'], resourceArns: [this.secret.secretArn] });
    grantDecrypt(grantee, this.database.controlsName);
    return grantDataApi(grantee, this.database.clusterArn);
  }

  /** What a handler finds in its environment. */
  public get environment(): { [key: string]: string } {
    return {
      CONTROLS_NAME: this.database.controlsName, CLUSTER_ARN: this.database.clusterArn, DATABASE_NAME: this.database.databaseName, LOGIN_SECRET_ARN: this.secret.secretArn,
    };
  }
}
