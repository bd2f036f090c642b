import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Assembly } from '../assembly/assembly';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { xml } from './protocol';

const PAGE = 1_000;

/**
 * S3: GetObject of the assets that the assembly would upload; and of write-once buckets GetObject, PutObject where nothing is yet, and
 * ListObjectVersions. Each object has one version: what would write over it or delete it is not known here.
 */
export class S3 implements Service {
  public readonly protocol = 'rest-xml';

  /** @param buckets folder of each bucket of the template, by name. */
  public constructor(private readonly assembly: Assembly, private readonly buckets: ReadonlyMap<string, string>) {}

  public name({ method, path, query }: SignedRequest): string {
    const object = path.split('/').length >= 3 && !path.endsWith('/');
    if (method === 'GET' && !object && query.has('versions')) return 'ListObjectVersions';
    return object && (method === 'GET' || method === 'PUT') ? `${method === 'GET' ? 'Get' : 'Put'}Object` : `${method} ${path}`;
  }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    const [, bucket = '', ...rest] = request.path.split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const resource = `arn:aws:s3:::${bucket}`;
    switch (name) {
      case 'GetObject': return { permissions: [{ action: request.query.has('versionId') ? 's3:GetObjectVersion' : 's3:GetObject', resource: `${resource}/${key}` }], run: () => this.get(bucket, key) };
      case 'PutObject': return { permissions: ['s3:PutObject', 's3:PutObjectRetention'].map((action) => ({ action, resource: `${resource}/${key}` })), run: () => this.put(bucket, key, request) };
      case 'ListObjectVersions': return { permissions: [{ action: 's3:ListBucketVersions', resource }], run: () => this.list(bucket, request.query) };
      default: return undefined;
    }
  }

  private get(bucket: string, key: string): { headers: Record<string, string>; body: Buffer } {
    const file = bucket.startsWith('cdk-') ? this.assembly.asset(key) : this.fileOf(bucket, key);
    if (file === undefined || !existsSync(file)) throw new ServiceError('NoSuchKey', `there is no object ${bucket}/${key}`, 404);
    return { headers: { 'content-type': 'application/octet-stream' }, body: readFileSync(file) };
  }

  private put(bucket: string, key: string, { headers, body }: SignedRequest): { body: string } {
    if (headers['if-none-match'] !== '*') throw new ServiceError('InvalidArgument', 'the local runtime plays PutObject with If-None-Match: * alone');
    if (headers['x-amz-object-lock-mode'] === undefined) throw new ServiceError('InvalidArgument', 'the local runtime plays PutObject under a lock alone');
    const file = this.fileOf(bucket, key);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(file, body, { flag: 'wx', mode: 0o600 });
    } catch {
      throw new ServiceError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
    }
    return { body: '' };
  }

  private list(bucket: string, query: URLSearchParams): { headers: Record<string, string>; body: string } {
    const folder = this.folderOf(bucket);
    const prefix = query.get('prefix') ?? '';
    const after = query.get('key-marker') ?? '';
    const keys = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1).split(sep).join('/')) : [];
    const found = keys.filter((key) => key.startsWith(prefix) && key > after).sort();
    const prefixes = query.get('delimiter') === '/' ? [...new Set(found.filter((key) => key.slice(prefix.length).includes('/')).map((key) => key.slice(0, key.indexOf('/', prefix.length) + 1)))] : [];
    const page = found.filter((key) => !prefixes.some((folded) => key.startsWith(folded))).slice(0, PAGE);
    const more = found.length - prefixes.length > PAGE && prefixes.length === 0;
    const body = `<ListVersionsResult><IsTruncated>${more}</IsTruncated>${more ? `<NextKeyMarker>${xml(page.at(-1) ?? '')}</NextKeyMarker>` : ''}${
      page.map((key) => `<Version><Key>${xml(key)}</Key><VersionId>first</VersionId><IsLatest>true</IsLatest></Version>`).join('')}${
      prefixes.map((folded) => `<CommonPrefixes><Prefix>${xml(folded)}</Prefix></CommonPrefixes>`).join('')}</ListVersionsResult>`;
    return { headers: { 'content-type': 'application/xml' }, body };
  }

  private folderOf(bucket: string): string {
    const folder = this.buckets.get(bucket);
    if (folder === undefined) throw new ServiceError('NoSuchBucket', `there is no bucket ${bucket}`, 404);
    return folder;
  }

  private fileOf(bucket: string, key: string): string {
    if (!/^[\w.-]+(\/[\w.-]+)*$/.test(key) || key.split('/').some((part) => /^\.+$/.test(part))) throw new ServiceError('InvalidArgument', `the local runtime takes keys of letters, digits, . and -, got ${key}`);
    return join(this.folderOf(bucket), key);
  }
}
