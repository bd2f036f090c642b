import { Aws, CustomResource, Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as cognito from 'aws-cdk-lib/aws-cognito';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { IControlsDatabase } from '../database/controls-database';
import { ControlsError, shown } from '../scope/controls-error';

/** Options of a new user pool. */
export interface NewUserPoolProps {
  /** Groups to create, besides those that tiers and cards name. @default - only those */
  readonly groups?: string[];
  /** What happens to the pool, and with it to who is in which group, when it leaves the app. @default RemovalPolicy.RETAIN */
  readonly removalPolicy?: RemovalPolicy;
}

/** Options of an OpenID Connect directory. */
export interface OpenIdConnectProps {
  /** Issuer, an `https` URL without trailing slash, as the token's `iss` spells it. */
  readonly issuerUrl: string;
  /** Client id of the page: a public client, which signs in with a code and PKCE and redirects to `<url>`. */
  readonly clientId: string;
  /**
   * What the issuer makes access tokens for, as in their `aud`: the identifier of an API, and not the client id, which is what ID tokens are made for.
   * The access token must be a JWT with `auth_time`, and `amr` or `acr` (RFC 9068).
   */
  readonly audience: string;
  /** Claim of the user info that lists groups; asked at every decision. @default 'groups' */
  readonly groupsClaim?: string;
  /** Values of `amr` that count as MFA (RFC 8176); a token without any is refused. @default ['mfa'] - a key alone is one factor */
  readonly mfaMethods?: string[];
  /** Values of `acr` that count as MFA, too. @default - none */
  readonly mfaContexts?: string[];
  /** Scopes that the page asks for. Card owners are compared with every name they let the issuer tell. @default ['openid', 'profile', 'email'] */
  readonly scopes?: string[];
}

/** What a page makes of a directory. */
export interface BoundDirectory {
  /** What the handler is told. */
  readonly settings: object;
  readonly userPool?: cognito.IUserPool;
}

type Bind = (scope: Construct, page: { readonly url: string; readonly database: IControlsDatabase; eachGroup(made: (name: string) => void): void }) => BoundDirectory;

/** Where approvers sign in. People are known by issuer and subject; MFA and groups are asked of the directory at every decision. */
export class ApproverDirectory {
  /** A new Cognito user pool: TOTP required, people are added by an administrator, retained. */
  public static newUserPool(props: NewUserPoolProps = {}): ApproverDirectory {
    return new ApproverDirectory((scope, page) => {
      const pool = new cognito.UserPool(scope, 'UserPool', {
        userPoolName: `${page.database.controlsName}-approvers`, selfSignUpEnabled: false, signInAliases: { username: true }, signInCaseSensitive: false,
        mfa: cognito.Mfa.REQUIRED, mfaSecondFactor: { otp: true, sms: false }, accountRecovery: cognito.AccountRecovery.NONE, passwordPolicy: { minLength: 14, tempPasswordValidity: Duration.days(3) },
        removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN, deletionProtection: (props.removalPolicy ?? RemovalPolicy.RETAIN) === RemovalPolicy.RETAIN,
      });
      pool.addDomain('Domain', { cognitoDomain: { domainPrefix: `${page.database.controlsName}-${Aws.ACCOUNT_ID}` } });
      const addGroup = (groupName: string): unknown => scope.node.tryFindChild(`Group-${groupName}`) ?? new cognito.CfnUserPoolGroup(scope, `Group-${groupName}`, { userPoolId: pool.userPoolId, groupName });
      (props.groups ?? []).forEach(addGroup);
      page.eachGroup(addGroup);
      return withClient(scope, pool, page.url);
    });
  }

  /**
   * A Cognito user pool that exists, with a domain to sign in at; a client for the page is added to it. Federated people are refused: they skip
   * the pool's MFA.
   *
   * @throws `MfaNotRequired` at synth when the pool is made in this app without required MFA. An imported pool is asked at
   * deploy, and the deploy fails; any pool is asked again at every decision.
   */
  public static userPool(pool: cognito.IUserPool): ApproverDirectory {
    return new ApproverDirectory((scope, { url, database }) => {
      const made = pool.node.defaultChild;
      if (made instanceof cognito.CfnUserPool) {
        if (made.mfaConfiguration !== 'ON') throw new ControlsError('MfaNotRequired', `${pool.node.path}: mfa must be Mfa.REQUIRED, got ${shown(made.mfaConfiguration ?? 'OFF')}; whoever approves must have a second factor`);
      } else {
        new CustomResource(scope, 'Mfa', { resourceType: 'Custom::AgentControlsDirectory', serviceToken: database.registrarServiceToken, serviceTimeout: Duration.minutes(2), properties: { UserPoolId: pool.userPoolId } });
      }
      return withClient(scope, pool, url);
    });
  }

  /**
   * Any OpenID Connect issuer that makes JWT access tokens and answers user info.
   *
   * @throws `IssuerInvalid`, `AudienceInvalid`
   */
  public static openIdConnect(props: OpenIdConnectProps): ApproverDirectory {
    const { issuerUrl: issuer, clientId, audience } = props;
    if (!Token.isUnresolved(issuer) && !/^https:\/\/[^/?#\s]+(\/[^?#\s]*[^/?#\s])?$/.test(issuer)) throw new ControlsError('IssuerInvalid', `issuerUrl must be an https URL without trailing slash, got ${shown(issuer)}; write it as the token's iss spells it`);
    if (audience === clientId || audience === '') throw new ControlsError('AudienceInvalid', `audience must name an API and differ from clientId, got ${shown(audience)}; with the client id for an audience an ID token would pass for an access token`);
    const amr = props.mfaMethods ?? ['mfa'];
    if (amr.length + (props.mfaContexts ?? []).length === 0) throw new ControlsError('MfaNotRequired', 'mfaMethods and mfaContexts are both empty; name what proves a second factor');
    return new ApproverDirectory(() => ({ settings: { kind: 'oidc', issuer, clientId, audience, groupsClaim: props.groupsClaim ?? 'groups', amr, acr: props.mfaContexts ?? [], scopes: props.scopes ?? ['openid', 'profile', 'email'] } }));
  }

  /** @internal */
  public readonly _bind: Bind;

  private constructor(bind: Bind) { this._bind = bind; }
}

function withClient(scope: Construct, pool: cognito.IUserPool, url: string): BoundDirectory {
  const client = pool.addClient('ApprovalPage', {
    generateSecret: false, authFlows: {}, preventUserExistenceErrors: true, enableTokenRevocation: true, supportedIdentityProviders: [cognito.UserPoolClientIdentityProvider.COGNITO],
    oAuth: { flows: { authorizationCodeGrant: true }, scopes: [cognito.OAuthScope.OPENID], callbackUrls: [url], logoutUrls: [url] },
    accessTokenValidity: Duration.minutes(15), idTokenValidity: Duration.minutes(15), refreshTokenValidity: Duration.hours(1),
    writeAttributes: new cognito.ClientAttributes().withStandardAttributes({ nickname: true }), // nobody renames themselves into somebody else
  });
  (client.node.defaultChild as cognito.CfnUserPoolClient).explicitAuthFlows = ['ALLOW_REFRESH_TOKEN_AUTH']; // left out, a pool gives tokens to programs, too
  const settings = { kind: 'cognito', issuer: pool instanceof cognito.UserPool ? pool.userPoolProviderUrl : `https://cognito-idp.${Stack.of(scope).region}.${Aws.URL_SUFFIX}/${pool.userPoolId}`, clientId: client.userPoolClientId, userPoolId: pool.userPoolId };
  return { settings, userPool: pool };
}

/** What asks a pool whether MFA is required, at deploy and at every decision. */
export function grantAskMfa(grantee: iam.IGrantable, pool: cognito.IUserPool, more: readonly string[] = []): void {
  iam.Grant.addToPrincipal({ grantee, actions: ['cognito-idp:GetUserPoolMfaConfig', ...more], resourceArns: [pool.userPoolArn] });
}
