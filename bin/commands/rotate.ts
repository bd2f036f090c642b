import Table from 'cli-table3';
import { Command } from 'commander';
import { GateError } from '../../lambda/client';
import { LogOptions, openLog, withLog } from '../log';
import { bold, green, progressLine, red } from '../terminal';

interface Dead { readonly what: string; readonly state: 'proven' | 'propagating'; readonly evidence: string }
interface Exposure { readonly credential: string; readonly since: string; readonly until: string; readonly seconds: number }
interface Replaced { readonly credential: string; readonly version: string; readonly leaked: boolean; readonly outcome: 'replaced' | 'proven' | 'propagating'; readonly exposures: readonly Exposure[]; readonly dead: readonly Dead[] }

interface RotateOptions extends LogOptions { readonly leaked?: true; readonly reason: string }

/** A rotation that is at its last step is let finish; one that died there is given up after two minutes. */
const PATIENCE_MS = 150_000;

/** `agent-controls rotate`: replaces a credential now, and after a leak locks out whoever has the one before. */
export function rotateCommand(): Command {
  return withLog(new Command('rotate'))
    .description('Replaces a credential now. With --leaked the ones before end at once, and what was opened with them: running work fails, and starts anew.')
    .argument('<name>', 'an agent, duty/NAME of a handler, or secret/NAME of another secret that is rotated')
    .option('--leaked', 'somebody else has it: current and previous credential are dead when this ends')
    .requiredOption('--reason <text>', 'why; it stands in the log')
    .addHelpText('after', '\nExamples:\n  agent-controls rotate crm-tierer --leaked --reason "password in ticket INC-42"\n  agent-controls rotate duty/gate --reason "drill"')
    .action(async (name: string, { leaked, reason, ...options }: RotateOptions) => {
      const log = await openLog(options);
      const line = progressLine();
      try {
        const api = await log.api('responder');
        line.tell(`replacing the credential of ${name}`);
        const deadline = Date.now() + PATIENCE_MS;
        const ask = async (): Promise<Replaced> => {
          try {
            return await api.send<Replaced>('POST', '/rotations', { credential: name, leaked: leaked === true, reason });
          } catch (error) {
            if (!(error instanceof GateError) || error.code !== 'RotationInProgress' || Date.now() > deadline) throw error;
            line.tell(`another rotation of ${name} is at its last step`);
            await new Promise((later) => setTimeout(later, 3_000));
            return ask();
          }
        };
        const report = await ask();
        line.end();
        process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : told(report));
        process.exitCode = report.outcome === 'propagating' ? 1 : 0;
      } finally {
        line.end();
        await log.close();
      }
    });
}

function told({ credential, version, leaked, outcome, exposures, dead }: Replaced): string {
  if (!leaked) return `${green('Replaced')}: ${credential}, version ${version}. The one before works for a day.\n`;
  const table = new Table({ head: ['dead', 'state', 'evidence'].map((text) => bold(text)), style: { head: [], border: [] }, colWidths: [null, null, 80], wordWrap: true });
  table.push(...dead.map(({ what, state, evidence }) => [what, state === 'proven' ? green(state) : red(state), evidence]));
  const exposed = exposures.map(({ credential: which, since, until, seconds }) => `  ${which.padEnd(9)} ${since} to ${until}  ${duration(seconds)}\n`).join('');
  const headline = outcome === 'proven' ? `${green('Replaced')}: ${credential}. Whoever has a credential from before has nothing.` : `${red('Replaced, not proven yet')}: ${credential}. What is propagating arrives within minutes; asking again replaces it again.`;
  return `${headline}\n${table.toString()}\nExposed, at most: from when each came to be until it was dead\n${exposed}`;
}

function duration(seconds: number): string {
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60];
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${seconds} s`;
}
