/** What references resolve to. */
export interface Scope {
  ref(logicalId: string): string;
  attribute(logicalId: string, name: string): unknown;
  readonly pseudo: Readonly<Record<string, string>>;
  /** Value of a dynamic reference such as `{{resolve:secretsmanager:...}}`. */
  dynamic(reference: string): string;
}

/** Resolves a template's value. A function that is not known here is an error, never a guess. */
export function resolveValue(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string') return value.replaceAll(/\{\{resolve:[^}]+\}\}/g, (reference) => scope.dynamic(reference));
  if (Array.isArray(value)) return value.map((item) => resolveValue(item, scope)).filter((item) => item !== undefined);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only && (only[0] === 'Ref' || only[0].startsWith('Fn::'))) return intrinsic(only[0], only[1], scope);
  return Object.fromEntries(entries.map(([key, inner]) => [key, resolveValue(inner, scope)]).filter(([, inner]) => inner !== undefined));
}

function intrinsic(name: string, argument: unknown, scope: Scope): unknown {
  switch (name) {
    case 'Ref': {
      if (argument === 'AWS::NoValue') return undefined;
      return scope.pseudo[argument as string] ?? scope.ref(argument as string);
    }
    case 'Fn::GetAtt': {
      const [id, attribute] = Array.isArray(argument) ? (argument as [string, string]) : splitOnce(argument as string);
      return scope.attribute(id, attribute);
    }
    case 'Fn::Join': {
      const [separator, parts] = argument as [string, unknown];
      return resolveValue((resolveValue(parts, scope) as unknown[]).join(separator), scope); // a dynamic reference may be joined from parts
    }
    case 'Fn::Sub': {
      const [text, variables] = Array.isArray(argument) ? (argument as [string, Record<string, unknown>]) : [argument as string, {}];
      const substituted = text.replaceAll(/\$\{(!?)([^}]+)\}/g, (_, literal: string, key: string) => {
        if (literal === '!') return `\${${key}}`;
        if (Object.hasOwn(variables, key)) return String(resolveValue(variables[key], scope));
        return String(key.includes('.') ? scope.attribute(...splitOnce(key)) : resolveValue({ Ref: key }, scope));
      });
      return resolveValue(substituted, scope);
    }
    case 'Fn::Select': {
      const [index, list] = argument as [number | string, unknown];
      return (resolveValue(list, scope) as unknown[])[Number(index)];
    }
    case 'Fn::Split': {
      const [separator, text] = argument as [string, unknown];
      return String(resolveValue(text, scope)).split(separator);
    }
    case 'Fn::GetAZs': return ['a', 'b', 'c'].map((zone) => `${scope.pseudo['AWS::Region'] ?? ''}${zone}`);
    default: throw new Error(`${name} is not known to the local runtime; it resolves Ref, GetAtt, Join, Sub, Select, Split and GetAZs`);
  }
}

function splitOnce(text: string): [string, string] {
  const cut = text.indexOf('.');
  return [text.slice(0, cut), text.slice(cut + 1)];
}

/** Logical ids that a value refers to. */
export function references(value: unknown): Set<string> {
  const found = new Set<string>();
  const visit = (inner: unknown): void => {
    if (Array.isArray(inner)) { inner.forEach(visit); return; }
    if (typeof inner !== 'object' || inner === null) return;
    for (const [key, argument] of Object.entries(inner)) {
      if (key === 'Ref' && typeof argument === 'string') found.add(argument);
      else if (key === 'Fn::GetAtt') found.add(Array.isArray(argument) ? String(argument[0]) : splitOnce(String(argument))[0]);
      else if (key === 'Fn::Sub') {
        const text = Array.isArray(argument) ? String(argument[0]) : String(argument);
        for (const [, name] of text.matchAll(/\$\{([^!}][^}]*)\}/g)) found.add((name as string).split('.')[0] as string);
      }
      visit(argument);
    }
  };
  visit(value);
  return found;
}
