import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Pool } from 'pg';
import { Assembly, LOCAL_ACCOUNT, readAssembly } from './assembly/assembly';
import { Clock } from './clock';
import type { Account } from './deploy/account';
import { deploy } from './deploy/deploy';
import { keepTime, tellOfSession } from './services/event-bridge';
import { Endpoint } from './endpoint/server';
import { Authoriser } from './identity/authoriser';
import { PolicyDocument, Principal, Principals } from './identity/principals';
import { HostedFunction, LambdaHost } from './lambda/host';
import { createDatabase, moveClock, runSeed } from './postgres/controls-database';
import { PostgresServer, startPostgres } from './postgres/launcher';
import { describe, LocalFile, withRun, withSecrets } from './local-file';
import { takeLock } from './lock';
import { statusPage } from './page';
import { Cognito } from './services/cognito';
import { EventBus } from './services/event-bus';
import { HttpApi } from './services/http-api';
import { AccessKeysFile, Iam, RolePoliciesFile } from './services/iam';
import { KeysFile, Kms } from './services/kms';
import { FunctionUrls } from './services/function-url';
import { Lambda } from './services/lambda';
import { ModelStub } from './services/model-stub';
import { ClusterAddress, RdsData } from './services/rds-data';
import { S3 } from './services/s3';
import { SecretRotation } from './services/secret-rotation';
import { SecretsFile, SecretStore } from './services/secret-store';
import { SecretsManager } from './services/secrets-manager';
import { Ses } from './services/ses';
import { Ssm } from './services/ssm';
import { StepFunctions } from './services/step-functions';
import { Sts } from './services/sts';
import type { Execution } from './states/runner';

/** How a local runtime is started. */
export interface RuntimeOptions {
  /** Folder that `app.synth()` wrote. */
  readonly assembly: string;
  /** Folder of everything that is kept. @default '.agent-controls' */
  readonly folder?: string;
  /** Port of the endpoint. @default - a free one */
  readonly port?: number;
  /** SQL files that make the application's own tables, run as their owner before anything is registered. */
  readonly seed?: readonly string[];
  /** Told what is being done. */
  readonly progress?: (what: string) => void;
}

/** The region that the app names for its database. */
function regionOf({ stacks }: Assembly): string {
  return (stacks.find(({ template }) => Object.values(template.Resources).some(({ Type }) => Type === 'AWS::RDS::DBCluster')) ?? stacks[0])?.region ?? 'us-east-1';
}

/** A synthesized app, running on this machine: its own bundles, state machines, SQL and policies. */
export class Runtime {
  public static async start(options: RuntimeOptions): Promise<Runtime> {
    const folder = resolve(options.folder ?? '.agent-controls');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const unlock = takeLock(folder);
    const undo: (() => Promise<void> | void)[] = [unlock];
    const close = async (): Promise<void> => { for (const step of undo.splice(0).reverse()) await step(); };
    try {
      return await boot(folder, options, undo, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** @internal */
  public constructor(private readonly latest: () => LocalFile, public readonly clock: Clock, public readonly superuser: Pool, public readonly authoriser: Authoriser, public readonly principals: Principals, public readonly directory: Cognito, public readonly functions: LambdaHost, public readonly secrets: SecretsManager, public readonly store: SecretStore, public readonly rotation: SecretRotation, public readonly models: ModelStub, public readonly stateMachines: StepFunctions, private readonly moved: () => void, private readonly close: () => Promise<void>) {}

  /** What `local.json` says now. */
  public get file(): LocalFile { return this.latest(); }

  /** Moves the one clock that Postgres, state machines and sessions share. */
  public async advance(ms: number): Promise<void> {
    // Postgres first: what wakes then must find its time come there, too.
    await moveClock(this.superuser, this.clock.aheadMs + ms);
    this.clock.advance(ms);
    this.moved();
  }

  /** Keys of a person of this name who has signed in with MFA and may assume roles of people. */
  public person(userName: string): Principal {
    return this.principals.addUser(userName, [{ name: 'people', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] } }]);
  }

  /** Ends everything in order. */
  public stop(): Promise<void> { return this.close(); }
}

interface Kept {
  clockAheadMs: number;
  readonly secrets: SecretsFile;
  readonly executions: Record<string, Execution>;
  readonly keys: KeysFile;
  rolePolicies: RolePoliciesFile;
  accessKeys: AccessKeysFile;
}

async function boot(folder: string, options: RuntimeOptions, undo: (() => Promise<void> | void)[], close: () => Promise<void>): Promise<Runtime> {
  const progress = options.progress ?? ((): void => undefined);
  const assembly = readAssembly(options.assembly);
  const [id, region] = [LOCAL_ACCOUNT, regionOf(assembly)];
  progress('starting Postgres');
  const postgres = await startPostgres({ folder });
  undo.push(() => postgres.stop());

  const kept = readKept(folder);
  const save = (): void => writeKept(folder, kept);
  const clock = new Clock(kept.clockAheadMs);
  undo.push(() => clock.stop());
  const principals = new Principals(id);
  const authoriser = new Authoriser(principals, clock);
  const keyAliases = new Map<string, string>();
  const keyPolicies = new Map<string, PolicyDocument>();
  const buckets = new Map<string, string>();
  let changed = (): void => undefined;
  let url = '';
  const functions = new LambdaHost(join(folder, 'logs'), (fn) => environmentOf(principals, fn, url, region));
  undo.push(() => functions.stop());
  const store = new SecretStore(id, region, kept.secrets, () => { save(); changed(); }, () => clock.now());
  const rotation = new SecretRotation(store, clock, functions);
  const functionUrls = new FunctionUrls(functions, clock, () => url);
  const models = new ModelStub(id, region);
  const secrets = new SecretsManager(store, rotation, (alias) => keyOf(keyAliases, keyPolicies, alias));
  const stateMachines = new StepFunctions(kept.executions, save, functions, authoriser, clock);
  const cognito = new Cognito(id, region, () => url);
  const clusters = new Map<string, ClusterAddress>();
  const rdsData = new RdsData(clusters, secrets);
  undo.push(() => rdsData.stop());
  const outbox = join(folder, 'outbox');
  const answers = new Map<string, (answer: unknown) => void>();
  let superuser: Pool | undefined;
  let database = '';

  const account: Account = {
    id, region, assembly, folder, buckets, principals, authoriser, secrets, rotation, functionUrls, functions, stateMachines, cognito, url: () => url, clusters, clusterParameters: new Map(), keyAliases, keyPolicies,
    routes: [], permissions: [], rules: [], parameters: new Map(),
    createDatabase: async (cluster) => {
      database = cluster.database;
      await createDatabase(postgres, cluster);
      superuser = poolOf(postgres, cluster.database, undo);
      for (const file of options.seed ?? []) await runSeed(postgres, cluster, file);
      return { host: postgres.host, port: postgres.port };
    },
    customResource: async (functionArn, event) => {
      const path = `/_cloudformation/${randomUUID()}`;
      const answered = new Promise<{ Status: string; Reason?: string }>((answer) => answers.set(path, answer as (value: unknown) => void));
      const { failed, payload } = await functions.invoke(functionArn, { ...event, ResponseURL: `${url}${path}` });
      if (failed) throw new Error(`${String(event.LogicalResourceId)} failed: ${payload}`);
      const { Status, Reason } = await answered;
      if (Status !== 'SUCCESS') throw new Error(`${String(event.LogicalResourceId)} failed: ${Reason ?? 'no reason given'}${/does not exist/.test(Reason ?? '') ? '; tables and columns that cards and actions name must be there first: make them with --seed FILE' : ''}`);
      // From the first migration on the runtime's clock is the database's.
      if (superuser) await moveClock(superuser, clock.aheadMs);
    },
  };
  const iam = new Iam(principals, (kept.rolePolicies ??= {}), (kept.accessKeys ??= {}), save, clock);
  const sts = new Sts(principals, authoriser, clock);
  const pageToken = randomBytes(18).toString('base64url');
  const api = new HttpApi(account.routes, account.permissions, functions, id, region);
  const endpoint = new Endpoint({
    principals, authoriser, clock, region, answers, pageToken,
    services: {
      sts, iam, secretsmanager: secrets, 'rds-data': rdsData, lambda: new Lambda(functions, id, region), states: stateMachines,
      s3: new S3(assembly, buckets), kms: new Kms(kept.keys, save, keyAliases, keyPolicies), ssm: new Ssm(account.parameters, id, region), ses: new Ses(outbox, id, region, clock), events: new EventBus(join(folder, 'notifications.jsonl'), clock, id, region, account.rules, functions),
      'execute-api': api, 'cognito-idp': cognito, bedrock: models,
    },
    open: async (request) => models.open(request) ?? functionUrls.open(request) ?? await cognito.open(request) ?? api.open(request),
    page: () => statusPage(superuser as Pool, { evaluates: authoriser.evaluates, now: new Date(clock.now()) }),
  });
  await endpoint.listen(options.port ?? 0);
  undo.push(() => endpoint.close());
  url = endpoint.url;

  progress('deploying the synthesized stacks');
  await deploy(account, progress);
  if (!superuser) throw new Error('the assembly has no database cluster; synthesize an app with AgentControls');
  const clusterArn = [...clusters.keys()][0] ?? '';
  iam.restore();
  stateMachines.resume();
  keepTime(account.rules, clock, functions);
  const path = join(folder, 'local.json');
  let file = describe({ folder, url, page: `${url}/?token=${pageToken}`, account, postgres, database, clusterArn, outbox });
  const publish = (): void => writeAtomically(path, JSON.stringify(file, null, 2));
  publish();
  undo.push(() => rmSync(path, { force: true }));
  changed = () => {
    file = withSecrets(file, secrets);
    publish();
  };
  sts.onSession = (session, by) => {
    tellOfSession(account.rules, session, by, new Date(clock.now()), functions);
    file = withRun(file, session);
    publish();
  };
  // The first call of a run should not pay for starting processes.
  for (const handler of ['broker', 'gate', 'executor', 'read']) functions.warm(`${file.resources.controlsName}-${handler}`);
  return new Runtime(() => file, clock, superuser, authoriser, principals, cognito, functions, secrets, store, rotation, models, stateMachines, () => {
    kept.clockAheadMs = clock.aheadMs;
    save();
  }, close);
}

function keyOf(aliases: ReadonlyMap<string, string>, policies: ReadonlyMap<string, PolicyDocument>, alias: string): { arn: string; policy: PolicyDocument } | undefined {
  const arn = aliases.get(alias);
  const policy = arn === undefined ? undefined : policies.get(arn);
  return arn === undefined || !policy ? undefined : { arn, policy };
}

function environmentOf(principals: Principals, fn: HostedFunction, url: string, region: string): Record<string, string> {
  const role = principals.roleByArn(fn.roleArn);
  if (!role) throw new Error(`${fn.name}: there is no role ${fn.roleArn}`);
  const { accessKeyId, secretAccessKey, sessionToken } = principals.addSession(role, fn.name);
  return { AWS_REGION: region, AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken ?? '',
    ...(fn.name.endsWith('-gateway') ? { LOCAL_MODEL_STUB: `${url}/_models` } : {}), AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' }; // about this machine's Node, not the template's
}

function poolOf(postgres: PostgresServer, database: string, undo: (() => Promise<void> | void)[]): Pool {
  const pool = new Pool({ host: postgres.host, port: postgres.port, user: postgres.superuser, password: postgres.password, database, max: 4 });
  pool.on('error', () => undefined);
  undo.push(() => pool.end());
  return pool;
}

function readKept(folder: string): Kept {
  const path = join(folder, 'state.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Kept) : { clockAheadMs: 0, secrets: {}, executions: {}, keys: {}, rolePolicies: {}, accessKeys: {} };
}

function writeKept(folder: string, kept: Kept): void {
  writeAtomically(join(folder, 'state.json'), JSON.stringify(kept));
}

/** Whole or not at all: a process may die between any two bytes. */
function writeAtomically(path: string, text: string): void {
  writeFileSync(`${path}.part`, text, { mode: 0o600 });
  renameSync(`${path}.part`, path);
}
