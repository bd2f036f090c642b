import { ExecuteStatementCommand, RDSDataClient } from '@aws-sdk/client-rds-data';
import { Login, parameter, Value } from '../database/connection';
import { HEADS, LOG_PAGE, ORPHANS, STRAYS } from './queries';
import { digestOf, payloadRecord } from './hashing';
import { HeadRow, LogRow, Verification, Verifier } from './verify';
import type { LogSource } from './verify-log';

/** Entries a page: the Data API answers with 1 MiB at most. */
const LARGEST_PAGE = 500;

type Row = Record<string, string | number | boolean | null>;

/** The audit log of a deployed control plane, through the RDS Data API and the auditor's login. */
export class DataApiLog implements LogSource {
  public constructor(private readonly client: RDSDataClient, private readonly login: Login) {}

  /** @param progress told how many entries were read. */
  public async verify(verifier = new Verifier(), progress: (entries: number) => void = () => undefined): Promise<Verification> {
    const since = JSON.stringify(Object.fromEntries(Object.entries(verifier.since).map(([head, seq]) => [head, Number(seq)])));
    verifier.pin(await this.heads()); // no snapshot spans several statements: agents may go on while this reads
    let after = { head: -1, seq: 0 };
    for (let limit = LARGEST_PAGE; ;) {
      let rows: Row[];
      try {
        rows = await this.rows(LOG_PAGE, { ...after, since, limit });
      } catch (error) {
        if (limit === 1 || !(error instanceof Error) || !/size limit/.test(error.message)) throw error;
        limit = Math.ceil(limit / 4); // large payloads: take fewer
        continue;
      }
      const last = rows.at(-1);
      if (!last) break;
      for (const row of rows) verifier.add(logRow(row));
      after = { head: Number(last.head), seq: Number(last.seq) };
      progress(verifier.count);
      limit = Math.min(LARGEST_PAGE, limit * 2);
    }
    const places = async (sql: string): Promise<string[]> => (verifier.chainOnly ? [] : (await this.rows(sql)).map(({ place }) => String(place)));
    return verifier.finish(await this.heads(), await places(ORPHANS), await places(STRAYS));
  }

  private async heads(): Promise<HeadRow[]> {
    return (await this.rows(HEADS)).map((row) => ({ head: Number(row.head), seq: BigInt(row.seq as number), hash: String(row.hash) }));
  }

  /** Rows of one statement, as the auditor. */
  public async rows(sql: string, values: Readonly<Record<string, Value>> = {}): Promise<Row[]> {
    const { formattedRecords } = await this.client.send(new ExecuteStatementCommand({ ...this.login, sql, formatRecordsAs: 'JSON', parameters: Object.entries(values).map(([name, value]) => parameter(name, value)) }));
    return JSON.parse(formattedRecords ?? '[]') as Row[];
  }
}

function logRow(row: Row): LogRow {
  const bytes = (name: string, encoding: 'utf8' | 'hex'): Buffer | null => (row[name] === null ? null : Buffer.from(String(row[name]), encoding));
  return {
    place: String(row.place), head: Number(row.head), seq: BigInt(row.seq as number), hash: digestOf(String(row.hash)), record: bytes('record', 'hex') as Buffer,
    inputs: payloadRecord(bytes('inputs_salt', 'hex'), bytes('inputs', 'utf8')), output: payloadRecord(bytes('output_salt', 'hex'), bytes('output', 'utf8')),
  };
}
