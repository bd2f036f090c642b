import { Command } from 'commander';

/** From when until when, as somebody types it. */
export interface Period { readonly from?: string; readonly until?: string }

type Typed<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** The options that `filterOf` demands to be times; `--to` is `--until`. */
export function withPeriod(command: Command): Command {
  return command.option('--from <time>', 'from this time on, UTC: 2026-11-22 or 2026-11-22T14:00:00Z').option('--to, --until <time>', 'before this time');
}

/** What was typed of some options, without what was not. @throws `TimeInvalid` for a time that could be meant in two zones, or is none. */
export function filterOf<T extends { readonly [K in keyof Period]: string | undefined }>(options: T): Typed<T> {
  for (const [name, time] of [['--from', options.from], ['--until', options.until]] as const) {
    if (time !== undefined && (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2}))?$/.test(time) || Number.isNaN(Date.parse(time)))) throw new Error(`TimeInvalid: ${name} takes a time as 2026-11-22 or 2026-11-22T14:00:00Z, got ${time}`);
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Typed<T>;
}
