import type { PolicyDocument, Principal } from '../identity/principals';

/** A request as it came in. */
export interface OpenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A signed request, with its signature checked. */
export interface SignedRequest extends OpenRequest {
  /** Service of the signature's scope. */
  readonly service: string;
  readonly principal: Principal;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer | object;
  /** Answers piece by piece instead: `open` writes the head, and returns what writes a piece. */
  readonly stream?: (open: (status: number, headers: Readonly<Record<string, string>>) => (chunk: Buffer) => void) => Promise<void>;
}

/** Permission that an operation needs. */
export interface Permission {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string | string[]>>;
  /** Policy of the resource itself, where it has one. */
  readonly resourcePolicy?: PolicyDocument | undefined;
}

/** One operation of one service: what it needs, and what it does. */
export interface Operation {
  readonly permissions: readonly Permission[];
  run(): Promise<Reply> | Reply;
}

/** A service of the endpoint: just the operations that templates and handlers of this library use. */
export interface Service {
  /** How errors are told. */
  readonly protocol: 'json' | 'query' | 'rest-json' | 'rest-xml';
  /** Name of the operation that a request asks for, as IAM spells it. */
  name(request: SignedRequest): string;
  /** The operation; `undefined` for one that is not known here. */
  operation(name: string, request: SignedRequest): Operation | undefined;
}
