/** A boundary that is not as it should be does not synth, and what asks models can ask those that it names and nothing else. */
import { App, Aws, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { AccessModel, AgentAction, AgentControls, AgentIdentity, BedrockProviderProps, CredentialIssuer, DataClass, HttpProviderProps, ModelGateway, ModelProvider, ResidencyBoundary, ResidencyBoundaryProps, ScopeCard, UnclearedData, Verifier } from '../../../lib';
import { card, SEND_EMAIL } from '../../support/cards';
import { action, statements } from '../../support/stack';

const ALL = [DataClass.PUBLIC, DataClass.BUSINESS, DataClass.CONTACT, DataClass.PAYMENT];
const PROFILE = 'arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/abc';
const TERMS = { url: 'https://models.example/terms', readOn: '2026-10-01', trainsOnData: false, retentionDays: 30 };
const bedrock = (of: Partial<BedrockProviderProps> = {}): ModelProvider => ModelProvider.bedrock({ providerName: 'inside', modelId: 'eu.anthropic.claude', destinationRegions: ['eu-central-1', 'eu-west-1'], clearedFor: ALL, ...of });
const outside = (stack: Stack, of: Partial<HttpProviderProps> = {}): ModelProvider => ModelProvider.openAiCompatible({ providerName: 'outside', baseUrl: 'https://api.models.example/v1', modelIds: ['chatty'], processesIn: ['United States'], apiKey: new secretsmanager.Secret(stack, 'Key'), clearedFor: [DataClass.PUBLIC], ...of });

function place(region = 'eu-central-1'): Stack { return new Stack(new App(), 'Test', { env: { account: '111122223333', region } }); }
type Change = Partial<ResidencyBoundaryProps> | ((stack: Stack) => Partial<ResidencyBoundaryProps>);
function boundary(stack: Stack, change: Change = {}): ResidencyBoundary {
  return new ResidencyBoundary(stack, 'Residency', { regions: ['eu-central-1', 'eu-west-1'], providers: [bedrock()], owner: 'privacy@example.com', reviewBy: '2099-01-01', ...(typeof change === 'function' ? change(stack) : change) });
}
const REFUSED: readonly [string, string, Change, RegExp][] = [
  ['a region that is not written out', 'RegionInvalid', { regions: [Aws.REGION] }, /names of regions/],
  ['a region that is none', 'RegionInvalid', { regions: ['Frankfurt'] }, /got "Frankfurt"/],
  ['no region', 'BoundaryEmpty', { regions: [] }, /a region and a provider/],
  ['no provider', 'BoundaryEmpty', { providers: [] }, /a region and a provider/],
  ['a review some day', 'DayInvalid', { reviewBy: 'next year' }, /YYYY-MM-DD, got "next year"/],
  ['two providers of one name', 'ProviderDuplicate', { providers: [bedrock(), bedrock({ modelId: 'anthropic.other' })] }, /two providers are called inside/],
  ['a column without a table', 'ColumnInvalid', { columns: { email: DataClass.CONTACT } }, /got "email"/],
  ['a profile that may send anywhere', 'DestinationsUnknown', { providers: [ModelProvider.bedrock({ providerName: 'inside', modelId: 'eu.anthropic.claude', clearedFor: ALL })] }, /name them all under destinationRegions/],
  ['a profile of an application whose model nobody names', 'ModelUnknown', { providers: [bedrock({ modelId: PROFILE })] }, /foundationModelId/],
  ['a model that is asked nothing', 'ModelUnknown', (stack) => ({ providers: [outside(stack, { modelIds: [] })] }), /modelIds/],
  ['a profile of another geography', 'ProviderOutside', { providers: [bedrock({ modelId: 'us.anthropic.claude', destinationRegions: ['us-east-1', 'us-west-2'] })] }, /processes in us-east-1, us-west-2, outside of eu-central-1, eu-west-1, and is cleared for business, contact, payment/],
  ['one region of a profile that is outside', 'ProviderOutside', { providers: [bedrock({ modelId: 'apac.anthropic.claude', destinationRegions: ['eu-central-1', 'ap-south-1'] })] }, /processes in ap-south-1/],
  ['a profile of the whole world, whatever regions are named', 'ProviderOutside', { providers: [bedrock({ modelId: 'global.anthropic.claude' })] }, /processes in every region, outside of/],
  ['a profile of an application in a region outside', 'ProviderOutside', { providers: [bedrock({ modelId: PROFILE.replace('eu-central-1', 'us-east-1'), foundationModelId: 'anthropic.claude' })] }, /processes in us-east-1/],
  ['a profile of an application that sends outside', 'ProviderOutside', { providers: [bedrock({ modelId: PROFILE, foundationModelId: 'anthropic.claude', destinationRegions: ['us-east-1'] })] }, /processes in us-east-1/],
  ['an address that is not encrypted', 'AddressInvalid', (stack) => ({ providers: [outside(stack, { baseUrl: 'http://api.models.example/v1' })] }), /https/],
  ['an address with a key in it', 'AddressInvalid', (stack) => ({ providers: [outside(stack, { baseUrl: 'https://me:key@api.models.example/v1' })] }), /without query or user/],
  ['a name that no card can write', 'ProviderNameInvalid', { providers: [bedrock({ providerName: 'The Best' })] }, /got "The Best"/],
  ['a provider that sees secrets', 'SecretCleared', { providers: [bedrock({ clearedFor: [DataClass.SECRET] })] }, /no provider is cleared for secrets/],
  ['terms that were read some day', 'TermsInvalid', { providers: [bedrock({ terms: { ...TERMS, readOn: 'May' } })] }, /readOn/],
  ['terms that keep it for half a day', 'TermsInvalid', (stack) => ({ providers: [outside(stack, { terms: { ...TERMS, retentionDays: 0.5 } })] }), /whole days/],
  ['a route to nobody', 'ProviderUnknown', { uncleared: [UnclearedData.routeTo('elsewhere', DataClass.HEALTH)] }, /no provider is called so; there are inside/],
  ['a route to somebody who may not see it', 'RouteNotCleared', { uncleared: [UnclearedData.routeTo('inside', DataClass.HEALTH)] }, /health is routed to inside/],
  ['the same of one provider', 'RouteNotCleared', (stack) => ({ providers: [bedrock(), outside(stack, { uncleared: [UnclearedData.routeTo('inside', DataClass.HEALTH)] })] }), /health is routed to inside/],
  ['two ways at once', 'TreatmentTwice', { uncleared: [UnclearedData.redact(DataClass.PAYMENT), UnclearedData.block(DataClass.PAYMENT)] }, /payment is treated in two ways/],
];

describe('a boundary', () => {
  it.each(REFUSED)('with %s is refused: %s', (_, code, change, sentence) => {
    let said = '';
    try {
      boundary(place(), change);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).toMatch(new RegExp(`^${code}: Test/Residency: `));
    expect(said).toMatch(sentence);
  });

  it.each([['', 'Upper', 'unclassified', 'x'.repeat(41)]])('has no class called %j', (name) => expect(() => DataClass.of(name)).toThrow(/^DataClassInvalid: /));

  it('may name what is outside, and the whole world, for what anyone may see', () => {
    const stack = place();
    const { policyPage } = boundary(stack, { providers: [bedrock({ modelId: 'global.anthropic.claude', clearedFor: [DataClass.PUBLIC] }), outside(stack, { terms: TERMS, uncleared: [UnclearedData.block(DataClass.PAYMENT)] })], uncleared: [UnclearedData.redact(DataClass.PAYMENT)], columns: { 'leads.*': DataClass.of('badge') } });
    expect(policyPage).toMatchSnapshot();
  });

  it('names the account in which the gateway is: a name alone is anybody\'s', () => {
    const of = boundary(place());
    expect(of.serviceControlPolicy('agents', '111122223333')).toContain('"aws:PrincipalArn": "arn:aws:iam::111122223333:role/agents-gateway"');
    expect(of.endpointPolicy('agents', '111122223333')).toContain('arn:aws:iam::111122223333:role/agents-gateway');
    for (const account of ['*', Aws.ACCOUNT_ID]) expect(() => of.serviceControlPolicy('agents', account)).toThrow(/^AccountInvalid: Test\/Residency/);
  });

  it('has keys of providers rotated that have an issuer, and warns of the others', () => {
    const stack = place();
    const issuer = new lambda.Function(stack, 'Issuer', { functionName: 'issuer', runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
    new AgentControls(stack, 'Controls', { residency: boundary(stack, { providers: [outside(stack, { keyIssuer: CredentialIssuer.function(issuer) }), ModelProvider.openAiCompatible({ providerName: 'plain', baseUrl: 'https://plain.example', modelIds: ['m'], processesIn: ['x'], apiKey: new secretsmanager.Secret(stack, 'Plain'), clearedFor: [] })] }) });
    const template = Template.fromStack(stack);
    const of = (id: string): string => template.toJSON().Resources[Object.keys(template.findResources('AWS::SecretsManager::RotationSchedule', { Properties: { SecretId: { Ref: Match.stringLikeRegexp(`^${id}[0-9A-F]{8}$`) } } }))[0] ?? '']?.Type;
    expect([of('Key'), of('Plain')]).toEqual(['AWS::SecretsManager::RotationSchedule', undefined]);
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('the key of plain is never replaced'));
    Annotations.fromStack(stack).hasNoWarning('*', Match.stringLikeRegexp('the key of outside is never replaced'));
  });

  it('warns of a provider whose review is over', () => {
    const review = (reviewUntil: string) => ({ reviewedBy: 'appsec@example.com', reviewUntil, escalation: 'support@models.example' });
    const stack = place();
    boundary(stack, { providers: [bedrock({ vendorReview: review('2026-01-31') }), outside(stack, { vendorReview: review('2026-02-28') }), bedrock({ providerName: 'good', vendorReview: review('2999-12-31') })] });
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('the provider inside is Amazon Web Services, whose review by appsec@example.com counted until 2026-01-31'));
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('the provider outside is api.models.example, whose review by appsec@example.com counted until 2026-02-28'));
    Annotations.fromStack(stack).hasNoWarning('*', Match.stringLikeRegexp('the provider good'));
    expect(() => boundary(place(), { providers: [bedrock({ vendorReview: review('soon') })] })).toThrow(/^VendorInvalid: /);
  });

  it('warns when its page was to be read again', () => {
    const stack = place();
    boundary(stack, { reviewBy: '2020-01-01' });
    Annotations.fromStack(stack).hasWarning('*', Match.stringLikeRegexp('was to be reviewed by 2020-01-01'));
  });
});

describe('what keeps data', () => {
  const synth = (region: string | undefined, change: Change, keeps: (stack: Stack) => unknown): string => {
    const app = new App();
    const stack = new Stack(app, 'Test', region === undefined ? {} : { env: { region } });
    keeps(stack);
    boundary(stack, change);
    try {
      app.synth();
      return 'synthesizes';
    } catch (error) {
      return (error as Error).message;
    }
  };
  it.each<[string, (stack: Stack) => unknown]>([
    ['a bucket', (stack) => new s3.Bucket(stack, 'Keeps')], ['a log group', (stack) => new logs.LogGroup(stack, 'Keeps')], ['a table', (stack) => new dynamodb.TableV2(stack, 'Keeps', { partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING } })], ['a secret', (stack) => new secretsmanager.Secret(stack, 'Keeps')],
    ['the database of a control plane', (stack) => new AgentControls(stack, 'Keeps')],
  ])('does not synth outside of the boundary, nor where nobody knows: %s', (_, keeps) => {
    expect(synth('us-east-1', {}, keeps)).toMatch(/OutsideBoundary: Test\/Keeps.* keeps data in us-east-1, outside of eu-central-1, eu-west-1; move it/);
    expect(synth(undefined, {}, keeps)).toMatch(/RegionUnknown: Test\/Keeps.* keeps data, and its stack has no region; set env\.region of Test/);
    expect(synth('eu-west-1', {}, keeps)).toBe('synthesizes');
  });

  it('may be elsewhere where the boundary does not look', () => {
    expect(synth('us-east-1', (stack) => ({ enforceOn: new Stack(stack.node.root as App, 'Else', { env: { region: 'eu-west-1' } }) }), (stack) => new s3.Bucket(stack, 'Keeps'))).toBe('synthesizes');
  });

  it('is a copy in another region, too', () => {
    expect(synth('eu-central-1', {}, (stack) => new dynamodb.TableV2(stack, 'Keeps', { partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING }, replicas: [{ region: 'us-east-1' }] }))).toMatch(/OutsideBoundary: Test\/Keeps.* us-east-1/);
    expect(synth('eu-central-1', {}, (stack) => new secretsmanager.Secret(stack, 'Keeps', { replicaRegions: [{ region: 'us-east-1' }] }))).toMatch(/OutsideBoundary: Test\/Keeps.* us-east-1/);
  });
});

describe('a gateway', () => {
  const made = (change: Change = (stack) => ({ providers: [bedrock(), outside(stack)] })): { app: App; stack: Stack; controls: AgentControls; send: AgentAction; template: () => Template } => {
    const stack = place();
    const controls = new AgentControls(stack, 'Controls', { residency: boundary(stack, change) });
    const send = controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
    controls.addAgent('Closer', { card: ScopeCard.fromObject(card((of) => { of.models = ['inside']; })) });
    return { app: stack.node.root as App, stack, controls, send, template: () => Template.fromStack(stack) };
  };

  it('can ask the models that the policy names, read their keys, and do nothing else', () => {
    const template = made().template();
    expect(statements(template, 'agent-controls-gateway')).toMatchSnapshot();
    expect(statements(template, 'agent-controls-broker').filter((line) => line.includes('kms:'))).toMatchSnapshot();
  });

  it.each([
    ['a profile of a geography', { modelId: 'eu.anthropic.claude' }], ['one of an application', { modelId: PROFILE, foundationModelId: 'anthropic.claude' }],
  ])('asks %s, and of its model only where the policy says that it may send', (_, of) => {
    const lines = statements(made(() => ({ providers: [bedrock(of)] })).template(), 'agent-controls-gateway').filter((line) => /^bedrock:InvokeModel on/.test(line));
    expect(lines).toEqual([
      expect.stringMatching(/inference-profile/), 'bedrock:InvokeModel on arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude', 'bedrock:InvokeModel on arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude',
    ].sort());
  });

  it('asks one of the whole world wherever it may send, for what anyone may see', () => {
    const lines = statements(made(() => ({ providers: [bedrock({ modelId: 'global.anthropic.claude', clearedFor: [DataClass.PUBLIC] })] })).template(), 'agent-controls-gateway');
    expect(lines.filter((line) => /^bedrock:InvokeModel on/.test(line))).toEqual([
      'bedrock:InvokeModel on arn:aws:bedrock:::foundation-model/anthropic.claude', 'bedrock:InvokeModel on arn:aws:bedrock:eu-central-1:*:inference-profile/global.anthropic.claude', 'bedrock:InvokeModel on arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude',
    ]);
    expect(lines.find((line) => line.startsWith('DENY bedrock:* on *'))).toContain('["eu-central-1","unspecified"]');
  });

  it('is in an app that no agent goes around', () => AccessModel.fromApp(made().app).assertNoBypass());

  const ask = new iam.PolicyStatement({ actions: ['bedrock:InvokeModel'], resources: ['arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude'] });
  const bot = ({ stack, controls }: ReturnType<typeof made>): iam.Role => {
    const role = new iam.Role(stack, 'Bot', { roleName: 'bot', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    (controls.node.findChild('Closer') as AgentIdentity).grantStartRun(role);
    return role;
  };
  it.each<[string, RegExp, (of: ReturnType<typeof made>) => unknown]>([
    ['a program that asks a model itself', /Test\/Bot\/Resource may ask a model by itself \(bedrock:InvokeModel\)/, (of) => bot(of).addToPolicy(ask)],
    ['an action that does', /Test\/Controls\/SendEmail\/.* may ask a model by itself \(bedrock:InvokeModel\)/, ({ send }) => send.grantPrincipal.addToPrincipalPolicy(ask)],
    ...['bedrock:Rerank', 'bedrock:CreateEvaluationJob', 'sagemaker:InvokeEndpointAsync', 'bedrock-mantle:CreateInference', 'bedrock-agentcore:InvokeGateway', 'qbusiness:ChatSync'].map((name): [string, RegExp, (of: ReturnType<typeof made>) => unknown] => [`an action that may ${name}`, new RegExp(`may ask a model by itself \\(${name}\\)`), ({ send }) => send.grantPrincipal.addToPrincipalPolicy(new iam.PolicyStatement({ actions: [name], resources: ['*'] }))]),
    ['an action that does, by a managed policy', /may ask a model by itself \(.*AmazonBedrockFullAccess\)/, ({ send }) => (send.grantPrincipal as iam.Role).addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName('AmazonBedrockFullAccess'))],
  ])('is not gone around by %s', (_, sentence, change) => {
    const of = made();
    change(of);
    expect(() => of.app.synth()).toThrow(sentence);
  });

  it('and whoever else asks models is listed', () => {
    const of = made();
    new iam.Role(of.stack, 'Stranger', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }).addToPolicy(ask);
    expect(AccessModel.fromApp(of.app).unproven().filter((line) => line.includes('model'))).toEqual([expect.stringMatching(/^Test\/Stranger\w+ may ask a model by itself \(bedrock:InvokeModel\), and what it tells the model is not seen here$/)]);
  });

  it('is for programs that ask it: without one, a program may think with a model of its own', () => {
    const stack = place();
    const controls = new AgentControls(stack, 'Controls');
    const role = new iam.Role(stack, 'Bot', { roleName: 'bot', assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    controls.addAction('SendEmail', { code: action(SEND_EMAIL) });
    controls.addAgent('Closer', { card: ScopeCard.fromObject(card()) }).grantStartRun(role);
    role.addToPolicy(ask);
    AccessModel.fromApp(stack.node.root).assertNoBypass();
  });

  it('is there once', () => {
    const { stack, controls } = made();
    expect(() => new ModelGateway(stack, 'Other', { boundary: controls.modelGateway?.boundary as ResidencyBoundary, broker: controls.broker })).toThrow(/^GatewayDuplicate: .*one boundary decides/);
  });

  it('belongs to the app that makes broker and boundary', () => {
    const stack = place();
    const broker = AgentControls.fromControlsName(stack, 'Elsewhere', 'agent-controls').broker;
    expect(() => new ModelGateway(stack, 'Gateway', { boundary: boundary(stack), broker })).toThrow(/^BrokerImported: /);
  });

  it('takes no more calls at a time than it is told', () => {
    const stack = place();
    new ModelGateway(stack, 'Gateway', { boundary: boundary(stack), broker: new AgentControls(stack, 'Controls').broker, maxConcurrency: 20 });
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'agent-controls-gateway', ReservedConcurrentExecutions: 20 });
  });

  it('asks examiners, and only those', () => {
    const stack = place();
    const controls = new AgentControls(stack, 'Controls');
    const examiner = new lambda.Function(stack, 'Examiner', { functionName: 'examiner', runtime: lambda.Runtime.NODEJS_24_X, handler: 'index.handler', code: lambda.Code.fromInline('x') });
    new ModelGateway(stack, 'Gateway', { boundary: boundary(stack), broker: controls.broker, examiners: [examiner] });
    expect(statements(Template.fromStack(stack), 'agent-controls-gateway').filter((line) => line.startsWith('lambda:'))).toMatchSnapshot();
  });

  it('is for providers that a card may name', () => {
    const { app, controls } = made();
    controls.addAgent('Other', { card: ScopeCard.fromObject(card((of) => { of.agent = 'other'; of.models = ['nobody']; })) });
    expect(() => app.synth()).toThrow(/ProviderUnknown: the card of other names the model provider nobody, and the residency policy does not: it has inside, outside; correct models/);
  });
});

describe('a verifier that is a model', () => {
  const made = (modelId: string, isGoverned = true): App => {
    const stack = place();
    new AgentControls(stack, 'Controls', { verifier: Verifier.model({ modelId, policy: 'Refuse what is bad.' }), ...(isGoverned ? { residency: boundary(stack) } : {}) });
    return stack.node.root as App;
  };
  it('invokes the gateway, and can do nothing else', () => {
    const app = made('inside');
    expect(statements(Template.fromStack(app.node.findChild('Test') as Stack), 'agent-controls-model-verifier')).toMatchSnapshot();
    AccessModel.fromApp(app).assertNoBypass();
  });

  it('needs a gateway, that of its control plane, and a provider that the policy has', () => {
    expect(() => made('inside', false).synth()).toThrow(/GatewayMissing: .*agent-controls has no model gateway/);
    expect(() => made('somebody/else').synth()).toThrow(/ProviderUnknown: .*asks somebody\/else, and the residency policy has inside/);
    const stack = place();
    const other = new AgentControls(stack, 'Other', { controlsName: 'others', residency: boundary(stack) });
    new AgentControls(stack, 'Controls', { verifier: Verifier.model({ modelId: 'inside', policy: 'x', gateway: other.modelGateway }) });
    expect(() => (stack.node.root as App).synth()).toThrow(/GatewayMissing: .*Test\/Other\/ModelGateway is no gateway of agent-controls/);
  });

  it.each([['no policy', ' '], ['a long one', 'x'.repeat(3_001)]])('with %s is refused', (_, policy) => expect(() => Verifier.model({ modelId: 'inside', policy })).toThrow(/^VerifierPolicyInvalid: .*1 to 3000 bytes/));
});
