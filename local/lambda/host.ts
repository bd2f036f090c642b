import { ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceError } from '../endpoint/service-error';

/** A function of the assembly. */
export interface HostedFunction {
  readonly name: string;
  readonly arn: string;
  readonly folder: string;
  readonly handler: string;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly roleArn: string;
}

/** A part of an answer that comes in a stream: its head, or a piece in base64. */
export interface Part {
  readonly head?: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> };
  readonly chunk?: string;
}

/** What an invocation came to. */
export interface Invoked {
  readonly payload: string;
  readonly failed: boolean;
}

interface Instance {
  readonly child: ChildProcess;
  /** Its code is loaded, or it ended before. */
  readonly loaded: Promise<unknown>;
  busy: boolean;
}

const PAYLOAD_BYTES = 6 * 1024 * 1024;
const ENVIRONMENT_BYTES = 4 * 1024;
const INSTANCES = 20;
/** What loading the code may take on top of a function's own time, of which Lambda counts none for it. */
const INIT_SECONDS = 10;

/** Runs functions from their own bundles, each instance in a process and with an environment of its own. */
export class LambdaHost {
  private readonly functions = new Map<string, HostedFunction>();
  private readonly instances = new Map<string, Instance[]>();
  private readonly waiting = new Map<string, (() => void)[]>();
  private sequence = 0;
  private stopped = false;

  /** @param credentials environment variables that carry the keys of a function's role. */
  public constructor(private readonly logFolder: string, private readonly credentials: (fn: HostedFunction) => Readonly<Record<string, string>>) {
    mkdirSync(logFolder, { recursive: true, mode: 0o700 });
  }

  public add(fn: HostedFunction): void {
    const bytes = Object.entries(fn.environment).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
    if (bytes > ENVIRONMENT_BYTES) throw new Error(`the environment of ${fn.name} has ${bytes} bytes; Lambda takes 4 KB`);
    this.functions.set(fn.name, fn);
  }

  /** A function by name or ARN. */
  public find(nameOrArn: string): HostedFunction | undefined {
    return this.functions.get(nameOrArn.split(':function:').pop()?.split(':')[0] ?? nameOrArn);
  }

  /** Starts an instance ahead of its first event. */
  public warm(name: string): void {
    const fn = this.find(name);
    if (fn && !this.instances.get(fn.name)?.length) this.start(fn);
  }

  /** @param onPart told the parts of an answer that comes in a stream. */
  public async invoke(nameOrArn: string, event: unknown, onPart?: (part: Part) => void): Promise<Invoked> {
    const fn = this.find(nameOrArn);
    if (!fn) throw new ServiceError('ResourceNotFoundException', `Function not found: ${nameOrArn}`, 404);
    if (Buffer.byteLength(JSON.stringify(event) ?? '') > PAYLOAD_BYTES) throw new ServiceError('RequestTooLargeException', 'the event is larger than 6 MiB', 413);
    const instance = await this.free(fn);
    try {
      return await this.run(fn, instance, event, onPart);
    } finally {
      instance.busy = false;
      this.waiting.get(fn.name)?.shift()?.();
    }
  }

  public async stop(): Promise<void> {
    this.stopped = true;
    const children = [...this.instances.values()].flat().map(({ child }) => child).filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(children.map((child) => new Promise<void>((done) => {
      child.once('exit', () => done());
      child.kill('SIGKILL');
    })));
  }

  private async free(fn: HostedFunction): Promise<Instance> {
    for (;;) {
      if (this.stopped) throw new ServiceError('ServiceException', 'the local runtime is stopping', 500);
      const instances = this.instances.get(fn.name) ?? [];
      const free = instances.find(({ busy }) => !busy) ?? (instances.length < INSTANCES ? this.start(fn) : undefined);
      if (free) {
        free.busy = true;
        return free;
      }
      await new Promise<void>((wake) => this.waiting.set(fn.name, [...(this.waiting.get(fn.name) ?? []), wake]));
    }
  }

  private start(fn: HostedFunction): Instance {
    const log = openSync(join(this.logFolder, `${fn.name}.log`), 'a', 0o600);
    const child = fork(join(__dirname, 'child.cjs'), [fn.folder, fn.handler], {
      // Nothing of the parent's environment: what the template does not set is not there.
      env: { ...fn.environment, ...this.credentials(fn), AWS_LAMBDA_FUNCTION_NAME: fn.name, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMiB), LAMBDA_TASK_ROOT: fn.folder },
      stdio: ['ignore', log, log, 'ipc'], execArgv: [], cwd: fn.folder,
    });
    closeSync(log);
    const loaded = new Promise((done) => { child.once('message', done).once('exit', done); }); // its first message says so
    const instance: Instance = { child, loaded, busy: false };
    this.instances.set(fn.name, [...(this.instances.get(fn.name) ?? []), instance]);
    child.once('exit', () => this.drop(fn, instance));
    return instance;
  }

  private drop(fn: HostedFunction, instance: Instance): void {
    this.instances.set(fn.name, (this.instances.get(fn.name) ?? []).filter((other) => other !== instance));
  }

  private run(fn: HostedFunction, instance: Instance, event: unknown, onPart?: (part: Part) => void): Promise<Invoked> {
    const { child } = instance;
    // Whoever invokes a function that answers in a stream, and does not read one, gets all of it at the end.
    const parts: Buffer[] = [];
    const id = (this.sequence += 1);
    return new Promise((done) => {
      const finish = (invoked: Invoked): void => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        done(invoked);
      };
      const failed = (errorType: string, errorMessage: string): void => finish({ failed: true, payload: JSON.stringify({ errorType, errorMessage }) });
      const onMessage = (message: { id?: number; payload?: string; error?: boolean; part?: Part }): void => {
        if (message.id !== id) return;
        if (message.part) return onPart ? onPart(message.part) : void parts.push(Buffer.from(('chunk' in message.part ? message.part.chunk : undefined) ?? '', 'base64'));
        const payload = parts.length > 0 ? Buffer.concat(parts).toString('utf8') : message.payload ?? 'null';
        if (Buffer.byteLength(payload) > PAYLOAD_BYTES) failed('Function.ResponseSizeTooLarge', 'the answer is larger than 6 MiB');
        else finish({ payload, failed: message.error === true });
      };
      const onExit = (): void => failed('Runtime.ExitError', 'the process ended before it answered');
      const timeout = (more: number): NodeJS.Timeout => setTimeout(() => {
        this.drop(fn, instance); // the next event must not meet a process that is about to end
        child.kill('SIGKILL');
        failed('Sandbox.Timedout', `Task timed out after ${fn.timeoutSeconds + more} seconds`);
      }, (fn.timeoutSeconds + more) * 1_000);
      let timer = timeout(INIT_SECONDS);
      child.on('message', onMessage);
      child.once('exit', onExit);
      void instance.loaded.then(() => {
        if (child.exitCode !== null || child.signalCode !== null) return; // that was told
        clearTimeout(timer);
        timer = timeout(0);
        child.send({ id, event, deadline: Date.now() + fn.timeoutSeconds * 1_000 }, () => undefined); // what cannot be sent has no process any more
      });
    });
  }
}
