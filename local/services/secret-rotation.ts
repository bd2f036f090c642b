import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock';
import { ServiceError } from '../endpoint/service-error';
import type { LambdaHost } from '../lambda/host';
import type { Secret, SecretStore } from './secret-store';

const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];
/** How often Secrets Manager tries a rotation that fails, and how long it waits here in between. */
const ATTEMPTS = 3;
const BETWEEN_MS = 500;

/** Rotates secrets on their schedules by calling a function for each of the four steps, one secret after the other. */
export class SecretRotation {
  private readonly schedules = new Map<string, { readonly functionArn: string; readonly expression: string }>();
  private queue: Promise<unknown> = Promise.resolve();

  public constructor(private readonly store: SecretStore, private readonly clock: Clock, private readonly functions: LambdaHost) {}

  public isScheduled({ arn }: Secret): boolean { return this.schedules.has(arn); }

  /** Takes a schedule, as CloudFormation makes it: what is there is not replaced. Secrets Manager tries the function then; here the first secret stands for all. */
  public async schedule(secretId: string, functionArn: string, expression: string): Promise<void> {
    const secret = this.store.demand(secretId);
    const isFirst = ![...this.schedules.values()].some((other) => other.functionArn === functionArn);
    this.schedules.set(secret.arn, { functionArn, expression });
    secret.nextRotationAt = nextNight(expression, Math.max(this.clock.now(), secret.nextRotationAt === undefined ? 0 : secret.nextRotationAt - 1));
    this.arm(secret);
    if (!isFirst || secret.rotatedAt !== undefined) return;
    const token = randomUUID();
    this.store.put(secret, this.store.get(secret).value, ['AWSPENDING'], token);
    try {
      await this.step(secret, functionArn, 'testSecret', token);
    } finally {
      this.store.move(secret, 'AWSPENDING', undefined, token);
    }
  }

  /** Begins a rotation, and does not wait for it. Returns the version that it makes. */
  public begin(secret: Secret, token: string = randomUUID()): string {
    const schedule = this.schedules.get(secret.arn);
    if (!schedule) throw new ServiceError('InvalidRequestException', `no rotation function is configured for ${secret.name}`);
    const { AWSPENDING: pending, AWSCURRENT: current } = secret.stages;
    if (pending !== undefined && pending !== current && pending !== token) throw new ServiceError('InvalidRequestException', "A previous rotation isn't complete. That rotation will be reattempted.");
    this.store.promise(secret, token);
    this.queue = this.queue.then(() => this.rotate(secret, schedule.functionArn, token)).catch(() => undefined); // told by the function's log, and by the date that stays in the past
    return token;
  }

  private arm(secret: Secret): void {
    this.clock.at(secret.nextRotationAt ?? 0, () => {
      if (this.store.find(secret.arn) !== secret) return;
      try {
        this.begin(secret, secret.stages.AWSPENDING === secret.stages.AWSCURRENT ? undefined : secret.stages.AWSPENDING);
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
      }
      const { expression } = this.schedules.get(secret.arn) as { expression: string };
      this.clock.at(nextNight(expression, this.clock.now()), () => this.arm(secret));
    });
  }

  private async rotate(secret: Secret, functionArn: string, token: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        for (const step of STEPS) await this.step(secret, functionArn, step, token);
        break;
      } catch (error) {
        if (attempt === ATTEMPTS || secret.stages.AWSPENDING !== token) throw error;
        await new Promise((later) => setTimeout(later, BETWEEN_MS));
      }
    }
    secret.rotatedAt = this.clock.now();
    secret.nextRotationAt = nextNight(this.schedules.get(secret.arn)?.expression ?? '', this.clock.now());
    this.store.save();
  }

  private async step({ arn }: Secret, functionArn: string, Step: string, ClientRequestToken: string): Promise<void> {
    const { failed, payload } = await this.functions.invoke(functionArn, { Step, SecretId: arn, ClientRequestToken });
    if (failed) throw new Error(`${Step} failed: ${payload}`);
  }
}

/** The next time after `now` that `cron(0 HOUR DAYS MONTHS ? *)` names. */
export function nextNight(expression: string, now: number): number {
  const [, hour = '', days = '', months = ''] = /^cron\(0 (\d+) (\*|\d+(?:\/\d+)?) (\*|1\/2) \? \*\)$/.exec(expression) ?? [];
  if (hour === '') throw new Error(`the local runtime plays cron(0 HOUR DAYS MONTHS ? *), got ${expression}`);
  const [first = 1, step = 0] = days === '*' ? [1, 1] : days.split('/').map(Number);
  const day = new Date(now);
  for (day.setUTCHours(Number(hour), 0, 0, 0); ; day.setUTCDate(day.getUTCDate() + 1)) {
    const after = day.getUTCDate() - first;
    if (day.getTime() > now && (step === 0 ? after === 0 : after >= 0 && after % step === 0) && (months === '*' || day.getUTCMonth() % 2 === 0)) return day.getTime();
  }
}
