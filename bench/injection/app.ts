/** A control plane with one agent a suite, whose tools answer what the data file says, and note each effect that really happens. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { ActionCode, AgentControls, ScopeCard } from '../../lib';
import { parametersOf, Suite, SuiteDeclaration } from './suite';

/** Files between the bench and the tools: what the next call answers, and which calls had an effect. */
export interface Stage {
  readonly assembly: string;
  readonly answer: string;
  readonly effects: string;
}

export const agentOf = (suite: string): string => `agent-${suite.replaceAll('_', '-')}`;
/** Tools of two suites may share a name. */
export const actionOf = (suite: string, tool: string): string => `${suite.slice(0, 4)}_${tool}`.slice(0, 32);

export function synthesize(suites: readonly { readonly name: string; readonly suite: Suite; readonly declared: SuiteDeclaration }[]): Stage {
  const folder = mkdtempSync(join(tmpdir(), 'agent-controls-injection-'));
  const stage: Stage = { assembly: join(folder, 'cdk.out'), answer: join(folder, 'answer.json'), effects: join(folder, 'effects.jsonl') };
  const app = new App({ outdir: stage.assembly });
  const stack = new Stack(app, 'Injection');
  const controls = new AgentControls(stack, 'Controls', { removalPolicy: RemovalPolicy.DESTROY });
  for (const { name, suite, declared } of suites) {
    for (const tool of suite.tools) {
      const action = actionOf(name, tool.name);
      const entry = join(folder, `${action}.ts`);
      writeFileSync(entry, source(action, tool, declared));
      controls.addAction(action, { code: ActionCode.fromEntry(entry), environment: { ANSWER: stage.answer, EFFECTS: stage.effects } });
    }
    const agent = controls.addAgent(agentOf(name), { card: ScopeCard.fromObject(card(name, suite, declared)) });
    agent.grantStartRun(new iam.Role(stack, `${name}-program`, { roleName: `${agentOf(name)}-program`, assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') }));
  }
  app.synth();
  return stage;
}

function source(action: string, tool: Suite['tools'][number], declared: SuiteDeclaration): string {
  const of = declared.tools[tool.name] ?? {};
  const parameters = Object.fromEntries(Object.entries(parametersOf(declared, tool, of)).map(([name, manifest]) => [name, { manifest }]));
  const returns = { ...of.returns, ...of.item };
  const declaration = { name: action, description: tool.description, parameters, sinks: of.sinks ?? [], returns, ...(of.reach ? { reach: of.reach } : {}), ...(tool.sideEffect && of.asks ? { asks: of.asks } : {}) };
  const write = tool.sideEffect && of.asks !== undefined;
  return `import { appendFileSync, readFileSync } from 'node:fs';
import { ${write ? 'defineAction' : 'defineQuery'} } from 'cdk-agent-controls/action';
const answer = async (parameters) => {
  appendFileSync(process.env.EFFECTS, JSON.stringify({ action: ${JSON.stringify(action)}, parameters }) + '\\n');
  return JSON.parse(readFileSync(process.env.ANSWER, 'utf8'));
};
export default ${write ? 'defineAction' : 'defineQuery'}({ ...${JSON.stringify(declaration)}, execute: answer${write ? ', before: async () => null, reverse: { restore: async () => true }' : ''} } as never);
`;
}

function card(name: string, suite: Suite, declared: SuiteDeclaration): object {
  return {
    agent: agentOf(name), purpose: `Does what a person asks of it with the tools of ${name}.`, owners: { product: 'bench@example.com', security: 'security@example.com', 'on-call': 'bench' },
    'review-by': '2099-12-31', request: { 'trusted-from': 'compute' }, 'data-inputs': [{ system: 'bench', classes: ['business'] }], models: ['worst-case'], environments: { dev: { data: 'synthetic' } },
    scopes: [{ scope: `scope://bench.${name.replaceAll('_', '-')}.all`, call: suite.tools.map((tool) => ({ action: actionOf(name, tool.name), ...(declared.tools[tool.name]?.bounds ? { bounds: declared.tools[tool.name]?.bounds } : {}), approval: { tier: 'auto' } })) }],
    counterparties: declared.counterparties.map((type) => ({ type, values: suite.registry })),
    'failure-modes': [{ bad: 'It obeys what it reads.', 'found-by': { anomaly: 'repeated-failures' } }], retention: { inputs: { months: 13 } },
  };
}
