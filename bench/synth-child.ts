/** One synth in a process of its own: prints CPU, resources and bytes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, CfnResource, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { AgentFleet, ScopeCard } from '../lib';
import { agentLogin, agentRoleName, agentSecretName } from '../lib/scope/names';

const [kind, count] = [process.argv[2], Number(process.argv[3])];
const base = ScopeCard.fromFile(join(__dirname, '..', 'examples', 'cards', 'outreach-closer.yaml'))._card;
const cards = Array.from({ length: count }, (_, index) => ScopeCard.fromObject({ ...base, agent: `agent-${index}`, 'failure-modes': [{ bad: 'It reads too much at once.', 'found-by': { anomaly: 'rate-spike' } }], scopes: base.scopes.map((scope) => ({ ...scope, call: [] })) }));

const began = process.cpuUsage();
const app = new App();
const STACKS = 10; // a stack takes 500 resources
if (kind === 'controls') {
  new AgentFleet(app, 'Fleet', { controlsName: 'agents', cards, stackCount: STACKS });
} else {
  const stacks = Array.from({ length: STACKS }, (_, index) => new Stack(app, `Fleet${index}`));
  const registrations = stacks.map((stack) => new CfnResource(stack, 'Registration', { type: 'Custom::AgentControlsRegistration' }));
  const arn = (resource: string): string => Fn.sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:${resource}`);
  cards.forEach(({ agentName }, index) => {
    const stack = stacks[index % STACKS] as Stack;
    new iam.CfnRole(stack, `Role${index}`, {
      roleName: agentRoleName('agents', agentName), maxSessionDuration: 3_600, permissionsBoundary: arn('policy/agents-agent-boundary'), managedPolicyArns: [arn('policy/agents-agent-policy')],
      assumeRolePolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: arn('root') }, Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], Condition: { ArnEquals: { 'aws:PrincipalArn': arn('role/agents-broker') } } }] },
    });
    const secret = new secretsmanager.CfnSecret(stack, `Secret${index}`, { name: agentSecretName('agents', agentName), kmsKeyId: 'alias/agents', generateSecretString: { secretStringTemplate: JSON.stringify({ username: agentLogin('agents', agentName) }), generateStringKey: 'password', excludePunctuation: true, passwordLength: 40 } });
    secret.applyRemovalPolicy(RemovalPolicy.DESTROY);
    new secretsmanager.CfnRotationSchedule(stack, `Rotation${index}`, { secretId: secret.ref, rotateImmediatelyOnUpdate: false, rotationLambdaArn: Fn.sub(`arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:agents-rotate`), rotationRules: { duration: '2h', scheduleExpression: 'cron(0 3 1/16 * ? *)' } })
      .addResourceDependency(registrations[index % STACKS] as CfnResource);
  });
}
const assembly = app.synth({ force: true });
const { user, system } = process.cpuUsage(began);
const templates = readdirSync(assembly.directory).filter((name) => name.endsWith('.template.json')).map((name) => JSON.parse(readFileSync(join(assembly.directory, name), 'utf8')) as { Resources?: object });
process.stdout.write(JSON.stringify({
  cpuMs: (user + system) / 1_000, resources: templates.reduce((sum, { Resources }) => sum + Object.keys(Resources ?? {}).length, 0), bytes: templates.reduce((sum, template) => sum + Buffer.byteLength(JSON.stringify(template)), 0),
}));
