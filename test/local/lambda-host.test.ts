/** Functions on the local runtime have the time that Lambda gives them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Invoked, LambdaHost } from '../../local/lambda/host';

const folder = mkdtempSync(join(tmpdir(), 'agent-controls-host-'));
const host = new LambdaHost(join(folder, 'logs'), () => ({}));
afterAll(async () => {
  await host.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ASLEEP = 'const asleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);\n';

/** A function that has two seconds. */
function added(name: string, code: string): (event?: unknown) => Promise<Invoked> {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, 'index.js'), ASLEEP + code);
  host.add({ name, arn: `arn:aws:lambda:eu-central-1:000000000000:function:${name}`, folder: join(folder, name), handler: 'index.handler', timeoutSeconds: 2, memoryMiB: 128, environment: {}, roleArn: 'none' });
  return (event = {}) => host.invoke(name, event);
}

describe('a function', () => {
  it('has its own time from when its code is loaded', async () => {
    const late = added('late', 'asleep(2_500);\nexports.handler = async (_, context) => context.getRemainingTimeInMillis() > 1_500;');
    expect(await late()).toEqual({ failed: false, payload: 'true' });
  });

  it('that takes longer is ended, and the next event has a process of its own', async () => {
    const stuck = added('stuck', 'exports.handler = async ({ hang }) => { while (hang) asleep(100); return process.pid; };');
    const { payload: first } = await stuck();
    const hung = stuck({ hang: true });
    expect(JSON.parse((await hung).payload)).toEqual({ errorType: 'Sandbox.Timedout', errorMessage: 'Task timed out after 2 seconds' });
    const next = await stuck();
    expect(next.failed).toBe(false);
    expect(next.payload).not.toBe(first);
  });

  it('whose process ends says so, and so does one whose code does not load', async () => {
    expect(JSON.parse((await added('ended', 'exports.handler = async () => process.exit(3);')()).payload)).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(JSON.parse((await added('leaving', 'exports.handler = async () => { process.disconnect(); return 1; };')()).payload)).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(JSON.parse((await added('gone', 'process.exit(4);')()).payload)).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect(JSON.parse((await added('broken', "throw new Error('no such thing');")()).payload)).toMatchObject({ errorMessage: 'no such thing' });
  });
});
