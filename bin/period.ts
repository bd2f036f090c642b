import { Command } from 'commander';

/** From when until when, as somebody types it. */
export interface Period { readonly from?: string; readonly until?: string }

/** The options that `periodOf` takes. */
export function withPeriod(command: Command): Command {
  return command.option('--from <time>', 'from this time on, as 2026-11-22 or 2026-11-22T14:00:00Z').option('--until <time>', 'before this time');
}

/** The period that was typed, without what was not. */
export function periodOf({ from, until }: Period): Period {
  for (const [name, time] of [['--from', from], ['--until', until]] as const) if (time !== undefined && Number.isNaN(Date.parse(time))) throw new Error(`TimeInvalid: ${name} takes a time as 2026-11-22 or 2026-11-22T14:00:00Z, got ${time}`);
  return { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) };
}
