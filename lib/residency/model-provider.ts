import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { CredentialIssuer } from '../rotation/rotated-credential';
import { Uncleared } from '../scope/residency';
import { DataClass } from './data-class';

/** What a provider promises. */
export interface ProviderTerms {
  /** Address of the terms. */
  readonly url: string;
  /** Day they were last read, `YYYY-MM-DD`. */
  readonly readOn: string;
  /** Whether it trains on what it is sent. */
  readonly trainsOnData: boolean;
  /** Days it keeps what it is sent. */
  readonly retentionDays: number;
}

/** Who looked at the company behind a model, and whom to call there. */
export interface VendorReview {
  /** Who reviewed its security. */
  readonly reviewedBy: string;
  /** Last day on which the review counts, `YYYY-MM-DD`; synth warns when it is over. */
  readonly reviewUntil: string;
  /** Companies that it hands data on to. @default - none */
  readonly subProcessors?: string[];
  /** Whom to call when something goes wrong: an address, a number, a page. */
  readonly escalation: string;
}

/** Options of a Bedrock model. */
export interface BedrockProviderProps {
  /** Name that cards use. */
  readonly providerName: string;
  /** Model id, or id of an inference profile; of an application profile, its ARN. */
  readonly modelId: string;
  /** Regions the profile may send to. @default - for a model id, the boundary's first region; required for an inference profile (`DestinationsUnknown`), except a `global.` one, which may send anywhere */
  readonly destinationRegions?: string[];
  /** Model that a profile runs; required for an application profile, whose ARN does not say. @default - what the id of the profile says */
  readonly foundationModelId?: string;
  /** What it may see. `DataClass.SECRET` is refused (`SecretCleared`). */
  readonly clearedFor: DataClass[];
  /** What happens to what it may not see. @default - what the boundary says of the class */
  readonly uncleared?: UnclearedData[];
  /** Its terms, for the page. @default - the page says that nobody has noted any */
  readonly terms?: ProviderTerms;
  /** Who reviewed the company. @default - the evidence says that nobody has */
  readonly vendorReview?: VendorReview;
}

/** Options of an HTTPS provider. */
export interface HttpProviderProps {
  /** Name that cards use. */
  readonly providerName: string;
  /** Company that sees the data, for the page. @default - the host of `baseUrl` */
  readonly company?: string;
  /** Base URL, `https`, without the path of an operation: `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** Models that may be asked for; the first is asked when none is named. */
  readonly modelIds: string[];
  /** Where it processes, as country or region names for the page. */
  readonly processesIn: string[];
  /** Its key; only the gateway reads it, and what rotates it. */
  readonly apiKey: secretsmanager.ISecret;
  /** Makes, tries and revokes keys of this provider, so that it is rotated with everything else. @default - the key is replaced by hand; a warning at synth */
  readonly keyIssuer?: CredentialIssuer;
  /** What it may see. `DataClass.SECRET` is refused (`SecretCleared`). */
  readonly clearedFor: DataClass[];
  /** What happens to what it may not see. @default - what the boundary says of the class */
  readonly uncleared?: UnclearedData[];
  /** Its terms, for the page. @default - the page says that nobody has noted any */
  readonly terms?: ProviderTerms;
  /** Who reviewed the company. @default - the evidence says that nobody has */
  readonly vendorReview?: VendorReview;
}

/** A company that runs models, where it runs them, and which data it may see. */
export class ModelProvider {
  /** A model of Amazon Bedrock. An inference profile is judged by every region it may send to. */
  public static bedrock(props: BedrockProviderProps): ModelProvider { return new ModelProvider(props, undefined); }

  /** A provider that speaks the OpenAI chat protocol over HTTPS. */
  public static openAiCompatible(props: HttpProviderProps): ModelProvider { return new ModelProvider(undefined, props); }

  /** @internal */
  private constructor(private readonly bedrock: BedrockProviderProps | undefined, private readonly http: HttpProviderProps | undefined) {}

  /** @internal */
  public get _bedrock(): BedrockProviderProps | undefined { return this.bedrock; }
  /** @internal */
  public get _http(): HttpProviderProps | undefined { return this.http; }
  /** @internal */
  public get _uncleared(): readonly UnclearedData[] | undefined { return (this.bedrock ?? this.http)?.uncleared; }
}

/** What happens to classes that the asked provider may not see. */
export class UnclearedData {
  /** Taken out and replaced by a mark before anything is sent. */
  public static redact(...classes: DataClass[]): UnclearedData { return new UnclearedData(classes, { how: 'redact' }); }

  /** The call goes to this provider instead; it must be cleared for all of them (`RouteNotCleared`). */
  public static routeTo(providerName: string, ...classes: DataClass[]): UnclearedData { return new UnclearedData(classes, { how: 'route', to: providerName }); }

  /** The call is refused, as it is for every class that nothing is said of: for a provider, where the boundary says something else. */
  public static block(...classes: DataClass[]): UnclearedData { return new UnclearedData(classes, { how: 'block' }); }

  /** @internal */
  private constructor(private readonly classes: readonly DataClass[], private readonly treatment: Uncleared) {}

  /** @internal */
  public get _classes(): readonly DataClass[] { return this.classes; }
  /** @internal */
  public get _treatment(): Uncleared { return this.treatment; }
}
