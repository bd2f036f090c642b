import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import type { Clock } from '../clock';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { formOf } from './protocol';

/** SNS: Publish. Messages land as lines of a file. */
export class Sns implements Service {
  public readonly protocol = 'query';

  public constructor(private readonly file: string, private readonly clock: Clock) {}

  public name(request: SignedRequest): string { return formOf(request).get('Action') ?? ''; }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'Publish') return undefined;
    const form = formOf(request);
    const topic = form.get('TopicArn') ?? '';
    return {
      permissions: [{ action: 'sns:Publish', resource: topic }],
      run: () => {
        const messageId = randomUUID();
        appendFileSync(this.file, `${JSON.stringify({ at: new Date(this.clock.now()).toISOString(), topic, subject: form.get('Subject'), message: form.get('Message') })}\n`, { mode: 0o600 });
        return { headers: { 'content-type': 'text/xml' }, body: `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>${messageId}</MessageId></PublishResult><ResponseMetadata><RequestId>${messageId}</RequestId></ResponseMetadata></PublishResponse>` };
      },
    };
  }
}
