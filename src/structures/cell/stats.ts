/**
 * How often commits were swaps, merges and conflicts, and at which distance (L3: "the longer you wait, the longer the chances are that ... you'll have to
 * work hard to merge your changes, or even have to give up").
 *
 * Law table
 *   word                 class
 *   SWAPS                atomic
 *   MERGES, CONFLICTS    atomic; by distance: 1, 2-3, 4-7, ... and 16,384 or more
 *
 * Counted after the fact: a thread that dies in between is not counted.
 */

import { type Address, field } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";

const BUCKETS = 15;
const SWAPS = 0;
const MERGES = 1;
const CONFLICTS = MERGES + BUCKETS;
/** Words of a header. */
export const STATS_WORDS: number = CONFLICTS + BUCKETS;

/** What became of the commits that were this many versions late. */
export interface DistanceStats {
  /** Versions, both included; the last may be Infinity. */
  readonly from: number;
  readonly to: number;
  readonly merges: number;
  readonly conflicts: number;
}

/** Figures of all threads, since the cell was made; each wraps at 2^32. */
export interface CellStats {
  /** Values published that nobody had overtaken: commits at distance 0, updates and sets. */
  readonly swaps: number;
  readonly merges: number;
  readonly conflicts: number;
  /** Merges and conflicts by distance, where there were any. */
  readonly byDistance: readonly DistanceStats[];
}

/** One thread's view of a cell's counters. */
export class CellCounters {
  readonly #memory: Memory;
  readonly #words: Address;

  constructor(memory: Memory, words: Address) {
    this.#memory = memory;
    this.#words = words;
  }

  #count(word: number): void {
    this.#memory.add(field(this.#words, word), 1);
  }

  /** A value was published; `distance` versions had come between, which it was merged with. */
  published(distance: number): void {
    this.#count(distance === 0 ? SWAPS : MERGES + bucketOf(distance));
  }

  conflict(distance: number): void {
    this.#count(CONFLICTS + bucketOf(distance));
  }

  read(): CellStats {
    const word = (at: number): number => this.#memory.load(field(this.#words, at)) >>> 0;
    const buckets = Array.from({ length: BUCKETS }, (_, i) => ({
      from: 2 ** i,
      to: i === BUCKETS - 1 ? Number.POSITIVE_INFINITY : 2 ** (i + 1) - 1,
      merges: word(MERGES + i),
      conflicts: word(CONFLICTS + i),
    }));
    return {
      swaps: word(SWAPS),
      merges: buckets.reduce((sum, { merges }) => sum + merges, 0),
      conflicts: buckets.reduce((sum, { conflicts }) => sum + conflicts, 0),
      byDistance: buckets.filter(({ merges, conflicts }) => merges + conflicts > 0),
    };
  }
}

const bucketOf = (distance: number): number => Math.min(BUCKETS - 1, 31 - Math.clz32(distance));
