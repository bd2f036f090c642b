/**
 * Whether a trusted request names a value, as a word of its own and not as part of one: `ch_1` is not named by `ch_10`, nor `ller@x.example` by
 * `müller@x.example`. Words end at white space; what encloses them, and the punctuation behind them, is not theirs. What the agent says is no
 * request, and neither is what it read.
 */
export function namedBy(request: string | null, value: unknown): boolean {
  if (request === null || typeof value !== 'string' || value === '') return false;
  const wanted = value.normalize('NFC');
  return request.normalize('NFC').split(/\s+/u).some((word) => word === wanted || word.replace(/^["'(\[<{„“‘«]+/u, '').replace(/["')\]>}“”’».,;:!?]+$/u, '') === wanted);
}
