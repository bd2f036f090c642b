/** Values as their type has them: an account number is compared as an account number, and never as a part of a text. */
import type { Money } from '../action/parameters';

/**
 * The one way in which a value of a type is written for comparison; `undefined` where it is none. Letters are compared as they are: a
 * homoglyph, a full-width letter or a dot at the end is another value.
 */
export function canonical(type: string, value: unknown): string | undefined {
  if (type === 'money') return isMoney(value) ? `${value.currency} ${value.minorUnits}` : undefined;
  if (type === 'integer') return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value); // ids are often numbers
  if (typeof value !== 'string' || value.trim() === '' || value.length > 2_000) return undefined;
  const text = value.normalize('NFC');
  switch (type) {
    case 'email': return /^[^\s@"(),:;<>[\\\]]+@[^\s@"(),:;<>[\\\]]+\.[^\s@"(),:;<>[\\\].]+$/u.test(text) ? text : undefined;
    case 'iban': {
      const account = text.replaceAll(' ', '');
      return /^[A-Z]{2}[0-9]{2}[A-Z0-9]{8,38}$/.test(account) ? account : undefined;
    }
    case 'url': return canonicalUrl(text);
    case 'date': return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : undefined;
    // Ids that are a line of text or a paragraph are none, whatever a field is called.
    case 'text': return text.replaceAll(/\s+/gu, ' ').trim();
    default: return text.length <= 200 && !/[\r\n]/.test(text) ? text : undefined;
  }
}

export function isMoney(value: unknown): value is Money {
  return typeof value === 'object' && value !== null && 'currency' in value && 'minorUnits' in value && typeof value.currency === 'string' && /^[A-Z]{3}$/.test(value.currency) && Number.isSafeInteger(value.minorUnits);
}

/** An address as it is dialled: host in lower case (punycode), path and query as they are; the scheme and a last slash do not count. */
export function canonicalUrl(text: string): string | undefined {
  if (/[\s"<>\\^`{|}]/u.test(text) || !/[.:]/.test(text)) return undefined;
  let url: URL;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
  } catch {
    return undefined;
  }
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '' || url.password !== '' || !url.hostname.includes('.') || url.hostname.endsWith('.')) return undefined;
  return `${url.host}${url.pathname === '/' ? '' : url.pathname}${url.search}${url.hash}`;
}

/** How an amount may be written in figures: `1299.00`, `1299` where nothing is behind the point. */
export function moneyForms({ currency, minorUnits }: Money): string[] {
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  const whole = (minorUnits / 10 ** digits).toFixed(digits);
  return [whole, ...(digits > 0 && minorUnits % 10 ** digits === 0 ? [whole.slice(0, -digits - 1)] : []), ...(digits > 1 && minorUnits % 10 === 0 ? [whole.slice(0, -1)] : [])];
}
