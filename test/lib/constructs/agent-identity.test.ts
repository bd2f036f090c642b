import { generateKeyPairSync } from 'node:crypto';
import { App, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { describe, expect, it } from 'vitest';
import { AgentControls, AgentIdentity, CardApprover, ScopeCard } from '../../../lib';
import { agentPolicyName, agentRoleName } from '../../../lib/scope/names';
import { card, SEND_EMAIL } from '../../support/cards';
import { action, stack } from '../../support/stack';

function controls(of = stack()): { of: Stack; controls: AgentControls } {
  const made = new AgentControls(of, 'Controls');
  made.addAction('SendEmail', { code: action(SEND_EMAIL) });
  return { of, controls: made };
}
const synth = (of: Stack): string => {
  try {
    App.of(of)?.synth();
  } catch (error) {
    return (error as Error).message;
  }
  return 'synthesizes';
};
const named = (name: string): ScopeCard => ScopeCard.fromObject(card((of) => { of.agent = name; }));

describe('an agent', () => {
  it('is a role and a secret of its own', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    const template = Template.fromStack(of);
    const own = Object.fromEntries(Object.entries(template.toJSON().Resources as Record<string, unknown>).filter(([id]) => id.startsWith('ControlsCloser')));
    expect(own).toMatchSnapshot();
  });

  it('can be assumed by the broker only, with a session name, a tag and a source identity', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    Template.fromStack(of).hasResourceProperties('AWS::IAM::Role', {
      RoleName: agentRoleName('agent-controls', 'outreach-closer'),
      MaxSessionDuration: 3_600,
      AssumeRolePolicyDocument: { Statement: [{ Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], Condition: { ArnEquals: { 'aws:PrincipalArn': Match.anyValue() } } }] },
    });
  });

  it('gets the AWS statements of its card, and the refusals all the same', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: ScopeCard.fromObject(card((it) => { it.scopes[0].aws = [{ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::papers/*'] }]; })) });
    Template.fromStack(of).hasResourceProperties('AWS::IAM::Role', {
      Policies: [{ PolicyDocument: { Statement: [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::papers/*'] }] } }],
      PermissionsBoundary: Match.anyValue(), ManagedPolicyArns: [{ 'Fn::Sub': `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:policy/${agentPolicyName('agent-controls')}` }],
    });
  });

  it('lets its compute start its runs and no other agent\'s', () => {
    const { of, controls: made } = controls();
    const bot = new iam.Role(of, 'Bot', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    made.addAgent('Closer', { card: ScopeCard.fromObject(card()) }).grantStartRun(bot);
    Template.fromStack(of).hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: { Statement: [{ Action: 'execute-api:Invoke', Resource: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('/\\*/POST/agents/outreach-closer/runs$')])] } }] }, Roles: [{ Ref: Match.stringLikeRegexp('^Bot') }],
    });
  });

  it('keeps its secret in production when the stack goes', () => {
    const of = stack();
    const made = new AgentControls(of, 'Controls', { environment: 'prod' });
    made.addAction('SendEmail', { code: action(SEND_EMAIL) });
    made.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    Template.fromStack(of).hasResource('AWS::SecretsManager::Secret', { Properties: { Name: 'agent-controls/agent/outreach-closer' }, DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  });
});

describe('synth refuses', () => {
  it('two agents of one name', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    expect(() => new AgentIdentity(of, 'Again', { card: ScopeCard.fromObject(card()), broker: made.broker })).toThrow(/^AgentDuplicate: Test\/Again: agent outreach-closer has role, secret and login at Test\/Controls\/Closer already/);
  });

  it('two agents given one role, by an override', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: named('closer') });
    const other = made.addAgent('Other', { card: named('other') });
    (other.node.findChild('Role') as iam.CfnRole).roleName = agentRoleName('agent-controls', 'closer');
    expect(synth(of)).toMatch(/IdentityShared: .*role and secret of an agent are its own/);
  });

  it('a role of somebody else under the name of an agent\'s', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: named('closer') });
    new iam.Role(of, 'Stranger', { roleName: agentRoleName('agent-controls', 'closer'), assumedBy: new iam.AccountRootPrincipal() });
    expect(synth(of)).toMatch(/IdentityShared: Test\/Stranger\/Resource takes the role of agent closer/);
  });

  it('a card whose actions nobody declares', () => {
    const of = stack();
    new AgentControls(of, 'Controls').addAgent('Closer', { card: ScopeCard.fromObject(card()) });
    expect(synth(of)).toMatch(/the card of outreach-closer: ActionUnknown: scopes\[0\]\.call\[0\]\.action: got "send_email"/);
  });

  it('a card with a tier that the queue does not offer', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: ScopeCard.fromObject(card((it) => { it.scopes[0].call[0].approval = { tier: 'four-eyes' }; })) });
    expect(synth(of)).toMatch(/TierUnknown: .*got "four-eyes", the hold queue offers auto, standing, verify, human, contract, same-day/);
  });

  it('a card whose holds nobody could decide', () => {
    const { of, controls: made } = controls();
    made.addAgent('Closer', { card: ScopeCard.fromObject(card((it) => { delete it.scopes[0].call[0].approval.approvers; })) });
    expect(synth(of)).toMatch(/ApproverMissing: calls of outreach-closer wait for people, and neither its card nor a tier of Test\/Controls\/Holds names approvers/);
  });

  it('approvers that nobody could be', () => {
    const { of, controls: made } = controls();
    new AgentIdentity(of, 'Closer', { card: ScopeCard.fromObject(card()), broker: made.broker });
    expect(synth(of)).toMatch(/ApproverUnknown: .*names the approvers sales-leads/);
  });

  it('a card that holds a value known only at deploy', () => {
    const of = stack();
    expect(() => ScopeCard.fromObject(card((it) => { it.purpose = `Runs in the region ${of.region}, wherever that is.`; }))).toThrow(/^CardNeedsLiteral: card\.purpose/);
  });
});

describe('who may approve cards', () => {
  const key = (): string => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const [one, two] = [key(), key()];
  it.each([
    ['one key under two names', [CardApprover.fromPublicKey('ada', one)], [CardApprover.fromPublicKey('bo', one)]],
    ['one name with two keys', [CardApprover.fromPublicKey('ada', one), CardApprover.fromPublicKey('ada', two)], []],
  ])('is refused: %s', (_what, cardApprovers, standingApprovers) => {
    expect(() => new AgentControls(new Stack(new App(), 'Test'), 'Controls', { cardApprovers, standingApprovers })).toThrow(/^CardApproverDuplicate: .* a person has one name, one key and one duty/);
  });
});

describe('an agent that only a trigger may ask', () => {
  const warned = (trigger: boolean): boolean => {
    const app = new App();
    const of = new Stack(app, 'Test');
    const controls = new AgentControls(of, 'Controls');
    controls.addAction('Send', { code: action(SEND_EMAIL) });
    const agent = controls.addAgent('Asked', { card: ScopeCard.fromObject(card((made) => { made.request = { 'trusted-from': 'trigger' }; })) });
    if (trigger) agent.grantTrigger(new iam.Role(of, 'Desk', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
    app.synth();
    return agent.node.metadata.some(({ data }) => String(data).includes('call grantTrigger'));
  };
  it('is warned of when none may', () => expect([warned(false), warned(true)]).toEqual([true, false]));
});
