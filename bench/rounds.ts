/** Rounds of measurements taken in turn, and their medians. */

/** A measured line. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted === undefined ? [...values].sort((a, b) => a - b) : values.toSorted((a, b) => a - b);
  return sorted[sorted.length >>> 1] as number;
}

/**
 * Call each function once a round, in turn.
 * @returns for each function the time of each round, in ns a call of the `calls` that it makes
 */
export function inTurn<K extends string>(rounds: number, warmUp: number, calls: number, work: Readonly<Record<K, () => void>>): Record<K, number[]> {
  const names = Object.keys(work) as K[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = 0; round < rounds + warmUp; round++) {
    for (const name of names) {
      const start = performance.now();
      work[name]();
      const time = ((performance.now() - start) * 1e6) / calls;
      if (round >= warmUp) times[name].push(time);
    }
  }
  return times;
}

/** The median of a/b, round by round. */
export function ratio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / (b[round] as number)));
}
