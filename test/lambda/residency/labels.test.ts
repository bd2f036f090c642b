/** What a run has read goes with it: values are found however they are written, and what nobody can look for is told to be so. */
import { describe, expect, it } from 'vitest';
import { finderOf } from '../../../lambda/residency/finder';
import { labelsOf, Read, Returns, Touched } from '../../../lambda/residency/labels';
import { redact } from '../../../lambda/redaction/redact';
import type { ResidencyPolicy } from '../../../lib/scope/residency';

const POLICY: ResidencyPolicy = {
  regions: [], owner: 'o', reviewBy: '2099-01-01', providers: [], uncleared: {}, prose: 'business',
  columns: { 'leads.*': 'contact', 'leads.company': 'public', 'leads.diagnosis': 'health', 'crm.leads.name': 'health', 'crm_leads.name': 'public' },
};
const COLUMNS = ['leads.name', 'leads.company', 'leads.diagnosis'];
const RETURNS: Returns = { find: { who: { type: 'leads.name', trusted: false }, at: { type: 'date', trusted: false }, note: { type: 'text', trusted: false } }, ping: null };
interface Shown { readonly classes: string[]; readonly values: Record<string, string[]>; readonly unread: string[] }
function labels(reads: readonly Partial<Read>[], more: { columns?: readonly string[]; touched?: readonly Touched[]; everyCall?: boolean } = {}): Shown {
  const whole = reads.map((read): Read => ({ action: 'read_leads', columns: null, where: null, result: undefined, ...read }));
  const touched = more.touched ?? whole.flatMap(({ action, columns, where }) => [...columns ?? [null], ...Object.keys(where ?? {})].map((column) => ({ action, column })));
  const { classes, values, unread } = labelsOf(POLICY, more.columns ?? COLUMNS, RETURNS, touched, whole, more.everyCall ?? true);
  return { classes: [...classes].sort(), values: Object.fromEntries([...values].map(([value, of]) => [value, [...of].sort()])), unread: [...unread].sort() };
}

describe('labels', () => {
  it('are those of the columns that were read, each value with every class that it had', () => {
    expect(labels([{ columns: ['name', 'company'], result: [{ name: 'John Smith', company: 'John Smith' }, { name: 'Ada', company: null }] }])).toEqual({ classes: ['contact', 'public'], values: { 'John Smith': ['contact', 'public'], Ada: ['contact'] }, unread: [] });
  });

  it('are those of what was compared, too: a row that is there tells that it is so', () => {
    expect(labels([{ columns: ['name'], where: { diagnosis: 'migraine' }, result: [] }])).toEqual({ classes: ['contact', 'health'], values: { migraine: ['health'] }, unread: [] });
  });

  it('of direct SQL are all that the card names, and nobody can look for the values', () => {
    expect(labels([{ action: 'select_sql', result: [{ n: 'x' }] }])).toEqual({ classes: ['contact', 'health', 'public'], values: {}, unread: ['contact', 'health', 'public'] });
  });

  it('of an action are those of the fields that it declares, whatever its parameters are called', () => {
    expect(labels([{ action: 'find', columns: [], result: { who: 'Ada', at: '2026-01-01', note: 'n' } }], { touched: [{ action: 'find', column: null }] })).toEqual({ classes: ['business', 'contact'], values: { Ada: ['contact'], '2026-01-01': ['business'], n: ['business'] }, unread: [] });
    expect(labels([{ action: 'ping', result: { ok: true } }])).toEqual({ classes: [], values: {}, unread: [] });
    expect(labels([{ action: 'nobody_knows', result: {} }])).toMatchObject({ classes: ['unclassified'] });
  });

  it('are those of the table that the card means, where names of tables have a schema', () => {
    expect(labels([{ action: 'read_crm_leads', columns: ['name'], result: [] }], { columns: ['crm.leads.name'] }).classes).toEqual(['health']);
  });

  it.each<[string, Partial<Read>, string[]]>([
    ['that the record leaves out', { columns: ['name'], result: [{ name: '[redacted: column]' }] }, ['contact']],
    ['that was erased, or is too long', { columns: ['name'], where: { diagnosis: 'x' }, result: undefined }, ['contact', 'health']],
    ['that stands elsewhere than declared', { action: 'find', result: { items: [{ who: 'Ada' }] } }, ['business', 'contact']],
    ['that is yes or no', { columns: ['diagnosis'], result: [{ diagnosis: true }] }, ['health']], ['of signs that are no letters', { columns: ['diagnosis'], result: [{ diagnosis: 'O-' }] }, ['health']], ['of one sign that is a word', { columns: ['name'], result: [{ name: '\u738b' }] }, ['contact']],
    ['that stands deeper', { columns: ['name'], result: { rows: [{ name: 'Ada' }] } }, ['contact']],
  ])('tell of what nobody can look for: %s', (_, read, unread) => expect(labels([read]).unread).toEqual(unread));

  it('stay when there were more calls than fit into an answer, but nobody can look for all values then', () => {
    expect(labels([{ columns: ['company'], result: [{ company: 'Northwind' }] }], { touched: [{ action: 'read_leads', column: 'company' }, { action: 'read_leads', column: 'diagnosis' }], everyCall: false })).toMatchObject({ classes: ['health', 'public'], unread: ['health', 'public'] });
  });

  it('are those of names of fields inside a column, too; a letter, a figure and nothing tell nothing', () => {
    expect(labels([{ columns: ['diagnosis'], result: [{ diagnosis: { 'hiv positive': 'x', empty: '', none: null } }] }])).toMatchObject({ values: { 'hiv positive': ['health'], x: ['health'] }, unread: [] });
  });

  it('of a field that is called as what every object has are none of it', () => expect(labels([{ columns: ['constructor'], result: [{}] }]).classes).toEqual(['contact']));
});

describe('a value', () => {
  const found = async (value: string, text: unknown): Promise<unknown> => (await redact(text, finderOf({ values: new Map([[value, new Set(['contact'])]]) }))).value;
  it.each<[string, string, string]>([
    ['O"Neil Ltd', 'JSON in text', JSON.stringify({ who: 'O"Neil Ltd' })], ['Main St 1\nBerlin', 'JSON in text', JSON.stringify({ at: 'Main St 1\nBerlin' })], ['Smith & Co', 'HTML', 'ask Smith &amp; Co now'],
    ['Jos\u00e9 Mar\u00eda', 'other accents', 'Jose\u0301 Mari\u0301a called'], ['John Smith', 'two spaces', 'John  Smith called'], ['John Smith', 'a space that does not break', 'John\u00a0Smith called'], ['John Smith', 'what nobody sees', 'Jo\u200bhn Smi\u00adth called'],
    ['John Smith ', 'a space at the end of the value', 'John Smith'], ['1234.5', 'another way to write a number', 'it was 1,234.5 then'], ['John Smith', 'capitals', 'JOHN SMITH'], ['M\u00fcller GmbH', 'escapes of JSON', 'M\\u00fcller GmbH'], ['\u0661\u0662\u0663\u0664', 'other digits', '1234'],
    ['\u5f20\u4f1f', 'a script without spaces', '\u5ba2\u6237\u5f20\u4f1f\u5df2\u4ed8\u6b3e'], ['Lee', 'JSON, right after an escape', JSON.stringify({ note: 'Patient:\nLee' })], ['A. Lee', 'JSON, right after an escape', JSON.stringify({ note: 'hi\tA. Lee' })],
    ['CORP\\nina.ross', 'its own JSON', JSON.stringify({ login: 'CORP\\nina.ross' })], ['CORP\\nina.ross', 'plain text', 'CORP\\nina.ross is here'], ['bernd', 'a path', 'C:\\bernd\\x'], ['M\u00fcller', 'entities', 'Frau M&uuml;ller'], ['M\u00fcller', 'numbered entities', 'Frau M&#252;ller und M&#xfc;ller'],
    ['Stra\u00dfe 12', 'capitals', 'STRASSE 12'], ['\u0141ukasz', 'plain letters', 'Lukasz'], ['ISTANBUL', 'a dotless i', '\u0131stanbul'],
  ])('%j is found in %s', async (value, _, text) => {
    expect(await found(value, { text })).toMatchObject({ text: expect.stringContaining('[redacted: contact]') as unknown });
  });

  it('that is short is found where it stands alone, and not inside of words', async () => {
    expect(await found('Ann', { text: 'Ann cvv 123, annual planning' })).toEqual({ text: '[redacted: contact] cvv 123, annual planning' });
    expect(await found('123', { text: 'Ann cvv 123, 12345' })).toEqual({ text: 'Ann cvv [redacted: contact], 12345' });
    expect(await found('a', { text: 'a word' })).toEqual({ text: 'a word' });
    expect(await found('Al Bo', { text: 'a medical board' })).toEqual({ text: 'a medical board' });
  });

  it('is found where it is cut in two', async () => {
    expect(await found('John Smith', ['Dear John ', 'Smith, hello'])).toEqual(['[redacted: contact]', '[redacted: contact]']);
  });

  it('goes with the accents that stand behind it', async () => expect(await found('Jos\u00e9', { text: 'Jose\u0301 called' })).toEqual({ text: '[redacted: contact] called' }));

  it('is found where it is cut in two, beside another one', async () => {
    const finder = finderOf({ values: new Map([['Bob', new Set(['contact'])], ['Robertson', new Set(['contact'])]]) });
    expect(JSON.stringify((await redact(['Bob Robert', 'son'], finder)).value)).not.toMatch(/Robert|son"/);
  });

  it('of two classes is of both', async () => {
    expect((await redact({ text: 'John Smith' }, finderOf({ values: new Map([['John Smith', new Set(['public', 'contact'])]]) }))).kinds).toEqual(['contact', 'public']);
  });

  it('is looked for among many in the time of one', async () => {
    const values = new Map(Array.from({ length: 20_000 }, (_, n) => [`Value ${n * 7_919} of ${n}`, new Set(['contact'])]));
    const began = Date.now();
    expect((await redact({ text: `${'nothing to see here, '.repeat(5_000)}Value 7919 of 1` }, finderOf({ values }))).kinds).toEqual(['contact']);
    expect(Date.now() - began).toBeLessThan(4_000);
  });
});
