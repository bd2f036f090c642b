/** What an agent's program imports: `cdk-agent-controls/client`. Imports nothing of aws-cdk-lib. */
import { randomUUID } from 'node:crypto';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import type { Action, Values } from '../action';
import { Credentials, SignedApi } from './signed-api';

export { asData } from '../provenance/as-data';
export type { Marked } from '../provenance/as-data';
export { GateError } from './signed-api';

/** The gate's answer to a call. A deny is an answer, not an exception. */
export type Answer<Result> =
  | { readonly verdict: 'permit'; readonly decisionId: string; readonly result: Result }
  | { readonly verdict: 'hold'; readonly decisionId: string; readonly holdId: string; readonly holdUntil: Date; readonly reasons: readonly string[] }
  | { readonly verdict: 'deny'; readonly decisionId: string; readonly reasons: readonly string[] };

/** What would become of a call. */
export interface Foreseen {
  readonly verdict: 'permit' | 'hold' | 'deny';
  /** Why it would be held or denied. */
  readonly reasons?: readonly string[];
  /** Of a hold: until when it would wait, in which tier, and for how many people. */
  readonly holdUntil?: string;
  readonly tier?: string;
  readonly people?: number;
}

/** What goes with a call besides its parameters. */
export interface CallOptions {
  /** Why the agent wants it, in its own words; recorded, never trusted. */
  readonly reason: string;
  /** Written justification, where the scope requires one. */
  readonly justification?: string;
  /** Ticket, request or business event. */
  readonly reference?: string;
  /** Names this call among those of the run; give the same one to retry it. @default - a new one */
  readonly callId?: string;
}

/** Where a hold stands. */
export interface HoldState {
  readonly status: 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled';
  /** What became of an approved call: `executing`, `executed`, `failed`, `refused`, `unknown`. */
  readonly outcome: string;
  readonly result: unknown;
}

/** A tool of the agent's scope. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema 2020-12 of its parameters. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly effect: 'read' | 'write';
}

type ParametersOf<A> = A extends Action<infer P, infer _R> ? Values<P> : never;
type ResultOf<A> = A extends Action<infer _P, infer R> ? R : never;

/** One execution of an agent, with credentials that end inside the hour. */
export interface Run {
  readonly runId: string;
  readonly expiresAt: Date;
  /** The run's own credentials: the gate, and what the card names under `aws`. */
  readonly credentials: Credentials;
  /** The model gateway, where there is one: base URL for SDKs of Bedrock, with `v1` behind it for those of OpenAI, and the token that is their API key. */
  readonly models: { readonly url: string; readonly token: string } | undefined;
  /** Proposes a call by name; parameters are checked by the gate. */
  call(actionName: string, parameters: Readonly<Record<string, unknown>>, options: CallOptions): Promise<Answer<unknown>>;
  /** Proposes a call with the types of an action file: `call<typeof updateTier>('update_tier', ...)` needs a type import only. */
  call<A extends Action<any, any>>(actionName: string, parameters: ParametersOf<A>, options: CallOptions): Promise<Answer<ResultOf<A>>>;
  /** Asks what would become of a call. Nothing happens, nothing waits, and no limit counts it; that it was asked is recorded. */
  foresee(actionName: string, parameters: Readonly<Record<string, unknown>>, options: Omit<CallOptions, 'callId'>): Promise<Foreseen>;
  /** What the run may call, as a model is shown it. */
  tools(): Promise<readonly Tool[]>;
  /** Where a hold of this run stands. */
  hold(holdId: string): Promise<HoldState>;
  /** Waits for the verdict of a hold. */
  settled(holdId: string): Promise<'approved' | 'rejected' | 'expired' | 'cancelled'>;
}

/** What a run is about. */
export interface RunRequest {
  /** Counts as the trusted request only if a trigger asks it, or the card says `request: { trusted-from: compute }`. */
  readonly text: string;
  /** Ticket, request or business event. */
  readonly reference?: string;
  /** Model and version that will propose the calls, as `name@version`; recorded on every decision as the agent's own claim. */
  readonly model?: string;
  /** SHA-256 of the system prompt, in hex; recorded on every decision as the agent's own claim. */
  readonly promptDigest?: string;
}

/** A request that a trigger asked; it is good for one run, within the hour. */
export interface AskedRequest {
  readonly requestId: string;
  /** Model and version that will propose the calls, as `name@version`. */
  readonly model?: string;
  /** SHA-256 of the system prompt, in hex; recorded on every decision as the agent's own claim. */
  readonly promptDigest?: string;
}

/** Starts runs of one agent, as the compute that `grantStartRun` named. */
export class AgentClient {
  /**
   * Address and region from `AGENT_CONTROLS_URL` and `AWS_REGION`; credentials from the SDK's default chain.
   *
   * @param agentName @default - `AGENT_NAME`
   */
  public static fromEnvironment(agentName?: string): AgentClient {
    const variable = (name: string): string => {
      const value = process.env[name];
      if (!value) throw new Error(`${name} is not set; the deployed stack's outputs tell it`);
      return value;
    };
    return new AgentClient(new SignedApi(variable('AGENT_CONTROLS_URL'), variable('AWS_REGION'), defaultProvider()), agentName ?? variable('AGENT_NAME'));
  }

  /** @param options.credentials of the compute; anything that `grantStartRun` was given. */
  public static of(options: { readonly url: string; readonly region: string; readonly agentName: string; readonly credentials: Credentials }): AgentClient {
    return new AgentClient(new SignedApi(options.url, options.region, () => Promise.resolve(options.credentials)), options.agentName);
  }

  private constructor(private readonly api: SignedApi, private readonly agentName: string) {}

  /** Asks something of the agent, as a trigger that `grantTrigger` named. Hand the id on to the agent's program, which starts the run. */
  public async ask(request: Omit<RunRequest, 'model' | 'promptDigest'>): Promise<{ readonly requestId: string; readonly expiresAt: Date }> {
    const { requestId, expiresAt } = await this.api.send<{ requestId: string; expiresAt: string }>('POST', `/agents/${this.agentName}/requests`, { request });
    return { requestId, expiresAt: new Date(expiresAt) };
  }

  /** Starts a run. @throws `GateError` with the broker's code, such as `AgentDisabled` or `CardNotApproved`. */
  public async startRun(request: RunRequest | AskedRequest): Promise<Run> {
    const { model, promptDigest, ...asked } = request;
    const body = 'requestId' in asked ? asked : { request: asked };
    const started = await this.api.send<{ runId: string; expiresAt: string; credentials: Credentials; models?: { url: string; token: string } }>('POST', `/agents/${this.agentName}/runs`, { ...body, ...(model === undefined ? {} : { model }), ...(promptDigest === undefined ? {} : { promptDigest }) });
    return new StartedRun(this.api.as(started.credentials), started.runId, new Date(started.expiresAt), started.credentials, started.models);
  }
}

class StartedRun implements Run {
  public constructor(private readonly api: SignedApi, public readonly runId: string, public readonly expiresAt: Date, public readonly credentials: Credentials, public readonly models: Run['models']) {}

  public async call(action: string, parameters: Readonly<Record<string, unknown>>, options: CallOptions): Promise<Answer<any>> {
    const { callId = randomUUID(), ...rest } = options;
    const answer = await this.api.send<Answer<unknown> & { holdUntil?: string }>('POST', '/calls', { callId, action, parameters, ...rest });
    return answer.verdict === 'hold' ? { ...answer, holdUntil: new Date(answer.holdUntil) } : answer;
  }

  public foresee(action: string, parameters: Readonly<Record<string, unknown>>, options: Omit<CallOptions, 'callId'>): Promise<Foreseen> {
    return this.api.send<Foreseen>('POST', '/calls', { callId: randomUUID(), action, parameters, ...options, dryRun: true });
  }

  public async tools(): Promise<readonly Tool[]> {
    return (await this.api.send<{ tools: Tool[] }>('GET', '/tools')).tools;
  }

  public hold(holdId: string): Promise<HoldState> {
    return this.api.send<HoldState>('GET', `/holds/${holdId}`);
  }

  public async settled(holdId: string): Promise<'approved' | 'rejected' | 'expired' | 'cancelled'> {
    for (let pause = 1_000; ; pause = Math.min(pause * 1.5, 15_000)) {
      const { status } = await this.hold(holdId);
      if (status !== 'pending') return status;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
