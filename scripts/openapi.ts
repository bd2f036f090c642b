/** `npm run openapi`: writes what the HTTP API takes and answers as OpenAPI 3.1. A test compares it with what is committed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { Ask, Call, CallOutcome, Reasoned, Resolved, Rollback, StartAsked, StartRun, Verdict } from '../lambda/http/bodies';

export const OPENAPI_FILE = join(__dirname, '..', 'lambda', 'http', 'openapi.json');

const body = (...schemas: GenericSchema[]): object => {
  const [first, ...more] = schemas.map((schema) => { const { $schema: _, ...rest } = toJsonSchema(schema, { errorMode: 'ignore' }) as Record<string, unknown>; return rest; });
  return { required: true, content: { 'application/json': { schema: more.length === 0 ? first : { oneOf: [first, ...more] } } } };
};
const json = (description: string, schema: object): object => ({ description, content: { 'application/json': { schema } } });
const object = (properties: Record<string, object>, required = Object.keys(properties)): object => ({ type: 'object', properties, required });
const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
const at = (name: string, description: string): object => ({ name, in: 'path', required: true, description, schema: { type: 'string' } });
const text = { type: 'string' } as const;
const id = { type: 'string', format: 'uuid' } as const;
const time = { type: 'string', format: 'date-time' } as const;
const reasons = { type: 'array', items: text, description: '`Code: sentence`; codes are stable.' } as const;

const ERRORS = {
  400: json('The body is not what is expected; `message` names the field.', ref('Error')), 403: json('Who signed the request may not do this.', ref('Error')),
  503: json('The log cannot be written, or the database wakes up; nothing was done. `Retry-After` says when to ask again.', ref('Error')),
};

/** The document. */
export function openapi(): object {
  return {
    openapi: '3.1.0',
    info: { title: 'cdk-agent-controls', version: '1', description: 'Agents propose, people decide. Every request is signed with AWS Signature Version 4 (`execute-api`); nothing of a body says who is calling.' },
    security: [{ sigv4: [] }],
    paths: {
      '/agents/{agent}/requests': { post: { summary: 'Asks something of an agent, as a trigger', parameters: [at('agent', 'Name of the agent')], requestBody: body(Ask), responses: { 201: json('Hand the id to the program of the agent.', object({ requestId: id, expiresAt: time })), ...ERRORS } } },
      '/agents/{agent}/runs': { post: { summary: 'Starts a run', parameters: [at('agent', 'Name of the agent')], requestBody: body(StartRun, StartAsked), responses: { 201: json('The run, with credentials that end inside the hour.', object({ runId: text, expiresAt: time, credentials: object({ accessKeyId: text, secretAccessKey: text, sessionToken: text }) })), 404: json('There is no such agent.', ref('Error')), ...ERRORS } } },
      '/tools': { get: { summary: 'What the run may call, as a model is shown it', responses: { 200: json('The scope of the agent.', object({ agent: text, cardDigest: text, tools: { type: 'array', items: object({ name: text, description: text, inputSchema: { type: 'object' }, effect: { enum: ['read', 'write'] } }) } })), ...ERRORS } } },
      '/calls': { post: { summary: 'Proposes a call', description: 'The same `callId` again gets the first answer again.', requestBody: body(Call), responses: { 200: json('A permit, a hold or a deny. A deny is an answer.', ref('Answer')), 409: json('The call still runs, or its id was used for another one.', ref('Error')), 413: json('The parameters are too large.', ref('Error')), 502: json('The call was permitted and failed, or its outcome is not known.', ref('Error')), ...ERRORS } } },
      '/holds/{holdId}': { get: { summary: 'Where a hold of this run stands', parameters: [at('holdId', 'Id of the hold')], responses: { 200: json('Its state, and the result once it ran.', object({ holdId: id, status: { enum: ['pending', 'approved', 'rejected', 'expired', 'cancelled'] }, holdUntil: time, outcome: text, decisionId: id, result: {} })), 404: json('This run has no such hold.', ref('Error')), ...ERRORS } } },
      '/mcp': { post: { summary: 'One message of the Model Context Protocol, without a session', requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } }, responses: { 200: json('The answer.', { type: 'object' }), 202: { description: 'A notification was taken.' }, ...ERRORS } } },
      '/approvals': { get: { summary: 'What waits for this approver', responses: { 200: json('Ids and times, no payload.', object({ holds: { type: 'array', items: { type: 'object' } } })), ...ERRORS } } },
      '/approvals/{holdId}': { get: { summary: 'The exact bytes of a held call, and their digest', parameters: [at('holdId', 'Id of the hold')], responses: { 200: json('What an approver is shown.', { type: 'object' }), 404: json('There is no such hold for these groups.', ref('Error')), ...ERRORS } } },
      '/approvals/{holdId}/verdict': { post: { summary: 'Approves or rejects a held call', parameters: [at('holdId', 'Id of the hold')], requestBody: body(Verdict), responses: { 200: json('Where the hold stands now.', object({ holdId: id, status: text })), 404: json('There is no such hold.', ref('Error')), 409: json('Expired, decided before, another digest, or not this person\'s to decide.', ref('Error')), ...ERRORS } } },
      '/rollbacks': { post: { summary: 'Plans a rollback, or asks for the one that was planned', description: 'Without `plan` the answer is the plan and nothing happens. With its digest, what was planned is reversed, or held for people.', requestBody: body(Rollback), responses: { 200: json('The plan, or what came of the rollback.', { type: 'object' }), 202: json('People must agree first.', { type: 'object' }), 409: json('Nothing to reverse, or not what was planned any more.', ref('Error')), ...ERRORS } } },
      '/rollbacks/{rollbackId}': { get: { summary: 'How far a rollback is, and what it left alone', parameters: [at('rollbackId', 'Id of the rollback')], responses: { 200: json('Counts by status; what was left alone, and why.', { type: 'object' }), 404: json('There is no such rollback.', ref('Error')), ...ERRORS } } },
      '/rollbacks/{rollbackId}/reversals/{reversalId}': { post: { summary: 'What a person found out about a reversal whose outcome is unknown', parameters: [at('rollbackId', 'Id of the rollback'), at('reversalId', 'Id of the reversal')], requestBody: body(Resolved), responses: { 200: json('Where the reversal stands now.', { type: 'object' }), 409: json('Its outcome is known.', ref('Error')), ...ERRORS } } },
      '/agents': { get: { summary: 'Agents that can be stopped', responses: { 200: json('By name, and whether each is enabled.', object({ agents: { type: 'array', items: { type: 'object' } } })), ...ERRORS } } },
      '/agents/{agent}/disable': { post: { summary: 'Stops an agent', parameters: [at('agent', 'Name of the agent')], requestBody: body(Reasoned), responses: { 200: json('Every lever with its state and evidence. An `outcome` other than `proven` is to be asked for again.', { type: 'object' }), 404: json('There is no such agent.', ref('Error')), ...ERRORS } } },
      '/agents/{agent}/stop': { get: { summary: 'Looks again whether an agent is stopped', parameters: [at('agent', 'Name of the agent')], responses: { 200: json('Every lever with its state and evidence.', { type: 'object' }), ...ERRORS } } },
      '/agents/{agent}/enable': { post: { summary: 'Asks for a stopped agent back; the second person brings it', parameters: [at('agent', 'Name of the agent')], requestBody: body(Reasoned), responses: { 200: json('It is back.', { type: 'object' }), 202: json('A second person must ask.', { type: 'object' }), 409: json('It is not stopped.', ref('Error')), ...ERRORS } } },
      '/decisions/{decisionId}/outcome': { post: { summary: 'What a person found out about a call of which nobody knows what came of it', parameters: [at('decisionId', 'Id of the decision')], requestBody: body(CallOutcome), responses: { 200: json('Its outcome now.', { type: 'object' }), 409: json('Its outcome is known.', ref('Error')), ...ERRORS } } },
      '/openapi.json': { get: { summary: 'This document', responses: { 200: json('OpenAPI 3.1.', { type: 'object' }) } } },
    },
    components: {
      securitySchemes: { sigv4: { type: 'apiKey', in: 'header', name: 'Authorization', description: 'AWS Signature Version 4 of a role session.' } },
      schemas: {
        Error: object({ error: { ...text, description: 'Stable code.' }, message: text }),
        Answer: { oneOf: [
          object({ verdict: { const: 'permit' }, decisionId: id, result: {} }),
          object({ verdict: { const: 'hold' }, decisionId: id, holdId: id, holdUntil: time, reasons }),
          object({ verdict: { const: 'deny' }, decisionId: id, reasons }),
          object({ dryRun: { const: true }, verdict: { enum: ['permit', 'hold', 'deny'] }, reasons, holdUntil: time, tier: text, people: { type: 'integer' } }, ['dryRun', 'verdict']),
        ] },
      },
    },
  };
}

if (require.main === module) writeFileSync(OPENAPI_FILE, `${JSON.stringify(openapi(), null, 2)}\n`);
