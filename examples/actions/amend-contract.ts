import { defineAction, param } from 'cdk-agent-controls/action';

export default defineAction({
  name: 'amend_contract',
  description: 'Sets the payment terms of one contract.',
  parameters: {
    contract_id: param.references('contracts.id'),
    payment_days: param.integer({ min: 0, max: 120 }),
  },
  reach: 'outward', // a contract binds somebody else, too
  asks: ['amend', 'payment terms', 'terms of'],
  sinks: ['contract_id'],
  returns: { contract_id: { type: 'contracts.id', trusted: true } },
  reads: ['contracts.id', 'contracts.payment_days'],
  writes: ['contracts.payment_days'],
  before: ({ contract_id }, { sql }) => sql.one<{ payment_days: number }>`select payment_days from contracts where id = ${contract_id} for update`,
  execute: async ({ contract_id, payment_days }, { sql, wrote }) => {
    await sql.run`update contracts set payment_days = ${payment_days} where id = ${contract_id}`;
    wrote('contract', contract_id);
    return { contract_id, payment_days };
  },
  reverse: {
    restore: async ({ before, parameters }, { sql }) =>
      (await sql.run`update contracts set payment_days = ${before.payment_days} where id = ${parameters.contract_id} and payment_days = ${parameters.payment_days}`) === 1,
  },
});
