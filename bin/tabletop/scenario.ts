import type { AgentClient } from '../../lambda/client';
import type { LocalFile } from '../../local/local-file';
import type { Log } from '../log';

/** What a scenario plays on. */
export interface Stage {
  readonly log: Log;
  readonly file: LocalFile;
  /** When it began, by the one clock. */
  readonly since: string;
  /** The agent's program, or the system that says what is asked of it. */
  readonly client: (agent: string, as: 'compute' | 'trigger') => AgentClient;
  /** SQL of the company's own systems. */
  readonly company: (sql: string) => Promise<void>;
}

/** What somebody has to bring about. */
export interface Step {
  readonly step: string;
  /** Arguments of the command that does it, as it is typed; `null` where it is done by waiting or on the page. */
  readonly command: readonly string[] | null;
  readonly hint: string;
  /** Whether it has come about. */
  readonly done: () => Promise<boolean>;
}

/** Something that an agent did wrong. */
export interface Scenario {
  readonly name: string;
  readonly agent: string;
  /** Makes it happen. @returns what whoever is on call sees of it. */
  readonly begin: (stage: Stage) => Promise<{ readonly seen: string; readonly steps: readonly Step[] }>;
}

/** How an agent stands. */
export async function standing(log: Pick<Log, 'rows'>, agent: string): Promise<{ readonly enabled: boolean; readonly cautious: boolean }> {
  const [row] = await log.rows('select enabled, cautious from audit.agent where name = :agent', { agent });
  return { enabled: row?.enabled === true, cautious: row?.cautious === true };
}

/** How many entries of a kind there are of an agent since a time. */
export async function countOf(log: Pick<Log, 'rows'>, agent: string, kind: string, since: string, where = 'true'): Promise<number> {
  const [row] = await log.rows(`select count(*)::int as count from audit.entry e where e.kind = :kind and (e.agent = :agent or e.facts::json ->> 'credential' = 'agent/' || :agent) and e.at > :since::timestamptz and ${where}`, { agent, kind, since });
  return Number(row?.count ?? 0);
}

/** Stopping it, or having it wait: either is an answer. */
export const contain = (log: Log, agent: string): Step => ({
  step: 'it does no more harm: stopped, or every write waits for people', command: ['agent', 'disable', agent, '--reason', 'TABLETOP'], hint: 'or agent hold, which lets it read on',
  done: async () => {
    const { enabled, cautious } = await standing(log, agent);
    return !enabled || cautious;
  },
});

/** As it was before. */
export const bringBack = (log: Log, agent: string): Step => ({
  step: 'it is back, asked for by two people', command: ['agent', 'enable', agent, '--reason', 'TABLETOP'], hint: 'twice, the second time with --as colleague; and agent release where it was held',
  done: async () => {
    const { enabled, cautious } = await standing(log, agent);
    return enabled && !cautious;
  },
});
