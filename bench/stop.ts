/** From the word to the last effect of an agent in mid-flight; the floor is the time after which its stop is proven. */
import { Client } from 'pg';
import type { LocalRuntime } from '../local/testing';
import { withExample } from './local-example';
import { median, Row, ROUNDS } from './measure';

export function stop(progress: (what: string) => void): Promise<Record<string, Row>> {
  progress('an agent that is stopped in mid-flight');
  return withExample(measured);
}

async function measured(runtime: LocalRuntime): Promise<Record<string, Row>> {
  const { host, port, database, superuser: user, password } = runtime.file.postgres;
  const client = new Client({ host, port, database, user, password });
  await client.connect();
  try {
    const people = [await runtime.person('rosa', 'responder'), await runtime.person('ruben', 'responder')] as const;
    const rounds: { readonly last: number; readonly proven: number }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const run = await runtime.startAsked('crm-tierer', { text: 'Set the tier of C_201 to growth.', reference: `USAGE-${round}` });
      let going = true;
      const workers = Array.from({ length: 3 }, async () => { while (going) await run.call('update_tier', { customer_id: 'C_201', tier: 'growth' }, { reason: 'it is measured' }).catch(() => undefined); });
      await new Promise((later) => setTimeout(later, 1_000));
      const asked = Date.now();
      const report = await people[0].ask<{ outcome: string; stopSeconds: number }>('POST', '/agents/crm-tierer/disable', { reason: 'it is measured' });
      if (report.outcome !== 'proven') throw new Error(`the bench expects a proven stop, got ${report.outcome}`);
      going = false;
      await Promise.all(workers);
      const { rows: [{ last } = { last: null }] } = await client.query<{ last: Date | null }>("select max(at) as last from audit.entry where run_id = $1 and kind = 'call.outcome' and outcome <> 'refused'", [run.runId]);
      if (!last) throw new Error('the bench expects effects before the stop');
      rounds.push({ last: Math.max(0, last.getTime() - asked) / 1_000, proven: report.stopSeconds });
      for (const person of people) await person.ask('POST', '/agents/crm-tierer/enable', { reason: 'it was measured' });
    }
    return { 'stop.last-effect': { ours: median(rounds.map(({ last }) => last)), floor: median(rounds.map(({ proven }) => proven)), ratio: Math.max(...rounds.map(({ last, proven }) => last / proven)), unit: 's' } };
  } finally {
    await client.end();
  }
}
