/**
 * A sorted list of disjoint ranges in one thread's own memory: what a whole interval map is loaded from.
 *
 * Adding in ascending order costs nothing; elsewhere a binary search and a splice, which moves what comes after.
 */

import type { Bounds } from "./bounds.js";

/** A range with its value. */
export interface Range<K, T> {
  readonly lo: K;
  hi: K;
  readonly value: T;
}

/** Disjoint ranges in ascending order, neighbours of equal value joined. */
export class RangeList<K, T> {
  readonly ranges: Range<K, T>[] = [];
  readonly #bounds: Pick<Bounds<K, unknown>, "compareKeys" | "after" | "before">;
  readonly #same: (a: T, b: T) => boolean;

  constructor(bounds: Pick<Bounds<K, unknown>, "compareKeys" | "after" | "before">, same: (a: T, b: T) => boolean) {
    this.#bounds = bounds;
    this.#same = same;
  }

  /** Give the keys of a range a value, whatever had them before. */
  add(lo: K, hi: K, value: T): void {
    const { ranges } = this;
    const { compareKeys, after, before } = this.#bounds;
    const last = ranges.at(-1);
    if (last === undefined || compareKeys(lo, last.hi) > 0) {
      this.#append({ lo, hi, value });
      return;
    }
    const first = this.#firstWhere((range) => compareKeys(range.hi, lo) >= 0);
    const beyond = this.#firstWhere((range) => compareKeys(range.lo, hi) > 0);
    const run: Range<K, T>[] = [];
    const head = ranges[first] as Range<K, T>;
    const tail = ranges[beyond - 1];
    if (first < beyond && compareKeys(head.lo, lo) < 0) run.push({ lo: head.lo, hi: before(lo) as K, value: head.value });
    run.push({ lo, hi, value });
    if (first < beyond && tail !== undefined && compareKeys(tail.hi, hi) > 0) run.push({ lo: after(hi) as K, hi: tail.hi, value: tail.value });
    // With a neighbour on each side, so that they join.
    const from = Math.max(0, first - 1);
    const around = [...ranges.slice(from, first), ...run, ...ranges.slice(beyond, beyond + 1)];
    ranges.splice(from, Math.min(beyond + 1, ranges.length) - from, ...this.#joined(around));
  }

  #joined(ranges: readonly Range<K, T>[]): Range<K, T>[] {
    const list = new RangeList<K, T>(this.#bounds, this.#same);
    for (const range of ranges) list.#append(range);
    return list.ranges;
  }

  #append(range: Range<K, T>): void {
    const last = this.ranges.at(-1);
    const { compareKeys, after } = this.#bounds;
    if (last !== undefined && this.#same(last.value, range.value) && compareKeys(after(last.hi) as K, range.lo) === 0) last.hi = range.hi;
    else this.ranges.push({ ...range });
  }

  #firstWhere(holds: (range: Range<K, T>) => boolean): number {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.ranges[middle] as Range<K, T>)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
