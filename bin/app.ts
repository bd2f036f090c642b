/** The example CDK app: one agent that follows up with leads. `npx cdk synth`, `npx cdk deploy`, or `npm start` without an account. */
import { join } from 'node:path';
import { App, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ActionCode, AgentControls, ScopeCard } from '../lib';

const examples = join(__dirname, '..', 'examples');
const app = new App();
const stack = new Stack(app, 'AgentControlsExample', { description: 'An agent inside a box that passes a security review' });

const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY });

const sendEmail = controls.addAction('SendEmail', {
  code: ActionCode.fromEntry(join(examples, 'actions', 'send-email.ts')),
  environment: { FROM_ADDRESS: 'outreach@example.com' },
});
// The right to send belongs to the action; the agent never has it.
sendEmail.grantPrincipal.addToPrincipalPolicy(new iam.PolicyStatement({
  actions: ['ses:SendEmail'],
  resources: [stack.formatArn({ service: 'ses', resource: 'identity', resourceName: 'example.com' })],
}));

const closer = controls.addAgent('OutreachCloser', { card: ScopeCard.fromFile(join(examples, 'cards', 'outreach-closer.yaml')) });

// The role that the agent's own program runs as. It can start runs of this agent, and nothing else.
const bot = new iam.Role(stack, 'OutreachBot', { roleName: 'outreach-bot', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
closer.grantStartRun(bot);

new CfnOutput(stack, 'ApiUrl', { value: controls.url });

app.synth();
