import { describe, expect, it } from 'vitest';
import { ActionContext, defineAction, defineQuery, param } from '../../../lambda/action';

const base = { name: 'x', description: 'x', parameters: { id: param.references('customer.id'), tier: param.oneOf('a', 'b') }, sinks: [] } as const;
const write = { ...base, reach: 'internal', asks: ['x'] } as const;

/** What must not compile; `npm run lint` shows that it does not. */
export function refusedByTheCompiler(): void {
  // @ts-expect-error a write without a reverse does not compile
  defineAction({ ...write, before: () => Promise.resolve({ tier: 'a' }), execute: () => Promise.resolve(1) });
  // @ts-expect-error a write without a before-image does not compile
  defineAction({ ...write, execute: () => Promise.resolve(1), reverse: { impossible: 'why' } });
  defineAction({
    ...write, before: () => Promise.resolve({ tier: 'a' }), execute: () => Promise.resolve(1),
    // @ts-expect-error a compensation without the sentence an approver reads does not compile
    reverse: { compensate: () => Promise.resolve() },
  });
  defineAction({
    ...write, before: () => Promise.resolve({ tier: 'a' }), execute: () => Promise.resolve({ n: 1 }),
    // @ts-expect-error the before-image is typed
    reverse: { restore: ({ before }) => Promise.resolve(before.price === 1) },
  });
  // @ts-expect-error a write that no words ask for does not compile
  defineAction({ ...write, asks: [], before: () => Promise.resolve(0), execute: () => Promise.resolve(1), reverse: { impossible: 'why' } });
  // @ts-expect-error a sink must be a parameter
  defineAction({ ...write, sinks: ['recipient'], before: () => Promise.resolve(0), execute: () => Promise.resolve(1), reverse: { impossible: 'why' } });
}

const rows = new Map([['C_1', 'free']]);
const updateTier = defineAction({
  ...write, name: 'update_tier',
  parameters: { customer_id: param.references('customer.id'), tier: param.oneOf('free', 'growth') },
  before: ({ customer_id }) => Promise.resolve({ tier: rows.get(customer_id) ?? '' }),
  execute: ({ customer_id, tier }, { wrote }) => { rows.set(customer_id, tier); wrote('customer', customer_id); return Promise.resolve({ customer_id, tier }); },
  reverse: { restore: ({ before, result }) => { const same = rows.get(result.customer_id) === result.tier; if (same) rows.set(result.customer_id, before.tier); return Promise.resolve(same); } },
});
const context = (): ActionContext & { written: string[] } => {
  const written: string[] = [];
  return { written, idempotencyKey: 'k', sql: {} as never, secret: () => Promise.resolve(''), wrote: (kind, id) => { written.push(`${kind}:${id}`); } };
};

describe('an action', () => {
  it('describes itself as data', () => {
    expect(updateTier.manifest).toEqual({
      name: 'update_tier', description: 'x', effect: 'write', reach: 'internal', asks: ['x'], sinks: [], returns: {}, reverse: { kind: 'restore' },
      parameters: { customer_id: { type: 'reference', references: 'customer.id' }, tier: { type: 'one-of', values: ['free', 'growth'] } },
    });
  });

  it('rehearses its effect and its reverse, which gives way to a later edit', async () => {
    const of = context();
    const done = await updateTier.rehearse({ customer_id: 'C_1', tier: 'growth' }, of);
    expect([rows.get('C_1'), of.written]).toEqual(['growth', ['customer:C_1']]);
    rows.set('C_1', 'edited by somebody');
    expect(await done.undo()).toBe(false);
    rows.set('C_1', 'growth');
    expect(await done.undo()).toBe(true);
    expect(rows.get('C_1')).toBe('free');
  });

  it('that cannot be undone says why', async () => {
    const refund = defineAction({ ...write, before: () => Promise.resolve(0), execute: () => Promise.resolve(1), reverse: { impossible: 'The money has left.' } });
    await expect((await refund.rehearse({ id: 'x', tier: 'a' }, context())).undo()).rejects.toThrow('ReverseImpossible: The money has left.');
    expect(refund.manifest.reverse).toEqual({ kind: 'impossible', sentence: 'The money has left.' });
  });

  it('that only looks has no reverse', async () => {
    const look = defineQuery({ ...base, execute: ({ id }) => Promise.resolve({ id }) });
    expect(look.manifest).toMatchObject({ effect: 'read' });
    expect((await look.rehearse({ id: 'C_1', tier: 'a' }, context())).result).toEqual({ id: 'C_1' });
  });
});

describe('the handler of an action', () => {
  const request = { decisionId: 'd', agent: 'a', action: 'x', loginSecretArn: 's', parameters: '{"id":"C_1","tier":"a"}', justification: null };
  it('answers a failure with its code, and never with its sentence', async () => {
    process.env.CLUSTER_ARN = process.env.DATABASE_NAME = 'x';
    const failing = (message: string) => defineQuery({ ...base, execute: () => Promise.reject(new Error(message)) }).handler(request);
    expect(await failing('RowMissing: ada@example.com is not there')).toEqual({ error: 'RowMissing', writes: [], bundleDigest: null });
    expect(await failing('ada@example.com is not there')).toEqual({ error: 'Error', writes: [], bundleDigest: null });
  });

  it('names the state of a Postgres error, and lets its author read what is no value', async () => {
    const logged: string[] = [];
    const original = console.error;
    console.error = (line: string) => { logged.push(line); };
    try {
      const failing = (message: string) => defineQuery({ ...base, execute: () => Promise.reject(new Error(message)) }).handler(request);
      expect((await failing('ERROR: permission denied for table tickets; SQLState: 42501')).error).toBe('SqlState42501');
      expect((await failing('ERROR: invalid input syntax for type integer: "my card number"; SQLState: 22P02')).error).toBe('SqlState22P02');
    } finally {
      console.error = original;
    }
    expect(logged[0]).toContain('permission denied for table tickets');
    expect(logged.join()).not.toContain('my card number');
  });

  it('tells what was written before a failure', async () => {
    const half = defineQuery({ ...base, execute: (_, { wrote }) => { wrote('mail', '1'); return Promise.reject(new Error('x')); } });
    expect((await half.handler(request)).writes).toEqual(['mail:1']);
  });
});
