/** What a stop is proved by: a login that could still do anything, or is still at it, is counted, each for a reason of its own. */
import { beforeAll, describe, expect, it } from 'vitest';
import { agentLogin, agentRoleName } from '../../../lib/scope/names';
import { card, LEADS, SEND_EMAIL } from '../../support/cards';
import { TestDatabase, testDatabase } from '../../support/database';

const AGENT = 'outreach-closer';
let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase(LEADS);
  await db.register(card(), [SEND_EMAIL]);
});

interface Left { readonly logins: number; readonly backends: number; readonly models: number }
async function left(): Promise<Left> {
  const { rows } = await db.as('kill').query<{ left_of: string }>('select controls.left_of($1)', [AGENT]);
  const { logins, backends, models } = JSON.parse(rows[0]?.left_of ?? '') as Left;
  return { logins, backends, models };
}
const own = (): string => agentLogin(db.controls, AGENT);
const end = (): Promise<unknown> => db.as('kill').query('select controls.end_logins($1)', [AGENT]);

describe('what is left of a stopped agent', () => {
  it('is every login that may log in or has a right, and every session, until they are ended', async () => {
    const session = await db.asAgent(AGENT).connect();
    session.on('error', () => undefined);
    await db.as('kill').query('select controls.stop($1)', [AGENT]);
    expect(await left()).toEqual({ logins: 1, backends: 1, models: 0 });
    await end();
    expect(await left()).toEqual({ logins: 0, backends: 0, models: 0 });
    await expect(session.query('select 1')).rejects.toThrow();
    session.release(true);
  });

  it('is a login that may log in and has no right, and one that has a right and may not', async () => {
    await db.superuser.query(`alter role "${own()}" login`);
    expect(await left()).toMatchObject({ logins: 1 });
    await end();
    await db.superuser.query(`grant "${agentRoleName(db.controls, AGENT)}" to "${own()}"`);
    expect(await left()).toMatchObject({ logins: 1 });
    await db.superuser.query(`revoke "${agentRoleName(db.controls, AGENT)}" from "${own()}"`);
    expect(await left()).toMatchObject({ logins: 0 });
  });

  it('is an answer of a model that has not ended', async () => {
    await db.superuser.query("insert into gate.model_call values (gen_random_uuid(), 'run-1', $1, controls.now(), null)", [AGENT]);
    expect(await left()).toMatchObject({ models: 1 });
    await db.superuser.query('update gate.model_call set ended_at = controls.now()');
    expect(await left()).toMatchObject({ models: 0 });
  });
});

describe('a session that does not end', () => {
  it('is told, by whoever stops its agent and by whoever makes its login anew', async () => {
    await db.superuser.query('update controls.agent set enabled = true');
    await db.superuser.query(`alter role "${own()}" login`);
    const session = await db.asAgent(AGENT).connect();
    session.on('error', () => undefined);
    const { rows: [{ pid } = { pid: 0 }] } = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
    process.kill(pid, 'SIGSTOP'); // it gets no signal, so it cannot be ended
    try {
      await db.as('kill').query('select controls.stop($1)', [AGENT]);
      await end();
      expect(await left()).toMatchObject({ logins: 0, backends: 1 });
      expect((await db.owner.query<{ left: number }>('select controls.renew_login($1) as left', [own()])).rows).toEqual([{ left: 1 }]);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    session.release(true);
  }, 20_000);
});
