import { Aws, Duration, IResource, Resource } from 'aws-cdk-lib';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { anchored } from '../audit/anchored';
import { EVIDENCE_ROUTE, KEEPER_ROUTES } from '../audit/audit-keeper';
import { AuditLogTable, IAuditLogTable } from '../audit/audit-log-table';
import { secretArnPattern } from '../database/access';
import { CardApprover } from '../card/card-approver';
import { DutyLogin } from '../database/duty-login';
import { addSignedRoute, invokeArn } from '../gate/api-route';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { AppIndex } from '../registration/app-index';
import { StackRegistration } from '../registration/stack-registration';
import { CROWN_JEWELS } from '../scope/compile-aws';
import { ControlsError } from '../scope/controls-error';
import { agentBoundaryName, agentPolicyName, agentRoleName, handlerName, parameterName, RUN_ROUTES, SCOPE_STAGE } from '../scope/names';

/** The only principal that may assume an agent's role; it starts runs and records them. */
export interface IRunBroker extends IResource {
  /** Log that runs are written to. */
  readonly auditLog: IAuditLogTable;
  /** Role of the broker, the one principal in every agent's trust policy. */
  readonly role: iam.IRole;
  /**
   * Id of the HTTP API that agents talk to; IAM authorisation on every route.
   *
   * @attribute
   */
  readonly apiId: string;
}

/** Props of `RunBroker`. */
export interface RunBrokerProps {
  /** Log that runs are written to. */
  readonly auditLog: IAuditLogTable;
  /**
   * How long a run's credentials live, 15 minutes to 59 minutes.
   *
   * @default Duration.minutes(30)
   */
  readonly sessionDuration?: Duration;
  /**
   * Security owners, whose signature puts a card in force. Once somebody is named here, no card is in force without.
   *
   * @default - nobody: cards of environments with synthetic data are in force at once, others never
   */
  readonly cardApprovers?: CardApprover[];
  /**
   * People who grant standing approvals, by name on a card; they approve nothing else.
   *
   * @default - nobody
   */
  readonly standingApprovers?: CardApprover[];
  /**
   * How long after its `review-by` date a card still starts runs; whole days.
   *
   * @default - for ever; synth warns, and every run says so in the log
   */
  readonly reviewGrace?: Duration;
}

/** What another app must know of a broker whose control plane does not follow the naming rule. */
export interface RunBrokerAttributes {
  /** Log of the control plane. */
  readonly auditLog: IAuditLogTable;
  /** ARN of the broker's role. */
  readonly roleArn: string;
  /** Id of the HTTP API. */
  readonly apiId: string;
}

/** Starts runs: checks the caller, reads the scope fresh, hands out credentials that end inside the hour. */
export class RunBroker extends Resource implements IRunBroker {
  /** Refers to a broker of another app; creates nothing. */
  public static fromRunBrokerAttributes(scope: Construct, id: string, attrs: RunBrokerAttributes): IRunBroker {
    return new ImportedRunBroker(scope, id, attrs);
  }

  public readonly auditLog: IAuditLogTable;
  public readonly role: iam.IRole;
  /** @attribute */
  public readonly apiId: string;
  /**
   * Address of the API that agents talk to.
   *
   * @attribute
   */
  public readonly url: string;
  /** @internal */
  public readonly _function: lambda.Function;

  constructor(scope: Construct, id: string, props: RunBrokerProps) {
    super(scope, id);
    this.auditLog = props.auditLog;
    const { database } = props.auditLog;
    const controls = database.controlsName;
    const session = props.sessionDuration ?? Duration.minutes(30);
    if (session.isUnresolved() || session.toSeconds() < 900 || session.toSeconds() > 59 * 60) {
      throw new ControlsError('SessionDurationInvalid', `sessionDuration must be 15 to 59 minutes, written out, got ${session.toString()}; AWS gives no shorter session, and no token may reach an hour`);
    }

    const api = new apigatewayv2.HttpApi(this, 'Api', { apiName: controls, description: `Runs, calls and holds of the agents of ${controls}`, createDefaultStage: false });
    // The API has no WAF and no limit per client: a hostile agent must not be able to use up the account's.
    new apigatewayv2.HttpStage(this, 'Stage', { httpApi: api, stageName: '$default', autoDeploy: true, throttle: { rateLimit: 50, burstLimit: 100 } });
    this.apiId = api.apiId;
    this.url = api.apiEndpoint;
    new ssm.StringParameter(this, 'Parameter-api-id', { parameterName: parameterName(controls, 'api-id'), stringValue: api.apiId });

    const login = new DutyLogin(this, 'Login', database, 'broker');
    const broker = new HandlerFunction(this, 'Broker', {
      functionName: handlerName(controls, 'broker'), code: handlerCode('broker'), description: 'Starts runs of agents',
      environment: { ...login.environment, SESSION_SECONDS: String(session.toSeconds()), PARTITION: Aws.PARTITION, ACCOUNT: Aws.ACCOUNT_ID, API_ARN: this.stack.formatArn({ service: 'execute-api', resource: api.apiId }) },
    });
    this.role = broker.role;
    this._function = broker.function;
    anchored(broker, props.auditLog);
    login.grantUse(broker.role);
    broker.role.addToPrincipalPolicy(new iam.PolicyStatement({
      actions: ['secretsmanager:GetSecretValue'],
      resources: [secretArnPattern(this, controls, 'agent/*')],
      conditions: { StringEquals: { 'secretsmanager:VersionStage': SCOPE_STAGE } }, // the scope, never the password beside it
    }));
    broker.role.addToPrincipalPolicy(new iam.PolicyStatement({
      actions: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
      resources: [`arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/${agentRoleName(controls, '*')}`],
    }));
    addSignedRoute(this, 'StartRun', api.apiId, 'POST', '/agents/{agent}/runs', broker.function);
    addSignedRoute(this, 'Ask', api.apiId, 'POST', '/agents/{agent}/requests', broker.function);
    if (props.auditLog instanceof AuditLogTable) {
      for (const [id, method, path] of [...KEEPER_ROUTES, EVIDENCE_ROUTE]) addSignedRoute(this, id, api.apiId, method, path, props.auditLog._keeper);
    }
    const signers = [...(props.cardApprovers ?? []).map((of) => ({ name: of.approverName, publicKey: of.publicKey, security: true })), ...(props.standingApprovers ?? []).map((of) => ({ name: of.approverName, publicKey: of.publicKey, security: false }))];
    const twice = signers.find((signer, index) => signers.findIndex((other) => other.name === signer.name || other.publicKey.trim() === signer.publicKey.trim()) !== index);
    if (twice) throw new ControlsError('CardApproverDuplicate', `${twice.name} or the key of ${twice.name} is there twice; a person has one name, one key and one duty`);
    StackRegistration.of(this, database).addSigners(signers, props.reviewGrace?.toDays() ?? null);
    AppIndex.of(this).addSigners(controls, signers);

    const gate = RUN_ROUTES.map(([method, path]) => invokeArn(this, api.apiId, method, path));
    const crownJewels = [
      new iam.PolicyStatement({ effect: iam.Effect.DENY, actions: [...CROWN_JEWELS], resources: ['*'] }),
      new iam.PolicyStatement({ effect: iam.Effect.DENY, actions: ['execute-api:Invoke'], notResources: gate }),
    ];
    // One policy for all agents, however many: what each may do, and what none may. It is attached, and a boundary like it is set,
    // so that neither a wider role nor a lost boundary alone opens anything.
    new iam.ManagedPolicy(this, 'AgentPolicy', {
      managedPolicyName: agentPolicyName(controls),
      statements: [new iam.PolicyStatement({ actions: ['execute-api:Invoke'], resources: gate }), ...crownJewels],
    });
    new iam.ManagedPolicy(this, 'AgentBoundary', {
      managedPolicyName: agentBoundaryName(controls),
      statements: [new iam.PolicyStatement({ actions: ['*'], resources: ['*'] }), ...crownJewels],
    });
  }

  /** @internal Has every run get a token for the model gateway. */
  public _handOutTokens(key: kms.IKey, url: string): void {
    this._function.addEnvironment('GATEWAY_KEY_ARN', key.keyArn);
    this._function.addEnvironment('GATEWAY_URL', url);
    key.grant(this.role, 'kms:Sign');
  }
}

class ImportedRunBroker extends Resource implements IRunBroker {
  public readonly auditLog: IAuditLogTable;
  public readonly role: iam.IRole;
  public readonly apiId: string;

  constructor(scope: Construct, id: string, attrs: RunBrokerAttributes) {
    super(scope, id);
    this.auditLog = attrs.auditLog;
    this.apiId = attrs.apiId;
    this.role = iam.Role.fromRoleArn(this, 'Role', attrs.roleArn, { mutable: false });
  }
}
