import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { jsonOf } from './protocol';

interface Mail {
  readonly FromEmailAddress?: string;
  readonly Destination?: { readonly ToAddresses?: readonly string[] };
  readonly Content?: { readonly Simple?: { readonly Subject?: { readonly Data?: string }; readonly Body?: { readonly Text?: { readonly Data?: string } } } };
}

/** SES version 2: SendEmail. A mail lands as a message file in the outbox folder, and nowhere else. */
export class Ses implements Service {
  public readonly protocol = 'rest-json';

  public constructor(public readonly outbox: string, private readonly account: string, private readonly region: string, private readonly clock: Clock) {
    mkdirSync(outbox, { recursive: true, mode: 0o700 });
  }

  public name(request: SignedRequest): string {
    return request.method === 'POST' && request.path === '/v2/email/outbound-emails' ? 'SendEmail' : `${request.method} ${request.path}`;
  }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'SendEmail') return undefined;
    const mail = jsonOf<Mail>(request);
    const domain = mail.FromEmailAddress?.split('@')[1] ?? '';
    return {
      permissions: [{ action: 'ses:SendEmail', resource: `arn:aws:ses:${this.region}:${this.account}:identity/${domain}`, context: { 'ses:FromAddress': mail.FromEmailAddress ?? '' } }],
      run: () => ({ body: { MessageId: this.send(mail) } }),
    };
  }

  private send({ FromEmailAddress, Destination, Content }: Mail): string {
    const to = Destination?.ToAddresses ?? [];
    const simple = Content?.Simple;
    if (to.length === 0 || FromEmailAddress === undefined || !simple?.Subject?.Data) throw new ServiceError('BadRequestException', 'a mail needs a sender, a recipient and a subject');
    const headers = [FromEmailAddress, ...to, simple.Subject.Data];
    if (headers.some((header) => /[\r\n]/.test(header))) throw new ServiceError('BadRequestException', 'a header holds a line break');
    const messageId = randomUUID();
    const file = join(this.outbox, `${messageId}.eml`);
    writeFileSync(`${file}.part`, [`From: ${FromEmailAddress}`, `To: ${to.join(', ')}`, `Subject: ${simple.Subject.Data}`, `Date: ${new Date(this.clock.now()).toUTCString()}`, `Message-ID: <${messageId}@local>`, '', simple.Body?.Text?.Data ?? '', ''].join('\r\n'), { mode: 0o600 });
    renameSync(`${file}.part`, file);
    return messageId;
  }
}
