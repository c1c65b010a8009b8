/**
 * The lookup of a map whose keys and values are a word each, all in one function.
 *
 * It does what keys.ts, Tables.find, Buckets.find and the codec do one after the other. V8 takes only so much into one function; with the calls that are
 * left, a lookup in a table of 1,000 entries takes twice the time (bench/, `map`).
 *
 * Law table: words.ts, bucket.ts.
 */

import type { Address } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import type { Reader } from "../../rcu/flavors/flavor.js";
import { finish, type WordKeys } from "./keys.js";
import type { Table } from "./table.js";
import type { Tables } from "./tables.js";
import { EMPTY, MARK_SHIFT, SEGMENT_BITS, SEGMENT_MASK } from "./words.js";

/** One thread's lookups in such a map. */
export class WordLookup {
  readonly #memory: Memory;
  readonly #reader: Reader;
  readonly #tables: Tables;
  readonly #keys: WordKeys;
  readonly #seed: number;
  /** Up to this a number that is its own word is a key. */
  readonly #most: number;
  readonly #isSigned: boolean;
  // Of the table that was current at `#epoch`.
  #epoch = -1;
  #segments!: Int32Array;
  #shift = 0;

  /** @param isSigned whether values are */
  constructor(memory: Memory, reader: Reader, tables: Tables, keys: WordKeys, isSigned: boolean) {
    this.#memory = memory;
    this.#reader = reader;
    this.#tables = tables;
    this.#keys = keys;
    this.#seed = keys.seed;
    this.#most = Math.min(keys.most, 0x7fffffff);
    this.#isSigned = isSigned;
  }

  /** As SharedMap.get. */
  get(key: number): number | undefined {
    if (typeof key !== "number") this.#keys.check(key);
    const head = key | 0;
    if (head !== key || head < 0 || head > this.#most) this.#keys.check(key);
    const memory = this.#memory;
    const reader = this.#reader;
    if (reader.epoch !== this.#epoch) this.#renew();
    const hash = finish(head ^ this.#seed);
    const index = hash >>> this.#shift;
    let block = memory.load(((this.#segments[index >>> SEGMENT_BITS] as number) + (index & SEGMENT_MASK)) as Address);
    if (block >>> MARK_SHIFT !== 0) block = this.#tables.find(hash);
    let value: number | undefined;
    if (block > EMPTY) {
      const count = memory.read(block as Address);
      const heads = block + 1;
      for (let i = 0; i < count; i++) {
        if (memory.read((heads + i) as Address) !== head) continue;
        const word = memory.read((heads + count + 2 * i + 1) as Address);
        value = this.#isSigned ? word : word >>> 0;
        break;
      }
    }
    reader.exit();
    return value;
  }

  #renew(): void {
    const { segments, shift }: Table = this.#tables.current; // enters
    this.#segments = segments;
    this.#shift = shift;
    this.#epoch = this.#reader.epoch;
  }
}
