import { randomUUID } from 'node:crypto';
import type { LambdaHost } from '../lambda/host';
import type { OpenRequest, Operation, Reply, Service, SignedRequest } from '../endpoint/operation';

/** A route of an HTTP API, and the function behind it. */
export interface Route {
  readonly apiId: string;
  /** `POST /agents/{agent}/runs`. */
  readonly key: string;
  readonly functionArn: string;
  /** Whether anybody reaches it: the function asks who is there. */
  readonly open: boolean;
}

/** Who may invoke a function besides principals: services, from a source. */
export interface InvokePermission {
  readonly functionArn: string;
  readonly service: string;
  readonly sourceArn: string | undefined;
}

const TIMEOUT_MS = 30_000;
const NONE = {};

/** API Gateway's HTTP API: routes with IAM authorisation and without any, payload format 2.0. */
export class HttpApi implements Service {
  public readonly protocol = 'rest-json';

  public constructor(private readonly routes: readonly Route[], private readonly permissions: readonly InvokePermission[], private readonly host: LambdaHost, private readonly account: string, private readonly region: string) {}

  public name(): string { return 'Invoke'; }

  public operation(_name: string, request: SignedRequest): Operation | undefined {
    const matched = this.match(request, false);
    const sourceArn = this.arnOf(matched?.route.apiId ?? this.routes[0]?.apiId ?? 'none', request);
    const { principal } = request;
    // ARNs and ids, and no tags: that is all the real one shows.
    const authorizer = { iam: { accessKey: principal.accessKeyId, accountId: this.account, callerId: principal.userId, userArn: principal.arn, userId: principal.userId } };
    return { permissions: [{ action: 'execute-api:Invoke', resource: sourceArn }], run: () => (matched ? this.run(matched, { ...request, headers: withoutCredentials(request.headers) }, { authorizer }) : { status: 404, body: { message: 'Not Found' } }) };
  }

  /** A request that nobody signed, of a route that is open. */
  public async open(request: OpenRequest): Promise<Reply | undefined> {
    const matched = this.match(request, true);
    return matched && this.run(matched, request, {});
  }

  private match({ method, path: asked }: OpenRequest, open: boolean): { readonly route: Route; readonly path: Record<string, string> } | undefined {
    const [matched] = this.routes.filter((route) => route.open === open).map((route) => ({ route, path: match(route.key, method, asked) ?? NONE })).filter(({ path }) => path !== NONE)
      .sort((a, b) => Object.keys(a.path).length - Object.keys(b.path).length);
    return matched;
  }

  private arnOf(apiId: string, { method, path }: OpenRequest): string { return `arn:aws:execute-api:${this.region}:${this.account}:${apiId}/$default/${method}${path}`; }

  private async run({ route, path }: { readonly route: Route; readonly path: Record<string, string> }, request: OpenRequest, more: object): Promise<Reply> {
    const sourceArn = this.arnOf(route.apiId, request);
    if (!this.permissions.some(({ functionArn, service, sourceArn: from }) => functionArn === route.functionArn && service === 'apigateway.amazonaws.com' && (from === undefined || like(from, sourceArn)))) {
      return { status: 500, body: { message: 'Internal Server Error' } }; // as AWS says it when the function does not let the API in
    }
    const { payload, failed } = await withTimeout(this.host.invoke(route.functionArn, this.event(request, route.key, path, more)));
    if (failed) return { status: 500, body: { message: 'Internal Server Error' } };
    const { statusCode = 200, headers = {}, body = '' } = JSON.parse(payload) as { statusCode?: number; headers?: Record<string, string>; body?: string };
    return { status: statusCode, headers, body };
  }

  private event(request: OpenRequest, routeKey: string, pathParameters: Record<string, string>, more: object): object {
    return {
      version: '2.0', routeKey, rawPath: request.path, rawQueryString: request.query.toString(), headers: request.headers,
      requestContext: { accountId: this.account, apiId: routeKey, requestId: randomUUID(), routeKey, stage: '$default', domainName: request.headers.host, http: { method: request.method, path: request.path, sourceIp: '127.0.0.1' }, ...more },
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
