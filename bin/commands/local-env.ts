import { Command } from 'commander';
import type { Keys, LocalFile } from '../../local/local-file';
import { readLocalFile } from '../read-local-file';

/** `agent-controls local env WHO`: what `aws` and `psql` need to be somebody, for `eval`. */
export function localEnvCommand(): Command {
  return new Command('env')
    .description('Prints the environment in which aws and psql are a principal of the running local runtime.')
    .argument('<who>', 'an agent (its current run), AGENT:compute, operator, auditor or superuser (psql only)')
    .option('--folder <path>', 'folder of the local runtime', '.agent-controls')
    .addHelpText('after', '\nExample:\n  eval "$(npx agent-controls local env auditor)" && aws sts get-caller-identity')
    .action((who: string, { folder }: { folder: string }) => {
      const variables = environmentOf(readLocalFile(folder), who);
      process.stdout.write(Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`).join(''));
    });
}

function environmentOf(file: LocalFile, who: string): Record<string, string> {
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
  const agent = principals.agents[name];
  if (!agent) throw new Error(`${who} is nobody here; there are operator, auditor, superuser, ${Object.keys(principals.agents).join(', ')}`);
  if (compute === 'compute') return aws(agent.compute, 'no role of the assembly may start its runs');
  return { ...aws(agent.run, 'it has no run yet; start one'), ...postgres(resources.logins[name]) };
}
