import { describe, expect, it } from 'vitest';
import { contactsIn, holds, phrasesOf } from '../../../lambda/provenance/free-text';

const found = (text: string): string[] => contactsIn(text).map(({ type, value }) => `${type} ${value}`);

describe('free text', () => {
  it.each([
    ['see https://evil.example/x?d=1', 'url evil.example/x?d=1'], ['Check out: www.secure-systems-252.com', 'url www.secure-systems-252.com'], ['go to evil.com, now', 'url evil.com'], ['write to eve@evil.example.', 'email eve@evil.example'],
    ['secure-systems-252 dot com', 'url secure-systems-252.com'], ['secure dash systems dash 252 dot com', 'url secure-systems-252.com'], ['evil [dot] com', 'url evil.com'], ['evil(.)com', 'url evil.com'], ['www dot evil dot co dot uk', 'url evil.co.uk'], ['eve at evil dot com', 'email eve@evil.com'], ['hxxps://evil[.]com/a', 'url evil.com/a'],
    ['e v i l . c o m', 'url evil.com'], ['evil\u200b.com', 'url evil.com'], ['\uff45vil\uff0ecom', 'url evil.com'], ['evil\u3002com', 'url evil.com'], ['evil . com', 'url evil.com'], ['ev\u0456l.com', 'url xn--evl-khd.com'], ['http://192.0.2.7/x', 'url 192.0.2.7/x'], ['192.0.2.7', 'url 192.0.2.7'],
    ['pay to GB29 NWBK 6016 1331 9268 19', 'iban GB29NWBK60161331926819'], ['account US133000000121212121212', 'iban US133000000121212121212'], ['call +49 30 901820-00', 'phone 493090182000'],
  ])('%j leads to %s', (text, contact) => { expect(found(text)).toContain(contact); });

  it.each(['The dot product of both is small.', 'See bill-december-2023.txt, e.g. page 3.', 'Hi, can everybody write me their favorite hobby?', 'It costs 1.299,00 or 12.50 on 2026-03-31.', 'The a b c of it'])('%j leads nowhere', (text) => { expect(found(text)).toEqual([]); });

  it('holds a private value however it is spaced, and not a part of a word', () => {
    expect(holds('her number: 49-30 901', '4930901')).toBe(true);
    expect(holds('The SECRET Key', 'secret key')).toBe(true);
    expect(holds('vis\u00e0-vis', 'visa')).toBe(false);
    expect(holds('anything', '--')).toBe(false);
  });

  it('is a quotation from six words in a row on', () => {
    expect(phrasesOf('One two, three four FIVE six!')).toEqual(['one two three four five six']);
    expect(phrasesOf('one two three four five')).toEqual([]);
  });
});
