import { createServer, IncomingMessage, Server, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock';
import type { Authoriser } from '../identity/authoriser';
import type { Principals } from '../identity/principals';
import { authenticate } from '../identity/signature';
import { xml } from '../services/protocol';
import type { OpenRequest, Reply, Service, SignedRequest } from './operation';
import { ServiceError } from './service-error';

const BODY_BYTES = 7 * 1024 * 1024;

/** What the endpoint is made of. */
export interface EndpointParts {
  readonly principals: Principals;
  readonly authoriser: Authoriser;
  readonly clock: Clock;
  readonly region: string;
  /** Services by the name that signatures use. */
  readonly services: Readonly<Record<string, Service>>;
  /** Takes the answers of custom resources, which CloudFormation presigns. */
  readonly answers: Map<string, (answer: unknown) => void>;
  /** What the address of the page must carry: other users of this machine reach the port, too. */
  readonly pageToken: string;
  /** What is there for requests that nobody signed. */
  open(request: OpenRequest): Promise<Reply | undefined>;
  /** The page that a browser gets. */
  page(): Promise<string>;
}

/** One loopback endpoint that unmodified SDKs and the `aws` CLI talk to: every request is authenticated, authorised, then done. */
export class Endpoint {
  private readonly server: Server;
  private port = 0;

  public constructor(private readonly parts: EndpointParts) {
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  public get url(): string { return `http://127.0.0.1:${this.port}`; }

  public listen(port: number): Promise<void> {
    return new Promise((listening, failed) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => failed(error.code === 'EADDRINUSE'
        ? new Error(`port ${port} of 127.0.0.1 is in use, perhaps by another local runtime; stop it, or choose another with --port`)
        : error));
      this.server.listen(port, '127.0.0.1', () => {
        this.port = (this.server.address() as { port: number }).port;
        listening();
      });
    });
  }

  public close(): Promise<void> {
    return new Promise((closed) => {
      this.server.close(() => closed());
      this.server.closeAllConnections();
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let service: Service | undefined;
    try {
      this.refuseForeign(request);
      const url = new URL(request.url ?? '/', this.url);
      const raw = { method: request.method ?? 'GET', path: url.pathname, query: url.searchParams, headers: headersOf(request), body: await bodyOf(request) };
      if (raw.headers.authorization?.startsWith('AWS4-') !== true) {
        send(response, await this.unsigned(raw));
        return;
      }
      const { principal, service: name } = await authenticate(raw, this.parts.principals, this.parts.region, this.parts.clock.now());
      service = Object.hasOwn(this.parts.services, name) ? this.parts.services[name] : undefined;
      if (!service) {
        service = { protocol: raw.headers['content-type']?.includes('urlencoded') ? 'query' : 'json', name: () => '', operation: () => undefined };
        throw new ServiceError('UnknownService', `the local runtime does not play ${name}; it plays ${Object.keys(this.parts.services).join(', ')}`, 501);
      }
      send(response, await this.run(name, service, { ...raw, service: name, principal }));
    } catch (error) {
      send(response, errorReply(error, service?.protocol ?? 'json'));
    }
  }

  private async run(name: string, service: Service, request: SignedRequest): Promise<Reply> {
    const operationName = service.name(request);
    const operation = service.operation(operationName, request);
    if (!operation) {
      // An agent learns that it may not before anyone learns what is not played here.
      if (/^\w+$/.test(operationName)) await this.parts.authoriser.demand(request.principal, { action: `${name}:${operationName}`, resource: '*' }).catch((error: unknown) => { if (error instanceof ServiceError && error.status === 403) throw error; });
      throw new ServiceError('UnknownOperation', `the local runtime does not play ${name}:${operationName}`, 501);
    }
    for (const permission of operation.permissions) await this.parts.authoriser.demand(request.principal, permission);
    return operation.run();
  }

  private async unsigned(request: OpenRequest): Promise<Reply> {
    const { method, path, query, body } = request;
    const answer = method === 'PUT' ? this.parts.answers.get(path) : undefined;
    if (answer) {
      this.parts.answers.delete(path); // a presigned address is good for one answer
      answer(JSON.parse(body.toString('utf8')));
      return { body: '' };
    }
    if (method === 'GET' && path === '/' && query.get('token') === this.parts.pageToken) {
      return {
        headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' },
        body: await this.parts.page(),
      };
    }
    const open = await this.parts.open(request);
    if (open) return open;
    throw new ServiceError('MissingAuthenticationTokenException', 'the request is not signed with Signature Version 4', 403);
  }

  // A page of another origin, or a name that was rebound to 127.0.0.1, must not reach this server through a browser.
  private refuseForeign({ headers }: IncomingMessage): void {
    const hosts = [`127.0.0.1:${this.port}`, `localhost:${this.port}`];
    if (!hosts.includes(headers.host ?? '')) throw new ServiceError('HostRefused', `Host must be ${hosts.join(' or ')}`, 421);
    if (headers.origin !== undefined && !hosts.some((host) => headers.origin === `http://${host}`)) throw new ServiceError('OriginRefused', 'requests of other origins are refused', 403);
  }
}


function headersOf(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value ?? '']));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES) throw new ServiceError('RequestTooLargeException', 'the request is too large', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function errorReply(error: unknown, protocol: Service['protocol']): Reply {
  const { code, message, status } = error instanceof ServiceError ? error : new ServiceError('InternalFailure', error instanceof Error ? error.message : 'unknown', 500);
  if (protocol === 'query') {
    return { status, headers: { 'content-type': 'text/xml' }, body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code.replace(/Exception$/, '')}</Code><Message>${xml(message)}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>` };
  }
  if (protocol === 'rest-xml') {
    return { status, headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code.replace(/Exception$/, '')}</Code><Message>${xml(message)}</Message></Error>` };
  }
  return { status, headers: { 'content-type': 'application/json', 'x-amzn-errortype': code }, body: { __type: code, message } };
}

function send(response: ServerResponse, { status = 200, headers = {}, body, stream }: Reply): void {
  if (stream) {
    void stream((code, more) => {
      response.writeHead(code, { 'x-amzn-requestid': randomUUID(), ...more });
      return (chunk) => { response.write(chunk); };
    }).catch(() => undefined).finally(() => { if (!response.headersSent) response.writeHead(500); response.end(); }); // who reads sees that it ends
    return;
  }
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-requestid': randomUUID(), ...headers });
  response.end(text);
}
