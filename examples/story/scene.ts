/** What every part of the story uses. */
import { Client } from 'pg';
import type { Answer, LocalRuntime, Run } from 'cdk-agent-controls/testing';

/** One step: what should be, and what was. */
export interface Step {
  readonly step: string;
  readonly expected: string;
  readonly got: string;
  readonly ok: boolean;
}

/** Told as it happens. */
export interface Teller {
  doing(what: string): void;
  done(step: Step): void;
}

/** A part's way of telling. */
export interface Scene {
  readonly tell: Teller;
  /** Notes a step. */
  readonly note: (step: string, expected: string, got: string) => void;
}

/** The gate's answer in one line. */
export function verdict(answer: Answer<unknown>): string {
  return answer.verdict === 'permit' ? 'permit' : `${answer.verdict}: ${answer.reasons.map((reason) => reason.split(':')[0]).join(', ')}`;
}

/** Why something was refused. */
export const refusal = (asked: Promise<unknown>): Promise<string> => asked.then(() => 'not refused', (error: unknown) => (error as { code?: string }).code ?? String(error));

/** What became of an approved call, once it is known. */
export function outcome(runtime: LocalRuntime, run: Run, holdId: string): Promise<string> {
  return runtime.until(async () => {
    const hold = await run.hold(holdId);
    return ['held', 'permitted', 'executing'].includes(hold.outcome) ? undefined : hold.outcome;
  });
}

/** What Postgres says to an agent's own login. No agent has this login; it is here to show the second fence. */
export async function asAgent(runtime: LocalRuntime, agent: string, sql: string): Promise<string> {
  return query(runtime, runtime.file.resources.logins[agent] ?? {}, sql).then((rows) => `${rows.length} rows`, (error: unknown) => (error as Error).message);
}

/** What the company's own systems do in its tables. */
export function asCompany<Row extends object>(runtime: LocalRuntime, sql: string): Promise<Row[]> {
  const { superuser: user, password } = runtime.file.postgres;
  return query<Row>(runtime, { user, password }, sql);
}

async function query<Row extends object>(runtime: LocalRuntime, login: { readonly user?: string; readonly password?: string }, sql: string): Promise<Row[]> {
  const { host, port, database } = runtime.file.postgres;
  const client = new Client({ host, port, database, ...login });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
