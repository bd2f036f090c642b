/** Values as people read them. Text of an agent can hold what no eye sees; it is made visible, and never rendered as anything but text. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]/gu;

/** A text with its invisible and direction-changing characters spelled out. */
export const seen = (text: string): string => text.replaceAll(UNSEEN, (character) => (character === '\n' || character === '\t' ? character : `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`));

/** A value in one line or several. */
export function worded(value: unknown): string {
  if (typeof value === 'string') return seen(value);
  if (isMoney(value)) return seen(`${money(value)} ${value.currency}`);
  return seen(JSON.stringify(value, null, 2) ?? '–');
}

interface Money { readonly currency: string; readonly minorUnits: number }

const isMoney = (value: unknown): value is Money => typeof value === 'object' && value !== null && Object.keys(value).sort().join() === 'currency,minorUnits' && typeof (value as Money).currency === 'string' && Number.isInteger((value as Money).minorUnits);

function money({ currency, minorUnits }: Money): string {
  try {
    const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
    return (minorUnits / 10 ** digits).toFixed(digits);
  } catch {
    return `${minorUnits} minor units of`;
  }
}

/** A name of the code as words: `issue_refund`, `data-inputs`. */
export const plain = (name: string): string => seen(name).replaceAll(/[_-]/g, ' ');

/** A time where the reader is. */
export const at = (time: string): string => new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** What is left of a window. */
export function left(seconds: number): string {
  if (seconds <= 0) return 'over';
  const [hours, minutes, rest] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min ${String(rest).padStart(2, '0')} s` : `${rest} s`;
}
