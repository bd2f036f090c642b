import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { approvalState, approve, CardApproval, requiredSigners } from '../../lib/scope/approval';
import { approvalFromJson, approvalPath } from '../../lib/scope/approval-file';
import type { Card } from '../../lib/scope/card';
import { cardFromYaml } from '../../lib/scope/card-file';
import { cardPage } from '../../lib/scope/card-page';
import { cardDigest, compile } from '../../lib/scope/compile';
import { sha256Hex } from '../../lib/scope/canonical-json';
import { CLAUSES, systemPrompt } from '../../lib/scope/clauses';
import { ControlsError } from '../../lib/scope/controls-error';
import { diffCards } from '../../lib/scope/diff';
import { Catalog, CatalogOptions, readCatalog, withCatalog } from '../catalog';
import { pageHtml } from '../page-html';
import { dim, green, red } from '../terminal';

interface Json {
  readonly json?: true;
}

interface Checked {
  readonly file: string;
  readonly ok: boolean;
  readonly agent?: string;
  readonly digest?: string;
  readonly scopes?: readonly string[];
  readonly warnings?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string };
}

/** `agent-controls scope`: checks, explains, compares and approves cards before anything is deployed. */
export function scopeCommand(): Command {
  return new Command('scope')
    .description('Checks, explains, compares and approves scope cards.')
    .addCommand(withCatalog(new Command('check'))
      .description('Reads cards and names file, line, field and fix of what is wrong; with the actions they call at hand, also compiles them.')
      .argument('<file...>', 'scope cards, YAML')
      .option('--json', 'print JSON on standard output')
      .addHelpText('after', '\nExit codes: 0 every card is fine, 1 one is not, 2 a file could not be read.')
      .action(check))
    .addCommand(withCatalog(new Command('explain'))
      .description('Prints the page of a card that a reviewer reads and signs: Markdown, or HTML that prints on one page.')
      .argument('<file>', 'scope card, YAML')
      .option('--html', 'HTML instead of Markdown')
      .option('--out <path>', 'file to write instead of standard output')
      .action(explain))
    .addCommand(new Command('prompt')
      .description('Prints the sentences that a card has the model told, for its system prompt, and their SHA-256 on standard error.')
      .argument('<file>', 'scope card, YAML')
      .action(prompt))
    .addCommand(new Command('diff')
      .description('Says in words what a card allows that another did not, and the other way round.')
      .argument('<before>', 'scope card, YAML')
      .argument('<after>', 'scope card, YAML')
      .option('--json', 'print JSON on standard output')
      .addHelpText('after', '\nExamples:\n  git show main:cards/refunder.yaml > /tmp/before.yaml && agent-controls scope diff /tmp/before.yaml cards/refunder.yaml\n\nExit codes: 0 nothing is wider, 1 something is, or is other, 2 a file could not be read.')
      .action(diff))
    .addCommand(withCatalog(new Command('approve'))
      .description('Signs a card. The signature is written beside it, NAME.approval.json, for the repository; the deploy checks it and the log records it.')
      .argument('<file>', 'scope card, YAML')
      .requiredOption('--as <name>', 'who signs: the security owner of the card, or whoever grants a standing approval on it')
      .requiredOption('--key <file>', 'Ed25519 private key, PEM')
      .addHelpText('after', '\nA key: openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem\nThe app knows the public one: cardApprovers: [CardApprover.fromPublicKeyFile(NAME, \'key.pub.pem\')]')
      .action(approveCard));
}

function check(files: readonly string[], { json, ...where }: CatalogOptions & Json): void {
  const catalog = readCatalog(where);
  const results = files.map((file) => checkFile(file, catalog));
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else for (const { file, ok, agent, scopes, digest, warnings, error } of results) {
    process.stdout.write(ok ? `${green('✓')} ${file}: ${agent ?? ''}, ${scopes?.join(', ') ?? ''}, digest ${digest?.slice(0, 12) ?? ''}\n` : `${red('✗')} ${error?.message ?? ''}\n`);
    for (const warning of warnings ?? []) process.stdout.write(`  ${red('!')} ${warning}\n`);
  }
  if (!json && !catalog) process.stdout.write(dim(`Actions were not looked at: there is no app in ${where.assembly}; synth does it, and so does --catalog.\n`));
  process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
}

function checkFile(file: string, catalog: Catalog | undefined): Checked {
  const text = readFileSync(file, 'utf8');
  try {
    const card = cardFromYaml(text, file);
    if (catalog) for (const environment of Object.keys(card.environments)) compile({ card, environment, manifests: catalog.manifests, tiers: catalog.tiers });
    const overdue = card['review-by'] < new Date().toISOString().slice(0, 10);
    return { file, ok: true, agent: card.agent, digest: cardDigest(card), scopes: card.scopes.map(({ scope }) => scope), warnings: overdue ? [`the card was to be reviewed by ${card['review-by']}; review it, and give it a new date`] : [] };
  } catch (error) {
    if (!(error instanceof ControlsError)) throw error;
    return { file, ok: false, error: { code: error.code, message: error.message.includes(file) ? error.message : `${file}: ${error.message}` } };
  }
}

function explain(file: string, { html, out, ...where }: CatalogOptions & { readonly html?: true; readonly out?: string }): void {
  const card = readCard(file);
  const catalog = readCatalog(where);
  const approval = catalog?.signers ? approvalState({ card, manifests: catalog.manifests, tiers: catalog.tiers }, readApproval(file), catalog.signers) : undefined;
  const page = cardPage({ card, manifests: catalog?.manifests ?? [], ...(catalog ? { tiers: catalog.tiers } : {}), ...(approval ? { approval } : {}) });
  const text = html ? pageHtml(`Scope card of ${card.agent}`, page) : page;
  if (out === undefined) process.stdout.write(text);
  else writeFileSync(out, text);
}

function diff(before: string, after: string, { json }: Json): void {
  const differences = diffCards(readCard(before), readCard(after));
  if (json) process.stdout.write(`${JSON.stringify(differences)}\n`);
  else if (differences.length === 0) process.stdout.write('The cards say the same.\n');
  else for (const { kind, sentence } of differences) process.stdout.write(`${kind === 'narrowed' ? green('narrowed') : red(kind.padEnd(8))}  ${sentence}\n`);
  process.exitCode = differences.every(({ kind }) => kind === 'narrowed') ? 0 : 1;
}

function approveCard(file: string, { as, key, ...where }: CatalogOptions & { readonly as: string; readonly key: string }): void {
  const card = readCard(file);
  const catalog = readCatalog(where);
  if (!catalog) throw new ControlsError('CatalogMissing', `what ${card.agent} may do rests on the actions it calls, and there is no app in ${where.assembly}; synthesize it first, or give --catalog`);
  for (const environment of Object.keys(card.environments)) compile({ card, environment, manifests: catalog.manifests, tiers: catalog.tiers }); // nobody signs what does not compile
  const approval = approve({ card, manifests: catalog.manifests, tiers: catalog.tiers }, as, new Date(), readFileSync(key, 'utf8'), readApproval(file));
  const path = approvalPath(file);
  writeFileSync(path, `${JSON.stringify(approval, null, 2)}\n`);
  const missing = requiredSigners(card).filter((name) => !approval.approvals.some(({ by }) => by === name));
  process.stdout.write(`${green('✓')} ${as} approves ${card.agent}, card ${approval.card_digest.slice(0, 12)}, actions ${Object.keys(approval.actions).join(', ') || 'none'}: ${path}\n`);
  process.stdout.write(missing.length > 0 ? `It is not in force yet: ${missing.join(' and ')} must sign, too.\n` : 'Commit the file and deploy: the deploy checks it, and the audit log records it.\n');
}

function readCard(file: string): Card {
  return cardFromYaml(readFileSync(file, 'utf8'), file);
}

function readApproval(file: string): CardApproval | undefined {
  const path = approvalPath(file);
  return existsSync(path) ? approvalFromJson(readFileSync(path, 'utf8'), path) : undefined;
}

function prompt(file: string): void {
  const { clauses = [] } = cardFromYaml(readFileSync(file, 'utf8'), file);
  const unknown = clauses.find((name) => !Object.hasOwn(CLAUSES, name));
  if (unknown !== undefined) throw new Error(`ClauseUnknown: clauses: got ${unknown}; there are ${Object.keys(CLAUSES).join(', ')}`);
  const text = `${systemPrompt(clauses)}\n`;
  process.stdout.write(text);
  process.stderr.write(`${sha256Hex(text)}\n`);
}
