import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { markOwn } from '../access/own';
import { ControlsError } from '../scope/controls-error';
import { packageRoot } from '../scope/package-root';
import { folderDigest } from './folder-digest';

/** What every function of the control plane has in common. */
export interface HandlerFunctionProps {
  /** Physical name of function and role: other stacks and policies know them by it. */
  readonly functionName: string;
  /** Folder with `index.js`. */
  readonly code: string;
  readonly description: string;
  readonly environment?: { [key: string]: string };
  readonly timeout?: Duration;
  readonly memorySize?: Size;
  readonly vpc?: ec2.IVpc;
  readonly vpcSubnets?: ec2.SubnetSelection;
}

/** A function with a role of its own that can write its own log and nothing else, until it is granted more. */
export class HandlerFunction extends Construct {
  public readonly function: lambda.Function;
  public readonly role: iam.Role;
  public readonly logGroup: logs.ILogGroup;

  public constructor(scope: Construct, id: string, props: HandlerFunctionProps) {
    super(scope, id);
    this.role = new iam.Role(this, 'Role', { roleName: props.functionName, assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'), description: props.description });
    markOwn(this.role);
    if (props.functionName.length > 64) throw new ControlsError('NameTooLong', `${props.functionName} has ${props.functionName.length} characters, AWS takes 64; shorten controlsName or the name of the action`);
    this.logGroup = new logs.LogGroup(this, 'Log', { retention: logs.RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY });
    this.logGroup.grantWrite(this.role);
    if (props.vpc) this.role.addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSLambdaVPCAccessExecutionRole'));
    this.function = new lambda.Function(this, 'Function', {
      functionName: props.functionName,
      description: props.description,
      role: this.role,
      logGroup: this.logGroup,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'index.handler',
      code: lambda.Code.fromAsset(props.code),
      timeout: props.timeout ?? Duration.seconds(29),
      memorySize: (props.memorySize ?? Size.mebibytes(256)).toMebibytes(),
      environment: props.environment ?? {},
      ...(props.vpc ? { vpc: props.vpc } : {}),
      ...(props.vpcSubnets ? { vpcSubnets: props.vpcSubnets } : {}),
    });
  }
}

/**
 * Folder of a handler that this package ships.
 *
 * @throws `BundleMissing`, `BundleChanged` when it is not the code that was built: what is deployed must be what was tested.
 */
export function handlerCode(handler: string): string {
  const folder = join(packageRoot(), 'dist', 'lambda', handler);
  const digests = join(packageRoot(), 'dist', 'lambda', 'digests.json');
  if (!existsSync(digests) || !existsSync(join(folder, 'index.js'))) throw new ControlsError('BundleMissing', `there is no ${folder}; run npm run build:bundles`);
  const expected = (JSON.parse(readFileSync(digests, 'utf8')) as Record<string, string>)[handler];
  if (folderDigest(folder) !== expected) {
    throw new ControlsError('BundleChanged', `${folder} is not the code that was built with this package; install or build it again`);
  }
  return folder;
}
