import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { Command } from 'commander';
import { AgentClient, RunRequest } from '../../lambda/client';
import { mcpServer } from '../../lambda/mcp/server';
import { packageVersion } from '../package-version';
import { readLocalFile } from '../read-local-file';

interface Options {
  readonly agent: string;
  readonly local?: true;
  readonly folder: string;
  readonly request?: string;
  readonly requestId?: string;
  readonly reference?: string;
  readonly model?: string;
}

/** `agent-controls mcp`: starts a run and is an MCP server for it, so that any MCP client becomes a governed agent. */
export function mcpCommand(): Command {
  return new Command('mcp')
    .description('Starts a run and speaks MCP on standard input and output: its tools are the agent\'s scope, and every call is gated.')
    .requiredOption('--agent <name>', 'agent whose run it is')
    .option('--local', 'the local runtime that runs now, instead of the deployed control plane')
    .option('--folder <path>', 'folder of the local runtime', '.agent-controls')
    .option('--request <text>', 'what is asked; it is trusted only where the card says that the compute may ask')
    .option('--request-id <id>', 'what a trigger asked, by the id that it was given')
    .option('--reference <id>', 'ticket, request or business event')
    .option('--model <name>', 'model and version, as name@version')
    .addHelpText('after', `
Deployed, AGENT_CONTROLS_URL, AWS_REGION and the credentials of the agent's program are taken from the environment.

Example, in the configuration of an MCP client:
  { "command": "npx", "args": ["agent-controls", "mcp", "--agent", "crm-tierer", "--request-id", "..."] }`)
    .action(async ({ agent, local, folder, request, requestId, reference, model }: Options) => {
      if ((request === undefined) === (requestId === undefined)) throw new Error('RequestMissing: give --request TEXT, or the --request-id that a trigger was given; a run is about one of the two');
      const client = local ? localClient(folder, agent) : AgentClient.fromEnvironment(agent);
      const named = model === undefined ? {} : { model };
      const asked: RunRequest | undefined = request === undefined ? undefined : { text: request, ...(reference === undefined ? {} : { reference }), ...named };
      const run = await client.startRun(asked ?? { requestId: requestId as string, ...named });
      process.stderr.write(`${run.runId} of ${agent}, until ${run.expiresAt.toISOString()}\n`);
      const server = mcpServer({ tools: () => run.tools(), call: (action, parameters, options) => run.call(action, parameters, options), hold: (holdId) => run.hold(holdId) }, packageVersion());
      await server.connect(new StdioServerTransport());
      await new Promise<void>((done) => { server.onclose = done; process.stdin.once('end', done); });
      await server.close();
    });
}

function localClient(folder: string, agentName: string): AgentClient {
  const { api: url, region, principals } = readLocalFile(folder);
  const keys = principals.agents[agentName]?.compute;
  if (!keys) throw new Error(`AgentUnknown: no program of the assembly may start runs of ${agentName}; there are ${Object.entries(principals.agents).filter(([, { compute }]) => compute).map(([name]) => name).join(', ') || 'none'}`);
  return AgentClient.of({ url, region, agentName, credentials: { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey, sessionToken: keys.sessionToken ?? '' } });
}
