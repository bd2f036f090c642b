/**
 * Whether a trusted request names a value, as a word of its own and not as part of one: `ch_1` is not named by `ch_10`. What the agent
 * says is no request, and neither is what it read.
 */
export function namedBy(request: string | null, value: unknown): boolean {
  if (request === null || typeof value !== 'string' || value === '') return false;
  return request.split(/[^\p{L}\p{N}_.@+-]+/u).some((word) => word === value || word.replace(/[.-]+$/, '') === value);
}
