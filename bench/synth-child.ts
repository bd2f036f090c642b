/** One synth in a process of its own: prints CPU, resources and bytes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Fn, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { AgentIdentity, AgentControls, ScopeCard } from '../lib';
import { agentLogin, agentRoleName, agentSecretName } from '../lib/scope/names';

const [kind, count] = [process.argv[2], Number(process.argv[3])];
const base = ScopeCard.fromFile(join(__dirname, '..', 'examples', 'cards', 'outreach-closer.yaml'))._card;
const cards = Array.from({ length: count }, (_, index) => ScopeCard.fromObject({ ...base, agent: `agent-${index}`, scopes: base.scopes.map((scope) => ({ ...scope, call: [] })) }));

const began = process.cpuUsage();
const app = new App();
const stack = new Stack(app, 'Fleet');
if (kind === 'controls') {
  const { broker } = AgentControls.fromControlsName(stack, 'Controls', 'agents');
  cards.forEach((card, index) => new AgentIdentity(stack, `Agent${index}`, { card, broker }));
} else {
  const arn = (resource: string): string => Fn.sub(`arn:\${AWS::Partition}:iam::\${AWS::AccountId}:${resource}`);
  cards.forEach(({ agentName }, index) => {
    new iam.CfnRole(stack, `Role${index}`, {
      roleName: agentRoleName('agents', agentName), maxSessionDuration: 3_600, permissionsBoundary: arn('policy/agents-agent-boundary'), managedPolicyArns: [arn('policy/agents-agent-policy')],
      assumeRolePolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: arn('root') }, Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], Condition: { ArnEquals: { 'aws:PrincipalArn': arn('role/agents-broker') } } }] },
    });
    new secretsmanager.CfnSecret(stack, `Secret${index}`, { name: agentSecretName('agents', agentName), kmsKeyId: 'alias/agents', generateSecretString: { secretStringTemplate: JSON.stringify({ username: agentLogin('agents', agentName) }), generateStringKey: 'password', excludePunctuation: true, passwordLength: 40 } })
      .cfnOptions.deletionPolicy = 'Delete' as never;
  });
}
const assembly = app.synth({ force: true });
const { user, system } = process.cpuUsage(began);
const text = readFileSync(join(assembly.directory, 'Fleet.template.json'), 'utf8');
const template = JSON.parse(text) as { Resources?: object };
process.stdout.write(JSON.stringify({ cpuMs: (user + system) / 1_000, resources: Object.keys(template.Resources ?? {}).length, bytes: Buffer.byteLength(JSON.stringify(template)) }));
