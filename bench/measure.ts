/** One row: ours against the floor, side by side in one run. */
export interface Row {
  readonly ours: number;
  readonly floor: number;
  readonly ratio: number;
  readonly unit: string;
}

/** Rounds of a pair. */
export const ROUNDS = 7;

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};

/**
 * Runs ours and the floor in turn, after one round that does not count, and takes the median of the ratios pair by pair: the
 * machine's speed drifts, and a pair drifts together.
 */
export async function paired(unit: string, ours: () => Promise<number> | number, floor: () => Promise<number> | number, rounds = ROUNDS): Promise<Row> {
  await ours();
  await floor();
  const pairs: [number, number][] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Whoever goes first may warm a cache for the other.
    const first = round % 2 === 0;
    const a = first ? await ours() : undefined;
    const b = await floor();
    pairs.push([a ?? await ours(), b]);
  }
  return { ours: median(pairs.map(([a]) => a)), floor: median(pairs.map(([, b]) => b)), ratio: median(pairs.map(([a, b]) => a / b)), unit };
}
