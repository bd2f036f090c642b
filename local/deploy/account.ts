import type { Rule } from '../services/event-bridge';
import type { Assembly } from '../assembly/assembly';
import type { Authoriser } from '../identity/authoriser';
import type { PolicyDocument, Principals } from '../identity/principals';
import type { LambdaHost } from '../lambda/host';
import type { DatabaseSpec } from '../postgres/controls-database';
import type { InvokePermission, Route } from '../services/http-api';
import type { ClusterAddress } from '../services/rds-data';
import type { Cognito } from '../services/cognito';
import type { FunctionUrls } from '../services/function-url';
import type { SecretRotation } from '../services/secret-rotation';
import type { SecretsManager } from '../services/secrets-manager';
import type { StepFunctions } from '../services/step-functions';

/** The account that an assembly is deployed into: what its resources turn into on this machine. */
export interface Account {
  readonly id: string;
  readonly region: string;
  readonly assembly: Assembly;
  /** Folder of everything that is kept. */
  readonly folder: string;
  readonly principals: Principals;
  readonly authoriser: Authoriser;
  readonly secrets: SecretsManager;
  readonly rotation: SecretRotation;
  readonly functionUrls: FunctionUrls;
  readonly functions: LambdaHost;
  readonly stateMachines: StepFunctions;
  readonly cognito: Cognito;
  /** Address of the endpoint. */
  readonly url: () => string;
  readonly clusters: Map<string, ClusterAddress>;
  /** What groups of cluster parameters set, by name. */
  readonly clusterParameters: Map<string, Readonly<Record<string, string>>>;
  readonly routes: Route[];
  readonly permissions: InvokePermission[];
  readonly rules: Rule[];
  /** Aliases of KMS keys, with the ARN of the key; and the policies of keys. */
  readonly keyAliases: Map<string, string>;
  readonly keyPolicies: Map<string, PolicyDocument>;
  readonly parameters: Map<string, string>;
  /** Folders of buckets, by name. */
  readonly buckets: Map<string, string>;
  /** Makes database and owner of a cluster, once. */
  createDatabase(cluster: DatabaseSpec): Promise<ClusterAddress>;
  /** Invokes a custom resource's function as CloudFormation does, and waits for its answer. */
  customResource(functionArn: string, event: Readonly<Record<string, unknown>>): Promise<void>;
}
