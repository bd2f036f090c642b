/** The example CDK app: four agents of a company that sells software. `npx cdk synth`, `npx cdk deploy`, or `npm start` without an account. */
import { join } from 'node:path';
import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { residencyOf } from './app-residency';
import { ActionCode, AgentControls, AnomalyResponse, AnomalyRule, ScopeCard } from '../lib';

const examples = join(__dirname, '..', 'examples');
const app = new App();
const stack = new Stack(app, 'AgentControlsExample', { env: { region: 'eu-central-1' }, description: 'Agents inside a box that passes a security review' });

// Ten writes in five minutes are many for agents as small as these: from then on every write of the agent waits for people.
const bulk = AnomalyRule.bulkWrites(10, Duration.minutes(5), { response: AnomalyResponse.HOLD_EVERYTHING });
const controls = new AgentControls(stack, 'Controls', {
  removalPolicy: RemovalPolicy.DESTROY, residency: residencyOf(stack), anomalyRules: [bulk, ...AnomalyRule.defaults().filter(({ ruleName }) => ruleName !== bulk.ruleName)],
});

const sendEmail = controls.addAction('SendEmail', {
  code: ActionCode.fromEntry(join(examples, 'actions', 'send-email.ts')),
  environment: { FROM_ADDRESS: 'outreach@example.com' },
});
// The right to send belongs to the action; the agent never has it.
sendEmail.grantPrincipal.addToPrincipalPolicy(new iam.PolicyStatement({
  actions: ['ses:SendEmail'],
  resources: [stack.formatArn({ service: 'ses', resource: 'identity', resourceName: 'example.com' })],
}));
controls.addAction('UpdateTier', { code: ActionCode.fromEntry(join(examples, 'actions', 'update-tier.ts')) });
controls.addAction('IssueRefund', { code: ActionCode.fromEntry(join(examples, 'actions', 'issue-refund.ts')) });
controls.addAction('AmendContract', { code: ActionCode.fromEntry(join(examples, 'actions', 'amend-contract.ts')) });

const card = (name: string): ScopeCard => ScopeCard.fromFile(join(examples, 'cards', `${name}.yaml`));
const closer = controls.addAgent('OutreachCloser', { card: card('outreach-closer') });
const tierer = controls.addAgent('CrmTierer', { card: card('crm-tierer') });
const refunder = controls.addAgent('Refunder', { card: card('refunder') });
const clerk = controls.addAgent('ContractClerk', { card: card('contract-clerk') });

// The roles that the agents' own programs run as. Each can start runs of its agent, and nothing else.
const program = (id: string, roleName: string): iam.Role => new iam.Role(stack, id, { roleName, assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
closer.grantStartRun(program('OutreachBot', 'outreach-bot'));
tierer.grantStartRun(program('CrmBot', 'crm-bot'));
refunder.grantStartRun(program('RefundBot', 'refund-bot'));
clerk.grantStartRun(program('ContractBot', 'contract-bot'));

// The systems that say what was asked. They get no credentials of an agent.
tierer.grantTrigger(program('UsageReport', 'usage-report'));
refunder.grantTrigger(program('HelpDesk', 'help-desk'));
clerk.grantTrigger(program('ContractDesk', 'contract-desk'));

new CfnOutput(stack, 'ApiUrl', { value: controls.url });

app.synth();
