import { Sha256 } from '@aws-crypto/sha256-js';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';

/** Keys of a role session. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The control plane refused, or could not answer. */
export class GateError extends Error {
  public override readonly name = 'GateError';

  /** @param code stable name of the refusal. @param status HTTP status. */
  public constructor(public readonly code: string, public readonly status: number, message: string) {
    super(`${code}: ${message}`);
  }
}

const ATTEMPTS = 4;

/** Signed requests to the HTTP API of a control plane. A 503, or a call that still runs, is asked again: call ids make that the same call. */
export class SignedApi {
  public constructor(private readonly url: string, private readonly region: string, private readonly credentials: () => Promise<Credentials>) {}

  /** The same API with other keys. */
  public as(credentials: Credentials): SignedApi {
    return new SignedApi(this.url, this.region, () => Promise.resolve(credentials));
  }

  public async send<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await this.once(method, path, body);
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as T;
      const { error, message } = parsed(text);
      if ((response.status === 503 || error === 'CallInProgress') && attempt < ATTEMPTS) {
        await new Promise((resolve) => setTimeout(resolve, Number(response.headers.get('retry-after') ?? '1') * 1_000));
        continue;
      }
      throw new GateError(error ?? response.headers.get('x-amzn-errortype')?.split(':')[0] ?? (response.status === 403 ? 'AccessDenied' : 'HttpError'), response.status, message ?? `HTTP ${response.status}`);
    }
  }

  private async once(method: string, path: string, body: unknown): Promise<Response> {
    const { protocol, hostname, port, host } = new URL(this.url);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const signer = new SignatureV4({ service: 'execute-api', region: this.region, credentials: await this.credentials(), sha256: Sha256 });
    const signed = await signer.sign(new HttpRequest({
      method, protocol, hostname, path, ...(port === '' ? {} : { port: Number(port) }),
      headers: { host, ...(text === undefined ? {} : { 'content-type': 'application/json' }) }, ...(text === undefined ? {} : { body: text }),
    }));
    return fetch(new URL(path, this.url), { method, headers: signed.headers, ...(text === undefined ? {} : { body: text }) });
  }
}

function parsed(text: string): { error?: string; message?: string } {
  try {
    const { error, message, Message } = JSON.parse(text) as { error?: string; message?: string; Message?: string };
    return { ...(error === undefined ? {} : { error }), message: message ?? Message ?? '' };
  } catch {
    return {};
  }
}
