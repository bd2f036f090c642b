/**
 * Turns the `:name` parameters of the Data API into the `$1` of Postgres, leaving quoted text, comments, dollar quotes, casts
 * (`::`) and array slices alone.
 */
export function positional(sql: string): { readonly parts: readonly string[]; readonly names: readonly string[] } {
  const parts: string[] = [];
  const names: string[] = [];
  let from = 0;
  for (const match of sql.matchAll(TOKEN)) {
    const name = match.groups?.name;
    if (name === undefined) continue;
    parts.push(sql.slice(from, match.index));
    names.push(name);
    from = match.index + match[0].length;
  }
  parts.push(sql.slice(from));
  return { parts, names };
}

const TOKEN = new RegExp([
  String.raw`'(?:[^']|'')*'`, // text; with E'' a backslash may precede the quote
  String.raw`"(?:[^"]|"")*"`, // name
  String.raw`--[^\n]*`, String.raw`/\*[\s\S]*?\*/`,
  String.raw`(?<dollar>\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\k<dollar>`,
  String.raw`::`,
  String.raw`(?<![\w\]:]):(?<name>[A-Za-z_]\w*)`,
].join('|'), 'g');
