import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { AccessModel } from '../../lib/access/access-model';
import type { Permission } from '../../lib/access/permissions';
import { ControlsError } from '../../lib/scope/controls-error';
import { pageHtml } from '../page-html';
import { bold, dim, green, red } from '../terminal';
import { accessReviewCommand } from './access-review';

interface Options {
  readonly assembly: string;
  readonly agent?: string;
  readonly json?: true;
  readonly html?: string;
}

/** `agent-controls access`: what every agent of a synthesized app may do, and by whom it is kept to that. */
export function accessCommand(): Command {
  return new Command('access')
    .enablePositionalOptions() // of two options of one name, each belongs to the command it stands behind
    .description('Prints what every agent of a synthesized app may read, write, call and do in AWS, what enforces it, and every way around the gate.')
    .option('--assembly <folder>', 'folder that cdk synth wrote', 'cdk.out')
    .option('--agent <name>', 'of this agent only')
    .option('--json', 'print JSON on standard output')
    .option('--html <file>', 'write a page instead')
    .addCommand(accessReviewCommand())
    .addHelpText('after', '\nExit codes: 0 the way leads through the gate alone, 1 something leads around it, 2 the app could not be read.')
    .action(print);
}

function print({ assembly, agent, json, html }: Options): void {
  if (!existsSync(join(assembly, 'manifest.json'))) throw new ControlsError('AssemblyMissing', `there is no manifest.json in ${assembly}; run cdk synth first, or give --assembly`);
  const model = AccessModel.fromAssembly(assembly);
  if (agent !== undefined) model.agent(agent);
  const permissions = model._permissions().filter((each) => agent === undefined || each.agent === agent);
  const refused = model._findings.filter(({ kind }) => kind === 'refused').map(({ sentence }) => sentence);
  const unproven = model.unproven();
  if (json) process.stdout.write(`${JSON.stringify({ agents: model.agentNames, permissions, programs: Object.fromEntries(model._programs), refused, unproven })}\n`);
  else if (html !== undefined) writeFileSync(html, pageHtml('Access of agents', page(model, permissions, refused, unproven)));
  else {
    for (const name of model.agentNames.filter((each) => agent === undefined || each === agent)) process.stdout.write(`${bold(name)}${dim(starters(model, name))}\n${table(permissions.filter((each) => each.agent === name))}\n\n`);
    process.stdout.write(refused.length === 0 ? `${green('✓')} the way to every action, login, secret and verdict leads through the gate alone\n` : refused.map((sentence) => `${red('✗')} ${sentence}\n`).join(''));
    process.stdout.write(unproven.map((sentence) => `${red('?')} unproven: ${sentence}\n`).join(''));
  }
  process.exitCode = refused.length === 0 ? 0 : 1;
}

/** Who starts an agent, and who says what it is asked. */
function starters(model: AccessModel, name: string): string {
  const { programs = [], triggers = [] } = model._programs.get(name) ?? {};
  return `, started by ${programs.join(', ') || 'nobody yet'}, asked by ${triggers.join(', ') || 'no trigger'}`;
}

function table(permissions: readonly Permission[]): string {
  const rest = Math.max(60, (process.stdout.columns ?? 130) - 30);
  const made = new Table({
    head: ['may', 'what', 'when', 'enforced by'].map((text) => bold(text)), colWidths: [8, Math.floor(rest * 0.4), Math.ceil(rest * 0.6), 14], wordWrap: true, style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  made.push(...grouped(permissions));
  return made.toString();
}

/** Columns of one table under the same conditions, in one line. */
function grouped(permissions: readonly Permission[]): string[][] {
  const lines = new Map<string, { readonly first: Permission; readonly columns: string[] }>();
  for (const permission of permissions) {
    const { verb, what, when, enforcedBy } = permission;
    const cut = verb === 'read' || verb === 'write' ? what.lastIndexOf('.') : 0;
    const key = JSON.stringify([verb, cut > 0 ? what.slice(0, cut) : what, when, enforcedBy]);
    const line = lines.get(key);
    if (line) line.columns.push(what.slice(cut + 1));
    else lines.set(key, { first: permission, columns: cut > 0 ? [what.slice(cut + 1)] : [] });
  }
  return [...lines.values()].map(({ first: { verb, what, when, enforcedBy }, columns }) => [verb, columns.length === 0 ? what : `${what.slice(0, what.lastIndexOf('.'))}: ${columns.join(', ')}`, when, enforcedBy]);
}

/** Everything that the agents of an app may do, as a page. */
export function accessPage(model: AccessModel): string {
  const refused = model._findings.filter(({ kind }) => kind === 'refused').map(({ sentence }) => sentence);
  return page(model, model._permissions(), refused, model.unproven());
}

function page(model: AccessModel, permissions: readonly Permission[], refused: readonly string[], unproven: readonly string[]): string {
  const cell = (text: string): string => text.replaceAll(/[\\`*_[\]<>|#~]/g, '\\$&');
  return [
    '# Who may do what', '',
    ...[...new Set(permissions.map(({ agent }) => agent))].flatMap((name) => [
      `## ${cell(name)}`, '', cell(starters(model, name).slice(2)), '',
      '| may | what | when | enforced by |', '| --- | --- | --- | --- |',
      ...grouped(permissions.filter(({ agent }) => agent === name)).map((cells) => `| ${cells.map(cell).join(' | ')} |`), '',
    ]),
    '## Ways around the gate', '', ...(refused.length > 0 ? refused.map((sentence) => `- **${cell(sentence)}**`) : ['None.']), '',
    '## Not proven', '', ...(unproven.length > 0 ? unproven.map((sentence) => `- ${cell(sentence)}`) : ['Nothing: every edge is in the app.']), '',
  ].join('\n');
}
