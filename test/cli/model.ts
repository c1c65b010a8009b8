/**
 * A plain interval map for tests: one slot for each of the lowest addresses. Slow and obvious.
 */

import type { Entry, Family, Found } from "../../src/cli/demo/maps.js";
import type { Ranges } from "../../src/cli/demo/ranges.js";
import type { Words } from "../../src/cli/demo/words.js";

export class ModelFamily implements Family {
  readonly name: "IPv4" | "IPv6";
  readonly words: Words;
  readonly slots: (Entry | undefined)[];

  constructor(words: Words, addresses: number) {
    this.words = words;
    this.name = words === 1 ? "IPv4" : "IPv6";
    this.slots = new Array<Entry | undefined>(addresses).fill(undefined);
  }

  #number(bound: Uint32Array): number {
    return bound[this.words - 1] as number;
  }

  load({ count, stride, words, data }: Ranges): void {
    this.slots.fill(undefined);
    for (let at = 0; at < count * stride; at += stride) {
      this.set(data.subarray(at, at + words), data.subarray(at + words, at + 2 * words), { country: data[at + 2 * words] as number, version: 0 });
    }
  }

  set(lo: Uint32Array, hi: Uint32Array, value: Entry): void {
    const copy = { ...value };
    for (let at = this.#number(lo); at <= this.#number(hi); at++) this.slots[at] = copy;
  }

  delete(lo: Uint32Array, hi: Uint32Array): boolean {
    let found = false;
    for (let at = this.#number(lo); at <= this.#number(hi); at++) {
      found ||= this.slots[at] !== undefined;
      this.slots[at] = undefined;
    }
    return found;
  }

  look(key: Uint32Array, found: Found): boolean {
    const at = this.#number(key);
    const entry = this.slots[at];
    if (entry === undefined) return false;
    let lo = at;
    let hi = at;
    while (lo > 0 && same(this.slots[lo - 1], entry)) lo--;
    while (hi + 1 < this.slots.length && same(this.slots[hi + 1], entry)) hi++;
    found.lo[this.words - 1] = lo;
    found.hi[this.words - 1] = hi;
    found.country = entry.country;
    found.version = entry.version;
    return true;
  }

  size(): number {
    let ranges = 0;
    for (const [at, entry] of this.slots.entries()) if (entry !== undefined && !same(this.slots[at - 1], entry)) ranges++;
    return ranges;
  }
}

function same(a: Entry | undefined, b: Entry | undefined): boolean {
  return a !== undefined && b !== undefined && a.country === b.country && a.version === b.version;
}
