import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';

/** How a system outside AWS makes, tries and revokes a credential. */
export class CredentialIssuer {
  /**
   * A function that is asked to `create`, `test` and `revoke`; `cdk-agent-controls/issuer` makes its handler, for systems with an HTTP API from a
   * few lines.
   */
  public static function(fn: lambda.IFunction): CredentialIssuer { return new CredentialIssuer(fn); }

  /** @internal */
  private constructor(private readonly fn: lambda.IFunction) {}

  /** @internal */
  public get _function(): lambda.IFunction { return this.fn; }
}

/** A credential besides those of agents and handlers; agents name their schedule themselves, with `AgentIdentityProps.rotation`. */
export class RotatedCredential {
  /**
   * Access keys of one IAM user: two at a time, the old one disabled after a day, deleted before the next is made. Prefer roles; this is for systems
   * that cannot assume any.
   *
   * @param secret holds `accessKeyId` and `secretAccessKey`, as JSON.
   */
  public static accessKeys(user: iam.IUser, secret: secretsmanager.ISecret): RotatedCredential { return new RotatedCredential(secret, user, undefined); }

  /**
   * An API key of another company.
   *
   * @param secret holds the key as its issuer makes it.
   */
  public static issued(secret: secretsmanager.ISecret, issuer: CredentialIssuer): RotatedCredential { return new RotatedCredential(secret, undefined, issuer); }

  /** @internal */
  private constructor(private readonly secret: secretsmanager.ISecret, private readonly user: iam.IUser | undefined, private readonly issuer: CredentialIssuer | undefined) {}

  /** @internal */
  public get _secret(): secretsmanager.ISecret { return this.secret; }
  /** @internal */
  public get _user(): iam.IUser | undefined { return this.user; }
  /** @internal */
  public get _issuer(): CredentialIssuer | undefined { return this.issuer; }
}
