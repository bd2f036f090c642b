import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { AgentClient, GateError, Run } from '../../lambda/client';
import type { SignedApi } from '../../lambda/client/signed-api';
import { Log, LogOptions, openLog } from '../log';
import { readLocalFile } from '../read-local-file';
import { green, progressLine, red } from '../terminal';

interface DrillOptions {
  readonly agent: string;
  readonly action: string;
  readonly parameters: string;
  readonly request: string;
  readonly rounds: string;
  readonly folder: string;
  readonly json?: true;
}

/** How many calls are on their way at once, and how late in a round the stop comes at most. */
const WORKERS = 3;
const LATEST_MS = 1_500;
/** How long after a stop it is still driven and looked at. */
const AFTER_MS = 500;
/** How long every other round waits for a first effect: a drill that stops nothing at work shows nothing. */
const IDLE_MS = 10_000;

/** `agent-controls agent drill`: stops an agent in mid-flight at random instants, and looks for any effect after the time that the stop names. */
export function drillCommand(): Command {
  return new Command('drill')
    .description('Drives an agent of the running local runtime, stops it in mid-flight at random instants, and looks for any later effect. Each round brings it back, which takes two people: both are there locally.')
    .requiredOption('--agent <name>', 'the canary')
    .requiredOption('--action <name>', 'a call that its card lets through')
    .requiredOption('--parameters <json>', 'parameters of the call')
    .option('--request <text>', 'what is asked of its runs', 'A drill.')
    .option('--rounds <n>', 'how often', '10')
    .addOption(new Option('--folder <path>', 'folder of the local runtime').default('.agent-controls'))
    .option('--json', 'print { rounds, unproven, lateEffects, effects, stopSeconds: { p50, max } }')
    .addHelpText('after', '\nExample:\n  agent-controls agent drill --agent crm-tierer --action update_tier --parameters \'{"customer_id":"C_201","tier":"growth"}\' --request "Set the tier of C_201 to growth."')
    .action(async ({ rounds: count, json, ...drill }: DrillOptions) => {
      const rounds = Number(count);
      if (!Number.isInteger(rounds) || rounds < 1 || rounds > 10_000) throw new Error(`RoundsInvalid: --rounds must be 1 to 10,000, got ${count}`);
      const log = await openLog({ local: true, folder: drill.folder, name: '' } satisfies LogOptions);
      const line = progressLine();
      const results: Round[] = [];
      try {
        const people = { operator: await log.api('responder', 'operator'), colleague: await log.api('responder', 'colleague') };
        for (let round = 1; round <= rounds; round += 1) {
          line.tell(`round ${round} of ${rounds}, ${results.reduce((sum, { late }) => sum + late, 0)} late effects`);
          results.push(await play(drill, log, people, round % 2 === 1));
        }
      } finally {
        line.end();
        await log.close();
      }
      const seconds = results.map(({ stopSeconds }) => stopSeconds).sort((a, b) => a - b);
      const unproven = results.filter(({ outcome }) => outcome !== 'proven').length;
      const summary = { rounds, unproven, lateEffects: results.reduce((sum, { late }) => sum + late, 0), effects: results.reduce((sum, { effects }) => sum + effects, 0), stopSeconds: { p50: seconds[Math.floor((seconds.length - 1) / 2)] ?? 0, max: seconds.at(-1) ?? 0 } };
      const fine = summary.lateEffects === 0 && unproven === 0;
      process.stdout.write(json ? `${JSON.stringify(summary)}\n` : `${fine ? green('Held') : red('Did not hold')}: ${rounds} stops in mid-flight, ${summary.effects} effects before them and ${summary.lateEffects} after${unproven > 0 ? `; ${unproven} stops were not proven, and nothing is known of them` : ''}; stopped and proven after ${summary.stopSeconds.p50} s (median), ${summary.stopSeconds.max} s at most.\n`);
      if (summary.effects === 0) throw new Error('DrillIdle: no call had an effect, so nothing was shown; the call must be one that runs without asking anybody');
      process.exitCode = fine ? 0 : 1;
    });
}

interface Round { readonly outcome: string; readonly stopSeconds: number; readonly effects: number; readonly late: number }

/** @param working whether it is stopped after a call of it had an effect, or perhaps before any. */
async function play({ agent, action, parameters, request, folder }: Omit<DrillOptions, 'rounds' | 'json'>, log: Log, { operator, colleague }: { readonly operator: SignedApi; readonly colleague: SignedApi }, working: boolean): Promise<Round> {
  const { api: url, region, principals } = readLocalFile(folder);
  const { compute, trigger } = principals.agents[agent] ?? {};
  if (!compute) throw new Error(`AgentUnknown: no program of the local runtime may start ${agent}; it has ${Object.keys(principals.agents).join(', ')}`);
  const clientOf = (keys: NonNullable<typeof compute>): AgentClient => AgentClient.of({ url, region, agentName: agent, credentials: { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey, ...(keys.sessionToken === undefined ? {} : { sessionToken: keys.sessionToken }) } });
  const asked = { text: request };
  const run = await clientOf(compute).startRun(trigger ? { requestId: (await clientOf(trigger).ask(asked)).requestId } : asked);
  let going = true;
  let worked: () => void;
  const atWork = new Promise<void>((resolve) => { worked = resolve; });
  const workers = Array.from({ length: WORKERS }, () => drive(run, action, JSON.parse(parameters) as Record<string, unknown>, () => going, () => worked()));
  if (working) await Promise.race([atWork, sleep(IDLE_MS, undefined, { ref: false })]);
  await sleep(Math.random() * LATEST_MS);
  let report = await operator.send<{ outcome: string; stoppedAt: string | null; stopSeconds: number }>('POST', `/agents/${agent}/disable`, { reason: 'a drill' });
  let { stopSeconds } = report;
  for (const began = Date.now(); report.outcome === 'propagating' && Date.now() - began < 330_000;) {
    report = await operator.send('GET', `/agents/${agent}/stop`);
    stopSeconds += report.stopSeconds;
  }
  await sleep(AFTER_MS);
  going = false;
  await Promise.all(workers);
  const effects = async (since: string, parameter: string): Promise<number> => Number(((await log.rows(`select count(*)::text as count from audit.entry where kind = 'call.outcome' and outcome <> 'refused' and ${since}`, { value: parameter }))[0] as { count?: string } | undefined)?.count ?? 0);
  const round = { outcome: report.outcome, stopSeconds, effects: await effects('run_id = :value', run.runId), late: report.stoppedAt === null ? 0 : await effects(`agent = '${agent.replaceAll(/[^a-z0-9-]/g, '')}' and at > :value::timestamptz`, report.stoppedAt) };
  await operator.send('POST', `/agents/${agent}/enable`, { reason: 'the drill is over' });
  await colleague.send('POST', `/agents/${agent}/enable`, { reason: 'the drill is over' });
  return round;
}

async function drive(run: Run, action: string, parameters: Record<string, unknown>, going: () => boolean, worked: () => void): Promise<void> {
  while (going()) {
    try {
      if ((await run.call(action, parameters, { reason: 'a drill' })).verdict === 'permit') worked();
    } catch (error) {
      if (!(error instanceof GateError)) throw error; // it is being stopped
    }
  }
}
