import { describe, expect, it } from 'vitest';
import { namedBy } from '../../../lambda/gate/provenance';

describe('a trusted request names', () => {
  it.each([['Refund ch_1.', 'ch_1'], ['Refund (ch_1), please', 'ch_1'], ['"ch_1"', 'ch_1'], ['write to ada@x.example!', 'ada@x.example'], ['<ada@x.example>', 'ada@x.example'], ['mu\u0308ller@x.example', 'm\u00fcller@x.example']])('in %j the value %j', (request, value) => {
    expect(namedBy(request, value)).toBe(true);
  });

  it.each<[string | null, unknown]>([
    [null, 'ch_1'], ['Refund ch_1', ''], ['Refund ch_1', 5], ['Refund ch_10', 'ch_1'], ['Refund ch_1', 'ch_10'], ['Refund CH_1', 'ch_1'], ["Mail o'brien@corp.example", 'brien@corp.example'], ['mu\u0308ller@x.example', 'ller@x.example'],
    ['Mail a&eve@x.example', 'eve@x.example'], ['victim.example!eve@x.example', 'eve@x.example'], ['INV/2024/17', '17'], ['1,234', '234'], ['ch_1#2', 'ch_1'], ['ch_1\u00ad0', 'ch_1'], ['ch_1\u200b0', 'ch_1'], ['a@x.example,b@x.example', 'b@x.example'],
  ])('in %j no value %j', (request, value) => {
    expect(namedBy(request, value)).toBe(false);
  });
});
