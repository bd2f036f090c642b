import { lintSource } from '@secretlint/core';
import { creator, rules } from '@secretlint/secretlint-rule-preset-recommend';
import { cardsIn } from './cards';

/** A secret inside a text: what kind, and where. */
export interface Secret {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  /** Whether it is what it is even where it is put together from neighbouring texts. */
  readonly isDistinct?: boolean;
}

/** The rules that look for something: one more lets a comment switch them off, and here the text would speak for itself. */
const LOOKING: typeof creator = { ...creator, create: (context) => { for (const rule of rules) if (!rule.meta.id.endsWith('filter-comments')) context.registerRule(rule as never); } };
const RULES = [{ id: 'preset', rule: LOOKING, rules: [{ id: '@secretlint/secretlint-rule-aws', options: { enableIDScanRule: true } }] }];

/** What the library leaves to others: a signed token, a private key of any length, a key id of AWS wherever it stands. */
const OWN: readonly (readonly [string, RegExp])[] = [
  ['json-web-token', /(?<![\w-])eyJ[\w-]{8,4096}\.eyJ[\w-]{8,8192}\.[\w-]{16,2048}/g],
  ['private-key', /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----)?/g],
  ['aws-access-key-id', /(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])/g],
  ['openai', /(?<![\w-])sk-(?=[\w-]*\d)(?=[\w-]*[A-Z])(?:proj-|svcacct-|ant-)?[\w-]{32,256}/g],
  ['stripe', /(?<![\w-])[sr]k_live_[A-Za-z0-9]{16,256}/g],
  ['google-api-key', /(?<![\w-])AIza[\w-]{35}(?![\w-])/g],
  ['credential', /\b(?:[Bb]earer|[Bb]asic) +[\w.~+/-]{20,4096}=*/g],
  ['credential', /(?<![a-z])(?:password|passwd|pgpassword|secret_?access_?key|client_?secret|account_?key|api_?key)["'\\]*\s*[:=]\s*["'\\]*[^\s"'\\,;&]{6,256}/gi],
];

/** Ids and digests as machines make them: one in a thousand of them has digits that could be a card's. */
const MADE = /(?<![0-9a-z])(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[0-9a-f]{32,128})(?![0-9a-z])/gi;

/** Finds secrets, tokens and card numbers as they stand in a text. */
export async function detect(text: string): Promise<Secret[]> {
  if (text.length < 12) return [];
  const found: Secret[] = [];
  const { messages } = await lintSource({ source: { content: text, filePath: 'text', ext: '.txt', contentType: 'text' }, options: { config: { rules: RULES } } });
  for (const { ruleId, range } of messages) found.push({ kind: ruleId.replace('@secretlint/secretlint-rule-', ''), start: range[0], end: range[1] });
  for (const [kind, pattern] of OWN) for (const match of text.matchAll(pattern)) found.push({ kind, start: match.index, end: match.index + match[0].length });
  const made = [...text.matchAll(MADE)].filter(([id]) => /[a-f]/i.test(id));
  for (const { start, end } of cardsIn(text)) {
    if (!made.some((id) => id.index <= start && end <= id.index + id[0].length)) found.push({ kind: 'card-number', start, end });
  }
  return found;
}
