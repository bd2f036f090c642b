import { randomUUID } from 'node:crypto';
import type { LambdaHost } from '../lambda/host';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';

/** A route of an HTTP API, and the function behind it. */
export interface Route {
  readonly apiId: string;
  /** `POST /agents/{agent}/runs`. */
  readonly key: string;
  readonly functionArn: string;
}

/** Who may invoke a function besides principals: services, from a source. */
export interface InvokePermission {
  readonly functionArn: string;
  readonly service: string;
  readonly sourceArn: string | undefined;
}

const TIMEOUT_MS = 30_000;

/** API Gateway's HTTP API: routes with IAM authorisation, payload format 2.0. */
export class HttpApi implements Service {
  public readonly protocol = 'rest-json';

  public constructor(private readonly routes: readonly Route[], private readonly permissions: readonly InvokePermission[], private readonly host: LambdaHost, private readonly account: string, private readonly region: string) {}

  public name(): string { return 'Invoke'; }

  public operation(_name: string, request: SignedRequest): Operation | undefined {
    const [matched] = this.routes.map((route) => ({ route, path: match(route.key, request.method, request.path) })).filter(({ path }) => path !== undefined)
      .sort((a, b) => Object.keys(a.path ?? {}).length - Object.keys(b.path ?? {}).length);
    const apiId = matched?.route.apiId ?? this.routes[0]?.apiId ?? 'none';
    const sourceArn = `arn:aws:execute-api:${this.region}:${this.account}:${apiId}/$default/${request.method}${request.path}`;
    return {
      permissions: [{ action: 'execute-api:Invoke', resource: sourceArn }],
      run: async () => {
        if (!matched) return { status: 404, body: { message: 'Not Found' } };
        const { route, path } = matched;
        if (!this.permissions.some(({ functionArn, service, sourceArn: from }) => functionArn === route.functionArn && service === 'apigateway.amazonaws.com' && (from === undefined || like(from, sourceArn)))) {
          return { status: 500, body: { message: 'Internal Server Error' } }; // as AWS says it when the function does not let the API in
        }
        const { payload, failed } = await withTimeout(this.host.invoke(route.functionArn, this.event(request, route.key, path ?? {})));
        if (failed) return { status: 500, body: { message: 'Internal Server Error' } };
        const { statusCode = 200, headers = {}, body = '' } = JSON.parse(payload) as { statusCode?: number; headers?: Record<string, string>; body?: string };
        return { status: statusCode, headers, body };
      },
    };
  }

  private event(request: SignedRequest, routeKey: string, pathParameters: Record<string, string>): object {
    const { principal } = request;
    return {
      version: '2.0', routeKey, rawPath: request.path, rawQueryString: request.query.toString(), headers: withoutCredentials(request.headers),
      requestContext: {
        accountId: this.account, apiId: routeKey, requestId: randomUUID(), routeKey, stage: '$default', http: { method: request.method, path: request.path, sourceIp: '127.0.0.1' },
        // ARNs and ids, and no tags: that is all the real one shows.
        authorizer: { iam: { accessKey: principal.accessKeyId, accountId: this.account, callerId: principal.userId, userArn: principal.arn, userId: principal.userId } },
      },
      pathParameters, ...(request.body.length > 0 ? { body: request.body.toString('utf8') } : {}), isBase64Encoded: false,
    };
  }
}

function match(key: string, method: string, path: string): Record<string, string> | undefined {
  const [verb, pattern = ''] = key.split(' ');
  if (verb !== method) return undefined;
  const names: string[] = [];
  const source = pattern.replaceAll(/\{([^}]+)\}/g, (_, name: string) => { names.push(name); return '([^/]+)'; });
  const values = new RegExp(`^${source}$`).exec(path);
  return values ? Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(values[index + 1] as string)])) : undefined;
}

function like(pattern: string, arn: string): boolean {
  return new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(arn);
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization' && name !== 'x-amz-security-token'));
}

function withTimeout(invoked: Promise<{ payload: string; failed: boolean }>): Promise<{ payload: string; failed: boolean }> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve({ failed: false, payload: JSON.stringify({ statusCode: 503, body: JSON.stringify({ message: 'Service Unavailable' }) }) }), TIMEOUT_MS);
    invoked.then(resolve, reject).finally(() => clearTimeout(timer)).catch(() => undefined);
  });
}
