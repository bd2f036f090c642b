import type { Authoriser } from '../identity/authoriser';
import type { Principal } from '../identity/principals';
import type { LambdaHost } from '../lambda/host';
import type { Clock } from '../clock';
import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { Definition, parseDefinition } from '../states/definition';
import { Execution, StateMachineRunner } from '../states/runner';
import { jsonOf, targetOf } from './protocol';

interface Machine {
  readonly definition: Definition;
  /** A session of the machine's role. */
  readonly principal: Principal;
}

interface Input { readonly stateMachineArn?: string; readonly name?: string; readonly input?: string; readonly taskToken?: string; readonly output?: string; readonly executionArn?: string; readonly statusFilter?: string; readonly error?: string }

/** Step Functions: StartExecution, DescribeExecution, ListExecutions, StopExecution and SendTaskSuccess. */
export class StepFunctions implements Service {
  public readonly protocol = 'json';
  private readonly machines = new Map<string, Machine>();
  private readonly runner: StateMachineRunner;

  /** @param executions as they were when the runtime last ran. @param save keeps them. */
  public constructor(private readonly executions: Record<string, Execution>, private readonly save: () => void, host: LambdaHost, authoriser: Authoriser, clock: Clock) {
    this.runner = new StateMachineRunner({
      clock,
      save: () => this.save(),
      invoke: async (machineArn, functionArn, payload) => {
        await authoriser.demand((this.machines.get(machineArn) as Machine).principal, { action: 'lambda:InvokeFunction', resource: host.find(functionArn)?.arn ?? functionArn });
        return host.invoke(functionArn, payload);
      },
    });
  }

  public addMachine(arn: string, definition: string, principal: Principal): void {
    this.machines.set(arn, { definition: parseDefinition(definition), principal });
  }

  /** Goes on with what was running when the runtime last ended. */
  public resume(): void {
    for (const execution of Object.values(this.executions)) {
      const machine = this.machines.get(execution.machineArn);
      if (execution.status === 'RUNNING' && machine) this.runner.run(machine.definition, execution);
    }
  }

  public name(request: SignedRequest): string { return targetOf(request); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    const input = jsonOf<Input>(request);
    switch (name) {
      case 'StartExecution': return { permissions: [{ action: 'states:StartExecution', resource: input.stateMachineArn ?? '*' }], run: () => ({ body: this.start(input) }) };
      case 'DescribeExecution': return { permissions: [{ action: 'states:DescribeExecution', resource: input.executionArn ?? '*' }], run: () => ({ body: this.describe(input) }) };
      case 'StopExecution': return { permissions: [{ action: 'states:StopExecution', resource: input.executionArn ?? '*' }], run: () => ({ body: this.stop(input) }) };
      case 'ListExecutions': return { permissions: [{ action: 'states:ListExecutions', resource: input.stateMachineArn ?? '*' }], run: () => ({ body: { executions: this.list(input.stateMachineArn, input.statusFilter) } }) };
      case 'SendTaskSuccess': return { permissions: [{ action: 'states:SendTaskSuccess', resource: '*' }], run: () => ({ body: this.succeed(input) }) };
      default: return undefined;
    }
  }

  /** Executions, of one machine or all, of one status or any. */
  public list(arn?: string, of?: string): { readonly name: string; readonly status: string }[] {
    return Object.values(this.executions).filter(({ machineArn, status }) => machineArn === (arn ?? machineArn) && status === (of ?? status)).map(({ name, status }) => ({ name, status }));
  }

  private start({ stateMachineArn = '', name = '', input = '{}' }: Input): object {
    const machine = this.machines.get(stateMachineArn);
    if (!machine) throw new ServiceError('StateMachineDoesNotExist', `there is no state machine ${stateMachineArn}`);
    const existing = this.executions[name];
    // The same start again is the same execution while it runs; afterwards the name is taken.
    if (existing && existing.status !== 'RUNNING') throw new ServiceError('ExecutionAlreadyExists', `Execution Already Exists: ${name}`);
    if (!existing) {
      const execution: Execution = { name, machineArn: stateMachineArn, state: machine.definition.StartAt, input: JSON.parse(input), status: 'RUNNING' };
      this.executions[name] = execution;
      this.save();
      this.runner.run(machine.definition, execution);
    }
    return { executionArn: `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`, startDate: Date.now() / 1_000 };
  }

  private describe({ executionArn = '' }: Input): object {
    const execution = this.executions[executionArn.split(':').pop() ?? ''];
    if (!execution) throw new ServiceError('ExecutionDoesNotExist', `there is no execution ${executionArn}`);
    return { executionArn, name: execution.name, stateMachineArn: execution.machineArn, status: execution.status, ...(execution.error === undefined ? {} : { error: execution.error }) };
  }

  private stop({ executionArn = '', error = '' }: Input): object {
    const execution = this.executions[executionArn.split(':').pop() ?? ''];
    if (!execution) throw new ServiceError('ExecutionDoesNotExist', `there is no execution ${executionArn}`);
    if (execution.status === 'RUNNING') this.runner.stop(execution, error);
    return { stopDate: Date.now() / 1_000 };
  }

  private succeed({ taskToken = '', output = 'null' }: Input): object {
    const refused = this.runner.succeed(taskToken, JSON.parse(output));
    if (refused !== undefined) throw new ServiceError(refused, refused === 'InvalidToken' ? 'Invalid Token' : 'Task Timed Out: the token was used or its time is over');
    return {};
  }
}
