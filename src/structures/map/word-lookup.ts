/**
 * The lookup of a map whose keys and values are a word each, all in one function.
 *
 * It does what keys.ts, Tables.find, Buckets.find and the codec do one after the other, in fewer instructions: a processor looks only so many of them ahead, and the next
 * lookup's misses overlap this one's only when it sees them. So it is a function of its own for each map, too: what it closes over never changes, but for the table, and V8
 * compiles that in where a program has one such map, instead of loading and checking it (bench/, `map`).
 *
 * Law table: words.ts, bucket.ts.
 */

import type { Address } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import type { Reader } from "../../rcu/flavors/flavor.js";
import { finish, type WordKeys } from "./keys.js";
import type { Tables } from "./tables.js";
import { EMPTY, MARK_SHIFT, SEGMENT_BITS, SEGMENT_MASK } from "./words.js";

/** What `wordLookup` looks things up with. */
export interface WordLookupParts {
  readonly memory: Memory;
  readonly reader: Reader;
  readonly tables: Tables;
  readonly keys: WordKeys;
  /** Whether values are signed. */
  readonly isSigned: boolean;
}

/** One thread's `SharedMap.get` for such a map. */
export function wordLookup(parts: WordLookupParts): (key: number) => number | undefined {
  // Constants: V8 compiles only those in.
  const { memory, reader, tables, keys, isSigned } = parts;
  const { seed } = keys;
  /** Up to this a number that is its own word is a key. */
  const most = Math.min(keys.most, 0x7fffffff);
  // Of the table that was current in `epoch`.
  let epoch = -1;
  let segments: Int32Array = new Int32Array(0);
  let shift = 0;

  return (key) => {
    if (typeof key !== "number") keys.check(key);
    const head = key | 0;
    if (head !== key || head >>> 0 > most) keys.check(key);
    if (reader.epoch !== epoch) {
      ({ segments, shift } = tables.current); // enters
      epoch = reader.epoch;
    }
    const hash = finish(head ^ seed);
    const index = hash >>> shift;
    let block = memory.load(((segments[index >>> SEGMENT_BITS] as number) + (index & SEGMENT_MASK)) as Address);
    if (block >>> MARK_SHIFT !== 0) block = tables.find(hash);
    let value: number | undefined;
    if (block > EMPTY) {
      const count = memory.read(block as Address);
      const heads = block + 1;
      for (let i = 0; i < count; i++) {
        if (memory.read((heads + i) as Address) !== head) continue;
        const word = memory.read((heads + count + 2 * i + 1) as Address);
        value = isSigned ? word : word >>> 0;
        break;
      }
    }
    reader.exit();
    return value;
  };
}
