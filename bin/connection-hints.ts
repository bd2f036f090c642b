import { join } from 'node:path';
import type { LocalFile } from '../local/testing';
import { bold, dim } from './terminal';

/** Where to point a browser, `psql` and `aws` while a local runtime runs. */
export function connectionHints(file: LocalFile, folder: string): string {
  const json = join(folder, 'local.json');
  const [agent = ''] = Object.keys(file.principals.agents);
  const from = (path: string): string => `$(node -p "require('${json.startsWith('/') ? json : `./${json}`}').${path}")`;
  const { host, port, database } = file.postgres;
  const keys = (path: string): string => `AWS_ACCESS_KEY_ID=${from(`${path}.accessKeyId`)} AWS_SECRET_ACCESS_KEY=${from(`${path}.secretAccessKey`)} AWS_SESSION_TOKEN=${from(`${path}.sessionToken`)} AWS_REGION=${file.region}`;
  return `
${bold('The runtime stays up; Ctrl-C ends it.')}
browser  ${file.endpoint}/
psql     as the agent:    PGPASSWORD=${from(`resources.logins['${agent}'].password`)} psql -h ${host} -p ${port} -U ${file.resources.logins[agent]?.user ?? ''} ${database}
         as the superuser: PGPASSWORD=${from('postgres.password')} psql -h ${host} -p ${port} -U ${file.postgres.superuser} ${database}
aws      as the agent:    ${keys(`principals.agents['${agent}'].run`)} aws --endpoint-url ${file.endpoint} sts get-caller-identity
log      npx agent-controls audit list --local        npx agent-controls audit verify --local
${dim(`everything a script needs is in ${json}`)}`;
}

/** Waits for Ctrl-C or a polite kill. */
export function untilInterrupted(): Promise<void> {
  return new Promise((done) => {
    const keepAlive = setInterval(() => undefined, 1 << 30);
    const end = (): void => { clearInterval(keepAlive); done(); };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  });
}
