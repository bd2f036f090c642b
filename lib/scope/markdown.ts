/** Pieces of the pages that reviewers read. */

/** A table, or a word that says there is nothing. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return ['Nothing.'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

/** Text as Markdown shows it, whatever is in it. */
export function text(value: string): string {
  return value.replaceAll(/[\\`*_[\]<>|#~&]/g, '\\$&').replaceAll(/\s+/g, ' ');
}

/** An identifier, in code. A backtick or a bar would end it. */
export function code(value: string): string {
  return `\`${value.replaceAll(/[`|\s]/g, ' ')}\``;
}
