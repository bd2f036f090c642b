import type { Account } from './deploy/account';
import type { Principal, Role } from './identity/principals';
import type { PostgresServer } from './postgres/launcher';

/** Keys of a principal, as SDKs take them. */
export interface Keys {
  readonly arn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/** `.agent-controls/local.json`: all that a script needs to talk to a running local runtime. */
export interface LocalFile {
  /** Says that this is no production system. */
  readonly local: true;
  readonly pid: number;
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  /** Address of the status page, for a browser. */
  readonly page: string;
  /** Address of the HTTP API. */
  readonly api: string;
  /** Where people decide holds, in a browser. */
  readonly approvals: string;
  /** Whether requests are authorised against the synthesized policies. */
  readonly authorisationEvaluated: boolean;
  readonly postgres: { readonly host: string; readonly port: number; readonly database: string; readonly superuser: string; readonly password: string };
  readonly principals: {
    /** A person, signed in with MFA, who may assume the roles of people. */
    readonly operator: Keys;
    /** Another one, for what takes two people. */
    readonly colleague: Keys;
    /** A session of the auditor role. */
    readonly auditor: Keys | null;
    readonly agents: Readonly<Record<string, { readonly compute: Keys | null; readonly trigger: Keys | null; readonly run: Keys | null }>>;
  };
  readonly resources: {
    readonly controlsName: string;
    readonly clusterArn: string;
    readonly database: string;
    readonly secrets: Readonly<Record<string, string>>;
    readonly logins: Readonly<Record<string, { readonly user: string; readonly password: string }>>;
    readonly auditorSecretArn: string | undefined;
    /** The login that reads the log and nothing else. */
    readonly auditorLogin: { readonly user: string; readonly password: string };
    readonly stateMachineArn: string;
    /** Bucket of signed statements, and the key that signs them. */
    readonly statementBucket: string;
    readonly signingKeyArn: string;
    readonly outbox: string;
    readonly notifications: string;
    readonly approverRoles: readonly string[];
  };
}

interface Parts {
  readonly folder: string;
  readonly url: string;
  readonly page: string;
  readonly account: Account;
  readonly postgres: PostgresServer;
  readonly database: string;
  readonly clusterArn: string;
  readonly outbox: string;
}

/** Describes a runtime that has just been deployed. */
export function describe({ folder, url, page, account, postgres, database, clusterArn, outbox }: Parts): LocalFile {
  const { principals, parameters, secrets, authoriser } = account;
  const controlsName = [...parameters.keys()].find((name) => name.endsWith('/cluster-arn'))?.split('/')[1] ?? '';
  const agentPrefix = `${controlsName}-agent-`;
  const agents = [...principals.roles.values()].filter(({ name, boundaryArn }) => name.startsWith(agentPrefix) && boundaryArn !== undefined).map(({ name }) => name.slice(agentPrefix.length));
  const auditor = principals.roles.get(`${controlsName}-auditor`);
  const secretOf = (agent: string): string => `${controlsName}/agent/${agent}`;
  const person = (name: string): Keys => keysOf(principals.addUser(name, [{ name, policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }] } }]));
  return {
    local: true, pid: process.pid, endpoint: url, region: account.region, account: account.id, page, api: url, approvals: `${url}/approve`, authorisationEvaluated: authoriser.evaluates,
    postgres: { host: postgres.host, port: postgres.port, database, superuser: postgres.superuser, password: postgres.password },
    principals: {
      operator: person('operator'), colleague: person('colleague'),
      auditor: auditor ? keysOf(principals.addSession(auditor, 'auditor', { mfa: true })) : null,
      agents: Object.fromEntries(agents.map((agent) => {
        const session = (route: string, name: string): Keys | null => {
          const role = mayPost(account, `/agents/${agent}/${route}`);
          return role ? keysOf(principals.addSession(role, name)) : null;
        };
        return [agent, { compute: session('runs', `${agent}-compute`), trigger: session('requests', `${agent}-trigger`), run: null }];
      })),
    },
    resources: {
      controlsName, clusterArn, database, outbox, statementBucket: parameters.get(`/${controlsName}/statement-bucket`) ?? '', signingKeyArn: parameters.get(`/${controlsName}/signing-key`) ?? '', notifications: `${folder}/notifications.jsonl`,
      secrets: Object.fromEntries(agents.map((agent) => [agent, secrets.arnOf(secretOf(agent)) ?? ''])),
      logins: Object.fromEntries(agents.map((agent) => [agent, loginOf(secrets, secretOf(agent))])),
      auditorLogin: loginOf(secrets, `${controlsName}/duty/auditor`),
      auditorSecretArn: secrets.arnOf(`${controlsName}/duty/auditor`),
      stateMachineArn: `arn:aws:states:${account.region}:${account.id}:stateMachine:${controlsName}-hold-window`,
      approverRoles: [...principals.roles.values()].filter(({ name }) => name.startsWith(`${controlsName}-approver-`)).map(({ arn }) => arn),
    },
  };
}

/** The description after a secret changed: logins have other passwords then. */
export function withSecrets(file: LocalFile, secrets: Account['secrets']): LocalFile {
  const { controlsName } = file.resources;
  return { ...file, resources: { ...file.resources, logins: Object.fromEntries(Object.keys(file.resources.logins).map((agent) => [agent, loginOf(secrets, `${controlsName}/agent/${agent}`)])), auditorLogin: loginOf(secrets, `${controlsName}/duty/auditor`) } };
}

/** The description after a session was handed out: that of an agent's role is the agent's current run. */
export function withRun(file: LocalFile, session: Principal): LocalFile {
  const agent = session.role?.name.slice(`${file.resources.controlsName}-agent-`.length) ?? '';
  const known = file.principals.agents[agent];
  if (!known || session.arn.includes('/probe-') || session.role?.name !== `${file.resources.controlsName}-agent-${agent}`) return file;
  return { ...file, principals: { ...file.principals, agents: { ...file.principals.agents, [agent]: { ...known, run: keysOf(session) } } } };
}

function loginOf(secrets: Account['secrets'], secret: string): { user: string; password: string } {
  const { username, password } = JSON.parse(secrets.current(secret)) as { username: string; password: string };
  return { user: username, password };
}

/** Keys of a principal for the file. */
export function keysOf({ arn, accessKeyId, secretAccessKey, sessionToken }: Principal): Keys {
  return { arn, accessKeyId, secretAccessKey, sessionToken };
}

/** The role that may post to this route, which is what `grantStartRun` and `grantTrigger` gave. */
function mayPost(account: Account, route: string): Role | undefined {
  return [...account.principals.roles.values()].find(({ policies }) => policies.some(({ policy }) => JSON.stringify(policy).includes(`/POST${route}"`)));
}
