/** Everything this library refuses is refused with this one error: `<code>: <what was wrong, what was got and expected, and the fix>`. */
export class ControlsError extends Error {
  /**
   * @param code stable name of the refusal; part of the API.
   * @param sentence what is wrong, what was got, what was expected, and how to mend it.
   */
  public constructor(public readonly code: string, sentence: string) {
    super(`${code}: ${sentence}`);
    this.name = 'ControlsError';
  }
}

/** How a value is shown in an error: short, on one line, and unmistakably quoted. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
