import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock';
import { Definition, Retrier, TaskState } from './definition';
import { at, PathError, template, withResult } from './paths';

/** Where an execution stands; all that is needed to go on after a restart. */
export interface Execution {
  readonly name: string;
  readonly machineArn: string;
  state: string;
  input: unknown;
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';
  /** Of a task that waits for its token: the token, and when the wait is over. */
  waiting?: { readonly token: string; readonly deadline: number } | undefined;
  /** Of a wait: when it is over. */
  wakesAt?: number | undefined;
  error?: string | undefined;
}

/** What the runner needs of the world around it. */
export interface RunnerWorld {
  readonly clock: Clock;
  /** Invokes a function as the role of a machine. */
  invoke(machineArn: string, functionArn: string, payload: unknown): Promise<{ readonly payload: string; readonly failed: boolean }>;
  /** Called at every transition, before it takes effect. */
  save(execution: Execution): void;
}

/** An error with a name that `Retry` and `Catch` match. */
export class StateError extends Error {
  public constructor(public readonly error: string, cause: string) {
    super(cause);
  }
}

type Waiter = { readonly resolve: (output: unknown) => void };

/** Plays executions: tasks, task tokens, time-outs, retries and catches, by the runtime's movable clock. */
export class StateMachineRunner {
  private readonly tokens = new Map<string, Waiter | 'spent'>();
  private readonly running = new Set<Promise<void>>();

  public constructor(private readonly world: RunnerWorld) {}

  /** Runs an execution to its end, from wherever it stands. */
  public run(definition: Definition, execution: Execution): void {
    const done = this.play(definition, execution).finally(() => this.running.delete(done));
    this.running.add(done);
  }

  /** Gives a task its result. @returns why not, if not. */
  public succeed(token: string, output: unknown): 'InvalidToken' | 'TaskTimedOut' | undefined {
    const waiter = this.tokens.get(token);
    if (waiter === undefined) return 'InvalidToken';
    if (waiter === 'spent') return 'TaskTimedOut';
    this.tokens.set(token, 'spent');
    waiter.resolve(output);
    return undefined;
  }

  /** Ends an execution where it stands; what it has invoked goes on. */
  public stop(execution: Execution, error: string): void {
    execution.status = 'ABORTED';
    execution.error = error;
    if (execution.waiting) this.tokens.set(execution.waiting.token, 'spent');
    this.world.save(execution);
  }

  private async play(definition: Definition, execution: Execution): Promise<void> {
    const context = { Execution: { Id: `${execution.machineArn.replace(':stateMachine:', ':execution:')}:${execution.name}`, Name: execution.name } };
    try {
      while (execution.status === 'RUNNING') {
        const state = definition.States[execution.state];
        if (!state) throw new StateError('States.Runtime', `there is no state ${execution.state}`);
        if (state.Type === 'Succeed') {
          execution.status = 'SUCCEEDED';
        } else if (state.Type === 'Wait') {
          execution.wakesAt ??= this.world.clock.now() + state.Seconds * 1_000;
          this.world.save(execution);
          const at = execution.wakesAt;
          await new Promise<void>((wake) => this.world.clock.at(at, wake));
          execution.wakesAt = undefined;
          execution.state = state.Next;
        } else if (state.Type === 'Choice') {
          const chosen = state.Choices.find(({ Variable, StringEquals }) => at(Variable, execution.input, context) === StringEquals)?.Next ?? state.Default;
          if (chosen === undefined) throw new StateError('States.NoChoiceMatched', execution.state);
          execution.state = chosen;
        } else {
          await this.task(state, execution, context);
        }
        if (stopped(execution)) return;
        this.world.save(execution);
      }
    } catch (error) {
      if (stopped(execution)) return;
      execution.status = 'FAILED';
      execution.error = error instanceof StateError ? `${error.error}: ${error.message}` : String(error);
      this.world.save(execution);
    }
  }

  private async task(state: TaskState, execution: Execution, context: object): Promise<void> {
    const attempts = new Map<Retrier, number>();
    for (;;) {
      try {
        const result = await this.attempt(state, execution, context);
        const whole = withResult(state.ResultPath, execution.input, result);
        execution.input = state.OutputPath === undefined ? whole : at(state.OutputPath, whole, context);
        if (stopped(execution)) return;
        if (state.End) execution.status = 'SUCCEEDED';
        else execution.state = state.Next as string;
        return;
      } catch (thrown) {
        const error = thrown instanceof StateError ? thrown : new StateError(thrown instanceof PathError ? 'States.ParameterPathFailure' : 'States.TaskFailed', String(thrown));
        execution.waiting = undefined;
        const retrier = state.Retry?.find(({ ErrorEquals }) => matches(ErrorEquals, error.error));
        const tried = retrier ? attempts.get(retrier) ?? 0 : 0;
        if (retrier && tried < (retrier.MaxAttempts ?? 3)) {
          attempts.set(retrier, tried + 1);
          await this.sleep((retrier.IntervalSeconds ?? 1) * (retrier.BackoffRate ?? 2) ** tried);
          continue;
        }
        const catcher = state.Catch?.find(({ ErrorEquals }) => matches(ErrorEquals, error.error));
        if (!catcher) throw error;
        execution.input = withResult(catcher.ResultPath, execution.input, { Error: error.error, Cause: error.message });
        execution.state = catcher.Next;
        return;
      }
    }
  }

  private async attempt(state: TaskState, execution: Execution, context: object): Promise<unknown> {
    const waits = state.Resource.endsWith('.waitForTaskToken');
    // Paths see the state's input, before Parameters.
    const seconds = state.TimeoutSecondsPath === undefined ? state.TimeoutSeconds : Number(at(state.TimeoutSecondsPath, execution.input, context));
    const resumed = waits ? execution.waiting : undefined;
    const deadline = resumed?.deadline ?? (seconds === undefined ? Infinity : this.world.clock.now() + seconds * 1_000);
    const token = resumed?.token ?? randomBytes(48).toString('base64');
    return this.before(deadline, token, async (settled) => {
      if (resumed) return settled;
      const parameters = template(state.Parameters ?? {}, execution.input, { ...context, Task: { Token: token } }) as { FunctionName: string; Payload: unknown };
      if (waits) {
        execution.waiting = { token, deadline };
        this.world.save(execution);
      }
      const { payload, failed } = await this.world.invoke(execution.machineArn, parameters.FunctionName, parameters.Payload);
      if (failed) {
        const { errorType = 'Lambda.Unknown', errorMessage = '' } = JSON.parse(payload) as { errorType?: string; errorMessage?: string };
        throw new StateError(errorType, errorMessage);
      }
      return waits ? settled : { StatusCode: 200, ExecutedVersion: '$LATEST', Payload: JSON.parse(payload) as unknown };
    }).finally(() => { execution.waiting = undefined; });
  }

  // A task ends by what `work` gives or by the clock, whichever is first; a token is spent either way.
  private before(deadline: number, token: string, work: (settled: Promise<unknown>) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settled = new Promise<unknown>((answer) => this.tokens.set(token, { resolve: answer }));
      const cancel = deadline === Infinity ? (): void => undefined : this.world.clock.at(deadline, () => {
        this.tokens.set(token, 'spent');
        reject(new StateError('States.Timeout', 'the task did not end in time'));
      });
      work(settled).then(resolve, reject).finally(() => {
        cancel();
        this.tokens.set(token, 'spent');
      }).catch(() => undefined);
    });
  }

  private sleep(seconds: number): Promise<void> {
    return new Promise((wake) => this.world.clock.at(this.world.clock.now() + seconds * 1_000, wake));
  }
}

/** Asked again after every wait: somebody may have stopped it meanwhile. */
const stopped = ({ status }: Execution): boolean => status === 'ABORTED';

function matches(names: readonly string[], error: string): boolean {
  return names.some((name) => name === error || name === 'States.ALL' || (name === 'States.TaskFailed' && error !== 'States.Timeout'));
}
