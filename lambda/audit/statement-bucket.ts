import { GetObjectCommand, ListObjectVersionsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Erasure, Evidence, Retention, Signed, Statement } from './statement';

/** One stored statement. Deleting hides an object and keeps it, so versions are asked for. */
export interface StoredStatement {
  readonly key: string;
  readonly versionId: string | undefined;
  /** Whether somebody tried to delete it, or wrote over it. */
  readonly hidden: boolean;
}

const CHECKPOINTS = 'checkpoints/';

/** Key of a checkpoint: its number and nothing else, so that two of one number meet; a thousand in a folder, so that the last is found by two listings. */
export const checkpointKey = (number: number): string => `${CHECKPOINTS}${String(Math.floor(number / 1_000)).padStart(9, '0')}/${String(number).padStart(12, '0')}.json`;
/** Key of an erasure or a retention, and its name in entries. */
export const erasureKey = (erasure: Pick<Erasure, 'erasure'>): string => `erasures/${erasure.erasure}.json`;
export const retentionKey = (retention: Pick<Retention, 'month'>): string => `retention/${retention.month}.json`;

export const evidenceKey = (evidence: Pick<Evidence, 'manifest'>): string => `evidence/${evidence.manifest}.json`;

/** Number of a checkpoint, from its key. */
export const numberOf = (key: string): number => Number(/(\d+)\.json$/.exec(key)?.[1]);

/** The write-once bucket of signed statements. */
export class StatementBucket {
  /** @param lock how what is put is locked; a bucket without Object Lock refuses it. */
  public constructor(private readonly s3: S3Client, private readonly bucket: string, private readonly lock?: { readonly mode: 'COMPLIANCE' | 'GOVERNANCE'; readonly days: number }) {}

  /** Stores a statement where there is none; false when there is one already. */
  public async put(key: string, file: Signed): Promise<boolean> {
    if (!this.lock) throw new Error('LockMissing: a statement is stored under a lock');
    try {
      await this.s3.send(new PutObjectCommand({
        Bucket: this.bucket, Key: key, Body: `${JSON.stringify(file)}\n`, ContentType: 'application/json', IfNoneMatch: '*',
        ObjectLockMode: this.lock.mode, ObjectLockRetainUntilDate: new Date(Date.now() + this.lock.days * 86_400_000),
      }));
      return true;
    } catch (error) {
      if (error instanceof Error && (error.name === 'PreconditionFailed' || error.name === 'ConditionalRequestConflict')) return false;
      throw error;
    }
  }

  public async get({ key, versionId }: Pick<StoredStatement, 'key' | 'versionId'>): Promise<string> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket: this.bucket, Key: key, VersionId: versionId }));
    return Body?.transformToString() ?? '';
  }

  /** Every stored statement under a prefix, in the order of keys; the first version of each, whatever was done to it later. */
  public async list(prefix: string): Promise<StoredStatement[]> {
    const found = new Map<string, StoredStatement>();
    const deleted = new Set<string>();
    let marker: { KeyMarker?: string; VersionIdMarker?: string } = {};
    for (;;) {
      const page = await this.s3.send(new ListObjectVersionsCommand({ Bucket: this.bucket, Prefix: prefix, ...marker }));
      // Newest version first: the last one that comes is the first that was written.
      for (const { Key = '', VersionId } of page.Versions ?? []) found.set(Key, { key: Key, versionId: VersionId, hidden: found.has(Key) });
      for (const { Key = '' } of page.DeleteMarkers ?? []) deleted.add(Key);
      if (page.IsTruncated !== true) break;
      marker = { ...(page.NextKeyMarker === undefined ? {} : { KeyMarker: page.NextKeyMarker }), ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }) };
    }
    return [...found.values()].map((stored) => (deleted.has(stored.key) ? { ...stored, hidden: true } : stored)).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The newest checkpoint there ever was. */
  public async latestCheckpoint(): Promise<StoredStatement | undefined> {
    const [latest] = (await this.folders()).slice(-1);
    return latest === undefined ? undefined : (await this.list(latest)).at(-1);
  }

  /** All checkpoints, by number. */
  public checkpoints(): Promise<StoredStatement[]> { return this.list(CHECKPOINTS); }

  public erasures(): Promise<StoredStatement[]> { return this.list('erasures/'); }

  public retentions(): Promise<StoredStatement[]> { return this.list('retention/'); }

  private async folders(): Promise<string[]> {
    const folders: string[] = [];
    let marker: string | undefined;
    do {
      const page = await this.s3.send(new ListObjectVersionsCommand({ Bucket: this.bucket, Prefix: CHECKPOINTS, Delimiter: '/', ...(marker === undefined ? {} : { KeyMarker: marker }) }));
      folders.push(...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix));
      marker = page.IsTruncated === true ? page.NextKeyMarker : undefined;
    } while (marker !== undefined);
    return folders.sort();
  }
}

/** What an entry calls a statement. */
export function nameOf(statement: Statement): string {
  switch (statement.format) {
    case 'agent-controls/checkpoint/1': return checkpointKey(statement.number);
    case 'agent-controls/erasure/1': return erasureKey(statement);
    case 'agent-controls/retention/1': return retentionKey(statement);
    case 'agent-controls/evidence/1': return evidenceKey(statement);
  }
}
