import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { cardsOf, manifestsOf } from '../evidence/pages/cards';
import { policyOf } from '../evidence/pages/residency';
import { LogOptions, openLog, withLog } from '../log';
import { pageHtml } from '../page-html';
import { runbook } from '../runbook';

/** `agent-controls runbook`: what to do at night, from the card that is in force. */
export function runbookCommand(): Command {
  return withLog(new Command('runbook'))
    .description('Prints what to do when an agent did the wrong thing, with the commands as they are typed: from its card, its actions and its vendors as they are deployed.')
    .argument('[agent]', 'the agent; all of them with --out')
    .option('--html', 'HTML instead of Markdown')
    .option('--out <folder>', 'write one file for each agent, Markdown and HTML')
    .action(async (agent: string | undefined, { html, out, ...options }: LogOptions & { readonly html?: true; readonly out?: string }) => {
      if (agent === undefined && out === undefined) throw new Error('AgentMissing: name one agent, or give --out for all');
      const log = await openLog(options);
      try {
        const all = (await cardsOf(log)).map(({ card }) => card);
        const chosen = all.filter((card) => agent === undefined || card.agent === agent);
        if (chosen.length === 0) throw new Error(`AgentUnknown: got ${agent ?? ''}; there are ${all.map((card) => card.agent).join(', ') || 'none'}`);
        const [manifests, policy] = [await manifestsOf(log), await policyOf(log)];
        for (const card of chosen) {
          const book = runbook({ card, manifests, controlsName: log.controlsName, ...(policy ? { policy } : {}) });
          if (out === undefined) process.stdout.write(options.json ? `${JSON.stringify({ agent: card.agent, markdown: book })}\n` : html ? pageHtml(`When ${card.agent} did the wrong thing`, book) : book);
          else {
            mkdirSync(out, { recursive: true });
            writeFileSync(join(out, `${card.agent}.md`), book);
            writeFileSync(join(out, `${card.agent}.html`), pageHtml(`When ${card.agent} did the wrong thing`, book));
          }
        }
        if (out !== undefined) process.stdout.write(options.json ? `${JSON.stringify({ out, agents: chosen.map((card) => card.agent) })}\n` : `${chosen.length} runbooks in ${out}\n`);
      } finally {
        await log.close();
      }
    });
}
