import { defineAction, param } from 'cdk-agent-controls/action';

interface Charge {
  readonly amount: number;
  readonly currency: string;
  readonly refunded: number;
}

export default defineAction({
  name: 'issue_refund',
  description: 'Pays money back to the card a charge was made with.',
  parameters: {
    charge_id: param.references('charges.id'),
    amount: param.money({ currencies: ['USD'] }),
  },
  reach: 'outward',
  asks: ['refund', 'pay back'],
  sinks: ['charge_id'],
  returns: { refundId: { type: 'refunds.id', trusted: true } },
  vendor: { name: 'Example Payments', dataClasses: ['payment'], subProcessors: ['Example Acquiring Bank'], review: { by: 'appsec@example.com', until: '2027-06-30' }, escalation: '+44 20 7946 0000, contract 4711' },
  reads: ['charges.id', 'charges.amount', 'charges.currency', 'charges.refunded'],
  writes: ['charges.refunded', 'refunds.id', 'refunds.charge_id', 'refunds.amount', 'refunds.currency', 'refunds.justification'],
  before: ({ charge_id }, { sql }) => sql.one<Charge>`select amount, currency, refunded from charges where id = ${charge_id} for update`,
  execute: async ({ charge_id, amount }, { sql, idempotencyKey, justification, wrote }, charge) => {
    if (charge.currency !== amount.currency || charge.refunded + amount.minorUnits > charge.amount) throw new Error('RefundTooLarge: more than is left of the charge');
    // The payment system pays what is in this table, once per id, within a minute.
    await sql.run`insert into refunds (id, charge_id, amount, currency, justification) values (${idempotencyKey}, ${charge_id}, ${amount.minorUnits}, ${amount.currency}, ${justification})`;
    await sql.run`update charges set refunded = refunded + ${amount.minorUnits} where id = ${charge_id}`;
    wrote('refund', idempotencyKey);
    return { refundId: idempotencyKey };
  },
  reverse: { impossible: 'The money has left within a minute. finance-oncall asks the bank for a recall.' },
});
