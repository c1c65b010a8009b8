/**
 * The truth: what the map must hold after loading, worked out from the rows by a plain sweep
 * that shares no code with the library.
 *
 * The sweep goes over the rows in order of their lower bound. `active` holds rows that have
 * begun, the latest of the file on top; wherever the sweep stands, the top one that has not
 * ended yet owns the address ("the later row wins"):
 *
 *   row 1   |-----------------------|              active, top first, at each step
 *   row 2       |-------|                          1 | 2 1 | 3 2 1 | 2 1 | 1
 *   row 3          |-|
 *   truth   |-1-|-2|3|-2|------1----|
 *
 * Pieces that touch and have the same country become one, as they do in the map.
 */

import { newRanges, pushRange, type Ranges, shareRanges } from "./ranges.js";
import { compareWords, copyWords, decrement, increment } from "./words.js";

/** The sorted, disjoint, merged ranges that the rows come to, in memory that threads can share. */
export function baseRanges(rows: Ranges): Ranges {
  const { words, stride, data } = rows;
  const out = newRanges(words, rows.count + 1);
  const active = new RowHeap();
  const cursor = new Uint32Array(words);
  const end = new Uint32Array(words);
  let finished = false;

  /** Give out what lies from the cursor up to the address before `limit` (no limit: to the end). */
  const drain = (limit: number): void => {
    while (!finished && active.size > 0) {
      if (limit >= 0 && compareWords(cursor, 0, data, limit, words) >= 0) return;
      const row = active.top() * stride;
      const hi = row + words;
      if (compareWords(data, hi, cursor, 0, words) < 0) {
        active.pop();
        continue;
      }
      copyWords(end, 0, data, hi, words);
      if (limit >= 0 && compareWords(end, 0, data, limit, words) >= 0) {
        copyWords(end, 0, data, limit, words);
        decrement(end, 0, words);
      }
      append(out, cursor, end, data[row + 2 * words] as number);
      copyWords(cursor, 0, end, 0, words);
      finished = !increment(cursor, 0, words);
    }
  };

  for (const index of inOrder(rows)) {
    drain(index * stride);
    copyWords(cursor, 0, data, index * stride, words);
    finished = false;
    active.push(index);
  }
  drain(-1);
  return shareRanges(out);
}

/** The ranges that no base range covers, from address 0 to the last one; their country is 0. */
export function gapsBetween(base: Ranges): Ranges {
  const { words, stride, data } = base;
  const out = newRanges(words, base.count + 1);
  const start = new Uint32Array(words);
  const end = new Uint32Array(words);
  let more = true;
  for (let index = 0; index < base.count; index++) {
    const at = index * stride;
    if (compareWords(start, 0, data, at, words) < 0) {
      copyWords(end, 0, data, at, words);
      decrement(end, 0, words);
      pushRange(out, start, 0, end, 0, 0);
    }
    copyWords(start, 0, data, at + words, words);
    more = increment(start, 0, words);
  }
  if (more) pushRange(out, start, 0, end.fill(0xffff_ffff), 0, 0);
  return shareRanges(out);
}

/** How many rows begin at or before the end of the row before them. */
export function countTrimmed(rows: Ranges): number {
  const { words, stride, data } = rows;
  let trimmed = 0;
  for (let at = stride; at < rows.count * stride; at += stride) {
    if (compareWords(data, at, data, at - stride + words, words) <= 0) trimmed++;
  }
  return trimmed;
}

/** Add a piece, or lengthen the last one when it touches and has the same country. */
function append(out: Ranges, lo: Uint32Array, hi: Uint32Array, country: number): void {
  const { words, stride } = out;
  if (out.count > 0) {
    const last = (out.count - 1) * stride;
    const after = out.data.slice(last + words, last + 2 * words);
    increment(after, 0, words);
    if (out.data[last + 2 * words] === country && compareWords(after, 0, lo, 0, words) === 0) {
      copyWords(out.data, last + words, hi, 0, words);
      return;
    }
  }
  pushRange(out, lo, 0, hi, 0, country);
}

/** Row numbers by lower bound, then by place in the file. The file is sorted already, mostly. */
function inOrder(rows: Ranges): Uint32Array {
  const { words, stride, data } = rows;
  const order = new Uint32Array(rows.count);
  let sorted = true;
  for (let index = 0; index < rows.count; index++) {
    order[index] = index;
    if (index > 0 && compareWords(data, (index - 1) * stride, data, index * stride, words) > 0) sorted = false;
  }
  return sorted ? order : order.sort((a, b) => compareWords(data, a * stride, data, b * stride, words) || a - b);
}

/** A binary heap of row numbers, the largest on top. */
class RowHeap {
  readonly #rows: number[] = [];

  get size(): number {
    return this.#rows.length;
  }

  top(): number {
    return this.#rows[0] as number;
  }

  push(row: number): void {
    const rows = this.#rows;
    let at = rows.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((rows[parent] as number) >= row) break;
      rows[at] = rows[parent] as number;
      at = parent;
    }
    rows[at] = row;
  }

  pop(): void {
    const rows = this.#rows;
    const moved = rows.pop() as number;
    const size = rows.length;
    if (size === 0) return;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (rows[child + 1] as number) > (rows[child] as number)) child++;
      if ((rows[child] as number) <= moved) break;
      rows[at] = rows[child] as number;
      at = child;
    }
    rows[at] = moved;
  }
}
