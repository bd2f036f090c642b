/** MCP over HTTP without sessions: one message in, one JSON answer out. */
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import type { HttpResponse } from '../http/http';
import { GateDoor, mcpServer } from './server';

/** Answers one message, which the caller has parsed and authenticated. */
export async function answerMcp(message: unknown, door: GateDoor): Promise<HttpResponse> {
  const server = mcpServer(door, '1');
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  try {
    await server.connect(transport);
    const request = new Request('https://gate/mcp', { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }, body: '{}' });
    const response = await transport.handleRequest(request, { parsedBody: message });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  } finally {
    await server.close();
  }
}
