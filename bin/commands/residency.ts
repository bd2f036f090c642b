import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command } from 'commander';
import { deploymentsOf } from '../../lib/access/resources';
import { ControlsError } from '../../lib/scope/controls-error';
import { classesOf, fateOf, ProviderPolicy, ResidencyPolicy } from '../../lib/scope/residency';
import { residencyPage } from '../../lib/scope/residency-page';
import { endpointPolicy, serviceControlPolicy } from '../../lib/scope/residency-policies';
import { pageHtml } from '../page-html';
import { bold, dim, green, red } from '../terminal';

interface Where { readonly assembly: string; readonly controls?: string }
interface Out { readonly out?: string }
interface Found { readonly controlsName: string; readonly policy: ResidencyPolicy }

/** `agent-controls residency`: which model provider may see what, the page that a privacy reviewer reads, and the documents for the organisation. */
export function residencyCommand(): Command {
  const ofAccount = (name: string, description: string, write: (of: Found, account: string) => string): Command => withWhere(new Command(name))
    .description(description)
    .requiredOption('--account <id>', 'account of the control plane, 12 digits')
    .option('--out <path>', 'file to write instead of standard output')
    .action((options: Where & Out & { readonly account: string }) => {
      if (!/^\d{12}$/.test(options.account)) throw new ControlsError('AccountInvalid', `--account is 12 digits, got ${options.account}; correct it`);
      put(`${write(policyOf(options), options.account)}\n`, options);
    });
  return withWhere(new Command('residency'))
    .enablePositionalOptions()
    .description('Prints which model provider may see which data in a synthesized app, and what nobody has looked at.')
    .option('--json', 'print JSON on standard output')
    .addCommand(withWhere(new Command('page'))
      .description('Prints the one-page policy that a privacy reviewer reads: Markdown, or HTML that prints on one page.')
      .option('--html', 'HTML instead of Markdown')
      .option('--out <path>', 'file to write instead of standard output')
      .action((options: Where & Out & { readonly html?: true }) => {
        const page = residencyPage(policyOf(options).policy);
        put(options.html ? pageHtml('Data residency', page) : page, options);
      }))
    .addCommand(ofAccount('scp', 'Prints a service control policy for the organisation: nobody but the gateway asks a model.', ({ policy, controlsName }, account) => serviceControlPolicy(policy, controlsName, account)))
    .addCommand(ofAccount('endpoint-policy', 'Prints a policy for a VPC endpoint of bedrock-runtime.', ({ policy, controlsName }, account) => endpointPolicy(policy, controlsName, account)))
    .addHelpText('after', '\nExit codes: 0 everything was looked at and is in date, 1 something was not, 2 the app could not be read, or has no policy.')
    .action(print);
}

const withWhere = (command: Command): Command => command.option('--assembly <folder>', 'folder that cdk synth wrote', 'cdk.out').option('--controls <name>', 'control plane, where the app has several');

const put = (text: string, { out }: Out): void => {
  if (out === undefined) process.stdout.write(text);
  else writeFileSync(out, text);
};

function policyOf({ assembly, controls }: Where): Found {
  const registrations = deploymentsOf(assembly).flatMap((each) => each.registrations);
  if (registrations.length === 0) throw new ControlsError('AssemblyMissing', `there is no control plane in ${assembly}; run cdk synth first, or give --assembly`);
  const all = registrations.flatMap(({ controlsName, residency }): Found[] => (residency ? [{ controlsName, policy: residency }] : []));
  const found = all.filter(({ controlsName }) => controls === undefined || controlsName === controls);
  const [first] = found;
  if (!first) throw new ControlsError('PolicyMissing', `no residency policy of ${controls ?? 'any control plane'} is in ${assembly}; give AgentControls a residency`);
  if (new Set(found.map(({ controlsName }) => controlsName)).size > 1) throw new ControlsError('ControlsSeveral', `the app has ${found.map(({ controlsName }) => controlsName).join(', ')}; name one with --controls`);
  return first;
}

function print(options: Where & { readonly json?: true }): void {
  const { controlsName, policy } = policyOf(options);
  const { providers, reviewBy, owner, regions } = policy;
  const open = [
    ...(reviewBy < new Date().toISOString().slice(0, 10) ? [`the policy was to be reviewed by ${reviewBy}`] : []),
    ...providers.filter(({ terms }) => !terms).map(({ name }) => `nobody has noted the terms of ${name}`),
    ...providers.filter(({ terms }) => terms?.trainsOnData).map(({ name }) => `${name} trains on what it is sent`),
  ];
  if (options.json) process.stdout.write(`${JSON.stringify({ controlsName, policy, rulings: classesOf(policy).map((name) => ({ class: name, ...Object.fromEntries(providers.map((provider) => [provider.name, decided(policy, provider, name)])) })), open })}\n`);
  else {
    const table = new Table({ head: ['class', ...providers.map(({ name }) => name)].map((text) => bold(text)), style: { head: [], border: [] }, chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' } });
    table.push(...classesOf(policy).map((name) => [name, ...providers.map((provider) => coloured(decided(policy, provider, name)))]), ['processes in', ...providers.map(({ processesIn }) => processesIn.join(', '))]);
    process.stdout.write(`${table.toString()}\n${dim(`${owner} answers for it; data may be in ${regions.join(', ')}; to be reviewed by ${reviewBy}.`)}\n${open.map((sentence) => `${red('!')} ${sentence}\n`).join('')}`);
  }
  process.exitCode = open.length === 0 ? 0 : 1;
}

function decided(policy: ResidencyPolicy, { name }: ProviderPolicy, className: string): string {
  const fate = fateOf(policy, name, className);
  return fate.how === 'goes to' ? `goes to ${fate.to}` : fate.how;
}

const coloured = (text: string): string => (text === 'blocked' ? red(text) : text === 'may see' ? green(text) : text);
