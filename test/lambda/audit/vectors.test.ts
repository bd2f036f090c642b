/** The vectors of docs/audit-format.md, made by an implementation of its own, against SQL and TypeScript. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EntryRecord } from '../../../lambda/audit/entry-record';
import { digestOf, genesis, hex, link, payloadRecord, sha256 } from '../../../lambda/audit/hashing';
import { JsonRefused, strictJson } from '../../../lambda/http/strict-json';
import { canonicalJson } from '../../../lib/scope/canonical-json';
import { TestDatabase, testDatabase } from '../../support/database';

interface Vectors {
  readonly json: readonly { readonly text: string; readonly canonical?: string; readonly refused?: 'number' | 'key' | 'text' | 'syntax'; readonly why: string }[];
  readonly genesis: readonly { readonly head: number; readonly hash: string }[];
  readonly payloads: readonly { readonly salt: string; readonly text: string; readonly digest: string }[];
  readonly entries: readonly (Readonly<Record<'at' | 'kind' | 'login' | 'facts' | 'record' | 'leaf' | 'before' | 'hash' | 'seq', string>> & Readonly<Record<'agent' | 'run' | 'decision' | 'action' | 'reference' | 'approver' | 'outcome' | 'inputs' | 'output', string | null>> & { readonly head: number })[];
}

const vectors = JSON.parse(readFileSync(join(__dirname, '../../cases/audit-vectors.json'), 'utf8')) as Vectors;
let db: TestDatabase;
beforeAll(async () => { db = await testDatabase(); });

const CODES = { number: 'JsonNumberInexact', key: 'JsonKeyTwice', text: 'JsonTextNotPlain', syntax: 'NotJson' } as const;
const SQLSTATES = { number: ['22003'], key: ['22030'], text: ['22P05', '22P02'], syntax: ['22P02'] } as const;

describe.each(vectors.json)('JSON $text', ({ text, canonical, refused, why }) => {
  it(`is ${refused === undefined ? 'one text' : 'refused'} in TypeScript: ${why}`, () => {
    const outcome = (): string => canonicalJson(strictJson(text));
    if (refused === undefined) expect(outcome()).toBe(canonical);
    else expect(outcome).toThrow(expect.objectContaining({ code: CODES[refused] }) as JsonRefused);
  });

  it(`is ${refused === undefined ? 'the same text' : 'refused'} in SQL`, async () => {
    const outcome = db.owner.query<{ canonical: string }>('select audit.canonical($1::json) as canonical', [text]);
    if (refused === undefined) expect((await outcome).rows).toEqual([{ canonical }]);
    else await expect(outcome).rejects.toMatchObject({ code: expect.stringMatching(new RegExp(SQLSTATES[refused].join('|'))) as string });
  });
});

it('refuses __proto__ as a key, however it is written', () => {
  for (const text of ['{"__proto__":{"admin":true}}', '{"a":{"\\u005f_proto__" :1}}']) expect(() => strictJson(text)).toThrow(expect.objectContaining({ code: 'JsonKeyForbidden' }) as JsonRefused);
  expect(strictJson('{"a":"__proto__"}')).toEqual({ a: '__proto__' });
});

it('refuses what is nested beyond measure', () => {
  expect(() => strictJson('['.repeat(50_000))).toThrow(expect.objectContaining({ code: expect.stringMatching(/NotJson|JsonTooDeep/) as string }) as JsonRefused);
  expect(() => strictJson(`${'['.repeat(200)}${']'.repeat(200)}`)).toThrow(expect.objectContaining({ code: 'JsonTooDeep' }) as JsonRefused);
});

describe('hashes', () => {
  it.each(vectors.genesis)('begin chain $head alike', async ({ head, hash }) => {
    expect(hex(genesis(head))).toBe(hash);
    expect((await db.owner.query("select encode(sha256('agent-controls/head/1'::bytea || int2send($1::smallint)), 'hex') as hash", [head])).rows).toEqual([{ hash }]);
  });

  it.each(vectors.payloads)('of payload $text', async ({ salt, text, digest }) => {
    expect(hex(sha256(payloadRecord(Buffer.from(salt, 'hex'), Buffer.from(text))))).toBe(digest);
    expect((await db.owner.query("select encode(audit.digest(decode($1, 'hex'), $2), 'hex') as digest", [salt, text])).rows).toEqual([{ digest }]);
  });

  it.each(vectors.entries)('of entry $seq', async (entry) => {
    const { at, kind, login, agent, run, decision, action, reference, approver, outcome, facts, inputs, output, record, leaf, before, head, seq, hash } = entry;
    expect(hex(sha256(Buffer.from(record, 'hex')))).toBe(leaf);
    expect(hex(link(digestOf(before), head, BigInt(seq), digestOf(leaf)))).toBe(hash);
    const decoded = new EntryRecord(Buffer.from(record, 'hex'));
    expect({ kind: decoded.text('kind'), facts: decoded.text('facts'), approver: decoded.text('approver'), decision: decoded.decision, outcome: decoded.text('outcome') }).toEqual({ kind, facts, approver, decision, outcome });
    const { rows } = await db.owner.query(`select encode(leaf, 'hex') as leaf, encode(audit.link(decode($14, 'hex'), $15::smallint, $16::bigint, leaf), 'hex') as hash
      from audit.leaf($1::timestamptz, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, decode($12, 'hex'), decode($13, 'hex')) leaf`, [at, kind, login, agent, run, decision, action, reference, approver, outcome, facts, inputs, output, before, head, seq]);
    expect(rows).toEqual([{ leaf, hash }]);
  });
});
