/** The agent that was fed a wrong report is stopped in mid-flight, every lever is proved, and two people bring it back. */
import type { LocalRuntime } from 'cdk-agent-controls/testing';
import { refusal, Scene } from './scene';

interface Report { readonly outcome: string; readonly levers: readonly { readonly lever: string; readonly state: string }[] }

export async function stop(runtime: LocalRuntime, { tell, note }: Scene): Promise<void> {
  tell.doing('crm-tierer goes on while rosa stops it');
  const run = await runtime.startAsked('crm-tierer', { text: 'C_301 passed 1,000 calls a month: see to its tier.', reference: 'USAGE-2026-07' });
  let going = true;
  const working = (async (): Promise<void> => {
    while (going) await run.call('read_customer', { columns: ['company'] }, { reason: 'it goes on and on' }).catch(() => undefined);
  })();
  const [rosa, ruben] = [await runtime.person('rosa', 'responder'), await runtime.person('ruben', 'responder')];
  const report = await rosa.ask<Report>('POST', '/agents/crm-tierer/disable', { reason: 'INC-42: a wave of wrong tiers' });
  going = false;
  await working;
  note('rosa stops it: gate, logins, holds, calls, models, sessions', 'proven', report.outcome === 'proven' ? 'proven' : report.levers.filter(({ state }) => state !== 'proven').map(({ lever, state }) => `${lever} ${state}`).join(', '));
  note('its program starts another run', 'AgentDisabled', await refusal(runtime.startAsked('crm-tierer', { text: 'C_302 too.' })));
  const back = async (person: typeof rosa): Promise<string> => ((await person.ask<{ waits?: boolean }>('POST', '/agents/crm-tierer/enable', { reason: 'INC-42 is closed' })).waits ? 'waits for a second person' : 'back');
  note('rosa asks for it back', 'waits for a second person', await back(rosa));
  note('ruben does, too, and it has a new password', 'back', await back(ruben));
  note('rosa has looked at what was found, and lets its writes go on', 'true', String((await rosa.ask<{ changed: boolean }>('POST', '/agents/crm-tierer/release', { reason: 'INC-42 is closed' })).changed));
}
