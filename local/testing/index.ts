/** What a user's tests import: `cdk-agent-controls/testing`. Reads a cloud assembly; knows nothing of `lib`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { AgentClient, Answer, AskedRequest, CallOptions, GateError, Run, RunRequest } from '../../lambda/client';
import { SignedApi } from '../../lambda/client/signed-api';
import { createPublicKey } from 'node:crypto';
import { GetPublicKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { StatementBucket } from '../../lambda/audit/statement-bucket';
import { LogVerification, verifyLog } from '../../lambda/audit/verify-log';
import { DECISIONS } from '../../lambda/audit/queries';
import { assumeRole } from '../identity/assume-role';
import type { LocalFile } from '../local-file';
import { PostgresLog } from '../postgres/copy-log';
import { Runtime, RuntimeOptions } from '../runtime';

export type { Answer, AskedRequest, CallOptions, LocalFile, Run, RunRequest, RuntimeOptions, LogVerification };
export { GateError };

/** A hold as an approver sees it. */
export interface LocalHold {
  readonly holdId: string;
  readonly agent: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly status: 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled';
  readonly holdUntil: Date;
  /** Digest of what is shown; a verdict names it. */
  readonly digest: string;
}

/** One row of `audit.decision`. */
export interface LocalDecision {
  readonly time: string;
  readonly agent: string;
  readonly runId: string;
  readonly decisionId: string;
  readonly decision: string;
  readonly inputsHash: string;
  readonly inputs: unknown;
  readonly model: string | null;
  readonly outputHash: string;
  readonly output: unknown;
  readonly downstreamWrites: readonly string[];
  readonly authorizedBy: string | null;
  readonly verdict: string;
  readonly reasons: readonly string[];
  readonly reference: string | null;
  readonly approver: string | null;
  readonly status: string;
}

/** A mail that left. */
export interface LocalMail {
  readonly file: string;
  readonly to: string;
  readonly subject: string;
  readonly body: string;
}

/** A person, signed in with MFA. */
export interface LocalApprover {
  approve(hold: LocalHold, reason: string): Promise<void>;
  reject(hold: LocalHold, reason: string): Promise<void>;
}

/** Who somebody is in the directory of approvers. */
export interface LocalDirectoryUser {
  readonly groups: readonly string[];
  /** @default true */
  readonly enabled?: boolean;
  /** Whether they have a second factor. @default true */
  readonly secondFactor?: boolean;
  /** How long ago they signed in. @default 0 */
  readonly signedInSecondsAgo?: number;
}

/** A person with a duty, signed in with MFA. */
export interface LocalPerson {
  /** Asks the API. */
  ask<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T>;
}

/** A synthesized app, running on this machine: its own bundles, state machines, SQL and policies. */
export class LocalRuntime implements AsyncDisposable {
  /** @param options.assembly folder that `app.synth()` wrote. */
  public static async start(options: RuntimeOptions): Promise<LocalRuntime> {
    return new LocalRuntime(await Runtime.start(options));
  }

  private constructor(private readonly runtime: Runtime) {}

  /** Addresses and keys, as in `.agent-controls/local.json`. */
  public get file(): LocalFile { return this.runtime.file; }

  /** What was asked of the policies, and what they said; empty without a policy evaluator. */
  public get judged(): readonly { readonly principal: string; readonly action: string; readonly resource: string; readonly allowed: boolean }[] { return this.runtime.authoriser.judged; }

  /** Starts a run as the agent's compute. */
  public startRun(agentName: string, request: RunRequest | AskedRequest): Promise<Run> { return this.clientOf(agentName, 'compute').startRun(request); }

  /** Asks something of an agent as its trigger, and starts the run as its compute. */
  public async startAsked(agentName: string, { model, ...request }: RunRequest): Promise<Run> {
    const { requestId } = await this.clientOf(agentName, 'trigger').ask(request);
    return this.startRun(agentName, { requestId, ...(model === undefined ? {} : { model }) });
  }

  /** A person of this name, who assumes the role of a group to decide. */
  public approver(userName: string, who: { readonly groups: readonly string[] }): LocalApprover {
    const [group] = who.groups;
    const decide = async (hold: LocalHold, verdict: 'approve' | 'reject', reason: string): Promise<void> => {
      const api = await this.apiAs(userName, `approver-${group ?? ''}`);
      await api.send('POST', `/approvals/${hold.holdId}/verdict`, { verdict, digest: hold.digest, reason });
    };
    return { approve: (hold, reason) => decide(hold, 'approve', reason), reject: (hold, reason) => decide(hold, 'reject', reason) };
  }

  /** A person of the directory, with an access token of the approval page. Changes who they are when they are there already, as an administrator does. */
  public async visitor(userName: string, { signedInSecondsAgo = 0, ...who }: LocalDirectoryUser): Promise<LocalPerson & { readonly token: string }> {
    this.runtime.directory.setUser({ name: userName, ...who });
    const token = await this.runtime.directory.token(userName, signedInSecondsAgo);
    const ask = async <T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> => {
      const response = await fetch(new URL(path, this.file.api), { method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      const answer = await response.json() as T & { readonly error?: string; readonly message?: string };
      if (!response.ok) throw new GateError(answer.error ?? 'HttpError', response.status, answer.message ?? '');
      return answer;
    };
    return { token, ask };
  }

  /** A hold, whoever may decide it, once it is staged: what it would do is fixed then, and has its digest. */
  public hold(holdId: string): Promise<LocalHold> {
    return this.until(async () => this.staged(holdId));
  }

  private async staged(holdId: string): Promise<LocalHold | undefined> {
    const { rows } = await this.runtime.superuser.query<{ hold_id: string; agent: string; action: string; parameters: string; status: LocalHold['status']; hold_until: Date; digest: string; staged: boolean }>(
      'select h.*, c.parameters from hold.hold h join gate.call c using (decision_id) where hold_id = $1', [holdId]);
    const [row] = rows;
    if (!row) throw new Error(`there is no hold ${holdId}`);
    if (!row.staged && row.status === 'pending') return undefined;
    return { holdId, agent: row.agent, action: row.action, parameters: JSON.parse(row.parameters) as Record<string, unknown>, status: row.status, holdUntil: row.hold_until, digest: row.digest };
  }

  /** Decisions, oldest first. */
  public async decisions(filter: { readonly agent?: string; readonly runId?: string } = {}): Promise<readonly LocalDecision[]> {
    const { rows } = await this.runtime.superuser.query<Record<string, string | null>>(
      `${DECISIONS} where ($1::text is null or agent = $1) and ($2::text is null or run_id = $2) order by d.time`, [filter.agent ?? null, filter.runId ?? null]);
    return rows.map((row) => ({
      time: row.time ?? '', agent: row.agent ?? '', runId: row.run_id ?? '', decisionId: row.decision_id ?? '', decision: row.decision ?? '', inputsHash: row.inputs_hash ?? '', inputs: JSON.parse(row.inputs ?? 'null') as unknown,
      model: row.model ?? null, outputHash: row.output_hash ?? '', output: JSON.parse(row.output ?? 'null') as unknown, downstreamWrites: JSON.parse(row.downstream_writes ?? '[]') as string[], authorizedBy: row.authorized_by ?? null,
      verdict: row.verdict ?? '', reasons: JSON.parse(row.reasons ?? '[]') as string[], reference: row.reference ?? null, approver: row.approver ?? null, status: row.status ?? '',
    }));
  }

  /** Mails that left, as their files show them. */
  public outbox(): readonly LocalMail[] {
    const folder = this.file.resources.outbox;
    return readdirSync(folder).filter((name) => name.endsWith('.eml')).map((name) => {
      const [head = '', ...body] = readFileSync(join(folder, name), 'utf8').split('\r\n\r\n');
      const header = (field: string): string => new RegExp(`^${field}: (.*)$`, 'm').exec(head.replaceAll('\r', ''))?.[1] ?? '';
      return { file: join(folder, name), to: header('To'), subject: header('Subject'), body: body.join('\r\n\r\n').trim() };
    });
  }

  /** Moves the one clock that Postgres, state machines and sessions share. */
  public async advance(by: { readonly minutes?: number; readonly hours?: number; readonly days?: number }): Promise<void> {
    await this.runtime.advance(((by.minutes ?? 0) + (by.hours ?? 0) * 60 + (by.days ?? 0) * 1_440) * 60_000);
  }

  /** What the one clock says. */
  public now(): Date { return new Date(this.runtime.clock.now()); }

  /** Waits until `done` answers something other than `undefined`. */
  public async until<T>(done: () => Promise<T | undefined>, seconds = 15): Promise<T> {
    const deadline = Date.now() + seconds * 1_000;
    for (;;) {
      const value = await done();
      if (value !== undefined) return value;
      if (Date.now() > deadline) throw new Error(`it did not come about within ${seconds} seconds`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Verifies the log as its auditor. */
  public async verifyAuditLog(): Promise<LogVerification> {
    const { endpoint, region, postgres: { host, port, database }, principals: { auditor }, resources: { auditorLogin, controlsName, statementBucket, signingKeyArn } } = this.file;
    const config = { endpoint, region, ...(auditor ? { credentials: plainKeys({ ...auditor, sessionToken: auditor.sessionToken }) } : {}) };
    const { PublicKey } = await new KMSClient(config).send(new GetPublicKeyCommand({ KeyId: signingKeyArn }));
    const client = new Client({ host, port, database, ...auditorLogin });
    await client.connect();
    try {
      return await verifyLog(new PostgresLog(client), {
        controlsName, bucket: new StatementBucket(new S3Client(config), statementBucket), keys: [createPublicKey({ key: Buffer.from(PublicKey as Uint8Array), format: 'der', type: 'spki' })], pinned: false,
      });
    } finally {
      await client.end();
    }
  }

  /** Invokes a function as an AWS service does, with an event of yours. */
  public invoke(functionName: string, event: unknown): Promise<{ readonly payload: string; readonly failed: boolean }> { return this.runtime.functions.invoke(functionName, event); }

  /** The current value of a secret, by name. */
  public secret(name: string): string { return this.runtime.secrets.current(name); }

  /** Executions of state machines: name and status. */
  public executions(): Promise<readonly { readonly name: string; readonly status: string }[]> { return Promise.resolve(this.runtime.stateMachines.list()); }

  /** Ends everything in order. */
  public async stop(): Promise<void> { await this.runtime.stop(); }

  public async [Symbol.asyncDispose](): Promise<void> { await this.stop(); }

  /** A person who assumes a role of people, by the end of its name: `approver-GROUP`, `privacy` (erases, places legal holds, has the log signed), `responder` (rolls back). */
  public async person(userName: string, role: string): Promise<LocalPerson> {
    const api = await this.apiAs(userName, role);
    return { ask: (method, path, body) => api.send(method, path, body) };
  }

  private clientOf(agentName: string, as: 'compute' | 'trigger'): AgentClient {
    const { api: url, region, principals } = this.file;
    const keys = principals.agents[agentName]?.[as];
    if (!keys) throw new Error(`no role of the assembly is the ${as} of ${agentName}; call ${as === 'compute' ? 'grantStartRun' : 'grantTrigger'}`);
    return AgentClient.of({ url, region, agentName, credentials: plainKeys(keys) });
  }

  private async apiAs(userName: string, role: string): Promise<SignedApi> {
    const { region, api, resources, account } = this.file;
    const person = this.runtime.person(userName);
    const keys = await assumeRole({ endpoint: this.file.endpoint, region, roleArn: `arn:aws:iam::${account}:role/${resources.controlsName}-${role}`, sessionName: userName, keys: plainKeys(person) });
    return new SignedApi(api, region, () => Promise.resolve(keys));
  }
}

function plainKeys({ accessKeyId, secretAccessKey, sessionToken }: { accessKeyId: string; secretAccessKey: string; sessionToken: string | undefined }): { accessKeyId: string; secretAccessKey: string; sessionToken: string } {
  return { accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '' };
}
