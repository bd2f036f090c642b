import { Annotations, CfnResource, IResource, Resource, Stack, Token } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, IConstruct } from 'constructs';
import { RotatedCredential } from '../rotation/rotated-credential';
import { ControlsError, shown } from '../scope/controls-error';
import { EVERYWHERE, isInferenceProfile, ProviderPolicy, ResidencyPolicy, Uncleared, unseen } from '../scope/residency';
import { residencyPage } from '../scope/residency-page';
import { deniesOutside, endpointPolicy, serviceControlPolicy } from '../scope/residency-policies';
import { checkedVendor, isReviewOver, Vendor } from '../scope/vendor';
import { DataClass } from './data-class';
import { BedrockProviderProps, HttpProviderProps, ModelProvider, UnclearedData } from './model-provider';

/** Which data may be where, and which provider may see it. */
export interface IResidencyBoundary extends IResource {
  /** Regions that data may be in. */
  readonly regions: string[];
  /** Adds the explicit denies to a role: no model outside the boundary, whatever else the role may. */
  denyOutside(role: iam.IRole): void;
}

/** Props of `ResidencyBoundary`. */
export interface ResidencyBoundaryProps {
  /** Regions that data may be in; literal names. */
  readonly regions: string[];
  /** Providers, and what each may see. */
  readonly providers: ModelProvider[];
  /** What happens to a class that the asked provider may not see. @default - the call is blocked */
  readonly uncleared?: UnclearedData[];
  /** Classes of columns, by `table.column` or `table.*`: what an agent reads carries its class through the run. @default - none, so whatever is read counts as unclassified */
  readonly columns?: { [column: string]: DataClass };
  /** Class of prose in which no detector finds anything. @default DataClass.BUSINESS */
  readonly prose?: DataClass;
  /** Person or team that answers for the page. */
  readonly owner: string;
  /** Day the page must be read again, `YYYY-MM-DD`; a past day is a warning at synth. */
  readonly reviewBy: string;
  /**
   * What is checked: every database, table, bucket and log group below it must be in `regions` (`OutsideBoundary`).
   *
   * A stack without a literal region is refused (`RegionUnknown`): set `env.region`.
   *
   * @default - the whole app
   */
  readonly enforceOn?: IConstruct;
}

/** Types of resources that keep data. */
const KEEPS_DATA = new Set(['AWS::RDS::DBCluster', 'AWS::RDS::DBInstance', 'AWS::RDS::GlobalCluster', 'AWS::S3::Bucket', 'AWS::Logs::LogGroup', 'AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable', 'AWS::SQS::Queue', 'AWS::SNS::Topic', 'AWS::EFS::FileSystem', 'AWS::EC2::Volume', 'AWS::OpenSearchService::Domain', 'AWS::OpenSearchServerless::Collection', 'AWS::SecretsManager::Secret', 'AWS::Redshift::Cluster', 'AWS::RedshiftServerless::Namespace', 'AWS::DocDB::DBCluster', 'AWS::Neptune::DBCluster', 'AWS::ElastiCache::ReplicationGroup', 'AWS::ElastiCache::ServerlessCache', 'AWS::Kinesis::Stream', 'AWS::KinesisFirehose::DeliveryStream', 'AWS::Timestream::Database', 'AWS::Backup::BackupVault']);

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The data-residency policy: control 7. One object compiles into the denies, the gateway's table, the checks and the page. */
export class ResidencyBoundary extends Resource implements IResidencyBoundary {
  public readonly regions: string[];
  /** The one-page policy, as Markdown; `agent-controls residency page --html` prints it as HTML. */
  public readonly policyPage: string;
  /** Keys of providers that have a `keyIssuer`, for `RotationScheduleProps.credentials`; `AgentControls` hands them on by itself. */
  public readonly rotatedCredentials: RotatedCredential[];
  /** @internal */
  public readonly _policy: ResidencyPolicy;
  /** @internal Keys of providers, by name: only the gateway reads them. */
  public readonly _keys: ReadonlyMap<string, secretsmanager.ISecret>;

  constructor(scope: Construct, id: string, props: ResidencyBoundaryProps) {
    super(scope, id);
    this.regions = props.regions;
    const fail = (code: string, sentence: string): never => { throw new ControlsError(code, `${this.node.path}: ${sentence}`); };
    for (const region of props.regions) if (Token.isUnresolved(region) || !/^[a-z]{2}(-[a-z]+)+-\d$/.test(region)) fail('RegionInvalid', `regions must be names of regions, written out, got ${shown(region)}; name them`);
    if (props.regions.length === 0 || props.providers.length === 0) fail('BoundaryEmpty', 'a boundary has a region and a provider; name them');
    if (!DAY.test(props.reviewBy)) fail('DayInvalid', `reviewBy must be YYYY-MM-DD, got ${shown(props.reviewBy)}; correct it`);
    const known = props.providers.map((provider) => (provider._bedrock ? this.bedrock(provider._bedrock, fail) : this.http(provider._http as HttpProviderProps, fail)));
    const twice = known.find(({ name }, index) => known.findIndex((other) => other.name === name) !== index);
    if (twice) fail('ProviderDuplicate', `two providers are called ${twice.name}; rename one`);
    const providers = known.map((provider, index): ProviderPolicy => {
      const uncleared = props.providers[index]?._uncleared;
      return uncleared ? { ...provider, uncleared: unclearedOf(uncleared, known, fail) } : provider;
    });
    this.rotatedCredentials = props.providers.flatMap(({ _http: http }) => (http?.keyIssuer ? [RotatedCredential.issued(http.apiKey, http.keyIssuer)] : []));
    for (const { _http: http } of props.providers) if (http && !http.keyIssuer) Annotations.of(this).addWarningV2(`cdk-agent-controls:KeyNotRotated-${http.providerName}`, `the key of ${http.providerName} is never replaced; give it a keyIssuer, or acknowledge this and say who replaces it`);
    this._keys = new Map(props.providers.flatMap(({ _http: http }) => (http ? [[http.providerName, http.apiKey] as const] : [])));
    this._policy = {
      regions: props.regions, owner: props.owner, reviewBy: props.reviewBy, providers, prose: (props.prose ?? DataClass.BUSINESS).className,
      uncleared: unclearedOf(props.uncleared ?? [], providers, fail), columns: Object.fromEntries(Object.entries(props.columns ?? {}).map(([column, { className }]) => [column, className])),
    };
    for (const column of Object.keys(this._policy.columns)) if (!/^(?:[a-z_][a-z0-9_]*\.){1,2}(?:[a-z_][a-z0-9_]*|\*)$/.test(column)) fail('ColumnInvalid', `columns names table.column or table.*, got ${shown(column)}; correct it`);
    this.policyPage = residencyPage(this._policy);
    if (props.reviewBy < new Date().toISOString().slice(0, 10)) Annotations.of(this).addWarningV2('cdk-agent-controls:ReviewOverdue', `the residency policy was to be reviewed by ${props.reviewBy}; review it, and give it a new date`);
    const checked = props.enforceOn ?? this.node.root;
    this.node.addValidation({ validate: () => this.outside(checked) });
  }

  /**
   * A service control policy for the organisation's owners to attach, as JSON: nobody but the gateway of this control plane asks a model.
   *
   * @throws `AccountInvalid` if `accountId` is not that of the control plane, in 12 digits
   */
  public serviceControlPolicy(controlsName: string, accountId: string): string { return serviceControlPolicy(this._policy, controlsName, checkedAccount(this, accountId)); }

  /**
   * A policy for a VPC endpoint of `bedrock-runtime`, as JSON: the gateway of this control plane asks the models of this policy through it, and nobody anything else.
   *
   * @throws `AccountInvalid` if `accountId` is not that of the control plane, in 12 digits
   */
  public endpointPolicy(controlsName: string, accountId: string): string { return endpointPolicy(this._policy, controlsName, checkedAccount(this, accountId)); }

  public denyOutside(role: iam.IRole): void {
    for (const statement of deniesOutside(this._policy)) role.addToPrincipalPolicy(iam.PolicyStatement.fromJson(statement));
  }

  private bedrock(props: BedrockProviderProps, fail: (code: string, sentence: string) => never): ProviderPolicy {
    const { providerName, modelId, destinationRegions, foundationModelId, terms } = props;
    const isProfile = isInferenceProfile(modelId);
    const processesAnywhere = modelId.startsWith('global.');
    if (isProfile && !processesAnywhere && !destinationRegions?.length) fail('DestinationsUnknown', `${providerName}: ${modelId} may send to several regions; name them all under destinationRegions, as AWS lists them for the profile`);
    if (modelId.startsWith('arn:') && foundationModelId === undefined) fail('ModelUnknown', `${providerName}: the ARN of an application profile does not say which model it runs; name it under foundationModelId`);
    const clearedFor = cleared(providerName, props.clearedFor, fail);
    const region = modelId.startsWith('arn:') ? modelId.split(':')[3] ?? '' : this.regions[0] as string;
    const processesIn = processesAnywhere ? [EVERYWHERE] : destinationRegions ?? [region];
    const outside = [...new Set([region, ...processesIn])].filter((destination) => !this.regions.includes(destination));
    const needsIt = clearedFor.filter((name) => name !== DataClass.PUBLIC.className);
    if (outside.length > 0 && needsIt.length > 0) fail('ProviderOutside', `${providerName}: ${modelId} processes in ${outside.join(', ')}, outside of ${this.regions.join(', ')}, and is cleared for ${needsIt.join(', ')}; clear it for public data alone, or take a model that stays inside`);
    return { name: named(providerName, fail), kind: 'bedrock', company: 'Amazon Web Services', models: [modelId], clearedFor, processesIn, region, ...(foundationModelId === undefined ? {} : { foundationModel: foundationModelId }), ...(terms ? { terms: checkedTerms(providerName, terms, fail) } : {}), ...this.vendor(props, 'Amazon Web Services') };
  }

  private http(props: HttpProviderProps, fail: (code: string, sentence: string) => never): ProviderPolicy {
    const { providerName, baseUrl, modelIds, processesIn, terms } = props;
    const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
    if (url?.protocol !== 'https:' || url.search !== '' || url.hash !== '' || url.username !== '') fail('AddressInvalid', `${providerName}: baseUrl must be an https address without query or user, written out, got ${shown(baseUrl)}; correct it`);
    if (modelIds.length === 0) fail('ModelUnknown', `${providerName}: no model is named; name what may be asked for under modelIds`);
    return { name: named(providerName, fail), kind: 'openai', company: props.company ?? (url).hostname, models: modelIds, clearedFor: cleared(providerName, props.clearedFor, fail), processesIn, baseUrl: baseUrl.replace(/\/$/, ''), ...(terms ? { terms: checkedTerms(providerName, terms, fail) } : {}), ...this.vendor(props, props.company ?? url.hostname) };
  }

  /** What the page and the evidence say of the company. */
  private vendor({ providerName, vendorReview: review, clearedFor }: BedrockProviderProps | HttpProviderProps, name: string): { vendor?: Vendor } {
    if (!review) return {};
    const vendor = checkedVendor(providerName, { name, dataClasses: clearedFor.map(({ className }) => className), subProcessors: review.subProcessors ?? [], review: { by: review.reviewedBy, until: review.reviewUntil }, escalation: review.escalation });
    if (isReviewOver(vendor, new Date().toISOString().slice(0, 10))) Annotations.of(this).addWarningV2('cdk-agent-controls:VendorReviewOver', `the provider ${providerName} is ${name}, whose review by ${review.reviewedBy} counted until ${review.reviewUntil}; review it again, and give the new day`);
    return { vendor };
  }

  /** Whatever keeps data outside the regions, or where nobody knows. */
  private outside(root: IConstruct): string[] {
    const faults: string[] = [];
    for (const node of root.node.findAll()) {
      if (!CfnResource.isCfnResource(node) || !KEEPS_DATA.has(node.cfnResourceType)) continue;
      const stack = Stack.of(node);
      if (Token.isUnresolved(stack.region)) faults.push(new ControlsError('RegionUnknown', `${node.node.path} keeps data, and its stack has no region; set env.region of ${stack.node.path} to one of ${this.regions.join(', ')}`).message);
      for (const region of [...(Token.isUnresolved(stack.region) ? [] : [stack.region]), ...copiesOf(node)]) {
        if (!this.regions.includes(region)) faults.push(new ControlsError('OutsideBoundary', `${node.node.path} keeps data in ${shown(region).replaceAll('"', '')}, outside of ${this.regions.join(', ')}; move it, or widen ${this.node.path}`).message);
      }
    }
    return faults;
  }
}

function checkedAccount({ node }: IConstruct, accountId: string): string {
  if (!/^\d{12}$/.test(accountId)) throw new ControlsError('AccountInvalid', `${node.path}: the account of the control plane is 12 digits, written out, got ${shown(accountId)}; name it`);
  return accountId;
}

/** Other regions that a resource copies its data to. */
function copiesOf(node: CfnResource): string[] {
  const copies = node instanceof dynamodb.CfnGlobalTable ? node.replicas : node instanceof secretsmanager.CfnSecret ? node.replicaRegions : undefined;
  return ((Stack.of(node).resolve(copies) ?? []) as { readonly region: string }[]).map(({ region }) => region);
}

function named(name: string, fail: (code: string, sentence: string) => never): string {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name)) fail('ProviderNameInvalid', `providerName is 1 to 40 of a-z, 0-9 and -, got ${shown(name)}; choose another`);
  return name;
}

function cleared(name: string, classes: readonly DataClass[], fail: (code: string, sentence: string) => never): string[] {
  if (classes.some(({ className }) => className === DataClass.SECRET.className)) fail('SecretCleared', `${name}: no provider is cleared for secrets; leave DataClass.SECRET out`);
  return classes.map(({ className }) => className);
}

function checkedTerms(name: string, terms: ProviderTermsLike, fail: (code: string, sentence: string) => never): ProviderTermsLike {
  if (!DAY.test(terms.readOn) || !Number.isInteger(terms.retentionDays) || terms.retentionDays < 0) fail('TermsInvalid', `${name}: terms need readOn as YYYY-MM-DD and retentionDays as whole days, got ${shown([terms.readOn, terms.retentionDays])}; correct them`);
  return { url: terms.url, readOn: terms.readOn, trainsOnData: terms.trainsOnData, retentionDays: terms.retentionDays };
}

type ProviderTermsLike = NonNullable<ProviderPolicy['terms']>;

function unclearedOf(treatments: readonly UnclearedData[], providers: readonly ProviderPolicy[], fail: (code: string, sentence: string) => never): Record<string, Uncleared> {
  const all: Record<string, Uncleared> = {};
  for (const { _classes: classes, _treatment: treatment } of treatments) {
    const names = classes.map(({ className }) => className);
    if (treatment.how === 'route') {
      const target = providers.find(({ name }) => name === treatment.to) ?? fail('ProviderUnknown', `data is routed to ${treatment.to}, and no provider is called so; there are ${providers.map(({ name }) => name).join(', ')}`);
      const missing = unseen(target, names);
      if (missing.length > 0) fail('RouteNotCleared', `${missing.join(', ')} is routed to ${treatment.to}, which is not cleared for it; clear it, or route elsewhere`);
    }
    for (const name of names) {
      if (all[name]) fail('TreatmentTwice', `${name} is treated in two ways; leave one out`);
      all[name] = treatment;
    }
  }
  return all;
}
