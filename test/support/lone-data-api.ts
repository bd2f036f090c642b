/** The Data API alone, on an endpoint, for one principal that may do everything. */
import { RDSDataClient } from '@aws-sdk/client-rds-data';
import { inject } from 'vitest';
import { Clock } from '../../local/clock';
import { Endpoint } from '../../local/endpoint/server';
import { Authoriser } from '../../local/identity/authoriser';
import { Principals } from '../../local/identity/principals';
import { createDatabase } from '../../local/postgres/controls-database';
import { RdsData } from '../../local/services/rds-data';
import { SecretStore } from '../../local/services/secret-store';
import { SecretsManager } from '../../local/services/secrets-manager';

export const CLUSTER = 'arn:aws:rds:us-east-1:000000000000:cluster:lone';

export async function loneDataApi(): Promise<{ client: RDSDataClient; login: { resourceArn: string; secretArn: string; database: string }; otherSecretArn: string; url: string; principals: Principals; clock: Clock; stop(): Promise<void> }> {
  const server = inject('postgres');
  const database = `data_api_${process.pid}`;
  await createDatabase({ ...server, dataDir: '', stop: () => Promise.resolve() }, { database, owner: 'data_api_owner', password: 'secret', parameters: {} });
  const principals = new Principals('000000000000');
  const secrets = new SecretsManager(new SecretStore('000000000000', 'us-east-1', {}, () => undefined, Date.now), { isScheduled: () => false, begin: () => '' }, () => undefined);
  const secretArn = secrets.create('own', () => JSON.stringify({ username: 'data_api_owner', password: 'secret' }), []);
  const otherSecretArn = secrets.create('other', () => JSON.stringify({ username: 'data_api_owner', password: 'wrong' }), []);
  const rdsData = new RdsData(new Map([[CLUSTER, { host: server.host, port: server.port }]]), secrets);
  const clock = new Clock();
  const endpoint = new Endpoint({ principals, authoriser: new Authoriser(principals, clock), clock, region: 'us-east-1', answers: new Map(), pageToken: 'token', services: { 'rds-data': rdsData, secretsmanager: secrets }, open: async () => undefined, page: () => Promise.resolve('page') });
  await endpoint.listen(0);
  const { accessKeyId, secretAccessKey, sessionToken } = principals.addUser('tester', [{ name: 'all', policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] } }]);
  const client = new RDSDataClient({ endpoint: endpoint.url, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' }, maxAttempts: 1 });
  return {
    client, login: { resourceArn: CLUSTER, secretArn, database }, otherSecretArn, url: endpoint.url, principals, clock,
    stop: async () => {
      client.destroy();
      await endpoint.close();
      await rdsData.stop();
      clock.stop();
    },
  };
}
