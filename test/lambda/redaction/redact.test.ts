import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { redact } from '../../../lambda/redaction/redact';

// Made up, and put together here: nothing in this file is a secret, and no scanner should say so.
const GITHUB = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_');
const SLACK = ['xoxb', '123456789012', '1234567890123', 'AbCdEfGhIjKlMnOpQrStUvWx'].join('-');
const KEY_ID = ['AKIA', 'QYLPMN5HHHFPZAM2'].join('');
const JWT = ['eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9', 'eyJzdWIiOiIxMjM0NTY3ODkwIn0', 'dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'].join('.');
const PRIVATE_KEY = `-----BEGIN ${'PRIVATE'} KEY-----\nMIIEpAIBAAKCAQEA04up8hoqzS1\n-----END ${'PRIVATE'} KEY-----`;
const CARD = '4111111111111111';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const gone = (value: unknown, ...parts: string[]): void => { for (const part of parts) expect(JSON.stringify(value)).not.toContain(part); };

describe('a secret is taken out', () => {
  it.each([
    ['a token of a code host', GITHUB, 'github'], ['a token of a chat', SLACK, 'slack'], ['a key id of AWS', KEY_ID, 'aws-access-key-id'], ['a signed token', JWT, 'json-web-token'],
    ['a private key', PRIVATE_KEY, 'private-key'], ['a card number', CARD, 'card-number'], ['a card number in groups', '4111 1111 1111 1111', 'card-number'], ['a card number with dashes', '5555-5555-5555-4444', 'card-number'],
  ])('%s, and the text around it stays', async (_, secret, kind) => {
    const { value, kinds, fields } = await redact({ body: `before ${secret} after`, other: 'x' });
    gone(value, secret);
    expect(value).toMatchObject({ body: expect.stringMatching(/^before \[redacted: .*\] after$/s) as string, other: 'x' });
    expect(kinds).toContain(kind);
    expect(fields).toEqual(['body']);
  });

  it.each<[string, unknown]>([
    ['deep inside', { a: [{ b: { c: [[GITHUB]] } }] }],
    ['in the name of a field', { list: [{ [GITHUB]: true }] }],
    ['as a number', { card: Number(CARD) }],
    ['in JSON inside JSON', { body: JSON.stringify({ inner: JSON.stringify({ token: GITHUB }) }) }],
    ['in base64', { body: `see ${base64(`token=${GITHUB}`)}` }],
    ['in base64 in base64', { body: base64(base64(`token=${GITHUB}`)) }],
    ['in base64 for addresses', { body: Buffer.from(`??token=${GITHUB}`).toString('base64url') }],
    ['in hex', { body: Buffer.from(GITHUB).toString('hex') }],
    ['percent-encoded', { body: [...GITHUB].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('') }],
    ['in escapes', { body: [...GITHUB].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join('') }],
    ['in HTML entities', { body: [...GITHUB].map((c) => `&#${c.charCodeAt(0)};`).join('') }],
    ['with characters nobody sees', { body: [...GITHUB].join('\u200b') }],
    ['letter by letter', { body: [...GITHUB].join(' ') }],
    ['in wide letters', { body: [...GITHUB].map((c) => (/[a-z0-9]/i.test(c) ? String.fromCharCode(c.charCodeAt(0) + 0xfee0) : c)).join('') }],
    ['split over two fields', { a: GITHUB.slice(0, 12), b: GITHUB.slice(12) }],
    ['split over a list', [GITHUB.slice(0, 9), GITHUB.slice(9, 20), GITHUB.slice(20)]],
    ['split over nested objects', { a: { x: GITHUB.slice(0, 12) }, b: [{ y: GITHUB.slice(12) }] }],
    ['a card number in four fields', { a: '4111', b: '1111', c: '1111', d: '1111' }],
    ['a card number as numbers', { parts: [4111, 1111, 1111, 1111] }],
  ])('%s', async (_, value) => {
    const { kinds, value: clean } = await redact(value);
    expect(kinds).not.toEqual([]);
    gone(clean, GITHUB, GITHUB.slice(12), CARD, base64(`token=${GITHUB}`));
    expect((await redact(clean)).kinds).toEqual([]);
  });
});

it.each(['secretlint-disable\n', '// secretlint-disable-next-line\n', '/* secretlint-disable */ '])('a text does not switch its own inspection off: %j', async (before) => {
  expect((await redact({ body: `${before}${GITHUB} // secretlint-disable-line` })).kinds).toEqual(['github']);
});

it.each(['4111111111111111 12/27', '4111 1111 1111 1111 123', 'order 77 4111 1111 1111 1111', '2 4111111111111111', 'on 2026-10-01 4111111111111111', 'visa.4111111111111111', '4111111111111111.50', '3782 822463 10005, 3782 822463 10005'])('a card number is found among other figures: %s', async (body) => {
  const { value, kinds } = await redact({ body });
  expect(kinds).toEqual(['card-number']);
  gone(value, '4111 1111', CARD, '822463');
});

it.each(['0.4111111111111111', '1111 2222 3333 4444 5555 6666 7777 8888'])('figures that are no card number stay: %s', async (body) => expect((await redact({ body })).kinds).toEqual([]));

it.each<[string, unknown]>([
  ['prose, addresses, money and dates', { to: 'ada@example.com', subject: 'Your questions about pricing', body: 'Hello Ada, shall we meet on 2026-11-22 at 14:00? Order 20261122143501, phone +49 170 1234567.', amount: { currency: 'USD', minorUnits: 12000 } }],
  ['ids', { id: '123e4567-e89b-42d3-a456-426614174000', digest: 'a'.repeat(64), iban: 'DE89370400440532013000', trace: '1-5759e988-bd862e3fe1be46a994272793', at: 1_790_000_000_000 }],
  ['nothing', null], ['a flag', true], ['an empty text', ''],
])('leaves %s alone', async (_, value) => {
  expect(await redact(value)).toEqual({ value, kinds: [], fields: [] });
});

it('takes ids in a table for ids', async () => {
  const rows = Array.from({ length: 50 }, (_, index) => ({ id: 10_000 + ((index * 7_919) % 89_999), qty: (index * 37) % 899 }));
  expect((await redact(rows)).kinds).toEqual([]);
  expect((await redact({ model: 'sk-learn-random-forest-classifier-with-a-long-name' })).kinds).toEqual([]);
});

it('finds what is called a secret', async () => {
  for (const body of [`password: ${'hunter'}2hunter`, JSON.stringify({ secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' }), `Authorization: ${'Bearer'} abcdefghijklmnopqrstuvwxyz012345`, `sk_${'live'}_abcdefghijklmnop1234`]) expect((await redact({ body })).kinds, body).not.toEqual([]);
});

it('takes its time, and no more', async () => {
  const began = Date.now();
  for (const body of ['eyJ'.repeat(60_000), Array.from({ length: 3_000 }, (_, index) => `%41%42 \\u0041 &#65; ${Buffer.from(`some text ${index}`).toString('base64')}`).join(' ')]) await redact({ body });
  await redact(Array.from({ length: 20_000 }, (_, index) => index % 100));
  expect(Date.now() - began).toBeLessThan(8_000);
});

it('does not change what it was given', async () => {
  const value = { a: [GITHUB] };
  await redact(value);
  expect(value).toEqual({ a: [GITHUB] });
});

it('names no field by the secret in its name', async () => {
  expect((await redact({ [GITHUB]: 1 })).fields).toEqual(['(a name)']);
});

describe('the bundles that redact', () => {
  it.each(['gate', 'executor', 'broker', 'decide'])('%s keeps no trace of a call, and is no slower after many', (name) => {
    expect(readFileSync(join(__dirname, '..', '..', '..', 'dist', 'lambda', name, 'index.js'), 'utf8')).not.toContain('PerformanceObserver');
  });
});

describe('ids and digests that machines make', () => {
  it('are none, although one in a thousand has digits that could be a card\'s', async () => {
    const made = Array.from({ length: 4_000 }, (_, index) => createHash('sha256').update(`id ${index}`).digest('hex'));
    const ids = made.map((hex) => `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`);
    expect((await redact({ ids, made })).kinds).toEqual([]);
    expect((await redact({ id: '41111111-1111-1111-a111-111111111111' })).kinds, 'with a letter in it').toEqual([]);
  });

  it('hide no card that stands beside them', async () => {
    expect((await redact({ text: `0f8fad5b-d9cb-469f-a165-70867728950e ${CARD}` })).kinds).toEqual(['card-number']);
    expect((await redact({ text: '4111-1111-1111-1111' })).kinds).toEqual(['card-number']);
  });
});
