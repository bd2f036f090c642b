import { Duration, Lazy, Resource } from 'aws-cdk-lib';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import * as cognito from 'aws-cdk-lib/aws-cognito';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { markOwn } from '../access/own';
import { addOpenRoute, addSignedRoute, invokeArn } from '../gate/api-route';
import { IToolGate, ToolGate } from '../gate/tool-gate';
import { RunBroker } from '../identity/run-broker';
import { ControlsError } from '../scope/controls-error';
import { ApproverDirectory, grantAskMfa } from './approver-directory';
import { HoldQueue } from './hold-queue';

/** Props of `ApprovalPage`. */
export interface ApprovalPageProps {
  /** Gate whose holds are shown; an approval with changes is a new call through it. */
  readonly gate: IToolGate;
  /** Where approvers sign in. @default ApproverDirectory.newUserPool() */
  readonly directory?: ApproverDirectory;
  /** How recent a sign-in must be to decide a hold of people, 1 to 60 minutes. @default Duration.minutes(15) */
  readonly signInWithin?: Duration;
}

/** Routes of the page. None is signed: the handler asks for a token on every one that says or does anything. */
const ROUTES = [
  ['Document', 'GET', '/approve'], ['Script', 'GET', '/approve/page.js'], ['Style', 'GET', '/approve/page.css'], ['Token', 'POST', '/approve/token'], ['Open', 'GET', '/approve/open'], ['Holds', 'GET', '/approve/holds'],
  ['Hold', 'GET', '/approve/holds/{holdId}'], ['Saw', 'GET', '/approve/holds/{holdId}/saw/{decisionId}'], ['Verdict', 'POST', '/approve/holds/{holdId}/verdict'], ['Changes', 'POST', '/approve/holds/{holdId}/changes'],
] as const;

/** The page on which people see what an agent saw and what it will do, and decide. */
export class ApprovalPage extends Resource {
  /**
   * Address of the page. Announcements carry `<url>?hold=ID`, which opens one hold.
   *
   * @attribute
   */
  public readonly url: string;
  /** The user pool, when approvers sign in through Cognito. */
  public readonly userPool?: cognito.IUserPool;

  constructor(scope: Construct, id: string, props: ApprovalPageProps) {
    super(scope, id);
    const { gate, signInWithin = Duration.minutes(15) } = props;
    const { holdQueue: queue, broker } = gate;
    if (!(gate instanceof ToolGate) || !(queue instanceof HoldQueue) || !(broker instanceof RunBroker)) throw new ControlsError('GateImported', `${this.node.path}: the page belongs to the app that makes gate, hold queue and broker, got imported ones; make the page there`);
    if (signInWithin.toSeconds() < 60 || signInWithin.toSeconds() > 3_600) throw new ControlsError('SignInWithinInvalid', `signInWithin must be 1 to 60 minutes, got ${signInWithin.toHumanString()}; correct it`);
    const { database } = queue.auditLog;

    // An API of its own: what agents ask for, however often, does not use up what people are let through.
    const api = new apigatewayv2.HttpApi(this, 'Api', { apiName: `${database.controlsName}-approvals`, description: 'The approval page', createDefaultStage: false });
    markOwn(api);
    api.addStage('Stage', { stageName: '$default', autoDeploy: true, throttle: { rateLimit: 20, burstLimit: 40 } });
    this.url = `${api.apiEndpoint}/approve`;
    const bound = (props.directory ?? ApproverDirectory.newUserPool())._bind(this, { url: this.url, database, eachGroup: (made) => queue._eachGroup(made) });
    if (bound.userPool) this.userPool = bound.userPool;

    const decide = queue._decide;
    for (const [name, value] of Object.entries({
      DIRECTORY: this.stack.toJsonString(bound.settings), SIGN_IN_WITHIN_SECONDS: String(signInWithin.toSeconds()), APPROVER_GROUPS: Lazy.string({ produce: () => JSON.stringify(queue._groups()) }), STATE_MACHINE_ARN: queue.stateMachineArn,
      API_URL: broker.url,
    })) decide.addEnvironment(name, value);
    queue._expiry.addEnvironment('PAGE_URL', this.url); // announcements carry a link
    const role = decide.role as iam.IRole;
    if (bound.userPool) grantAskMfa(role, bound.userPool, ['cognito-idp:AdminGetUser', 'cognito-idp:AdminListGroupsForUser']);
    iam.Grant.addToPrincipal({ grantee: role, actions: ['states:ListExecutions'], resourceArns: [queue.stateMachineArn] });
    iam.Grant.addToPrincipal({ grantee: role, actions: ['execute-api:Invoke'], resourceArns: [invokeArn(this, broker.apiId, 'POST', '/changes')] });
    addSignedRoute(this, 'Change', broker.apiId, 'POST', '/changes', gate._function);
    for (const [route, method, path] of ROUTES) addOpenRoute(this, `Page${route}`, api.apiId, method, path, decide);
  }
}
