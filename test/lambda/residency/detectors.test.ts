/** What has a form is found in prose, in lists and in other writings, and what only looks like it is left. */
import { describe, expect, it } from 'vitest';
import { DETECTORS } from '../../../lambda/residency/detectors';
import { redact } from '../../../lambda/redaction/redact';

const kinds = async (value: unknown): Promise<readonly string[]> => (await redact(value, DETECTORS)).kinds;
const IBAN = 'DE89370400440532013000';

describe('is found', () => {
  it.each<[string, string]>([
    ['payment', `pay ${IBAN} from acct`], ['payment', `IBAN: ${IBAN} is mine`], ['payment', 'GB82 WEST 1234 5698 7654 32 please'], ['payment', 'de89.3704.0044.0532.0130.00'], ['payment', 'NO9386011117947'], ['payment', `${IBAN}, ${IBAN}`],
    ['payment', '4111_1111_1111_1111'], ['payment', '4111  1111  1111  1111'], ['payment', '4111\t1111\t1111\t1111'], ['payment', '4111, 1111, 1111, 1111'], ['payment', '4111\u20131111\u20131111\u20131111'], ['payment', '4111 | 1111 | 1111 | 1111'], ['payment', '4111:1111:1111:1111'],
    ['payment', '\u0664\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661'], ['payment', `4\u0301${'1'.repeat(15)}`], ['payment', Buffer.from('karte für ada: 4111111111111111').toString('base64')],
    ['payment', Buffer.from(`${'x'.repeat(70)} 4111111111111111 ${'y'.repeat(70)}`).toString('base64').replaceAll(/(.{76})/g, '$1\r\n')],
    ['contact', 'call +49 30 901820 +49 30 901821'], ['contact', '(212) 555-0187 (212) 555-0188'], ['contact', 'call 030\u00a0901820 now'], ['contact', 'ada@northwind.example'], ['contact', 'grüße@müller.example'],
    ['sensitive-pii', '536-22-8726'], ['sensitive-pii', '536.22.8726'], ['sensitive-pii', '536\u201122\u20118726'], ['sensitive-pii', 'my social security number is 536228726'],
    ['secret', '-----BEGIN PRIVATE KEY----- abc'],
  ])('%s in %j', async (kind, text) => expect(await kinds({ text })).toEqual([kind]));

  it('in fields side by side', async () => {
    expect(await kinds({ a: '536', b: '22', c: '8726' })).toEqual(['sensitive-pii']);
    expect(await kinds({ a: '41111111', b: '11111111' })).toEqual(['payment']);
  });
});

it.each(['2026-10-01 to 2026-12-24', 'version 10.12.2026', 'order 20261122143501', 'it cost 1,234,567.89 in all', 'DE12345', '192.168.100.200', 'a board of 12 345 678', '10:30, 11:45 and 12:50'])('what only looks like it is left: %s', async (text) => expect(await kinds({ text })).toEqual([]));

it.each([['digits', '030 123456 '], ['accounts', 'DE89 '], ['letters', 'a '], ['encodings', 'QUJDREVGR0hJSktMTU5PUA== '], ['dots', '1.'], ['mail', 'a@b.']])('300 kB of %s take seconds at most', async (_, text) => {
  const began = process.cpuUsage(); // and not the clock: others are at work on the machine
  await kinds({ text: text.repeat(Math.ceil(300_000 / text.length)) });
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1_000).toBeLessThan(12_000);
}, 30_000);
