import { Duration } from 'aws-cdk-lib';
import { ControlsError, shown } from '../scope/controls-error';

/** What is done about a finding. Whatever it is, the finding is an entry of the log with the rows it rests on, and a notice. */
export enum AnomalyResponse {
  /** Nothing else. */
  NOTIFY = 'notify',
  /** From then on every write of the agent waits for people, until a responder says otherwise: `agent-controls agent release`. */
  HOLD_EVERYTHING = 'hold',
  /** The agent's credential is replaced as after a leak: its sessions from before are dead. */
  ROTATE = 'rotate',
  /** The agent is stopped. Needs `killSwitch`. */
  DISABLE = 'disable',
}

/** Options of every rule. */
export interface AnomalyRuleOptions {
  /** What is done about a finding. @default AnomalyResponse.NOTIFY */
  readonly response?: AnomalyResponse;
  /** How long the same finding of the same agent is not told again, 1 minute to 60 days. @default - an hour; for what is compared with days and weeks, a day; for drift and approvers, a week */
  readonly quiet?: Duration;
  /** Agents that are watched, by name. @default - all */
  readonly agents?: string[];
}

/** Rules about approvers: whichever agent's holds they were, it did nothing. */
const OF_PEOPLE: readonly string[] = ['rubber-stamp', 'never-rejects'];

type Spec = Readonly<Record<string, string | number>>;

const HOUR = Duration.hours(1);
const DAY = Duration.days(1);
const WEEK = Duration.days(7);

/**
 * Something worth waking someone for. An agent is compared with its own last four weeks; where there is too little of them, with nothing.
 *
 * A card names the rule that finds a failure under `found-by: { anomaly: ... }`, by the name each factory gives here.
 */
export class AnomalyRule {
  /** `bulk-writes`: at least `count` writes of one agent within `per`. What undoes them does not count. */
  public static bulkWrites(count: number, per: Duration, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('bulk-writes', { ...whole('count', count), ...seconds('per', per) }, HOUR, options); }

  /** `repeated-failures`: at least `count` calls of one agent that were denied, refused or failed, and runs that were refused, within `per`. */
  public static repeatedFailures(count: number, per: Duration, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('repeated-failures', { ...whole('count', count), ...seconds('per', per) }, HOUR, options); }

  /** `unusual-hours`: at least `calls` in an hour in which, with the hour before and after it, less than `share` of the agent's calls were, working days and weekends apart. */
  public static unusualHours(calls: number, share: number, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('unusual-hours', { ...whole('calls', calls), ...part('share', share) }, DAY, options); }

  /** `rate-spike`: more calls in an hour than `times` those of a busy hour (of twenty, the second busiest), and more than `calls`. */
  public static rateSpike(times: number, calls: number, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('rate-spike', { ...factor('times', times), ...whole('calls', calls) }, HOUR, options); }

  /** `sum-spike`: more money moved by one action on one day, UTC, than `times` that of an expensive day (of ten, the second most expensive). */
  public static sumSpike(times: number, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('sum-spike', factor('times', times), DAY, options); }

  /** `new-behaviour`: an action, a parameter or a column that the agent has never used, two weeks and more after its card came into force. */
  public static newBehaviour(options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('new-behaviour', {}, DAY, options); }

  /** `drift`: a week whose mix of actions differs by `share` from that of the three before (half the sum of all differences), with at least `calls` in each. */
  public static drift(share: number, calls: number, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('drift', { ...part('share', share), ...whole('calls', calls) }, WEEK, options); }

  /** `rubber-stamp`: a person who approves at least `count` holds within `per`, and rejects none. */
  public static rubberStamp(count: number, per: Duration, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('rubber-stamp', { ...whole('count', count), ...seconds('per', per) }, DAY, options); }

  /** `never-rejects`: a person who approved at least `count` holds in four weeks, half of them within `seconds` of the proposal, and rejected none. */
  public static neverRejects(count: number, within: Duration, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('never-rejects', { ...whole('count', count), ...seconds('within', within) }, WEEK, options); }

  /** `replaced-credential`: at least `count` calls within `per` that reach the gate by sessions that are none any more: of a stopped agent, or of no run. What IAM denies already does not reach it. */
  public static replacedCredential(count: number, per: Duration, options?: AnomalyRuleOptions): AnomalyRule { return new AnomalyRule('replaced-credential', { ...whole('count', count), ...seconds('per', per) }, HOUR, options); }

  /** What is watched for when nothing else is said: 100 writes or 20 failures in 5 minutes, 10 approvals in a minute, and whatever the agent's own history calls unusual. */
  public static defaults(): AnomalyRule[] {
    return [
      AnomalyRule.bulkWrites(100, Duration.minutes(5)), AnomalyRule.repeatedFailures(20, Duration.minutes(5)), AnomalyRule.rubberStamp(10, Duration.minutes(1)), AnomalyRule.neverRejects(50, Duration.seconds(20)),
      AnomalyRule.unusualHours(5, 0.005), AnomalyRule.rateSpike(3, 30), AnomalyRule.sumSpike(3), AnomalyRule.newBehaviour(), AnomalyRule.drift(0.25, 100), AnomalyRule.replacedCredential(3, Duration.hours(1)),
    ];
  }

  /** Name of the rule, as cards and entries have it. */
  public readonly ruleName: string;
  /** @internal */
  public readonly _response: AnomalyResponse;
  /** @internal */
  public readonly _spec: object;

  private constructor(name: string, spec: Spec, quiet: Duration, options: AnomalyRuleOptions = {}) {
    const quietSeconds = (options.quiet ?? quiet).toSeconds();
    if (quietSeconds < 60 || quietSeconds > 60 * 86_400) throw new ControlsError('AnomalyRuleInvalid', `${name}: quiet must be 1 minute to 60 days, got ${(options.quiet ?? quiet).toHumanString()}; correct it`);
    const stranger = options.agents?.find((agent) => !/^[a-z][a-z0-9-]{0,23}$/.test(agent));
    if (stranger !== undefined || options.agents?.length === 0) throw new ControlsError('AnomalyRuleInvalid', `${name}: agents are names on cards, got ${shown(stranger ?? [])}; leave it out to watch all`);
    if (OF_PEOPLE.includes(name) && ((options.response ?? AnomalyResponse.NOTIFY) !== AnomalyResponse.NOTIFY || options.agents)) throw new ControlsError('AnomalyRuleInvalid', `${name} is about a person and no agent, so it can only tell, got ${shown({ response: options.response, agents: options.agents })}; leave response and agents out`);
    this.ruleName = name;
    this._response = options.response ?? AnomalyResponse.NOTIFY;
    this._spec = { rule: name, ...spec, response: this._response, quietSeconds, ...(options.agents ? { agents: options.agents } : {}) };
  }
}

function whole(name: string, value: number): Spec {
  if (!Number.isInteger(value) || value < 1 || value > 1_000_000) throw new ControlsError('AnomalyRuleInvalid', `${name} must be a whole number of 1 to 1000000, got ${shown(value)}; correct it`);
  return { [name]: value };
}

function part(name: string, value: number): Spec {
  if (!(value > 0 && value < 1)) throw new ControlsError('AnomalyRuleInvalid', `${name} must be between 0 and 1, got ${shown(value)}; a tenth is 0.1`);
  return { [name]: value };
}

function factor(name: string, value: number): Spec {
  if (!(value > 1 && value <= 1_000)) throw new ControlsError('AnomalyRuleInvalid', `${name} must be more than 1 and at most 1000, got ${shown(value)}; correct it`);
  return { [name]: value };
}

function seconds(name: string, value: Duration): Spec {
  const of = value.toSeconds();
  if (of < 1 || of > 86_400) throw new ControlsError('AnomalyRuleInvalid', `${name} must be 1 second to 1 day, got ${value.toHumanString()}; for longer times there are rules that compare days and weeks`);
  return { seconds: of };
}
