import { isCard } from './cards';
import { digit } from '../provenance/digit';
import { detect, Secret } from './detect';

/** What is looked for. */
export interface Finder {
  /** Finds what is there as it stands in a text. */
  find(text: string): Promise<Secret[]>;
  /** Digits that belong together though each group stands in a text of its own, one after another. */
  readonly groups: readonly { readonly kind: string; readonly lengths: readonly number[]; readonly is: (digits: string) => boolean }[];
  /** Kinds that are too short or too common to be put together from texts that only stand side by side. */
  readonly alone: ReadonlySet<string>;
}

/** Secrets, tokens and card numbers: what is in no record. */
export const SECRETS: Finder = { find: detect, groups: [[4, 4, 4, 4], [4, 6, 5]].map((lengths) => ({ kind: 'card-number', lengths, is: isCard })), alone: new Set(['card-number', 'credential']) };

/** A value without secrets, and which kinds there were. */
export interface Redacted {
  readonly value: unknown;
  /** Kinds, each once, sorted; empty when nothing was there. */
  readonly kinds: readonly string[];
  /** Names of the outermost fields that held one. */
  readonly fields: readonly string[];
}

/** A text of the value: a string, a number as it is written, or the name of a field. */
interface Leaf {
  readonly field: string;
  /** Whether it is the name of a field. */
  readonly isName: boolean;
  readonly text: string;
  clean: string;
  readonly write: (text: string) => void;
}

/** Deepest encoding inside an encoding that is undone. */
const DEEPEST = 3;
/** Most characters that are decoded of one text. */
const MOST_DECODED = 400_000;
/** What separates or hides the characters of a token without being seen. */
const INVISIBLE = /[\s\p{Default_Ignorable_Code_Point}\p{Cf}\p{Mn}]/gu;
/** A text as a reader sees its characters: in one form, and without what separates or hides them. */
const asSeen = (text: string): string => text.normalize('NFKC').replaceAll(INVISIBLE, '').replaceAll(/(?![0-9])\p{Nd}/gu, digit);

/**
 * Takes what is looked for out of a value, by default secrets, tokens and card numbers, however they are nested, encoded, or split over neighbouring texts. What is found as
 * it stands is cut out; of what had to be decoded or put together, each text that is part of it goes whole.
 */
export async function redact(value: unknown, finder: Finder = SECRETS): Promise<Redacted> {
  const leaves: Leaf[] = [];
  const holder = { value: structuredClone(value) };
  gather(holder, 'value', '', leaves);
  const kinds = new Set<string>();
  const fields = new Set<string>();
  const mark = (leaf: Leaf, found: readonly string[], clean: string): void => {
    for (const kind of found) kinds.add(kind);
    fields.add(leaf.field);
    leaf.clean = clean;
  };
  // Most values hold nothing, and asking once is much faster than asking for each text: only where something is found, each is asked.
  if (await anywhere(leaves, finder)) for (const leaf of leaves) {
    const plain = await finder.find(leaf.text);
    if (plain.length > 0) mark(leaf, plain.map(({ kind }) => kind), cut(leaf.text, plain));
    const hidden = await hiddenIn(leaf.clean, 0, finder);
    if (hidden.length > 0) mark(leaf, hidden, marker(hidden));
  }
  // Last: a secret that is cut in two is whole again when the texts that are still clean are put together.
  for (const { found, of } of [...await splitOver(leaves.filter(({ isName }) => !isName), finder), ...await splitOver(leaves.filter(({ isName }) => isName), finder)]) for (const leaf of of) mark(leaf, [found], marker([found]));
  for (const leaf of leaves) if (leaf.clean !== leaf.text) leaf.write(leaf.clean);
  return { value: holder.value, kinds: [...kinds].sort(), fields: [...fields].sort() };
}

/** Whether anything is found in all texts together, and in whatever they hide. */
async function anywhere(leaves: readonly Leaf[], finder: Finder): Promise<boolean> {
  if (leaves.length < 2) return leaves.length > 0;
  const all: string[] = [];
  const work = { left: MOST_DECODED };
  const collect = (text: string, depth: number): void => {
    all.push(text);
    if (depth > DEEPEST) return;
    for (const other of others(text)) {
      if (other === text) continue;
      work.left -= other.length;
      if (work.left < 0) return;
      collect(other, depth + 1);
    }
  };
  for (const { text } of leaves) collect(text, 0);
  return work.left < 0 || (await finder.find(all.join('\n\n'))).length > 0;
}

function gather(holder: Record<string, unknown> | unknown[], key: string | number, field: string, leaves: Leaf[]): void {
  const node = (holder as Record<string | number, unknown>)[key];
  const add = (text: string, write: (text: string) => void): void => { leaves.push({ field, isName: false, text, clean: text, write }); };
  if (typeof node === 'string' || typeof node === 'number') {
    add(String(node), (text) => { (holder as Record<string | number, unknown>)[key] = text; });
  } else if (Array.isArray(node)) {
    node.forEach((_, index) => gather(node, index, field === '' ? String(index) : field, leaves));
  } else if (typeof node === 'object' && node !== null) {
    for (const name of Object.keys(node).sort()) {
      const own = field === '' ? name : field;
      gather(node as Record<string, unknown>, name, own, leaves);
      leaves.push({ field: field === '' ? '(a name)' : field, isName: true, text: name, clean: name, write: (text) => rename(node as Record<string, unknown>, name, text) });
    }
  }
}

function rename(node: Record<string, unknown>, from: string, to: string): void {
  const value = node[from];
  delete node[from];
  let name = to;
  for (let count = 2; Object.hasOwn(node, name); count += 1) name = `${to} ${count}`;
  node[name] = value;
}

const marker = (kinds: readonly string[]): string => `[redacted: ${[...new Set(kinds)].sort().join(', ')}]`;

function cut(text: string, found: readonly Secret[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, kind } of [...found].sort((a, b) => a.start - b.start)) {
    if (start >= at) result += `${text.slice(at, start)}${marker([kind])}`;
    at = Math.max(at, end);
  }
  return result + text.slice(at);
}

/** Kinds of secrets in whatever a text hides: characters nobody sees, other forms of letters, and encodings in encodings. */
async function hiddenIn(text: string, depth: number, finder: Finder, work = { left: MOST_DECODED }): Promise<string[]> {
  const kinds: string[] = [];
  for (const other of others(text)) {
    if (other === text) continue;
    // What is encoded beyond measure is nothing that anybody would have to read.
    work.left -= other.length;
    if (work.left < 0) return [...kinds, 'unreadable'];
    kinds.push(...(await finder.find(other)).map(({ kind }) => kind));
    if (depth < DEEPEST) kinds.push(...await hiddenIn(other, depth + 1, finder, work));
  }
  return kinds;
}

function* others(text: string): Generator<string> {
  const seen = asSeen(text);
  if (seen !== text.replaceAll(/\s/g, '') || /\S\s\S\s\S\s\S/.test(text)) yield seen; // spread out letter by letter, or with what is not seen
  if (/%[0-9a-f]{2}/i.test(text)) yield percentDecoded(text);
  if (/\\u[0-9a-f]{4}|\\x[0-9a-f]{2}/i.test(text)) yield text.replaceAll(/\\(?:u([0-9a-f]{4})|x([0-9a-f]{2}))/gi, (_, wide?: string, narrow?: string) => String.fromCharCode(parseInt(wide ?? narrow ?? '', 16)));
  if (/&#x?[0-9a-f]+;/i.test(text)) yield text.replaceAll(/&#(x?)([0-9a-f]+);/gi, (whole, hex: string, digits: string) => character(parseInt(digits, hex === '' ? 10 : 16)) ?? whole);
  // In one line, or in lines as mail and keys have them.
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{16,}){0,2000}={0,2}/g)) {
    const decoded = textOf(Buffer.from(run, 'base64'));
    if (decoded !== undefined) yield decoded;
  }
  for (const [run] of text.matchAll(/(?:[0-9a-f]{2}[\s:]?){12,}/gi)) {
    const decoded = textOf(Buffer.from(run.replaceAll(/[\s:]/g, ''), 'hex'));
    if (decoded !== undefined) yield decoded;
  }
}

function percentDecoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}

function character(point: number): string | undefined {
  return point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Bytes as a text that somebody could have meant: random bytes almost never are. */
function textOf(bytes: Buffer): string | undefined {
  if (bytes.length < 8) return undefined;
  try {
    const text = utf8.decode(bytes);
    return /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Longest text that is put together. */
const LONGEST_JOINED = 2_000_000;

/** Secrets that only appear when texts are put together in their order, and the texts that hold a part of each. */
async function splitOver(leaves: readonly Leaf[], finder: Finder): Promise<{ found: string; of: readonly Leaf[] }[]> {
  const values = leaves.filter(({ clean }) => clean !== '').map((leaf) => ({ leaf, text: leaf.clean }));
  const result: { found: string; of: readonly Leaf[] }[] = [];
  let joined = '';
  const starts: number[] = [];
  for (const { text } of values) {
    starts.push(joined.length);
    joined += asSeen(text);
    if (joined.length > LONGEST_JOINED) break;
  }
  const whole = values.slice(0, starts.length);
  for (const { kind, start, end, isDistinct } of await finder.find(joined)) {
    const of = whole.filter((_, index) => (starts[index] ?? 0) < end && (starts[index + 1] ?? joined.length) > start);
    if (of.length > 1 && (isDistinct === true || !finder.alone.has(kind))) result.push({ found: kind, of: of.map(({ leaf }) => leaf) });
  }
  // Groups of digits as a card has them, one after another.
  for (let first = 0; first < values.length; first += 1) {
    for (const { kind, lengths, is } of finder.groups) {
      const of = values.slice(first, first + lengths.length);
      if (of.length === lengths.length && of.every(({ text }, index) => text.length === lengths[index] && /^\d+$/.test(text)) && is(of.map(({ text }) => text).join(''))) result.push({ found: kind, of: of.map(({ leaf }) => leaf) });
    }
  }
  return result;
}
