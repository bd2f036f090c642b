import { Annotations, Duration, Resource, Size } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct, IConstruct } from 'constructs';
import { grantDataApi, grantDecrypt, grantSecrets } from '../database/access';
import { IToolGate } from '../gate/tool-gate';
import { HandlerFunction } from '../handler/handler-function';
import { AppIndex } from '../registration/app-index';
import { StackRegistration } from '../registration/stack-registration';
import { ControlsError } from '../scope/controls-error';
import { Manifest } from '../scope/manifest';
import { actionFunctionName } from '../scope/names';
import { checkedVendor, isReviewOver } from '../scope/vendor';
import { ActionCode } from './action-code';
import { refuseSecrets } from './secret-in-environment';

/** Props of `AgentAction`. */
export interface AgentActionProps {
  /** Gate that offers the action. */
  readonly gate: IToolGate;
  /** Code and declaration. */
  readonly code: ActionCode;
  /** Environment of the function. Secrets are refused (`SecretInEnvironment`): name a secret here, and grant the action to read it. @default - none */
  readonly environment?: { [key: string]: string };
  /** Longest time one call may take, 1 second to 5 minutes. @default Duration.seconds(20) */
  readonly timeout?: Duration;
  /** Memory of the function. @default Size.mebibytes(256) */
  readonly memorySize?: Size;
  /** Network, for systems that are only reachable inside it. @default - outside any VPC */
  readonly vpc?: ec2.IVpc;
  /** Subnets inside `vpc`. @default - private subnets */
  readonly vpcSubnets?: ec2.SubnetSelection;
}

const AGENT_ACTION = Symbol.for('cdk-agent-controls.AgentAction');

/**
 * A tool that agents may call: forward handler and reverse, one function, one role that is not the agent's.
 *
 * Grantable: `table.grantReadWriteData(action)` and `secret.grantRead(action)` give the outside credential to the action, never to the agent.
 */
export class AgentAction extends Resource implements iam.IGrantable {
  /** Whether `construct` is an action, also one made by another copy of this library. */
  public static isAgentAction(construct: IConstruct): boolean { return AGENT_ACTION in construct; }

  /** Name that cards and agents use. */
  public readonly actionName: string;
  /** The function. Only the executor may invoke it; there is no `grantInvoke`. */
  public readonly function: lambda.IFunction;
  public readonly grantPrincipal: iam.IPrincipal;
  /** @internal */
  public readonly _manifest: Manifest;

  constructor(scope: Construct, id: string, props: AgentActionProps) {
    super(scope, id);
    Object.defineProperty(this, AGENT_ACTION, { value: true });
    const { code } = props;
    const { database } = props.gate.broker.auditLog;
    this.actionName = code.actionName;
    this._manifest = code._manifest;
    const timeout = props.timeout ?? Duration.seconds(20);
    if (timeout.toSeconds() < 1 || timeout.toSeconds() > 300) throw new ControlsError('TimeoutInvalid', `timeout of ${this.actionName} must be 1 second to 5 minutes, got ${timeout.toHumanString()}; correct it`);
    const { vendor } = code._manifest;
    if (vendor && isReviewOver(checkedVendor(this.actionName, vendor), new Date().toISOString().slice(0, 10))) {
      Annotations.of(this).addWarningV2('cdk-agent-controls:VendorReviewOver', `${this.actionName} hands data to ${vendor.name}, whose review by ${vendor.review.by} counted until ${vendor.review.until}; review it again, and give the new day`);
    }
    refuseSecrets(this.actionName, props.environment ?? {});
    const other = AppIndex.of(this).claim(`action:${database.controlsName}/${this.actionName}`, this.node.path);
    if (other !== undefined) throw new ControlsError('ActionDuplicate', `${this.node.path}: ${other} is the action ${this.actionName} already; rename one of the two`);

    const handler = new HandlerFunction(this, 'Action', {
      functionName: actionFunctionName(database.controlsName, this.actionName), code: code._folder, description: code._manifest.description.slice(0, 256), timeout,
      environment: { CONTROLS_NAME: database.controlsName, CLUSTER_ARN: database.clusterArn, DATABASE_NAME: database.databaseName, ...props.environment },
      ...(props.memorySize ? { memorySize: props.memorySize } : {}), ...(props.vpc ? { vpc: props.vpc } : {}), ...(props.vpcSubnets ? { vpcSubnets: props.vpcSubnets } : {}),
    });
    this.function = handler.function;
    this.grantPrincipal = handler.role;
    const { reads = [], writes = [], reverse = { kind: 'impossible' } } = code._manifest;
    const undone = reverse.kind !== 'impossible'; // then it keeps an image of every write, and reverses it
    if (reads.length + writes.length > 0 || undone) {
      grantDataApi(handler.role, database.clusterArn, 'transactions');
      grantSecrets(handler.role, database.controlsName, ['agent/*', ...(undone ? ['duty/reverse'] : [])], ['secretsmanager:GetSecretValue']);
      grantDecrypt(handler.role, database.controlsName, ...(undone ? ['kms:GenerateDataKey'] : []));
    }
    AppIndex.of(this).addAction(code._manifest);
    StackRegistration.of(this, database).addAction(
      () => ({ manifest: code._manifest, functionName: actionFunctionName(database.controlsName, this.actionName), bundleDigest: code._bundleDigest }), this.function,
    );
  }
}
