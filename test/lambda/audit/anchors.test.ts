import { describe, expect, it } from 'vitest';
import { monthEnd, retentionFault } from '../../../lambda/audit/anchors';
import type { Checkpoint } from '../../../lambda/audit/statement';

const after: Checkpoint = {
  format: 'agent-controls/checkpoint/1', log: 'l', account: 'a', region: 'r', key: 'k', at: '2026-12-01T00:04:00.000Z', databaseAt: '2026-12-01T00:04:00.000000Z', number: 9, previous: null,
  heads: [[3, 40, 'aa'], [7, 12, 'bb']],
};
const dropped = { month: '2026_11', keptMonths: 13, at: '2028-01-01T00:00:00.000Z', ranges: [[3, 1, 40, 'aa'], [7, 5, 9, 'cc']] as [number, number, number, string][] };

describe('a month may be dropped', () => {
  it('when it is old enough, and the first checkpoint after it had seen all of it', () => {
    expect(monthEnd('2026_12')).toBe('2027-01-01T00:00:00.000Z');
    expect(retentionFault(dropped, after)).toBeUndefined();
  });

  it('and not a day earlier, whatever the clock of the database says', () => {
    expect(retentionFault({ ...dropped, at: '2027-12-31T23:59:59.000Z' }, after)).toContain('was not kept for 13 months');
  });

  it('nor under the name of an older month: the first checkpoint after that had not seen its entries', () => {
    expect(retentionFault({ ...dropped, month: '2001_01' }, { ...after, heads: [[3, 39, 'aa'], [7, 12, 'bb']] })).toContain('does not hold 3:40');
    expect(retentionFault({ ...dropped, month: '2001_01' }, { ...after, heads: [[3, 40, 'aa']] })).toContain('does not hold 7:9');
    expect(retentionFault(dropped, undefined)).toContain('no checkpoint came after it');
  });
});
