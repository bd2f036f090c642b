import { createPublicKey, KeyObject } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { RDSDataClient } from '@aws-sdk/client-rds-data';
import { S3Client } from '@aws-sdk/client-s3';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { Command, Option } from 'commander';
import { Client } from 'pg';
import { DataApiLog } from '../lambda/audit/data-api-log';
import { StatementBucket } from '../lambda/audit/statement-bucket';
import type { LogSource } from '../lambda/audit/verify-log';
import { SignedApi } from '../lambda/client/signed-api';
import { dutySecretName, parameterName, privacyRoleName, responderRoleName } from '../lib/scope/names';
import { assumeRole } from '../local/identity/assume-role';
import type { Keys } from '../local/local-file';
import { PostgresLog } from '../local/postgres/copy-log';
import { readLocalFile } from './read-local-file';

/** Where the log is. */
export interface LogOptions {
  readonly local?: true;
  readonly folder: string;
  readonly name: string;
  readonly json?: true;
}

/** A log that can be read, verified and kept, wherever it is. */
export interface Log extends LogSource {
  readonly controlsName: string;
  /** Signed statements of it, and the key that the account says signs them. */
  statements(): Promise<{ readonly bucket: StatementBucket; readonly key: KeyObject }>;
  /** The API, as somebody who may erase and place legal holds, or stop agents and roll back. Of a local runtime one of two people. */
  api(as: 'privacy' | 'responder' | 'auditor', person?: 'operator' | 'colleague'): Promise<SignedApi>;
  close(): Promise<void>;
}

/** The options that `openLog` takes. */
export function withLog(command: Command): Command {
  return command
    .option('--local', 'the local runtime that runs now, instead of the deployed control plane')
    .addOption(new Option('--folder <path>', 'folder of the local runtime').default('.agent-controls'))
    .addOption(new Option('--name <name>', 'name of the deployed control plane').default('agent-controls'))
    .option('--json', 'print JSON on standard output');
}

/** Opens a log as its auditor. */
export function openLog({ local, folder, name }: LogOptions): Promise<Log> {
  return local ? openLocal(folder) : openDeployed(name);
}

/** How the SDK reaches what a log needs: nothing for an account, an endpoint and keys for this machine. */
type Config = { readonly endpoint?: string; readonly region?: string; readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken: string } };

async function parameterOf(config: Config, controls: string, what: Parameters<typeof parameterName>[1]): Promise<string> {
  const ssm = new SSMClient(config);
  try {
    return (await ssm.send(new GetParameterCommand({ Name: parameterName(controls, what) }))).Parameter?.Value ?? '';
  } catch (error) {
    throw new Error(`the control plane ${controls} is not found in this account and region (${(error as Error).message}); set AWS_REGION and the credentials of its auditor role, --name, or use --local`);
  } finally {
    ssm.destroy();
  }
}

async function statementsOf(config: Config, controls: string): Promise<{ bucket: StatementBucket; key: KeyObject }> {
  const [bucket, keyArn] = await Promise.all([parameterOf(config, controls, 'statement-bucket'), parameterOf(config, controls, 'signing-key')]);
  const { PublicKey } = await new KMSClient(config).send(new GetPublicKeyCommand({ KeyId: keyArn }));
  return { bucket: new StatementBucket(new S3Client(config), bucket), key: createPublicKey({ key: Buffer.from(PublicKey as Uint8Array), format: 'der', type: 'spki' }) };
}

async function openDeployed(name: string): Promise<Log> {
  const [resourceArn, database] = await Promise.all([parameterOf({}, name, 'cluster-arn'), parameterOf({}, name, 'database')]);
  const client = new RDSDataClient({});
  const log = new DataApiLog(client, { resourceArn, database, secretArn: dutySecretName(name, 'auditor') });
  return {
    controlsName: name, rows: (sql, values) => log.rows(sql, values), verify: (verifier, progress) => log.verify(verifier, progress), statements: () => statementsOf({}, name),
    api: async () => {
      const region = await client.config.region();
      const endpoint = process.env.AGENT_CONTROLS_URL ?? `https://${await parameterOf({}, name, 'api-id')}.execute-api.${region}.amazonaws.com`;
      return new SignedApi(endpoint, region, () => client.config.credentials());
    },
    close: () => Promise.resolve(client.destroy()),
  };
}

async function openLocal(folder: string): Promise<Log> {
  const file = readLocalFile(folder);
  const { host, port, database } = file.postgres;
  const { controlsName, auditorLogin } = file.resources;
  const client = new Client({ host, port, database, ...auditorLogin });
  await client.connect().catch((error: unknown) => { throw new Error(`the local runtime of ${folder} does not answer (${(error as Error).message}); start it again`); });
  const log = new PostgresLog(client);
  const keysOf = (keys: Keys | null): Required<Config> => ({ endpoint: file.endpoint, region: file.region, credentials: { accessKeyId: keys?.accessKeyId ?? '', secretAccessKey: keys?.secretAccessKey ?? '', sessionToken: keys?.sessionToken ?? '' } });
  return {
    controlsName, rows: (sql, values) => log.rows(sql, values), verify: (verifier, progress) => log.verify(verifier, progress), statements: () => statementsOf(keysOf(file.principals.auditor), controlsName),
    api: async (as, person = 'operator') => {
      if (as === 'auditor') return new SignedApi(file.api, file.region, () => Promise.resolve(keysOf(file.principals.auditor).credentials));
      const { endpoint, region, credentials } = keysOf(file.principals[person]);
      const keys = await assumeRole({ endpoint, region, roleArn: `arn:aws:iam::${file.account}:role/${as === 'privacy' ? privacyRoleName(controlsName) : responderRoleName(controlsName)}`, sessionName: person, keys: credentials });
      return new SignedApi(file.api, region, () => Promise.resolve(keys));
    },
    close: () => client.end(),
  };
}
