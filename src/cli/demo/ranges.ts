/**
 * A plain table of ranges, the demo's own data beside the shared map: the rows as read, the
 * truth, the gaps. One row is lo, hi, country side by side, because a checker that picks a row
 * at random then waits for one cache line instead of three:
 *
 *   data: | lo (words) | hi (words) | country | lo ...      stride = 2 * words + 1
 */

import { copyWords, type Words } from "./words.js";

export interface Ranges {
  /** Words in a bound. */
  readonly words: Words;
  /** Words from one row to the next. */
  readonly stride: number;
  /** Rows held. */
  count: number;
  /** Room for at least `count` rows. */
  data: Uint32Array;
}

/** An empty table that grows as it is filled. */
export function newRanges(words: Words, capacity = 1024): Ranges {
  const stride = 2 * words + 1;
  return { words, stride, count: 0, data: new Uint32Array(capacity * stride) };
}

/** Add a row of zeros; gives where it starts in `data` (which may be a new array). */
export function pushRow(ranges: Ranges): number {
  const at = ranges.count * ranges.stride;
  if (at + ranges.stride > ranges.data.length) {
    const larger = new Uint32Array(ranges.data.length * 2 + ranges.stride);
    larger.set(ranges.data);
    ranges.data = larger;
  }
  ranges.count++;
  return at;
}

/** Add a row. `lo` and `hi` are read before anything moves, so they may lie in the table itself. */
export function pushRange(ranges: Ranges, lo: Uint32Array, loAt: number, hi: Uint32Array, hiAt: number, country: number): void {
  const { words } = ranges;
  const at = pushRow(ranges);
  copyWords(ranges.data, at, lo, loAt, words);
  copyWords(ranges.data, at + words, hi, hiAt, words);
  ranges.data[at + 2 * words] = country;
}

/** The same rows in memory of exactly their size that other threads can be given. */
export function shareRanges(ranges: Ranges): Ranges {
  const { words, stride, count } = ranges;
  const data = new Uint32Array(new SharedArrayBuffer(count * stride * 4));
  data.set(ranges.data.subarray(0, count * stride));
  return { words, stride, count, data };
}

/** The country of row `index`. */
export function countryAt(ranges: Ranges, index: number): number {
  return ranges.data[index * ranges.stride + 2 * ranges.words] as number;
}
