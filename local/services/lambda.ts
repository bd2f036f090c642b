import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import type { LambdaHost } from '../lambda/host';

/** Lambda: Invoke, waiting for the answer. */
export class Lambda implements Service {
  public readonly protocol = 'rest-json';

  public constructor(private readonly host: LambdaHost, private readonly account: string, private readonly region: string) {}

  public name(request: SignedRequest): string {
    return INVOKE.test(request.path) && request.method === 'POST' ? 'InvokeFunction' : `${request.method} ${request.path.split('/').slice(2).join('/')}`;
  }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'InvokeFunction') return undefined;
    const asked = decodeURIComponent(INVOKE.exec(request.path)?.[1] ?? '');
    const resource = this.host.find(asked)?.arn ?? `arn:aws:lambda:${this.region}:${this.account}:function:${asked.split(':').pop() ?? asked}`;
    return {
      permissions: [{ action: 'lambda:InvokeFunction', resource }],
      run: async () => {
        const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
        if (type !== 'RequestResponse') throw new ServiceError('InvalidParameterValueException', `invocation type ${type} is not known to the local runtime; it knows RequestResponse`);
        const { payload, failed } = await this.host.invoke(asked, JSON.parse(request.body.toString('utf8') || 'null'));
        return { headers: { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST', ...(failed ? { 'x-amz-function-error': 'Unhandled' } : {}) }, body: payload };
      },
    };
  }
}

const INVOKE = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;
