/**
 * A table as shared.map's, bare: one function over one Int32Array, of one thread, with no section, no versions, no growing. A bucket's word is loaded by Atomics.load,
 * or plainly, which no table that others write may do. What is between the two is the price of the platform's atomic load; what is between the first and shared.map is ours.
 *
 *   words   | bucket | bucket | ... | COUNT key key value value | COUNT ... |
 */

import type { Key } from "../data.js";
import type { Held, MapLike, OpenOptions } from "../held.js";

/** As shared.map's. */
const MOST_LOAD = 0.75;
/** A block is replaced by a longer one when a key comes; the shorter stays where it was. */
const WORDS_AN_ENTRY = 12;

abstract class BareTable implements MapLike {
  protected readonly words: Int32Array;
  readonly #shift: number;
  #top: number;

  constructor(size: number) {
    const bits = Math.max(1, Math.ceil(Math.log2(size / MOST_LOAD)));
    this.#shift = 32 - bits;
    this.#top = 2 ** bits;
    this.words = new Int32Array(new SharedArrayBuffer(4 * (this.#top + size * WORDS_AN_ENTRY)));
  }

  protected abstract load(at: number): number;

  get(key: Key): number | undefined {
    const { words } = this;
    const block = this.load(this.#bucketOf(key as number));
    if (block === 0) return undefined;
    const count = words[block] as number;
    for (let i = 1; i <= count; i++) if (words[block + i] === key) return words[block + count + i];
    return undefined;
  }

  set(key: Key, value: unknown): void {
    const { words } = this;
    const bucket = this.#bucketOf(key as number);
    const old = words[bucket] as number;
    const count = old === 0 ? 0 : (words[old] as number);
    for (let i = 1; i <= count; i++) {
      if (words[old + i] !== key) continue;
      words[old + count + i] = value as number;
      return;
    }
    const block = this.#top;
    this.#top += 2 * count + 3;
    words[block] = count + 1;
    words.copyWithin(block + 1, old + 1, old + 1 + count);
    words[block + count + 1] = key as number;
    words.copyWithin(block + count + 2, old + 1 + count, old + 1 + 2 * count);
    words[block + 2 * count + 2] = value as number;
    words[bucket] = block;
  }

  #bucketOf(key: number): number {
    const mixed = Math.imul(key, 0x9e3779b1);
    return Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> this.#shift;
  }
}

class AtomicTable extends BareTable {
  protected load(at: number): number {
    return Atomics.load(this.words, at);
  }
}

class PlainTable extends BareTable {
  protected load(at: number): number {
    return this.words[at] as number;
  }
}

export async function openBareTable({ size }: OpenOptions, isAtomic: boolean): Promise<Held> {
  return { map: isAtomic ? new AtomicTable(size) : new PlainTable(size), handle: undefined, bytes: () => 0, close: async () => {} };
}
