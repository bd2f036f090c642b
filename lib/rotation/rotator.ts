import { Aws, CfnResource, Duration, Fn, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { anchored } from '../audit/anchored';
import { grantDecrypt, grantSecrets } from '../database/access';
import { DutyLogin } from '../database/duty-login';
import { addSignedRoute, invokeArn } from '../gate/api-route';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { RunBroker } from '../identity/run-broker';
import { ControlsError } from '../scope/controls-error';
import { agentBoundaryName, agentRoleName, handlerName, LEAK_EVENT, ROTATION_ROUTES } from '../scope/names';
import { RotatedCredential } from './rotated-credential';

/** ARN of the rotation function of a control plane, by name. */
export function rotatorArn(controls: string): string {
  return Fn.sub(`arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${handlerName(controls, 'rotate')}`);
}

/** Most credentials besides those of agents and handlers: the function knows them from its environment, which takes 4 KB. */
const MOST_CREDENTIALS = 12;

/** Secrets Manager tells the function the whole ARN; one that is known by name alone would never be found. */
function fullArn(scope: Construct, secret: secretsmanager.ISecret): string {
  if (secret.secretFullArn === undefined) throw new ControlsError('SecretPartial', `${scope.node.path}: ${secret.node.path} is known by a part of its ARN; refer to it with fromSecretCompleteArn`);
  return secret.secretFullArn;
}

/** The one function that rotates whatever a control plane rotates. Its policy names agents and handlers by pattern, so it does not grow with them. */
export class Rotator extends Construct {
  /** What must be there before a schedule is: Secrets Manager tries the function when the schedule is made. */
  public readonly ready: readonly CfnResource[];
  public readonly handler: HandlerFunction;

  public constructor(scope: Construct, id: string, broker: RunBroker, credentials: readonly RotatedCredential[], alarmTopic: sns.ITopic | undefined) {
    super(scope, id);
    if (credentials.length > MOST_CREDENTIALS) throw new ControlsError('CredentialsTooMany', `${this.node.path}: one control plane rotates at most ${MOST_CREDENTIALS} credentials besides those of agents and handlers, got ${credentials.length}; give some to a control plane of their own`);
    const { database } = broker.auditLog;
    const controls = database.controlsName;
    const login = new DutyLogin(this, 'Login', database, 'rotate');
    const rotate = new HandlerFunction(this, 'Rotate', {
      functionName: handlerName(controls, 'rotate'), code: handlerCode('rotate'), description: 'Replaces credentials, on schedule and after a leak',
      environment: { ...login.environment, API_URL: broker.url, CREDENTIALS: Stack.of(this).toJsonString(credentials.map(({ _secret: secret, _user: user, _issuer: issuer }) => ({
        arn: fullArn(this, secret), name: secret.secretName, ...(user ? { user: user.userName } : {}), ...(issuer ? { issuer: issuer._function.functionName } : {}),
      }))) },
    });
    this.handler = rotate;
    const { role } = rotate;
    login.grantUse(role);
    anchored(rotate, broker.auditLog);

    grantSecrets(role, controls, ['agent/*', 'duty/*'], ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage', 'secretsmanager:DescribeSecret', 'secretsmanager:ListSecretVersionIds', 'secretsmanager:RotateSecret']);
    // A pending version is tried through a secret that is there for no longer; the Data API reads it on this function's behalf.
    grantSecrets(role, controls, ['probe/*'], ['secretsmanager:CreateSecret', 'secretsmanager:GetSecretValue', 'secretsmanager:DeleteSecret']);
    role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['secretsmanager:ListSecrets'], resources: ['*'] })); // AWS takes no narrower resource
    grantDecrypt(role, controls, 'kms:GenerateDataKey');
    this.mayEndSessions(broker, controls);
    credentials.forEach((credential) => this.mayRotate(credential));

    const permission = new Construct(this, 'Permission');
    rotate.function.addPermission('SecretsManager', { principal: new iam.ServicePrincipal('secretsmanager.amazonaws.com'), sourceAccount: Aws.ACCOUNT_ID, scope: permission });
    const policy = role.node.findChild('DefaultPolicy').node.defaultChild as CfnResource;
    this.ready = [policy, ...permission.node.findAll().filter((child): child is CfnResource => CfnResource.isCfnResource(child))];
    for (const [method, path] of ROTATION_ROUTES) addSignedRoute(this, 'Route', broker.apiId, method, path, rotate.function);
    new events.Rule(this, 'Daily', { description: 'Clears what rotations left behind', schedule: events.Schedule.rate(Duration.days(1)), targets: [new targets.LambdaFunction(rotate.function)] });
    new events.Rule(this, 'Leaks', {
      description: 'Replaces the credential that leaked', eventBus: events.EventBus.fromEventBusName(this, 'Bus', controls),
      eventPattern: { source: [LEAK_EVENT.source], detailType: [LEAK_EVENT.detailType] }, targets: [new targets.LambdaFunction(rotate.function)],
    });
    this.alarm(alarmTopic);
  }

  /** After a leak: denies sessions from before, and sees one refused. */
  private mayEndSessions(broker: RunBroker, controls: string): void {
    const { role } = this.handler;
    role.addToPrincipalPolicy(new iam.PolicyStatement({
      actions: ['iam:PutRolePolicy'], resources: [`arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/${agentRoleName(controls, '*')}`],
      conditions: { StringEquals: { 'iam:PermissionsBoundary': `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:policy/${agentBoundaryName(controls)}` } }, // only roles that no policy widens
    }));
    role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['execute-api:Invoke'], resources: [invokeArn(this, broker.apiId, 'POST', '/agents/*/probe')] }));
  }

  private mayRotate({ _secret: secret, _user: user, _issuer: issuer }: RotatedCredential): void {
    const { role } = this.handler;
    role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecretVersionStage', 'secretsmanager:DescribeSecret', 'secretsmanager:ListSecretVersionIds', 'secretsmanager:RotateSecret'], resources: [secret.secretArn] }));
    secret.encryptionKey?.grantEncryptDecrypt(role);
    if (user) role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['iam:ListAccessKeys', 'iam:CreateAccessKey', 'iam:UpdateAccessKey', 'iam:DeleteAccessKey', 'iam:PutUserPolicy'], resources: [user.userArn] }));
    if (issuer) issuer._function.grantInvoke(role);
  }

  /** Whatever fails here is a rotation that did not go well, a credential that is late, or a leak that is not answered. */
  private alarm(alarmTopic: sns.ITopic | undefined): void {
    const { function: rotate } = this.handler;
    const alarms = [
      new cloudwatch.Alarm(this, 'Failed', { metric: rotate.metricErrors({ period: Duration.minutes(5) }), threshold: 1, evaluationPeriods: 1, comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD, treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING, alarmDescription: 'A rotation failed or is late, or a leak could not be answered; its log group says which, and page 05-rotation of agent-controls evidence' }),
      new cloudwatch.Alarm(this, 'Asleep', { metric: rotate.metricInvocations({ period: Duration.days(1) }), threshold: 1, evaluationPeriods: 1, comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD, treatMissingData: cloudwatch.TreatMissingData.BREACHING, alarmDescription: 'The rotation function has not run for a day: nobody would see a rotation that hangs' }),
    ];
    if (alarmTopic) for (const alarm of alarms) alarm.addAlarmAction({ bind: () => ({ alarmActionArn: alarmTopic.topicArn }) });
  }
}
