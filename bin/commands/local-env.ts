import { Command } from 'commander';
import { assumeRole } from '../../local/identity/assume-role';
import type { Keys, LocalFile } from '../../local/local-file';
import { readLocalFile } from '../read-local-file';

/** `agent-controls local env WHO`: what `aws` and `psql` need to be somebody, for `eval`. */
export function localEnvCommand(): Command {
  return new Command('env')
    .description('Prints the environment in which aws and psql are a principal of the running local runtime.')
    .argument('<who>', 'an agent (its current run), AGENT:compute, approver:GROUP, operator, auditor or superuser (psql only)')
    .option('--folder <path>', 'folder of the local runtime', '.agent-controls')
    .addHelpText('after', '\nExample:\n  eval "$(npx agent-controls local env auditor)" && aws sts get-caller-identity')
    .action(async (who: string, { folder }: { folder: string }) => {
      const variables = await environmentOf(readLocalFile(folder), who);
      process.stdout.write(Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`).join(''));
    });
}

async function environmentOf(file: LocalFile, who: string): Promise<Record<string, string>> {
  const { host, port, database, superuser, password } = file.postgres;
  const { principals, resources } = file;
  const postgres = (login: { user: string; password: string } | undefined): Record<string, string> => (login
    ? { PGHOST: host, PGPORT: String(port), PGDATABASE: database, PGUSER: login.user, PGPASSWORD: login.password } : {});
  const aws = (keys: Keys | null, hint: string): Record<string, string> => {
    if (!keys) throw new Error(`${who} has no keys: ${hint}`);
    return {
      AWS_ENDPOINT_URL: file.endpoint, AWS_REGION: file.region, AWS_DEFAULT_REGION: file.region, AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey, AWS_SESSION_TOKEN: keys.sessionToken ?? '',
    };
  };
  if (who === 'superuser') return postgres({ user: superuser, password });
  if (who === 'operator') return aws(principals.operator, '');
  if (who === 'auditor') return { ...aws(principals.auditor, 'the assembly has no auditor role'), ...postgres(resources.auditorLogin) };
  const [name = '', compute] = who.split(':');
  if (name === 'approver') {
    const roleArn = resources.approverRoles.find((arn) => arn.endsWith(`-approver-${compute ?? ''}`));
    if (roleArn === undefined) throw new Error(`there is no approver group ${compute ?? ''}; there are ${resources.approverRoles.map((arn) => arn.split('-approver-')[1]).join(', ') || 'none'}`);
    const { accessKeyId, secretAccessKey, sessionToken = '' } = principals.operator;
    const keys = await assumeRole({ endpoint: file.endpoint, region: file.region, roleArn, sessionName: 'operator', keys: { accessKeyId, secretAccessKey, sessionToken } });
    return { ...aws({ arn: roleArn, ...keys }, ''), AGENT_CONTROLS_URL: file.api };
  }
  const agent = principals.agents[name];
  if (!agent) throw new Error(`${who} is nobody here; there are operator, auditor, superuser, ${Object.keys(principals.agents).join(', ')}`);
  if (compute === 'compute') return { ...aws(agent.compute, 'no role of the assembly may start its runs'), AGENT_CONTROLS_URL: file.api, AGENT_NAME: name };
  if (!agent.run) process.stderr.write(`${name} has no run yet: psql is set, aws is not\n`);
  return { ...(agent.run ? aws(agent.run, '') : {}), ...postgres(resources.logins[name]) };
}
