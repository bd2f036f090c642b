/** What Step Functions does with the states that this library uses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import aslValidator from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { Clock } from '../../local/clock';
import { parseDefinition } from '../../local/states/definition';
import { Execution, StateMachineRunner } from '../../local/states/runner';

const WINDOW = readFileSync(join(__dirname, '..', '..', 'lambda', 'hold', 'window.asl.json'), 'utf8').replaceAll('${ExpiryFunction}', 'expiry').replaceAll('${ExecutorFunction}', 'executor').replaceAll('${VerifyFunction}', 'verify');

interface Played { execution: Execution; calls: { name: string; payload: any }[]; runner: StateMachineRunner; clock: Clock; saved: Execution[] }

function play(definition: string, handlers: Record<string, (payload: any, count: number) => unknown>, input: unknown = { holdId: 'h' }, resumed?: Partial<Execution>): Played {
  const clock = new Clock();
  const calls: Played['calls'] = [];
  const saved: Execution[] = [];
  const parsed = parseDefinition(definition);
  const execution: Execution = { name: 'h', machineArn: 'arn:aws:states:us-east-1:000000000000:stateMachine:m', state: parsed.StartAt, input, status: 'RUNNING', ...resumed };
  const runner = new StateMachineRunner({
    clock,
    save: (each) => { saved.push(structuredClone(each)); },
    invoke: (_machine, name, payload) => {
      calls.push({ name, payload });
      try {
        return Promise.resolve({ failed: false, payload: JSON.stringify(handlers[name]?.(payload, calls.length)) ?? 'null' });
      } catch (error) {
        return Promise.resolve({ failed: true, payload: JSON.stringify({ errorType: (error as Error).name, errorMessage: (error as Error).message }) });
      }
    },
  });
  runner.run(parsed, execution);
  return { execution, calls, runner, clock, saved };
}
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const named = (name: string): Error => Object.assign(new Error('no'), { name });

/** The hold window with a database that says `status`. */
function hold(status: () => string, over: Record<string, (payload: any, count: number) => unknown> = {}): Played {
  return play(WINDOW, {
    expiry: ({ step, holdId }) => (step === 'open' ? { holdId, status: 'pending', secondsLeft: 300, asks: 'people' } : step === 'expire' ? { holdId, status: status() } : { holdId }),
    executor: () => ({ status: 'executed' }), ...over,
  });
}
const token = ({ calls }: Played): string => calls.find(({ payload }) => payload.step === 'attend')?.payload.token as string;
const steps = ({ calls }: Played): string[] => calls.map(({ name, payload }) => (payload.step as string | undefined) ?? name);

describe('the window of a hold', () => {
  it('is valid in the States Language', () => {
    expect(aslValidator(JSON.parse(WINDOW.replaceAll('"expiry"', '"arn:aws:lambda:us-east-1:000000000000:function:x"').replaceAll('"executor"', '"arn:aws:lambda:us-east-1:000000000000:function:y"').replaceAll('"verify"', '"arn:aws:lambda:us-east-1:000000000000:function:z"')))).toMatchObject({ isValid: true });
  });

  it.each([['answers', () => ({})], ['fails', () => { throw named('Down'); }]])('asks a verifier first where there is one, and people whatever it does: it %s', async (_what, verify) => {
    const played = hold(() => 'pending', { expiry: ({ step, holdId }) => (step === 'open' ? { holdId, status: 'pending', secondsLeft: 300, asks: 'verifier' } : { holdId, status: 'pending' }), verify });
    await settle();
    expect(steps(played)).toEqual(['open', 'verify', 'attend']);
  });

  it('waits for the verdict, asks the database what it was, and executes an approval once', async () => {
    let status = 'pending';
    const played = hold(() => status);
    await settle();
    expect(steps(played)).toEqual(['open', 'attend']);
    status = 'approved';
    expect(played.runner.succeed(token(played), { status })).toBeUndefined();
    await settle();
    expect(steps(played)).toEqual(['open', 'attend', 'expire', 'executor', 'tell']);
    expect(played.calls.at(-2)?.payload).toEqual({ holdId: 'h' });
    expect(played.execution.status).toBe('SUCCEEDED');
  });

  it('asks the executor again as long as a rollback has more to do', async () => {
    let asked = 0;
    const played = hold(() => 'approved', { executor: () => ((asked += 1) < 3 ? { status: 'more', rollback: 'r' } : { status: 'executed' }) });
    await settle();
    played.runner.succeed(token(played), { status: 'approved' });
    await settle();
    expect(played.calls.filter(({ name }) => name === 'executor').map(({ payload }) => payload as unknown)).toEqual([{ holdId: 'h' }, { rollback: 'r' }, { rollback: 'r' }]);
    expect(played.execution.status).toBe('SUCCEEDED');
  });

  it('sees ids only', async () => {
    const played = hold(() => 'rejected');
    await settle();
    played.runner.succeed(token(played), { status: 'rejected' });
    await settle();
    for (const { payload } of played.calls) expect(Object.keys(payload as object).every((key) => ['holdId', 'step', 'token'].includes(key))).toBe(true);
  });

  it('ends by the clock, and expires', async () => {
    const played = hold(() => 'expired');
    await settle();
    played.clock.advance(299_000);
    await settle();
    expect(steps(played)).toEqual(['open', 'attend']);
    played.clock.advance(1_001);
    await settle();
    expect(steps(played)).toEqual(['open', 'attend', 'expire']);
    expect(played.execution.status).toBe('SUCCEEDED');
  });

  it('waits again when its clock was ahead of the database\'s', async () => {
    let asked = 0;
    const played = hold(() => ((asked += 1) === 1 ? 'pending' : 'expired'));
    await settle();
    played.clock.advance(300_001);
    await settle();
    expect(steps(played)).toEqual(['open', 'attend', 'expire', 'open', 'attend']);
  });

  it('goes straight on when the verdict was there before the wait', async () => {
    const played = hold(() => 'approved', { expiry: ({ step, holdId }) => { if (step === 'attend') throw named('HoldSettled'); return step === 'open' ? { holdId, secondsLeft: 300, asks: 'people' } : { holdId, status: 'approved' }; } });
    await settle();
    expect(steps(played)).toEqual(['open', 'attend', 'expire', 'executor', 'tell']);
  });

  it('refuses a token that is late, spent or made up', async () => {
    const played = hold(() => 'expired');
    await settle();
    played.clock.advance(300_001);
    await settle();
    expect(played.runner.succeed(token(played), {})).toBe('TaskTimedOut');
    expect(played.runner.succeed('made up', {})).toBe('InvalidToken');
    const other = hold(() => 'rejected');
    await settle();
    expect(other.runner.succeed(token(other), {})).toBeUndefined();
    expect(other.runner.succeed(token(other), {})).toBe('TaskTimedOut');
  });

  it('tries a failing step again, after a pause on its own clock', async () => {
    let failures = 0;
    const played = hold(() => 'expired', { expiry: ({ step, holdId }) => { if (step === 'open' && (failures += 1) <= 2) throw named('DatabaseUnavailable'); return step === 'open' ? { holdId, secondsLeft: 300, asks: 'people' } : { holdId }; } });
    await settle();
    expect(steps(played)).toEqual(['open']);
    played.clock.advance(2_000);
    await settle();
    played.clock.advance(4_000);
    await settle();
    expect(steps(played)).toEqual(['open', 'open', 'open', 'attend']);
  });

  it('is attempted once when the executor fails', async () => {
    const played = hold(() => 'approved', { executor: () => { throw named('Boom'); } });
    await settle();
    played.runner.succeed(token(played), {});
    await settle();
    played.clock.advance(3_600_000);
    await settle();
    expect(steps(played).filter((step) => step === 'executor')).toHaveLength(1);
    expect(played.execution).toMatchObject({ status: 'FAILED', error: 'Boom: no' });
  });

  it('goes on after a restart with the token and the deadline that it had', async () => {
    const before = hold(() => 'rejected');
    await settle();
    const kept = before.saved.at(-1) as Execution;
    const after = play(WINDOW, { expiry: ({ holdId }) => ({ holdId, status: 'rejected' }) }, kept.input, kept);
    await settle();
    expect(after.calls).toEqual([]);
    expect(after.runner.succeed(kept.waiting?.token ?? '', {})).toBeUndefined();
    await settle();
    expect(steps(after)).toEqual(['expire']);
  });
});

describe('a definition that is not played', () => {
  it.each([
    ['a state of another type', { StartAt: 'A', States: { A: { Type: 'Map' } } }, 'state A: Type Map is not known'],
    ['a field that would be skipped', { StartAt: 'A', States: { A: { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke', HeartbeatSeconds: 5, End: true } } }, 'state A: HeartbeatSeconds is not known'],
    ['another service', { StartAt: 'A', States: { A: { Type: 'Task', Resource: 'arn:aws:states:::sqs:sendMessage', End: true } } }, 'Resource arn:aws:states:::sqs:sendMessage is not known'],
    ['JSONata', { QueryLanguage: 'JSONata', StartAt: 'A', States: {} }, 'QueryLanguage is not known'],
    ['another comparison', { StartAt: 'A', States: { A: { Type: 'Choice', Choices: [{ Variable: '$.x', NumericEquals: 1, Next: 'A' }] } } }, 'NumericEquals is not known'],
  ])('is refused by name: %s', (_what, definition, message) => {
    expect(() => parseDefinition(JSON.stringify(definition))).toThrow(message);
  });
});
