import { Duration, IResource, RemovalPolicy, Resource, Size, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { anchored } from '../audit/anchored';
import { DutyLogin } from '../database/duty-login';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { IRunBroker, RunBroker } from '../identity/run-broker';
import { AppIndex } from '../registration/app-index';
import { StackRegistration } from '../registration/stack-registration';
import { ControlsError } from '../scope/controls-error';
import { handlerName } from '../scope/names';
import { bedrockResources } from '../scope/residency';
import { IResidencyBoundary, ResidencyBoundary } from './residency-boundary';

/** The only way from an agent to a model. */
export interface IModelGateway extends IResource {
  /** Boundary it keeps. */
  readonly boundary: IResidencyBoundary;
  /**
   * Base URL for existing SDKs: of Bedrock as it is, of OpenAI with `v1` behind it. Every run is told it, with a token.
   *
   * @attribute
   */
  readonly url: string;
}

/** Props of `ModelGateway`. */
export interface ModelGatewayProps {
  /** Boundary it keeps. */
  readonly boundary: IResidencyBoundary;
  /** Broker whose runs may ask a model. */
  readonly broker: IRunBroker;
  /**
   * Functions that find what no pattern finds, such as names or diagnoses: with Comprehend, a guardrail, a model of your own.
   *
   * Each is asked `{ texts: [...] }` before anything is sent, and answers `{ found: [{ text, start, end, dataClass }] }`: the place of a text, and a
   * range in it. One that fails blocks the call.
   *
   * @default - the built-in detectors alone
   */
  readonly examiners?: lambda.IFunction[];
  /** Longest answer of a model, up to 15 minutes. @default Duration.minutes(5) */
  readonly timeout?: Duration;
  /**
   * Most calls at a time. The address is open to whoever knows it, and who has no token is refused in milliseconds, but not for nothing: with a limit,
   * a flood takes nothing from the other functions of the account.
   *
   * @default - that of the account, which a new one may not divide
   */
  readonly maxConcurrency?: number;
}

/** Calls models for agents: labels, detectors, redaction, routing; every call is a decision of the log. */
export class ModelGateway extends Resource implements IModelGateway {
  public readonly boundary: IResidencyBoundary;
  /** @attribute */
  public readonly url: string;

  constructor(scope: Construct, id: string, props: ModelGatewayProps) {
    super(scope, id);
    const { boundary, broker } = props;
    if (!(broker instanceof RunBroker) || !(boundary instanceof ResidencyBoundary)) throw new ControlsError('BrokerImported', `${this.node.path}: the gateway belongs to the app that makes broker and boundary, got imported ones; make it there`);
    this.boundary = boundary;
    const { auditLog } = broker;
    const { database } = auditLog;
    const controls = database.controlsName;
    const other = AppIndex.of(this).claim(`gateway:${controls}`, this.node.path);
    if (other !== undefined) throw new ControlsError('GatewayDuplicate', `${this.node.path}: ${other} is the gateway of ${controls} already; one boundary decides`);

    // The broker signs, the gateway checks: whoever has no token does not get as far as the database.
    const key = new kms.Key(this, 'Key', { keySpec: kms.KeySpec.ECC_NIST_P256, keyUsage: kms.KeyUsage.SIGN_VERIFY, description: `Tokens of the model gateway of ${controls}`, removalPolicy: RemovalPolicy.DESTROY });
    const login = new DutyLogin(this, 'Login', database, 'gateway');
    const { _policy: policy, _keys: keys } = boundary;
    const gateway = new HandlerFunction(this, 'Gateway', {
      functionName: handlerName(controls, 'gateway'), code: handlerCode('gateway'), description: 'Asks models for agents, within the residency policy', timeout: props.timeout ?? Duration.minutes(5), memorySize: Size.mebibytes(512),
      environment: {
        ...login.environment, GATEWAY_KEY_ARN: key.keyArn,
        PROVIDER_KEYS: Stack.of(this).toJsonString(Object.fromEntries([...keys].map(([name, secret]) => [name, secret.secretArn]))),
        ...(props.examiners?.length ? { EXAMINERS: Stack.of(this).toJsonString(props.examiners.map(({ functionArn }) => functionArn)) } : {}),
      },
    });
    if (props.maxConcurrency !== undefined) (gateway.function.node.defaultChild as lambda.CfnFunction).reservedConcurrentExecutions = props.maxConcurrency;
    login.grantUse(gateway.role);
    anchored(gateway, auditLog);
    key.grant(gateway.role, 'kms:GetPublicKey');
    for (const secret of keys.values()) secret.grantRead(gateway.role);
    for (const examiner of props.examiners ?? []) examiner.grantInvoke(gateway.role);
    const models = policy.providers.filter(({ kind }) => kind === 'bedrock').flatMap(bedrockResources);
    if (models.length > 0) gateway.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['bedrock:InvokeModel', 'bedrock:InvokeModelWithResponseStream'], resources: models }));
    boundary.denyOutside(gateway.role);

    const url = gateway.function.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE, invokeMode: lambda.InvokeMode.RESPONSE_STREAM });
    this.url = url.url;
    StackRegistration.of(this, database).addResidency(policy);
    AppIndex.of(this).addGateway(controls, { path: this.node.path, providers: policy.providers.map(({ name }) => name) });
    broker._handOutTokens(key, this.url);
  }
}
