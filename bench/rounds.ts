/** Rounds of measurements taken in turn, and their medians. */

/** A measured figure: a line of its own, or a cell of a table. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Where it stands, when it is a cell. */
  readonly cell?: { readonly table: string; readonly row: string; readonly column: string };
  /** What it should be at most. */
  readonly goal?: number;
  /** What it should be at least. */
  readonly least?: number;
}

/** Whether a figure meets the goals that it has. */
export function meets({ value, goal, least }: Figure): boolean {
  return (goal === undefined || value <= goal) && (least === undefined || value >= least);
}

/** A figure's goal, in words; empty when it has none. */
export function goalText({ goal, least }: Figure): string {
  return [goal === undefined ? "" : `at most ${goal}`, least === undefined ? "" : `at least ${least}`].filter((text) => text !== "").join(", ");
}

/** A figure that is a cell of a table. */
export function cell(table: string, row: string, column: string, value: number, unit: string, goal?: number): Figure {
  return { what: `${table}: ${row}, ${column}`, value, unit, cell: { table, row, column }, ...(goal === undefined ? {} : { goal }) };
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that so large a part of them (0 to 1) does not exceed; NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
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

/** The median of a-b, round by round. */
export function difference(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value - (b[round] as number)));
}
