/** `npm run bench`: ratios of ours to the floor, measured side by side. `-- --json FILE` writes them; `-- --only NAME` measures one group. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { demandBundles, HANDLERS } from '../scripts/build-bundles';
import { anomalies } from './anomalies';
import { audit } from './audit';
import { coldInit } from './cold-init';
import { decision } from './decision';
import { detectors } from './detectors';
import { gateway } from './gateway';
import type { Row } from './measure';
import { rollback } from './rollback';
import { search } from './search';
import { stop } from './stop';
import { synthPerAgent } from './synth';

/** What each ratio may be; `most` where less is better. */
const BUDGETS: Readonly<Record<string, { readonly least?: number; readonly most?: number }>> = {
  'append.16-writers': { least: 0.6 }, 'append.batch-100': { least: 0.75 }, 'verify.stream': { least: 0.95 }, 'verify.chain': { least: 0.95 }, ...Object.fromEntries(['latest', 'agent', 'run', 'action', 'reference', 'approver', 'rejected', 'executed', 'denied', 'verdict', 'text'].map((name) => [`search.${name}`, { most: 1 }])), 'handler.cold-init': { most: 1 }, 'gate.cold-init': { most: 1.1 }, 'gate.decision': { most: 1.5 }, 'rollback.10000': { most: 1 }, 'stop.last-effect': { most: 1 }, 'anomaly.precision': { least: 0.9 }, 'anomaly.quiet-month': { most: 0 },
  ...Object.fromEntries(['payment', 'contact', 'sensitive-pii', 'secret'].flatMap((name) => [[`detect.${name}.recall`, { least: 0.99 }], [`detect.${name}.precision`, { least: 0.97 }]])),
  'synth.per-agent': { most: 1.25 }, 'template.per-agent': { most: 1 }, 'template.per-agent.bytes': { most: 1 },
};
const GROUPS = { anomalies, audit, decision, detectors, gateway, stop, search, 'cold-init': coldInit, synth: synthPerAgent, rollback } as const;
/** Take many minutes, to make a wave and to live through two months: measured when they are asked for. */
const SLOW = ['rollback', 'anomalies'];

async function main({ json, only }: { json?: string; only?: keyof typeof GROUPS }): Promise<void> {
  const progress = (what: string): void => { process.stderr.write(`  ${what}\n`); };
  await demandBundles(() => progress('building the bundles'));
  const rows: Record<string, Row> = {};
  for (const [name, group] of Object.entries(GROUPS)) if (only === name || (only === undefined && !SLOW.includes(name))) Object.assign(rows, await group(progress));
  const table = new Table({ head: ['what', 'ours', 'floor', 'ratio', 'budget', 'unit'], style: { head: [], border: [] } });
  const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
  for (const [name, { ours, floor, ratio, unit }] of Object.entries(rows)) {
    const { least, most } = BUDGETS[name] ?? {};
    table.push([name, number(ours), number(floor), ratio.toFixed(2), least !== undefined ? `>= ${least.toFixed(2)}` : most !== undefined ? `<= ${most.toFixed(2)}` : '', unit]);
  }
  const sizes = Object.keys(HANDLERS).map((name) => `${name} ${(statSync(join(__dirname, '..', 'dist', 'lambda', name, 'index.js')).size / 1_024).toFixed(0)} KB`);
  process.stdout.write(`${table.toString()}\nBundles: ${sizes.join(', ')}.\nMedians of paired rounds. Compare ratios, not figures: the machine is shared.\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`);
}

new Command('npm run bench --').option('--json <file>', 'write the rows as JSON').addOption(new Option('--only <group>', 'measure one group').choices(Object.keys(GROUPS)))
  .action((options: { json?: string; only?: keyof typeof GROUPS }) => main(options)).parseAsync().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
