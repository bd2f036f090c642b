import { defineAction, param } from 'cdk-agent-controls/action';

export default defineAction({
  name: 'update_tier',
  description: 'Sets the tier of one customer.',
  parameters: {
    customer_id: param.references('customer.id'),
    tier: param.oneOf('free', 'growth', 'enterprise'),
  },
  reach: 'internal',
  asks: ['tier', 'tiers'],
  sinks: ['customer_id'],
  returns: { customer_id: { type: 'customer.id', trusted: true } },
  reads: ['customer.id', 'customer.tier'],
  writes: ['customer.tier'],
  before: ({ customer_id }, { sql }) => sql.one<{ tier: string }>`select tier from customer where id = ${customer_id} for update`,
  execute: async ({ customer_id, tier }, { sql, wrote }) => {
    await sql.run`update customer set tier = ${tier} where id = ${customer_id}`;
    wrote('customer', customer_id);
    return { customer_id, tier };
  },
  reverse: {
    restore: async ({ before, result }, { sql }) =>
      (await sql.run`update customer set tier = ${before.tier} where id = ${result.customer_id} and tier = ${result.tier}`) === 1,
  },
});
