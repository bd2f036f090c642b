/** Columns of an entry that are hashed, in the order of the format. */
const COLUMNS = ['format', 'at', 'kind', 'login', 'agent', 'run', 'decision', 'action', 'reference', 'approver', 'outcome', 'facts', 'inputsDigest', 'outputDigest'] as const;
type Column = (typeof COLUMNS)[number];

/** Postgres counts from 2000-01-01. */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

/**
 * The hashed bytes of an entry: a row in Postgres' binary form, which docs/audit-format.md spells out. Nothing is decoded until it is asked
 * for, so what is told of an entry comes from the very bytes that were verified.
 */
export class EntryRecord {
  public constructor(public readonly bytes: Buffer) {}

  /** Bytes of a column, or null. */
  public bytesOf(column: Column): Buffer | null {
    const { bytes } = this;
    let at = 4; // after the count of columns
    for (const name of COLUMNS) {
      const length = bytes.readInt32BE(at + 4); // after the type
      if (name === column) return length < 0 ? null : bytes.subarray(at + 8, at + 8 + length);
      at += 8 + Math.max(length, 0);
    }
    return null;
  }

  public text(column: Exclude<Column, 'format' | 'at' | 'decision' | 'inputsDigest' | 'outputDigest'>): string | null {
    return this.bytesOf(column)?.toString('utf8') ?? null;
  }

  public get decision(): string | null {
    const bytes = this.bytesOf('decision');
    return bytes && uuid(bytes.toString('hex'));
  }

  /** When the database appended it, ISO 8601 with microseconds. */
  public get at(): string {
    const micros = this.bytesOf('at')?.readBigInt64BE() ?? 0n;
    const millis = Number(micros / 1_000n) + POSTGRES_EPOCH_MS;
    return new Date(millis).toISOString().replace('Z', `${String(micros % 1_000n).padStart(3, '0')}Z`);
  }
}

/** A UUID with its dashes, from 32 hex digits. */
export function uuid(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
