import { readFileSync } from 'node:fs';
import type { Assembly } from '../assembly/assembly';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';

/** S3: GetObject of the assets that the assembly would upload. */
export class S3 implements Service {
  public readonly protocol = 'rest-xml';

  public constructor(private readonly assembly: Assembly) {}

  public name(request: SignedRequest): string {
    return request.method === 'GET' && request.path.split('/').length >= 3 ? 'GetObject' : `${request.method} ${request.path}`;
  }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'GetObject') return undefined;
    const [, bucket = '', ...rest] = request.path.split('/').map(decodeURIComponent);
    const key = rest.join('/');
    return {
      permissions: [{ action: 's3:GetObject', resource: `arn:aws:s3:::${bucket}/${key}` }],
      run: () => {
        const file = bucket.startsWith('cdk-') ? this.assembly.asset(key) : undefined;
        if (file === undefined) throw new ServiceError('NoSuchKey', `the assembly has no asset ${bucket}/${key}`, 404);
        return { headers: { 'content-type': 'application/octet-stream' }, body: readFileSync(file) };
      },
    };
  }
}
