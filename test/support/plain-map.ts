/**
 * The interval map's model: a value for each key of a small universe, and the ranges that follow from it. Keys are numbers;
 * whoever compares says how they stand for real ones.
 */

export class PlainMap {
  readonly #values: (number | undefined)[];
  readonly #gapBefore: number;

  /** @param gapBefore a key that stands for one far above that of the key before it: the two are no neighbours */
  constructor(universe: number, gapBefore: number = universe) {
    this.#gapBefore = gapBefore;
    this.#values = new Array(universe).fill(undefined);
  }

  set(lo: number, hi: number, value: number): void {
    this.#values.fill(value, lo, hi + 1);
  }

  delete(lo: number, hi: number): boolean {
    const covered = this.#values.slice(lo, hi + 1).some((value) => value !== undefined);
    this.#values.fill(undefined, lo, hi + 1);
    return covered;
  }

  get(key: number): number | undefined {
    return this.#values[key];
  }

  /** Longest runs of one value that meet [lo, hi]. */
  entries(lo = 0, hi: number = this.#values.length - 1): [lo: number, hi: number, value: number][] {
    const runs: [number, number, number][] = [];
    for (const [key, value] of this.#values.entries()) {
      if (value === undefined) continue;
      const last = runs.at(-1);
      if (last !== undefined && key !== this.#gapBefore && last[1] === key - 1 && last[2] === value) last[1] = key;
      else runs.push([key, key, value]);
    }
    return runs.filter(([from, to]) => to >= lo && from <= hi);
  }
}
