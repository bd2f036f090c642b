import { randomBytes, randomUUID } from 'node:crypto';
import { ExecuteStatementCommand } from '@aws-sdk/client-rds-data';
import { agentLogin, Duty, dutyLogin } from '../../lib/scope/names';
import { awake, dataApi, required } from '../database/connection';
import { scramVerifier } from '../registrar/scram';
import type { CredentialKind, Dead } from './credential';
import { endSessionsOf } from './sessions-before';
import { withProbeSecret } from './vault';

interface Login { readonly username: string; readonly password: string }

const parse = (value: string): Login => JSON.parse(value) as Login;

/** A new secret is not seen everywhere at once. */
const APPEARS_MS = 8_000;

/** Two logins that alternate: while one is current the other gets its password, so that the current one works at every instant. */
export function postgresLogin(controls: string, name: string): CredentialKind {
  const [, owner = ''] = name.split('/');
  const isAgent = name.startsWith('agent/');
  const half = (which: 'a' | 'b'): string => (isAgent ? agentLogin(controls, owner, which) : dutyLogin(controls, owner as Duty, which));
  const login = (current: string): string => {
    const { username } = parse(current);
    if (username !== half('a') && username !== half('b')) throw new Error(`LoginShared: the secret of ${name} holds the login ${username}, which is not its own; restore the secret`);
    return username === half('a') ? half('b') : half('a');
  };
  return {
    login, isLive: false,
    create: (current) => Promise.resolve(JSON.stringify({ username: login(current), password: randomBytes(30).toString('base64url') })),
    verifier: (next) => scramVerifier(parse(next).password),
    test: async (next) => {
      const seen = await withProbeSecret(controls, randomUUID(), next, (secretArn) => whoIs(secretArn));
      if (seen !== parse(next).username) throw new Error(`LoginWrong: ${parse(next).username} logged in as ${seen}`);
    },
    revoke: async (_, left) => {
      const dead: Dead[] = [{ what: 'logins', state: left === 0 ? 'proven' : 'propagating', evidence: `both logins were made anew, so the passwords from before are nobody's; ${left === 0 ? 'no session that was opened with them is left' : `${left} sessions that were opened with them have not ended yet, and have no rights any more`}` }];
      return isAgent ? [...dead, await endSessionsOf(owner)] : dead;
    },
  };
}

async function whoIs(secretArn: string): Promise<string> {
  const deadline = Date.now() + APPEARS_MS;
  for (;;) {
    try {
      const { records } = await awake(() => dataApi().send(new ExecuteStatementCommand({ resourceArn: required('CLUSTER_ARN'), database: required('DATABASE_NAME'), secretArn, sql: 'select session_user::text' })), APPEARS_MS);
      return records?.[0]?.[0]?.stringValue ?? '';
    } catch (error) {
      if (!(error instanceof Error) || !/^(BadRequest|SecretsError|InvalidSecret)/.test(error.name) || Date.now() > deadline) throw error;
      await new Promise((later) => setTimeout(later, 500));
    }
  }
}
