import { ExecuteStatementCommand, RDSDataClient } from '@aws-sdk/client-rds-data';
import { Login, parameter, Value } from '../database/connection';
import { DECISIONS, HEADS, LOG_PAGE, ORPHANS } from './queries';
import { HeadRow, LogRow, uuid, Verification, Verifier } from './verify';

/** Entries a page: the Data API answers with 1 MiB at most. */
const LARGEST_PAGE = 500;

type Row = Record<string, string | number | boolean | null>;

/** The audit log of a deployed control plane, through the RDS Data API and the auditor's login. */
export class DataApiLog {
  public constructor(private readonly client: RDSDataClient, private readonly login: Login) {}

  /** @param progress told how many entries were read. */
  public async verify(progress: (entries: number) => void = () => undefined): Promise<Verification> {
    const verifier = new Verifier();
    verifier.pin(await this.heads()); // no snapshot spans several statements: agents may go on while this reads
    let after = { head: -1, seq: 0 };
    for (let limit = LARGEST_PAGE; ;) {
      let rows: Row[];
      try {
        rows = await this.rows(LOG_PAGE, { ...after, limit });
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
    return verifier.finish(await this.heads(), (await this.rows(ORPHANS)).map(({ place }) => String(place)));
  }

  /** The latest decisions, newest last. */
  public async decisions(limit: number, filter: { readonly agent?: string; readonly runId?: string } = {}): Promise<Row[]> {
    const where = [...(filter.agent === undefined ? [] : ['agent = :agent']), ...(filter.runId === undefined ? [] : ['run_id = :run'])];
    const rows = await this.rows(`${DECISIONS}${where.length > 0 ? ` where ${where.join(' and ')}` : ''} order by audit.decision.time desc limit :limit::int`, {
      limit, ...(filter.agent === undefined ? {} : { agent: filter.agent }), ...(filter.runId === undefined ? {} : { run: filter.runId }),
    });
    return rows.reverse();
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
  const text = (name: string): string | null => (row[name] === null ? null : String(row[name]));
  const bytes = (name: string, encoding: 'utf8' | 'hex'): Buffer | null => (row[name] === null ? null : Buffer.from(String(row[name]), encoding));
  const inputsDigest = bytes('inputs_digest', 'hex');
  const outputDigest = bytes('output_digest', 'hex');
  const at = Buffer.allocUnsafe(8);
  at.writeBigInt64BE(BigInt(row.at as number));
  const fields = [bytes('kind', 'utf8'), bytes('login', 'utf8'), bytes('agent', 'utf8'), bytes('run', 'utf8'), bytes('decision', 'hex'), bytes('facts', 'utf8'), inputsDigest, outputDigest].flatMap(field);
  const decision = text('decision');
  return {
    place: String(row.place), head: Number(row.head), seq: BigInt(row.seq as number), hash: bytes('hash', 'hex')?.toString('latin1') ?? '', content: Buffer.concat([at, ...fields]),
    describe: () => ({ kind: String(row.kind), decisionId: decision === null ? null : uuid(decision) }),
    inputsDigest: inputsDigest?.toString('latin1') ?? null, outputDigest: outputDigest?.toString('latin1') ?? null, part: text('part') as LogRow['part'], salt: bytes('salt', 'hex'), body: bytes('body', 'utf8'),
  };
}

/** Length and bytes, or -1 for null: docs/audit-format.md, field. */
function field(bytes: Buffer | null): Buffer[] {
  const length = Buffer.allocUnsafe(4);
  length.writeInt32BE(bytes?.length ?? -1);
  return bytes ? [length, bytes] : [length];
}
