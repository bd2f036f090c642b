import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock';
import type { LambdaHost } from '../lambda/host';
import type { OpenRequest, Reply } from '../endpoint/operation';

const PREFIX = '/_functions/';

/** Addresses of functions, without authorisation: the function asks who is there, and answers in a stream. */
export class FunctionUrls {
  private readonly names = new Set<string>();

  public constructor(private readonly host: LambdaHost, private readonly clock: Clock, private readonly url: () => string) {}

  /** Gives a function an address. */
  public add(name: string): string {
    this.names.add(name);
    return `${this.url()}${PREFIX}${name}/`;
  }

  /** A request to an address of a function. */
  public open({ method, path, query, headers, body }: OpenRequest): Reply | undefined {
    const [, name = '', rawPath = ''] = /^\/_functions\/([^/]+)(\/.*)$/.exec(path) ?? [];
    if (!this.names.has(name)) return undefined;
    const event = {
      version: '2.0', rawPath, rawQueryString: query.toString(), headers, body: body.toString('base64'), isBase64Encoded: true,
      requestContext: { requestId: randomUUID(), timeEpoch: this.clock.now(), http: { method, path: rawPath, sourceIp: '127.0.0.1' } },
    };
    return {
      body: '',
      stream: async (open) => {
        let write: ((chunk: Buffer) => void) | undefined;
        const { failed } = await this.host.invoke(name, event, (part) => {
          if (part.head) write = open(part.head.statusCode, part.head.headers);
          else if (part.chunk !== undefined) write?.(Buffer.from(part.chunk, 'base64'));
        });
        if (failed && !write) open(502, { 'content-type': 'application/json' })(Buffer.from('{"Message":"Internal Server Error"}'));
      },
    };
  }
}
