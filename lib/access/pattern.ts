/*
 * ARNs and names as patterns, so that what a policy opens can be laid over what must stay closed without knowing account and region. `*`
 * stands for any text; UNKNOWN for text that only the deploy knows.
 */

/** Stands for text that is known only at deploy, such as the value of a parameter or of another stack's export. */
export const UNKNOWN = '\u0001';

/** Stands for the partition, region or account that a template is deployed to: one field of an ARN, and no star that reaches further. */
export const HERE = '~';

/** The physical name, or what stands for it, of a resource of a template. */
export type NameOf = (logicalId: string, attribute?: string) => string | undefined;

/** A template's value as a pattern. */
export function patternOf(value: unknown, nameOf: NameOf): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const [intrinsic, argument] = Object.entries((value ?? {}) as Record<string, unknown>)[0] ?? [];
  switch (intrinsic) {
    case 'Fn::ImportValue': return nameOf(typeof argument === 'string' ? argument : '', 'Export') ?? UNKNOWN;
    case 'Ref': return String(argument).startsWith('AWS::') ? HERE : nameOf(String(argument)) ?? UNKNOWN;
    case 'Fn::GetAtt': {
      const [id = '', attribute = ''] = Array.isArray(argument) ? argument.map(String) : String(argument).split('.');
      return nameOf(id, attribute) ?? UNKNOWN;
    }
    case 'Fn::Join': {
      const [by, parts] = argument as [string, unknown];
      return Array.isArray(parts) ? parts.map((part) => patternOf(part, nameOf)).join(by) : UNKNOWN;
    }
    case 'Fn::Sub': {
      const [text, values] = Array.isArray(argument) ? (argument as [string, Record<string, unknown>]) : [String(argument), {}];
      return text.replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => {
        const [id = '', attribute] = name.split('.');
        return Object.hasOwn(values, name) ? patternOf(values[name], nameOf) : patternOf(attribute === undefined ? { Ref: id } : { 'Fn::GetAtt': [id, attribute] }, nameOf);
      });
    }
    default: return UNKNOWN;
  }
}

/**
 * How what a policy names meets a target: `surely` some text fits both; `perhaps` it does, depending on what only the deploy knows; or
 * `never`. A star in a field of the target's ARN stands for that field alone; one in the policy may reach over colons, as in IAM.
 */
export function meets(one: string, other: string): 'surely' | 'perhaps' | 'never' {
  const meet = (a: string, b: string): boolean => intersects(anywhere(a), anywhere(b)) || intersects(a, placed(b, a));
  if (meet(one, other)) return 'surely';
  const open = (pattern: string): string => pattern.replaceAll(UNKNOWN, '*');
  return meet(open(one), open(other)) ? 'perhaps' : 'never';
}

/** An ARN as one text, in the place that another one names where it names one: a star of that one may reach over colons. */
function placed(arn: string, other: string): string {
  const [scheme, , service, , , ...rest] = arn.split(':');
  if (scheme !== 'arn' || rest.length === 0) return arn;
  const [, partition = '', , region = '', account = ''] = other.split(':');
  const plain = (field: string): string => (/[*?\u0001]/.test(field) ? 'x' : field);
  return ['arn', plain(partition), service, plain(region), plain(account), ...rest].join(':');
}

/** An ARN without partition, region and account: a star in one of them must not reach over into the name. */
function anywhere(pattern: string): string {
  const [arn, , service, , , ...rest] = pattern.split(':');
  return arn === 'arn' && rest.length > 0 ? ['arn', service, ...rest].join(':') : pattern.replace(/^arn:[^:]*:/, 'arn:');
}

/** Whether every text that fits `inner` fits `outer`, too, as far as can be told. */
export function covers(outer: string, inner: string): boolean {
  // The stars of `inner` are taken as text that only a star of `outer` takes.
  return new RegExp(`^${[...anywhere(outer)].map((character) => (character === '*' ? '[^]*' : character === '?' ? '[^]' : character.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))).join('')}$`).test(anywhere(inner));
}

/** Whether some text fits both globs. */
function intersects(a: string, b: string): boolean {
  if (a === '*' || b === '*') return true;
  let row = new Array<boolean>(b.length + 1).fill(false);
  row[0] = true;
  for (let j = 1; j <= b.length && b[j - 1] === '*'; j += 1) row[j] = true;
  for (let i = 1; i <= a.length; i += 1) {
    const next = new Array<boolean>(b.length + 1).fill(false);
    const x = a[i - 1] as string;
    next[0] = x === '*' && row[0] === true;
    for (let j = 1; j <= b.length; j += 1) {
      const y = b[j - 1] as string;
      next[j] = x === '*' || y === '*'
        ? (x === '*' && (row[j] === true || next[j - 1] === true)) || (y === '*' && (next[j - 1] === true || row[j] === true)) || (row[j - 1] === true)
        : row[j - 1] === true && (x === y || x === '?' || y === '?');
    }
    row = next;
  }
  return row[b.length] === true;
}
