/** What detectors find of a labelled, made-up set, and how much of what they find is there: precision and recall, class by class. */
import { redact } from '../lambda/redaction/redact';
import { DETECTORS } from '../lambda/residency/detectors';
import type { Row } from './measure';

/** A sequence that is the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const digits = (next: (below: number) => number, count: number): string => Array.from({ length: count }, () => next(10)).join('');
const luhn = (body: string): string => {
  const sum = [...body].reverse().reduce((total, digit, at) => { const value = Number(digit) * (at % 2 === 0 ? 2 : 1); return total + (value > 9 ? value - 9 : value); }, 0);
  return body + String((10 - (sum % 10)) % 10);
};
const grouped = (text: string, by: string): string => text.replace(/(.{4})(?=.)/g, `$1${by}`);
const iban = (next: (below: number) => number): string => {
  const account = digits(next, 18);
  return `DE${String(98n - (BigInt(`${account}131400`) % 97n)).padStart(2, '0')}${account}`;
};
const NAMES = ['ada.brandt', 'lin_wu', 'j.okoro', 'maria-jose', 'b.kowalski'];

type Make = (next: (below: number) => number) => string;
const HAS: Readonly<Record<string, readonly Make[]>> = {
  payment: [(next) => luhn(`4${digits(next, 14)}`), (next) => grouped(luhn(`51${digits(next, 13)}`), ' '), (next) => grouped(luhn(`4${digits(next, 14)}`), '-'), (next) => luhn(`37${digits(next, 12)}`), iban, (next) => grouped(iban(next), ' ')],
  contact: [(next) => `${NAMES[next(5)] ?? ''}${next(90)}@mail${next(90)}.example`, (next) => `+49 30 ${next(8) + 2}${digits(next, 6)}`, (next) => `(212) 555-${digits(next, 4)}`, (next) => `+44 20 7${digits(next, 3)} ${digits(next, 4)}`, (next) => `0151 ${next(8) + 2}${digits(next, 7)}`],
  'sensitive-pii': [(next) => `${next(500) + 100}-${next(89) + 10}-${next(8_999) + 1_000}`, (next) => `SSN ${next(500) + 100}${next(89) + 10}${next(8_999) + 1_000}`],
  secret: [(next) => `ghp_${Array.from({ length: 36 }, () => 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'[next(57)] ?? '').join('')}`, (next) => `AKIA${Array.from({ length: 16 }, () => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[next(32)] ?? '').join('')}`, (next) => `password: Zx${digits(next, 8)}q`, () => `-----BEGIN ${'PRIVATE'} KEY-----\nMIIEpAIBAAKCAQEA04up8hoqzS1\n-----END ${'PRIVATE'} KEY-----`],
};
/** What looks like it and is none. */
const NOT: readonly Make[] = [
  (next) => `order ${digits(next, 8)}`, (next) => `it cost ${next(999)},${digits(next, 3)}.${digits(next, 2)} EUR`, (next) => `2026-${String(next(12) + 1).padStart(2, '0')}-${String(next(28) + 1).padStart(2, '0')}T10:${String(next(60)).padStart(2, '0')}:00Z`, (next) => `version ${next(20)}.${next(20)}.${next(200)}`,
  (next) => `10.${next(255)}.${next(255)}.${next(255)}`, (next) => `sha256:${Array.from({ length: 64 }, () => 'abcdef0123456789'[next(16)] ?? '').join('')}`, (next) => `${Array.from({ length: 8 }, () => 'abcdef0123456789'[next(16)] ?? '').join('')}-1111-4111-8111-${Array.from({ length: 12 }, () => 'abcdef0123456789'[next(16)] ?? '').join('')}`,
  (next) => `ticket CRM-${digits(next, 5)}`, (next) => `${next(99) + 1} of ${next(900) + 100} seats, ${next(100)} %`, (next) => `see @team-${next(90)} and #channel-${next(90)}`, (next) => `invoice DE${digits(next, 9)}`, (next) => `between ${2_000 + next(26)} and ${2_000 + next(26)}`,
];
const AROUND: readonly ((what: string) => unknown)[] = [
  (what) => `Please look at ${what} when you can.`, (what) => ({ note: what }), (what) => ({ rows: [{ id: 7, detail: [`was ${what}, is fine`] }] }), (what) => JSON.stringify({ message: `got ${what}` }), (what) => `id,value\n7,${what}\n`, (what) => `> ${what}\n\nThanks!`, (what) => Buffer.from(`note: ${what} end`).toString('base64'), (what) => `**${what}**`,
];
const EACH = 250;

export async function detectors(progress: (what: string) => void): Promise<Record<string, Row>> {
  progress('detectors on a labelled set');
  const next = numbers(20_261_123);
  const of = Object.fromEntries(Object.keys(HAS).map((name) => [name, { right: 0, wrong: 0, all: 0 }]));
  const look = async (what: string, label: string | undefined): Promise<void> => {
    const { kinds } = await redact(AROUND[next(AROUND.length)]?.(what), DETECTORS);
    for (const [name, counts] of Object.entries(of)) {
      if (name === label) counts.all += 1;
      if (kinds.includes(name)) counts[name === label ? 'right' : 'wrong'] += 1;
    }
  };
  for (const [name, makes] of Object.entries(HAS)) for (let count = 0; count < EACH; count += 1) await look((makes[count % makes.length] as Make)(next), name);
  for (let count = 0; count < EACH * 4; count += 1) await look((NOT[count % NOT.length] as Make)(next), undefined);
  const share = (ours: number): Row => ({ ours, floor: 1, ratio: ours, unit: 'share' });
  return Object.fromEntries(Object.entries(of).flatMap(([name, { right, wrong, all }]) => [[`detect.${name}.recall`, share(right / all)], [`detect.${name}.precision`, share(right / (right + wrong))]]));
}
