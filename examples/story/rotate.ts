/** A password is replaced while its agent works, and again when somebody found it in a ticket. */
import { Client } from 'pg';
import type { LocalRuntime } from 'cdk-agent-controls/testing';
import { refusal, Scene } from './scene';

interface Replaced { readonly outcome: string; readonly exposures: readonly { readonly seconds: number }[]; readonly dead: readonly { readonly what: string; readonly state: string }[] }

export async function rotate(runtime: LocalRuntime, { tell, note }: Scene): Promise<void> {
  const rosa = await runtime.person('rosa', 'responder');
  const replace = (leaked: boolean, reason: string): Promise<Replaced> => rosa.ask('POST', '/rotations', { credential: 'crm-tierer', leaked, reason });

  tell.doing('the password of crm-tierer is replaced while it works');
  const run = await runtime.startAsked('crm-tierer', { text: 'C_301 passed 1,000 calls a month: see to its tier.', reference: 'USAGE-2026-08' });
  const read = (): ReturnType<typeof run.call> => run.call('read_customer', { columns: ['company'] }, { reason: 'who is it' });
  const before = runtime.file.resources.logins['crm-tierer'];
  const verdicts: string[] = [];
  let going = true;
  const working = (async (): Promise<void> => {
    while (going) verdicts.push((await read()).verdict);
  })();
  await replace(false, 'a drill');
  going = false;
  await working;
  note('it has another login, and every call went through', 'crm-tierer-b, permit', `${runtime.file.resources.logins['crm-tierer']?.user.split('-login-')[1] ?? ''}, ${[...new Set(verdicts)].join(', ')}`);
  note('the password from before works for a day', 'logged in', await logIn(runtime, before));

  tell.doing('somebody finds its password in a ticket');
  const leaked = runtime.file.resources.logins['crm-tierer'];
  const report = await replace(true, 'TICKET-77 has the password of crm-tierer');
  note('rosa says so: logins and sessions from before are dead', 'proven', report.outcome);
  note('both passwords from before', 'refused, refused', `${await logIn(runtime, before)}, ${await logIn(runtime, leaked)}`);
  note('for how long they were exposed is told', 'twice', report.exposures.every(({ seconds }) => seconds >= 0) && report.exposures.length === 2 ? 'twice' : JSON.stringify(report.exposures));
  note('the run from before', 'AccessDeniedException', await refusal(read()));
}

async function logIn({ file: { postgres: { host, port, database } } }: LocalRuntime, login: { readonly user: string; readonly password: string } | undefined): Promise<string> {
  const client = new Client({ host, port, database, ...login });
  try {
    await client.connect();
    return 'logged in';
  } catch {
    return 'refused';
  } finally {
    await client.end().catch(() => undefined); // it never began
  }
}
