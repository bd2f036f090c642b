import type { Card } from '../lib/scope/card';
import type { Manifest } from '../lib/scope/manifest';
import { code, table, text } from '../lib/scope/markdown';
import type { ResidencyPolicy } from '../lib/scope/residency';
import type { Vendor } from '../lib/scope/vendor';

/** What a runbook is made of. */
export interface RunbookInput {
  readonly card: Card;
  /** Declarations of the actions that the card calls. */
  readonly manifests: readonly Manifest[];
  readonly controlsName: string;
  readonly policy?: ResidencyPolicy;
}

/** What to do when an agent did the wrong thing, at night, with the commands as they are typed. Markdown. */
export function runbook({ card, manifests, controlsName, policy }: RunbookInput): string {
  const { agent, owners } = card;
  const called = new Set(card.scopes.flatMap(({ call }) => (call ?? []).map(({ action }) => action)));
  const actions = manifests.filter(({ name }) => called.has(name));
  const run = (command: string): string => code(`npx agent-controls ${command}${controlsName === 'agent-controls' ? '' : ` --name ${controlsName}`}`);
  const vendors: (readonly [string, Vendor | undefined])[] = [
    ...actions.filter(({ vendor, reach }) => vendor !== undefined || reach !== 'internal').map(({ name, vendor }) => [`action ${name}`, vendor] as const),
    ...(policy?.providers ?? []).filter(({ name }) => card.models.includes(name)).map(({ name, vendor }) => [`model ${name}`, vendor] as const),
  ];
  return [
    `# When ${text(agent)} did the wrong thing`, '',
    text(card.purpose), '',
    ...table(['on call', 'security', 'product'], [[`**${text(owners['on-call'])}**`, text(owners.security), text(owners.product)]]), '',
    '## 1. Stop it, or have it wait', '',
    ...table(['when', 'command', 'what it does'], [
      ['it does harm now', run(`agent disable ${agent} --reason "INC-..."`), 'ends runs, calls, holds, logins, sessions and models, and proves each; exit code 0 when all are proven'],
      ['something is odd, and it should go on reading', run(`agent hold ${agent} --reason "INC-..."`), 'every write waits for people'],
      ['a credential of it is out', run(`rotate ${agent} --leaked --reason "INC-..."`), 'the credential and every session from before are dead'],
    ]), '',
    '## 2. See what it did', '',
    ...table(['question', 'command'], [
      ['what was found', run(`audit findings --agent ${agent}`)],
      ['the last hour', run(`audit search --agent ${agent} --from ${'$(date -u -d "1 hour ago" +%FT%TZ)'}`)],
      ['what was denied', run(`audit search --agent ${agent} --status denied`)],
      ['what models were sent', run(`audit models --agent ${agent}`)],
      ['whether the log is whole', run('audit verify')],
    ]), '',
    '## 3. Undo it', '',
    `${run(`rollback --agent ${agent} --since 2h --plan`)} says row by row what would be undone; without ${code('--plan')} and with ${code('--reason')} it undoes, newest first, and leaves alone what somebody has changed since. It works while the agent is stopped.`, '',
    ...table(['action', 'undone by', 'in words'], actions.filter(({ effect }) => effect === 'write').map(({ name, reverse }) => [code(name), reverse?.kind === 'impossible' || !reverse ? '**nothing**' : reverse.kind, text(reverse?.sentence ?? 'puts back what was there before')])), '',
    '## 4. Call', '',
    ...table(['who', 'because', 'where'], [
      [text(owners['on-call']), 'answers for it tonight', ''], [text(owners.security), 'security owner', ''],
      ...vendors.map(([by, vendor]) => (vendor ? [text(vendor.name), `${by}: ${vendor.dataClasses.join(', ') || 'no data classes'}`, text(vendor.escalation)] : ['**nobody has named it**', by, '**nobody knows**'])),
    ]), '',
    '## 5. Bring it back', '',
    `Two people, within a day: ${run(`agent enable ${agent} --reason "INC-... is closed"`)} by each. A caution ends with ${run(`agent release ${agent} --reason "INC-..."`)}.`, '',
    '## What could go wrong with it', '',
    ...table(['what', 'found by'], card['failure-modes'].map(({ bad, 'found-by': by }) => [text(bad), Object.entries(by).map(([how, of]) => `${how} ${code(of)}`).join(', ')])), '',
    '## Afterwards', '',
    `Keep the evidence: ${run('evidence --out evidence')}. Against the local runtime, practise this with ${code('npx agent-controls tabletop')}.`, '',
  ].join('\n');
}
