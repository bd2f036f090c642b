import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { Client } from 'pg';
import { AgentClient } from '../../lambda/client';
import type { LocalFile } from '../../local/local-file';
import { openLog } from '../log';
import { readLocalFile } from '../read-local-file';
import { missing, SCENARIOS } from '../tabletop/scenarios';
import type { Scenario, Stage, Step } from '../tabletop/scenario';
import { bold, dim, green, progressLine, red } from '../terminal';

/** Where reports lie that `agent-controls evidence --local` takes along. */
export const TABLETOPS = 'tabletops';

interface Options { readonly folder: string; readonly minutes: string; readonly auto?: true; readonly out?: string; readonly json?: true }

/** What came of one exercise. */
interface Report { readonly scenario: string; readonly agent: string; readonly at: string; readonly auto: boolean; readonly ok: boolean; readonly seen: string; readonly steps: readonly { readonly step: string; readonly seconds: number | null; readonly ok: boolean }[] }

/** `agent-controls tabletop`: an agent does the wrong thing on the local runtime, and somebody answers with the real commands. */
export function tabletopCommand(): Command {
  return new Command('tabletop')
    .description('Plays that an agent of the example app did the wrong thing on the running local runtime. You answer with the real commands in another terminal; each step is timed, and the report goes into the evidence.')
    .argument('[scenario]', `${SCENARIOS.map(({ name }) => name).join(', ')}; all of them when none is named`)
    .addOption(new Option('--folder <path>', 'folder of the local runtime').default('.agent-controls'))
    .option('--minutes <n>', 'how long to wait for each step', '30')
    .option('--auto', 'run the commands itself, to see that they work')
    .option('--out <file>', 'write the report of one scenario here instead of into the folder of the runtime')
    .option('--json', 'print JSON on standard output')
    .addHelpText('after', '\nExit codes: 0 every step was done in time, 1 one was not, 2 it could not be played.')
    .action(play);
}

async function play(name: string | undefined, options: Options): Promise<void> {
  const minutes = Number(options.minutes);
  if (!(minutes > 0 && minutes <= 1_440)) throw new Error(`MinutesInvalid: --minutes must be more than 0 and at most 1440, got ${options.minutes}`);
  const chosen = SCENARIOS.filter((each) => name === undefined || each.name === name);
  if (chosen.length === 0) throw new Error(`ScenarioUnknown: got ${name ?? ''}; there are ${SCENARIOS.map((each) => each.name).join(', ')}`);
  if (options.out !== undefined && chosen.length > 1) throw new Error('ScenarioMissing: --out takes the report of one scenario; name it');
  const file = readLocalFile(options.folder);
  const log = await openLog({ local: true, folder: options.folder, name: '' });
  const say = (text: string): void => { (options.json ? process.stderr : process.stdout).write(`${text}\n`); };
  try {
    const reports: Report[] = [];
    for (const scenario of chosen) {
      const lacking = await missing(log, scenario);
      if (lacking !== undefined) throw new Error(`AgentMissing: ${scenario.name} is played with ${lacking} of the example app, and the running one has no such agent; npm start runs it in a checkout`);
      const report = await exercise(scenario, { file, log, options, minutes, say });
      const out = options.out ?? join(options.folder, TABLETOPS, `${report.at.replaceAll(/[:.]/g, '-')}-${scenario.name}.json`);
      if (options.out === undefined) mkdirSync(join(options.folder, TABLETOPS), { recursive: true, mode: 0o700 });
      writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
      say(`${report.ok ? green('Mastered') : red('Not mastered')}: ${scenario.name}. ${dim(out)}\n`);
      reports.push(report);
    }
    if (options.json) process.stdout.write(`${JSON.stringify(reports)}\n`);
    process.exitCode = reports.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    await log.close();
  }
}

interface Playing { readonly file: LocalFile; readonly log: Awaited<ReturnType<typeof openLog>>; readonly options: Options; readonly minutes: number; readonly say: (text: string) => void }

async function exercise(scenario: Scenario, { file, log, options, minutes, say }: Playing): Promise<Report> {
  const [clock] = await log.rows("select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as now, (select to_char(max(at) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from audit.entry) as newest");
  const stage: Stage = {
    log, file, since: typeof clock?.newest === 'string' ? clock.newest : String(clock?.now),
    client: (agent, as) => {
      const keys = file.principals.agents[agent]?.[as];
      if (!keys) throw new Error(`AgentMissing: nobody may start ${agent} here`);
      return AgentClient.of({ url: file.api, region: file.region, agentName: agent, credentials: { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey, sessionToken: keys.sessionToken ?? '' } });
    },
    company: async (sql) => {
      const { host, port, database, superuser: user, password } = file.postgres;
      const client = new Client({ host, port, database, user, password });
      await client.connect();
      try {
        await client.query(sql);
      } finally {
        await client.end();
      }
    },
  };
  say(`${bold(scenario.name)}: something happens.`);
  const { seen, steps } = await scenario.begin(stage);
  const at = new Date().toISOString();
  say(`${seen}\n\nThe runbook of ${scenario.agent}: npx agent-controls runbook ${scenario.agent} --local${folderOf(options)}`);
  const began = Date.now();
  const done: { step: string; seconds: number | null; ok: boolean }[] = [];
  const line = progressLine();
  for (const step of steps) {
    if (step.command && !options.auto) say(dim(`  next: ${step.step}\n        npx agent-controls ${step.command.map((word) => (/^[\w./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ')} --local${folderOf(options)}; ${step.hint}`));
    if (options.auto && !await step.done()) await answer(step, options.folder);
    const deadline = Date.now() + minutes * 60_000;
    let ok = await step.done();
    while (!ok && Date.now() < deadline) {
      line.tell(`${step.step}: ${Math.round((Date.now() - began) / 1_000)} s`);
      await new Promise((later) => setTimeout(later, options.auto ? 200 : 1_000));
      ok = await step.done();
    }
    line.end();
    const seconds = ok ? Math.round((Date.now() - began) / 100) / 10 : null;
    say(`  ${ok ? green('✓') : red('✗')} ${step.step}${seconds === null ? '' : dim(`, after ${seconds} s`)}`);
    done.push({ step: step.step, seconds, ok });
    if (!ok) break; // what comes after it rests on it
  }
  for (const { step } of steps.slice(done.length)) done.push({ step, seconds: null, ok: false });
  return { scenario: scenario.name, agent: scenario.agent, at, auto: options.auto ?? false, ok: done.every(({ ok }) => ok), seen, steps: done };
}

const folderOf = ({ folder }: Options): string => (folder === '.agent-controls' ? '' : ` --folder ${folder}`);

/** Types the command that a step asks for; of bringing back, as each of two people. */
async function answer({ command }: Step, folder: string): Promise<void> {
  if (!command) return;
  const rounds = command[1] === 'enable' ? [[], ['--as', 'colleague']] : [[]];
  for (const more of rounds) await typed([...command, ...more, '--local', '--folder', folder]);
  if (command[1] === 'enable') await typed(['agent', 'release', command[2] ?? '', '--reason', 'TABLETOP', '--local', '--folder', folder]);
}

function typed(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [process.argv[1] ?? '', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 || code === 1 ? resolve() : reject(new Error(`${args.slice(0, 3).join(' ')} ended with ${code ?? 'a signal'}: ${said.trim()}`))));
  });
}
