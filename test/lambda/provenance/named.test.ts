import { describe, expect, it } from 'vitest';
import { asksFor, namedIn } from '../../../lambda/provenance/named';

const USD = (minorUnits: number): object => ({ currency: 'USD', minorUnits });

describe('a trusted request names', () => {
  it.each<[string, string, unknown]>([
    ['Refund ch_1.', 'charges.id', 'ch_1'], ['Refund (ch_1), please', 'charges.id', 'ch_1'], ['"ch_1"', 'charges.id', 'ch_1'], ['Refund ch_1\'s fee', 'charges.id', 'ch_1'], ['Order 7, please', 'orders.id', 7],
    ['write to ada@x.example!', 'email', 'ada@x.example'], ['<ada@x.example>', 'email', 'ada@x.example'], ['mu\u0308ller@x.example', 'email', 'm\u00fcller@x.example'],
    ['Pay GB29 NWBK 6016 1331 9268 19 now', 'iban', 'GB29NWBK60161331926819'], ['(from GB29NWBK60161331926819)', 'iban', 'GB29 NWBK 6016 1331 9268 19'],
    ['Read www.x.example/a.', 'url', 'https://www.x.example/a'], ['to our site www.x.example.They wrote', 'url', 'www.x.example'], ['see https://X.example/?q=1', 'url', 'x.example/?q=1'],
    ['tell @alice in #general', 'person', 'alice'], ['add Dora to it', 'person', 'Dora'], ['in \'general\' channel', 'channel', 'general'],
    ['Tell Bob to call +49 30 901820', 'phone', '4930901820'], ['pay $1,299.00', 'money', USD(129_900)], ['pay 1299', 'money', USD(129_900)], ['pay 12.50 USD', 'money', USD(1_250)], ['USD12.5', 'money', USD(1_250)],
    ['on 2026-03-31', 'date', '2026-03-31'], ['on 31 March 2026', 'date', '2026-03-31'], ['on March 31st, 2026', 'date', '2026-03-31'],
    ['live in 1234 Elm Street, Berlin', 'text', '1234 Elm Street'], ['adjust my rent payment', 'text', 'Rent'], ['set it to growth', 'one-of', 'growth'], ['at most 5 of them', 'integer', 5],
  ])('in %j the %s %j', (request, type, value) => { expect(namedIn(request, type, value)).toBe(true); });

  it.each<[string | null, string, unknown]>([
    [null, 'charges.id', 'ch_1'], ['Refund ch_1', 'charges.id', ''], ['Refund ch_10', 'charges.id', 'ch_1'], ['Refund ch_1', 'charges.id', 'ch_10'], ['Refund CH_1', 'charges.id', 'ch_1'],
    ['INV/2024/17', 'invoices.id', '17'], ['1,234', 'orders.id', '234'], ['ch_1#2', 'charges.id', 'ch_1'], ['ch_1\u00ad0', 'charges.id', 'ch_1'], ['ch_1\u200b0', 'charges.id', 'ch_1'],
    ['Mail o\'brien@corp.example', 'email', 'brien@corp.example'], ['mu\u0308ller@x.example', 'email', 'ller@x.example'], ['Mail a&eve@x.example', 'email', 'eve@x.example'], ['victim.example!eve@x.example', 'email', 'eve@x.example'],
    ['a@x.example,b@x.example', 'email', 'b@x.example'], ['to ada@x.example', 'email', 'ada@x.example.'], ['to ada@x.example', 'email', 'ad\u0430@x.example'], ['to ada@x.example', 'email', 'Ada <ada@x.example>'], ['to ada@x.example', 'email', '\uff41da@x.example'],
    ['see x.example/a', 'url', 'x.example/a?d=secret'], ['see x.example', 'url', 'x.example.evil.example'], ['see x.example', 'url', 'x.example@evil.example'], ['see evil.example/x.example', 'url', 'x.example'], ['see x.example', 'url', 'x.example.'], ['see x.example', 'url', '\u0445.example'], ['see x.example', 'url', 'javascript://x.example'],
    ['pay GB29NWBK60161331926819', 'iban', 'GB29NWBK6016133192681'], ['pay XGB29NWBK60161331926819', 'iban', 'GB29NWBK60161331926819'],
    ['tell Alice', 'person', '\u0410lice'], ['tell Alicea', 'person', 'Alice'], ['in general-private', 'channel', 'general'],
    ['Read report.zip', 'url', 'https://report.zip/'], ['about README.md', 'url', 'readme.md'], ['Is 12.50 good?', 'url', 'http://12.0.0.50/'], ['Pay 1000 JPY', 'money', USD(100_000)], ['Pay 12.50 EUR for invoice 4711', 'money', { currency: 'EUR', minorUnits: 471_100 }], ['rent for May 2026', 'money', USD(202_600)], ['50% of 12.50', 'money', USD(5_000)], ['on 31 May', 'money', USD(3_100)],
    ['pay 110.00', 'money', USD(1_000)], ['pay 10.005', 'money', USD(1_000)], ['on 10.00', 'money', { currency: 'USD', minorUnits: 1.5 }], ['in 2026-03-310', 'date', '2026-03-31'], ['1234 Elm', 'text', '1234 Elm Street'], ['\u00b2', 'integer', 2],
  ])('in %j no %s %j', (request, type, value) => { expect(namedIn(request, type, value)).toBe(false); });
});

describe('a trusted request asks', () => {
  it.each([['Please refund it.', 'refund'], ['Set up a payment', 'set up'], ['"Refund"', 'refund'], ['FOLLOW UP with her', 'follow up']])('in %j for %j', (request, words) => { expect(asksFor(request, [words])).toBe(true); });
  it.each<[string | null, string]>([[null, 'refund'], ['It was refunded', 'refund'], ['follow her up', 'follow up'], ['', 'refund']])('in %j not for %j', (request, words) => { expect(asksFor(request, [words])).toBe(false); });
});
