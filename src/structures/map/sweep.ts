/**
 * Making room: whoever has put an entry in moves the hand on (clock.ts), and what has expired goes; in a bounded map that is full, one that was not read of late.
 *
 * Law table: HAND atomic (words.ts), USED atomic (bucket.ts); entries go as any do (entries.ts).
 */

import { type Address, field } from "../../memory/address.js";
import { LockTimeoutError, OutOfMemoryError } from "../../memory/errors.js";
import type { Memory } from "../../memory/memory.js";
import type { Reader } from "../../rcu/flavors/flavor.js";
import { inSection } from "../../rcu/in-section.js";
import type { Place } from "../structure.js";
import type { Buckets } from "./bucket.js";
import type { Entries } from "./entries.js";
import type { Tables } from "./tables.js";
import { EMPTY, MapWord } from "./words.js";

/** What a sweeper is told. */
export interface SweeperOptions {
  /** The bound; undefined where there is none. */
  readonly maxEntries: number | undefined;
  hasExpired(entry: Address): boolean;
  size(): number;
  /** Called after each entry that went, which is the entries' last update. */
  swept(): void;
}

/** One thread's sweeping of one map. */
export class Sweeper<K> {
  readonly #memory: Memory;
  readonly #reader: Reader;
  readonly #hand: Address;
  readonly #buckets: Buckets<K>;
  readonly #tables: Tables;
  readonly #entries: Entries<K>;
  readonly #options: SweeperOptions;

  constructor({ domain, header }: Place, buckets: Buckets<K>, tables: Tables, entries: Entries<K>, options: SweeperOptions) {
    this.#memory = domain.arena.memory;
    this.#reader = domain.reader;
    this.#hand = field(header, MapWord.HAND);
    this.#buckets = buckets;
    this.#tables = tables;
    this.#entries = entries;
    this.#options = options;
  }

  /**
   * After an entry was put in: move the hand on, until as much has gone as came.
   * @returns entries that went
   */
  sweep(): number {
    const { maxEntries = Number.POSITIVE_INFINITY, size } = this.#options;
    const isFull = size() > maxEntries;
    // Twice round finds one in any case: the first time no entry may be unused.
    const most = isFull ? 2 * inSection(this.#reader, () => this.#tables.current.buckets) : 2;
    let gone = 0;
    try {
      for (let steps = 0; steps < most; steps++) {
        const went = this.#sweepBucket(isFull);
        gone += went;
        if (went > 0 && isFull && size() <= maxEntries) break;
      }
    } catch (error) {
      // The entry is in, whatever keeps others from going: the next one that comes sweeps on.
      if (!(error instanceof OutOfMemoryError || error instanceof LockTimeoutError)) throw error;
    }
    return gone;
  }

  /** Gives how many entries went. */
  #sweepBucket(isFull: boolean): number {
    const going = inSection(this.#reader, () => {
      const buckets = this.#buckets;
      const block = this.#tables.find(this.#nextHand());
      let unused = -1;
      const going: number[] = [];
      for (let i = 0; i < buckets.count(block); i++) {
        if (this.#options.hasExpired(buckets.entry(block, i))) going.push(i);
        else if (isFull && unused < 0 && !buckets.isUsed(block, i)) unused = i;
      }
      if (going.length === 0 && unused >= 0) going.push(unused);
      if (isFull && going.length === 0 && block > EMPTY) buckets.clearUsed(block);
      return going.map((i) => ({ key: buckets.key(block, i), version: buckets.entryVersion(buckets.entry(block, i)) }));
    });
    let went = 0;
    for (const { key, version } of going) {
      if (!this.#entries.update(key, { value: undefined, expected: version, expires: 0, isSweep: true })) continue;
      this.#options.swept();
      went++;
    }
    return went;
  }

  /** A hash in the bucket that comes next. */
  #nextHand(): number {
    const { shift } = this.#tables.current;
    return this.#memory.add(this.#hand, 1) << shift;
  }
}
