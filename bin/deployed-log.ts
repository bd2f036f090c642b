import { RDSDataClient } from '@aws-sdk/client-rds-data';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { Login } from '../lambda/database/connection';
import { dutySecretName, parameterName } from '../lib/scope/names';

/** Finds the log of a deployed control plane by its name, with the credentials and region of the environment. */
export async function deployedLog(name: string): Promise<{ client: RDSDataClient; login: Login }> {
  const ssm = new SSMClient({});
  const read = async (what: 'cluster-arn' | 'database'): Promise<string> => {
    try {
      const { Parameter } = await ssm.send(new GetParameterCommand({ Name: parameterName(name, what) }));
      return Parameter?.Value ?? '';
    } catch (error) {
      throw new Error(`the control plane ${name} is not found in this account and region (${(error as Error).message}); set AWS_REGION and the credentials of its auditor role, --name, or use --local`);
    }
  };
  const [resourceArn, database] = await Promise.all([read('cluster-arn'), read('database')]);
  ssm.destroy();
  return { client: new RDSDataClient({}), login: { resourceArn, database, secretArn: dutySecretName(name, 'auditor') } };
}
