import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import * as iam from 'aws-cdk-lib/aws-iam';
import { describe, expect, it } from 'vitest';
import { ActionCatalog, AgentFleet, ScopeCard } from '../../../lib';
import { AccessModel } from '../../../lib/access/access-model';
import { card, SEND_EMAIL } from '../../support/cards';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const file = join(mkdtempSync(join(tmpdir(), 'agent-controls-catalog-')), 'actions.json');
writeFileSync(file, JSON.stringify({ actions: [SEND_EMAIL] }));
const cards = (count: number): ScopeCard[] => Array.from({ length: count }, (_, index) => ScopeCard.fromObject(card((of) => { of.agent = `agent-${index}`; })));
const fleet = (count: number, more: object = {}, app = new App()): AgentFleet => new AgentFleet(app, 'Fleet', { controlsName: 'agents-prod', cards: cards(count), catalog: ActionCatalog.fromFile(file), ...more });
const stackOf = (of: AgentFleet, name: string): string => of.agent(name).stack.node.id;

describe('a fleet', () => {
  it('puts an agent into a stack by its name alone: adding agents moves none', () => {
    const [few, many] = [fleet(20), fleet(60)];
    for (let index = 0; index < 20; index += 1) expect(stackOf(many, `agent-${index}`)).toBe(stackOf(few, `agent-${index}`));
    expect(new Set(Array.from({ length: 60 }, (_, index) => stackOf(many, `agent-${index}`))).size).toBe(10);
  });

  it('registers in every stack, also where no agent is left, so that one whose card disappeared is removed', () => {
    for (const stack of fleet(1).stacks) {
      Template.fromStack(stack).resourceCountIs('Custom::AgentControlsRegistration', 1);
      expect(JSON.stringify(Template.fromStack(stack).toJSON())).not.toMatch(/ImportValue[^}]*[Cc]luster/); // what is imported could never be replaced
    }
  });

  it('gives a thousand agents three resources each, within the limits of CloudFormation', () => {
    const { stacks } = fleet(1_000);
    const sizes = stacks.map((stack) => {
      const template = Template.fromStack(stack).toJSON() as { Resources: object };
      return { resources: Object.keys(template.Resources).length, bytes: JSON.stringify(template).length };
    });
    for (const { resources, bytes } of sizes) {
      expect(resources).toBeLessThanOrEqual(500);
      expect(bytes).toBeLessThanOrEqual(1_000_000);
    }
    expect(sizes.reduce((sum, { resources }) => sum + resources, 0)).toBe(3_000 + stacks.length);
  }, 60_000);

  it('grants runs to a program of another app, and says that it does not see what else that may do', () => {
    const app = new App();
    const of = fleet(3, {}, app);
    const agent = of.agent('agent-1');
    agent.grantStartRun(iam.Role.fromRoleName(agent.stack, 'Worker', 'worker'));
    const access = AccessModel.fromApp(app);
    access.assertNoBypass();
    expect(access.unproven()).toEqual(['role worker of another app, which starts runs of agent-1, belongs to another app; what else it may do is not seen here']);
    expect(access.toText()).toContain('agent-1 call send_email');
  });

  it('refuses what it cannot do', () => {
    expect(() => fleet(1, { stackCount: 0 })).toThrow(/^StackCountInvalid: stackCount must be 1 to 64, got 0/);
    expect(() => fleet(2).agent('agent-9')).toThrow(/^AgentUnknown: the fleet Fleet has no card of "agent-9"; it has agent-0, agent-1/);
    expect(() => fleet(2, { cards: [...cards(1), ...cards(1)] })).toThrow(/already a construct with name 'agent-0'|AgentDuplicate/i);
  });
});
