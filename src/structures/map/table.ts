/**
 * A table as one thread knows it: what of it never changes, in this thread's own memory.
 *
 * Law table: words.ts.
 */

import { type Address, field } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import { SEGMENT_BITS, SEGMENT_MASK, TableWord } from "./words.js";

/** A table, as one thread knows it. */
export class Table {
  readonly address: Address;
  readonly generation: number;
  readonly bits: number;
  readonly buckets: number;
  /** Bits of a hash below those that number a bucket. */
  readonly shift: number;
  readonly segments: Int32Array;

  constructor(memory: Memory, address: Address) {
    this.address = address;
    this.generation = memory.read(field(address, TableWord.GENERATION));
    this.bits = memory.read(field(address, TableWord.BITS));
    this.buckets = 1 << this.bits;
    this.shift = 32 - this.bits;
    this.segments = Int32Array.from({ length: segmentsOf(this.bits) }, (_, i) => memory.read(field(address, TableWord.SEGMENTS + i)));
  }

  /** The word of a bucket. */
  bucket(index: number): Address {
    return ((this.segments[index >>> SEGMENT_BITS] as number) + (index & SEGMENT_MASK)) as Address;
  }

  /** The word of a hash's bucket. */
  wordOf(hash: number): Address {
    return this.bucket(hash >>> this.shift);
  }

  /** Versions of all entries that were deleted are not above this. */
  get base(): Address {
    return field(this.address, TableWord.BASE);
  }

  get next(): Address {
    return field(this.address, TableWord.NEXT);
  }

  /** Blocks of memory that it is made of. */
  *parts(): Generator<Address> {
    for (const segment of this.segments) yield segment as Address;
    yield this.address;
  }
}

/** Segments of a table of so many bits. */
export const segmentsOf = (bits: number): number => 1 << Math.max(0, bits - SEGMENT_BITS);
