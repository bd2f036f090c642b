import { resolve } from 'node:path';
import type { LocalFile } from '../local/local-file';
import { bold, dim } from './terminal';

/** Where to point a browser, `psql` and `aws` while a local runtime runs. */
export function connectionHints(file: LocalFile, folder: string): string {
  const [agent = ''] = Object.keys(file.principals.agents);
  const groups = file.resources.approverRoles.map((arn) => arn.split('-approver-')[1] ?? '').sort();
  const option = folder === '.agent-controls' ? '' : ` --folder ${folder}`;
  const as = (who: string): string => `eval "$(npx agent-controls local env ${who}${option})"`;
  return `
${bold('The runtime stays up; Ctrl-C ends it.')}
approve  ${file.approvals}
browser  ${file.page}
aws      ${as(file.principals.agents[agent]?.run ? agent : 'auditor')} && aws --endpoint-url ${file.endpoint} sts get-caller-identity
psql     ${as(agent)} && psql -c 'select current_user'
         ${as('superuser')} && psql -h ${file.postgres.host} -p ${file.postgres.port}
decide   ${as('approver:GROUP')} with ${groups.length > 0 ? `a group of ${groups.join(', ')}` : 'a group of approvers'}, then docs/piece-by-piece.md
undo     npx agent-controls rollback --local${option} --agent ${agent} --since 1h --plan
mcp      { "command": "npx", "args": ["agent-controls", "mcp", "--local", "--folder", "${resolve(folder)}", "--agent", "${agent}", "--request", "WHAT YOU ASK OF IT"] }
log      npx agent-controls audit search --local${option}
         npx agent-controls audit verify --local${option}
${dim(`Everything a script needs is in ${folder}/local.json.`)}`;
}

/** Waits for Ctrl-C or a polite kill. */
export function untilInterrupted(): Promise<void> {
  return new Promise((done) => {
    const keepAlive = setInterval(() => undefined, 2 ** 30);
    const end = (): void => { clearInterval(keepAlive); done(); };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  });
}
