import type { Look } from './look';

/** What the executor sends to an action's function, and to the handler of gated reads. */
export interface ActionRequest {
  readonly decisionId: string;
  readonly agent: string;
  readonly action: string;
  /** The agent's own Postgres login: the database enforces the agent's grants on whatever the action does. */
  readonly loginSecretArn: string;
  /** The exact text that was decided on. */
  readonly parameters: string;
  readonly justification: string | null;
  /** Whether only to fix what would run, and to look at what is there now. */
  readonly stage?: true;
  /** Of an approved hold: what was fixed and shown when it was staged. */
  readonly staged?: Staged;
  /** Of a gated read: the quoted table and the columns of the card. */
  readonly table?: string;
  readonly columns?: readonly string[];
}

/** What is fixed when a hold is staged, before anybody is asked. */
export interface Staged {
  /** What `resolve` made of the parameters: it runs as it is. */
  readonly resolved?: unknown;
  /** What `before` saw: an approval is about that, and runs nothing when something else is there. */
  readonly shown?: Look;
}

/** What comes back of staging. */
export interface StageAnswer {
  readonly staged?: Staged;
  readonly error?: string;
}

/** What comes back: a result, or an error that the action raised, with whatever it wrote before. */
export interface ActionAnswer {
  readonly result?: unknown;
  readonly error?: string;
  /** Set with an error after which there may have been an effect: the commit failed, or something was written before. */
  readonly uncertain?: true;
  /** `kind:id` of each record that was made or changed. */
  readonly writes: readonly string[];
  /** SHA-256 of the code that ran. */
  readonly bundleDigest: string | null;
}

/** One write that is to be undone: its decision, and the decision that undoes it. */
export interface ReversalItem {
  readonly reversal: string;
  readonly decision: string;
}

/** What the executor sends to undo writes of one action, newest first. */
export interface ReversalRequest {
  readonly action: string;
  /** The login of reversals, which is no agent's. */
  readonly loginSecretArn: string;
  readonly items: readonly ReversalItem[];
  /** Whether only to look what would become of each. */
  readonly look?: true;
}

/** What came of one. A conflict is what somebody changed since, and it was left alone. */
export interface ReversalResult {
  readonly reversal: string;
  readonly status: 'reversed' | 'conflict' | 'failed' | 'unknown';
  readonly why?: string;
  readonly writes?: readonly string[];
}

/** What comes back. */
export interface ReversalAnswer {
  readonly results: readonly ReversalResult[];
  readonly bundleDigest: string | null;
}

/** The Lambda handler of an action. */
export interface ActionHandler {
  (request: ActionRequest & { readonly stage?: never }): Promise<ActionAnswer>;
  (request: ActionRequest & { readonly stage: true }): Promise<StageAnswer>;
  (request: ReversalRequest): Promise<ReversalAnswer>;
}
