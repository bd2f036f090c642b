/** The state of a Postgres error. Postgres names tables and columns in errors of class 42 (rights, names, syntax); in others it quotes values. */
export const sqlState = (error: Error): string | undefined => /SQLState: (\w{5})/.exec(error.message)?.[1];

/** An error's own code, such as `RowMissing`, the state of a Postgres error, or its class; never its sentence, which may quote what must not be logged. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  const state = sqlState(error);
  if (state !== undefined) return `SqlState${state}`;
  return /^([A-Z][A-Za-z]{2,60}):/.exec(error.message)?.[1] ?? error.name;
}
