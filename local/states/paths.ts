/** Value at a reference path: `$`, `$.a.b`, or `$$.Task.Token` in the context object. */
export function at(path: string, input: unknown, context: object): unknown {
  const from = path.startsWith('$$') ? context : input;
  const names = path.replace(/^\$\$?/, '').split('.').filter((name) => name !== '');
  return names.reduce<unknown>((value, name) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) throw new PathError(`${path} is not in the input`);
    return (value as Record<string, unknown>)[name];
  }, from);
}

/** A path that leads nowhere; `States.ParameterPathFailure` to the machine. */
export class PathError extends Error {}

/** A payload template: keys that end in `.$` take their value from a path. */
export function template(value: unknown, input: unknown, context: object): unknown {
  if (Array.isArray(value)) return value.map((item) => template(item, input, context));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => (key.endsWith('.$') ? [key.slice(0, -2), at(inner as string, input, context)] : [key, template(inner, input, context)])));
}

/** The input with the result at `path`; `null` discards the result. */
export function withResult(path: string | null | undefined, input: unknown, result: unknown): unknown {
  if (path === null) return input;
  if (path === undefined || path === '$') return result;
  const [name, ...rest] = path.replace(/^\$\./, '').split('.');
  const base = { ...(input as Record<string, unknown>) };
  base[name as string] = rest.length === 0 ? result : withResult(`$.${rest.join('.')}`, base[name as string] ?? {}, result);
  return base;
}
