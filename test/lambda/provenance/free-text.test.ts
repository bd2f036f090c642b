import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contactsIn, holds, phrasesOf } from '../../../lambda/provenance/free-text';

const found = (text: string): string[] => contactsIn(text).map(({ type, value }) => `${type} ${value}`);

describe('free text', () => {
  it.each([
    ['see https://evil.example/x?d=1', 'url evil.example/x?d=1'], ['Check out: www.secure-systems-252.com', 'url www.secure-systems-252.com'], ['go to evil.com, now', 'url evil.com'], ['write to eve@evil.example.', 'email eve@evil.example'],
    ['secure-systems-252 dot com', 'url secure-systems-252.com'], ['secure dash systems dash 252 dot com', 'url secure-systems-252.com'], ['evil [dot] com', 'url evil.com'], ['evil(.)com', 'url evil.com'], ['www dot evil dot co dot uk', 'url www.evil.co.uk'], ['eve at evil dot com', 'email eve@evil.com'], ['hxxps://evil[.]com/a', 'url evil.com/a'],
    ['e v i l . c o m', 'url evil.com'], ['evil\u200b.com', 'url evil.com'], ['\uff45vil\uff0ecom', 'url evil.com'], ['evil\u3002com', 'url evil.com'], ['evil . com', 'url evil.com'], ['ev\u0456l.com', 'url xn--evl-khd.com'], ['http://192.0.2.7/x', 'url 192.0.2.7/x'], ['192.0.2.7', 'url 192.0.2.7'],
    ['eve @evil.com', 'url evil.com'], ['.evil.com', 'url evil.com'], ['login_.evil.com/x', 'url login_.evil.com/x'], ['"eve"@evil.com', 'url evil.com'], ['evil .com', 'url evil.com'], ['evil. com', 'url evil.com'], ['evil\n.\ncom', 'url evil.com'],
    ['evil.**com**', 'url evil.com'], ['evil\\.com', 'url evil.com'], ['evil&#46;com', 'url evil.com'], ['evil<b></b>.com', 'url evil.com'], ['evil%2Ecom', 'url evil.com'], ['evil\ufe0f.com', 'url evil.com'], ['evil\u180b.com', 'url evil.com'], ['evil.\u092d\u093e\u0930\u0924', 'url evil.xn--h2brj9c'],
    ['evil d0t com', 'url evil.com'], ['evil -dot- com', 'url evil.com'], ['evil_dot_com', 'url evil.com'], ['evil punkt com', 'url evil.com'], ['evil\u00b7com', 'url evil.com'], ['http://[2001:db8::1]/x', 'url ::1'], ['localhost:3000/x', 'url localhost:3000/x'], ['tg:join?invite=abc', 'url tg:join?invite=abc'], ['0x52908400098527886E0F7030069857D2E4169EE7', 'wallet 0x52908400098527886E0F7030069857D2E4169EE7'],
    ['de89370400440532013000', 'iban DE89370400440532013000'], ['DE89_3704_0044_0532_0130_00', 'iban DE89370400440532013000'], ['800\u2011555\u20110199', 'phone 8005550199'], ['+49\u201330\u2013901820', 'phone 4930901820'], ['[800]555-0199', 'phone 8005550199'], ['\u0668\u0660\u0660\u0665\u0665\u0665\u0660\u0661\u0669\u0669', 'phone 8005550199'],
    ['pay to GB29 NWBK 6016 1331 9268 19', 'iban GB29NWBK60161331926819'], ['account US133000000121212121212', 'iban US133000000121212121212'], ['call +49 30 901820-00', 'phone 493090182000'],
  ])('%j leads to %s', (text, contact) => { expect(found(text)).toContain(contact); });

  it.each(['The dot product of both is small.', 'See bill-december-2023.txt, e.g. page 3.', 'Hi, can everybody write me their favorite hobby?', 'It costs 1.299,00 or 12.50 on 2026-03-31.', 'The a b c of it', 'On 2026-05-01 10:30, or 01.05.2026 or 05/01/2026', 'It is 10.00 20.00 30.00', '12 345 678 EUR', 'Node.js, main.ts and console.log', 'done.Then', 'leads.column', 'Hello Bob.Thanks', 'put a dot there', 'SKU AB12-CD34'])('%j leads nowhere', (text) => { expect(found(text)).toEqual([]); });

  it('holds a private value however it is spaced, and not a part of a word', () => {
    expect(holds('her number: 49-30 901', '4930901')).toBe(true);
    expect(holds('The SECRET Key', 'secret key')).toBe(true);
    expect(holds('vis\u00e0-vis', 'visa')).toBe(false);
    expect(holds('anything', '--')).toBe(false);
  });

  it('is compared without what nobody sees, and sign by sign where a script has no spaces', () => {
    expect(phrasesOf('your pass\u200bword he\u00adlp desk calls you now')).toContain('your password help desk calls you');
    expect(phrasesOf('\u8bf7\u7acb\u5373\u70b9\u51fb\u8fd9\u91cc')).toHaveLength(2);
  });

  it.each<[string, string]>([
    ['signs', '\u6f22'.repeat(24_000)], ['tabs', `\u00e9 dot${'\t'.repeat(24_000)}x`], ['spaces', `dot \u00e9${' '.repeat(24_000)}x`], ['an account', `AA11${'A'.repeat(24_000)}`], ['a label', `a.${'b'.repeat(24_000)}`], ['labels', 'a.'.repeat(12_000)], ['an address', `${'a'.repeat(12_000)}@${'a.'.repeat(6_000)}`],
    ['letters apart', 'a '.repeat(12_000)], ['figures apart', '1 '.repeat(12_000)], ['brackets', `http://a/${')'.repeat(24_000)}`], ['dots', `http://a/${'.'.repeat(24_000)}x`], ['dashes', 'a-'.repeat(12_000)], ['emoji', '\ud83d\udca9'.repeat(12_000)], ['tags', '<a '.repeat(8_000)], ['dots as words', 'dot '.repeat(6_000)], ['colons', '1:'.repeat(12_000)],
  ])('of 24,000 %s is read in no time', (_what, text) => {
    contactsIn(text);
    const began = Date.now();
    contactsIn(text);
    expect(Date.now() - began).toBeLessThan(400);
  });

  it('in printable ASCII, which is read on a short way, leads where it leads on the long one', () => {
    const parts = fc.constantFrom('evil.com', 'www.evil.com', 'http://a.b/c', 'eve@evil.com', 'evil', ' dot ', 'com', '.', ' . ', '. ', '-', ' dash ', '0xab', 'bc1q', 'GB29NWBK60161331926819', 'gb29 nwbk 6016 1331 9268 19', '+44 20 7946 0000', '192.0.2.7', '::1', '\\\\host\\share', 'tel:', '\n', '\t', ' ', 'e v i l', '[', ']', '<b>', '%2e', '&#46;', '*', '7', '2026-05-01', '12.50');
    fc.assert(fc.property(fc.array(fc.oneof(parts, fc.string({ unit: 'binary-ascii', maxLength: 4 })), { maxLength: 14 }), (pieces) => {
      const text = pieces.join('');
      expect(found(text)).toEqual(found(`${text}\u200b`)); // something that nobody sees, and that goes the long way
    }), { numRuns: 2_000 });
  });

  it('is a quotation from six words in a row on', () => {
    expect(phrasesOf('One two, three four FIVE six!')).toEqual(['one two three four five six']);
    expect(phrasesOf('one two three four five')).toEqual([]);
  });
});
