import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cardFromObject, cardFromYaml } from '../../../lib/scope/card-file';
import { CARD_TEXT } from '../../support/cards';

const read = (text: string): string => {
  try {
    cardFromYaml(text, 'card.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};
const line = (needle: string): number => CARD_TEXT.split('\n').findIndex((text) => text.includes(needle)) + 1;

describe('a card that is wrong', () => {
  it('names file, line, field and the known fields of an unknown field', () => {
    expect(read(CARD_TEXT.replace('purpose:', 'colour: red\npurpose:'))).toMatch(new RegExp(`^CardInvalid: card\\.yaml:${line('purpose:')}: colour is not a field of a card; known here: agent, purpose, owners`));
  });

  it('names a nested unknown field where it stands', () => {
    expect(read(CARD_TEXT.replace('columns: [', 'colums: ['))).toContain(`card.yaml:${line('columns: [')}: scopes[0].read[0].colums is not a field of a card; known here: table, columns, rows`);
  });

  it('names what is missing', () => {
    expect(read(CARD_TEXT.replace(/ {2}on-call: .*\n/, ''))).toContain('owners: "on-call" is missing; add it');
  });

  it('says what was got and what was expected', () => {
    expect(read(CARD_TEXT.replace('at-most: 20', 'at-most: 20.5'))).toContain('got 20.5, expected integer');
    expect(read(CARD_TEXT.replace('trusted-from: compute', 'trusted-from: anyone'))).toContain('request.trusted-from: got "anyone", expected one of "trigger", "compute"');
  });

  it('refuses a scope that is there twice', () => {
    const doubled = CARD_TEXT.replace('# Said out loud', '  - scope: scope://outreach.send.cold\n# Said out loud');
    expect(read(doubled)).toMatch(/^ScopeDuplicate: card\.yaml:\d+: scopes\[1\]\.scope: got "scope:\/\/outreach\.send\.cold", which scopes\[0\] has already/);
  });

  it('refuses a column that it reads and never reads, with its line', () => {
    expect(read(CARD_TEXT.replace('columns: [name,', 'columns: [phone,'))).toBe(`NeverContradicted: card.yaml:${line('columns: [')}: scopes[0].read[0].columns[0]: leads.phone is under never.read; take it out of one of the two`);
  });

  it('refuses a key that is there twice, which a parser would overwrite silently', () => {
    expect(read(`${CARD_TEXT}\nagent: other\n`)).toMatch(/^CardInvalid: card\.yaml:\d+: not readable as YAML: Map keys must be unique/);
  });

  it('refuses anchors and aliases, so that a card reads top to bottom', () => {
    expect(read(CARD_TEXT.replace('models: [bedrock-eu]', 'models: &m [bedrock-eu]'))).toContain('no anchors or aliases');
  });

  it('refuses a condition written as text', () => {
    expect(read(CARD_TEXT.replace('{ in: [cold, untouched] }', '"cold or untouched"'))).toContain('expected object');
  });

  it('refuses a file that is not YAML, with its line', () => {
    expect(read('agent: [a\nb: c')).toMatch(/^CardInvalid: card\.yaml:\d+: not readable as YAML/);
  });

  it('refuses a value that is no card at all', () => {
    expect(() => cardFromObject(undefined)).toThrow('CardInvalid');
    expect(() => cardFromObject([])).toThrow('expected object');
  });
});

describe('a card that is right', () => {
  it.each<[string, string, RegExp]>([
    ['a card that is one word', 'outreach', /^CardInvalid: card\.yaml:1: the card: got "outreach", expected object/],
    ['a name that is none', CARD_TEXT.replace('agent: outreach-closer', 'agent: Outreach Closer'), /agent: got "Outreach Closer", expected text that matches \^\[a-z\]/],
    ['a purpose of one word', CARD_TEXT.replace(/purpose: .*/, 'purpose: mail'), /purpose: got "mail"; it must NOT have fewer than 20 characters/],
    ['an end date without a standing approval', CARD_TEXT.replace('tier: verify,', 'tier: verify, until: 2027-01-01,'), /approval: got .*; granted-by and until belong to tier standing, and to no other/],
    ['an environment that reads like a number', CARD_TEXT.replace('dev: { data: synthetic }', '"1": { data: none }'), /card\.yaml:\d+: environments\[1\]\.data: got "none"/],
    ['a day that is none', CARD_TEXT.replace('review-by: 2027-03-31', 'review-by: 2027-02-31'), /^CardInvalid: card\.yaml:\d+: review-by: got "2027-02-31", which is no day/],
    ['a standing approval until a day that is none', CARD_TEXT.replace(/approval: \{.*\}/, 'approval: { tier: standing, granted-by: cfo, until: 2027-13-01 }\n        bounds: { subject: { longest: 9 } }'), /^CardInvalid: card\.yaml:\d+: scopes\[0\]\.call\[0\]\.approval\.until: got "2027-13-01", which is no day/],
    ['one owner of everything', CARD_TEXT.replace('product: revenue-ops@example.com', 'product: appsec@example.com'), /^OwnersSame: card\.yaml:\d+: owners\.security: got "appsec@example\.com", who is the product owner, too/],
    ['a duration of nothing known', CARD_TEXT.replace('{ months: 13 }', '{ fortnights: 2 }'), /retention\.inputs\.fortnights is not a field of a card; known here: minutes, hours, days, months/],
    ['many faults at once', CARD_TEXT.replace('scope://outreach.send.cold', 'x').replace('review-by: 2027-03-31', 'review-by: soon').replace('trusted-from: compute', 'trusted-from: me').replace('months: 13', 'months: 0').replace('at-most: 20', 'at-most: many').replace('agent: outreach-closer', 'agent: X').replace('data: synthetic', 'data: none'), /and \d+ more$/],
  ])('refuses %s', (_what, text, message) => {
    expect(read(text)).toMatch(message);
  });

  it('of an object has no line to name', () => {
    expect(() => cardFromObject({ ...(parse(CARD_TEXT) as object), agent: 5 })).toThrow(/^CardInvalid: card: agent: got 5, expected string/);
  });

  it('is the same from YAML and from an object', () => {
    expect(cardFromYaml(CARD_TEXT, 'card.yaml')).toEqual(cardFromObject(parse(CARD_TEXT)));
  });
});
