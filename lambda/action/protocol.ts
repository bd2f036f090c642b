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
  /** Of a gated read: the quoted table and the columns of the card. */
  readonly table?: string;
  readonly columns?: readonly string[];
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
