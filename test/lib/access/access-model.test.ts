/** The questions of a security review, asked of the example app. */
import { inject } from 'vitest';
import { describe, expect, it } from 'vitest';
import { Access, AccessModel } from '../../../lib';

const access = AccessModel.fromAssembly(inject('assembly'));
const usd = (minorUnits: number): object => ({ charge_id: 'ch_1', amount: { currency: 'USD', minorUnits } });

describe('the example app', () => {
  it('keeps the access that was reviewed', () => {
    expect(access.toText()).toMatchSnapshot();
  });

  it('shares nothing and knows no way around the executor', () => {
    access.assertNothingShared();
    access.assertNoBypass();
    expect(access.unproven()).toEqual([]);
  });

  it('gives the outreach agent what its card says, and no phone number', () => {
    const agent = access.agent('outreach-closer');
    for (const column of ['name', 'company', 'signals', 'last_touch']) agent.assertCan(Access.read(`leads.${column}`));
    for (const column of ['leads.phone', 'leads.payment_method', 'customer.*']) agent.assertCannot(Access.read(column));
    for (const column of ['payments.*', 'contracts.*', 'customer.*', 'leads.*']) agent.assertCannot(Access.write(column));
    agent.assertCan(Access.call('send_email'));
    agent.assertCannot(Access.callUnattended('send_email'));
    agent.assertCannot(Access.callUnattended('send_email', { lead_id: 'L_1', to: 'a@example.com', subject: 's', body: 'b' }));
    agent.assertCannot(Access.call('issue_refund'));
  });

  it('lets the CRM agent write one column', () => {
    const agent = access.agent('crm-tierer');
    agent.assertCan(Access.write('customer.tier'));
    agent.assertCannot(Access.write('customer.payment_method'));
    agent.assertCannot(Access.write('customer.contract_terms'));
    agent.assertCan(Access.callUnattended('update_tier', { customer_id: 'C_1', tier: 'growth' }));
    agent.assertCannot(Access.call('update_tier', { customer_id: 'C_1', tier: 'enterprise' }));
  });

  it('bounds refunds by their amount', () => {
    const agent = access.agent('refunder');
    agent.assertCan(Access.callUnattended('issue_refund', usd(49_999)));
    agent.assertCan(Access.call('issue_refund', usd(50_000)));
    agent.assertCannot(Access.callUnattended('issue_refund', usd(50_000)));
    agent.assertCannot(Access.read('customer.payment_method'));
    agent.assertCannot(Access.call('issue_refund', { charge_id: 'ch_1', amount: { currency: 'EUR', minorUnits: 1 } }));
  });

  it('closes AWS to every agent but for the gate', () => {
    for (const name of access.agentNames) {
      const agent = access.agent(name);
      for (const action of ['s3:GetObject', 'lambda:InvokeFunction', 'secretsmanager:GetSecretValue', 'sts:AssumeRole', 'iam:PassRole', 'rds-data:ExecuteStatement', 'bedrock:InvokeModel']) agent.assertCannot(Access.aws(action));
      agent.assertCannot(Access.aws('execute-api:Invoke', 'arn:aws:execute-api:eu-central-1:111122223333:api/$default/POST/approvals/x/verdict'));
    }
  });
});

describe('an assertion that does not hold', () => {
  it.each<[string, RegExp, () => void]>([
    ['names the enforcer that refuses a column', /^AccessRefused: outreach-closer cannot read leads\.phone: Postgres grants its role no select on leads\.phone/, () => access.agent('outreach-closer').assertCan(Access.read('leads.phone'))],
    ['names what opens a column', /^AccessOpen: outreach-closer can read leads\.name: Postgres grants select on leads\.name to its role/, () => access.agent('outreach-closer').assertCannot(Access.read('leads.name'))],
    ['names what opens any of a table', /^AccessOpen: crm-tierer can write customer\.\*/, () => access.agent('crm-tierer').assertCannot(Access.write('customer.*'))],
    ['says what the gate answers', /^AccessRefused: contract-clerk cannot call amend_contract with .*: the gate answers deny: OutOfScope/, () => access.agent('contract-clerk').assertCan(Access.call('amend_contract', { contract_id: 'K_1', payment_days: 120 }))],
    ['says that people are asked', /^AccessRefused: outreach-closer cannot call send_email unattended: every scope asks people: scope:\/\/outreach\.send\.cold\/call\/0, tier verify/, () => access.agent('outreach-closer').assertCan(Access.callUnattended('send_email'))],
    ['says that no scope calls it', /no scope of its card calls issue_refund/, () => access.agent('outreach-closer').assertCan(Access.call('issue_refund'))],
    ['is of an action that is declared', /^ActionUnknown: got "send_fax"; the app declares amend_contract, issue_refund, send_email, update_tier/, () => access.agent('outreach-closer').assertCannot(Access.call('send_fax'))],
    ['is of an AWS action', /^ActionUnknown: got "s3GetObject", which is no AWS action/, () => access.agent('outreach-closer').assertCannot(Access.aws('s3GetObject'))],
    ['needs the whole call', /^AccessOpen: outreach-closer can call send_email with .*it cannot be ruled out, the call is not whole: ParameterMissing/, () => access.agent('outreach-closer').assertCannot(Access.call('send_email', { to: 'eve@example.com' }))],
    ['names the layer that refuses an AWS action', /^AccessRefused: refunder cannot s3:GetObject on \*: the role does not allow it/, () => access.agent('refunder').assertCan(Access.aws('s3:GetObject'))],
    ['names the rule that permits a call', /^AccessOpen: crm-tierer can call update_tier with .*: scope:\/\/crm\.update\.tier\/call\/0 permits it/, () => access.agent('crm-tierer').assertCannot(Access.call('update_tier', { customer_id: 'C_1', tier: 'free' }))],
    ['is of an agent that is there', /^AgentUnknown: got "nobody"; the app has contract-clerk, crm-tierer, outreach-closer, refunder/, () => { access.agent('nobody'); }],
    ['names its table', /^ColumnUnnamed: a column is table\.column or table\.\*, got "phone"/, () => access.agent('refunder').assertCannot(Access.read('phone'))],
  ])('%s', (_what, message, assertion) => {
    expect(assertion).toThrow(message);
  });

  it('has a plain answer, too', () => {
    expect(access.agent('refunder').may(Access.read('charges.amount'))).toBe(true);
    expect(access.agent('refunder').may(Access.write('charges.amount'))).toBe(false);
  });
});
