import Table from 'cli-table3';
import { Log, LogOptions, openLog } from '../../log';
import { bold } from '../../terminal';

/** Something that is read from the log and listed. */
export interface Listing<T> {
  readonly read: (log: Log) => Promise<readonly T[]>;
  /** What is said when there is nothing. */
  readonly nothing: string;
  readonly head: readonly string[];
  readonly row: (of: T) => readonly string[];
}

/** Prints a list as JSON or as a table. */
export async function printListing<T>(options: LogOptions, { read, nothing, head, row }: Listing<T>): Promise<void> {
  const log = await openLog(options);
  try {
    const all = await read(log);
    if (options.json) process.stdout.write(`${JSON.stringify(all)}\n`);
    else if (all.length === 0) process.stdout.write(`${nothing}\n`);
    else {
      const table = new Table({ head: head.map((text) => bold(text)), style: { head: [], border: [] } });
      table.push(...all.map((each) => [...row(each)]));
      process.stdout.write(`${table.toString()}\n`);
    }
  } finally {
    await log.close();
  }
}
