import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import type { Clock } from '../clock';
import type { LambdaHost } from '../lambda/host';
import { Rule, tellOfEvent } from './event-bridge';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { jsonOf, targetOf } from './protocol';

interface Input { readonly Entries?: readonly { readonly EventBusName?: string; readonly Source?: string; readonly DetailType?: string; readonly Detail?: string }[] }

/** EventBridge: PutEvents. Events land as lines of a file, as whoever subscribes to the topic behind the bus would get them. */
export class EventBus implements Service {
  public readonly protocol = 'json';

  public constructor(private readonly file: string, private readonly clock: Clock, private readonly account: string, private readonly region: string, private readonly rules: readonly Rule[], private readonly functions: LambdaHost) {}

  public name(request: SignedRequest): string { return targetOf(request); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'PutEvents') return undefined;
    const { Entries = [] } = jsonOf<Input>(request);
    return {
      permissions: Entries.map(({ EventBusName = 'default' }) => ({ action: 'events:PutEvents', resource: `arn:aws:events:${this.region}:${this.account}:event-bus/${EventBusName}` })),
      run: () => {
        for (const { EventBusName: bus = 'default', Source: source = '', DetailType: subject = '', Detail = '{}' } of Entries) {
          const detail = JSON.parse(Detail) as unknown;
          appendFileSync(this.file, `${JSON.stringify({ at: new Date(this.clock.now()).toISOString(), bus, subject, message: detail })}\n`, { mode: 0o600 });
          tellOfEvent(this.rules, { bus, source, 'detail-type': subject, detail }, this.functions);
        }
        return { body: { FailedEntryCount: 0, Entries: Entries.map(() => ({ EventId: randomUUID() })) } };
      },
    };
  }
}
