/** What sections read: a pointer in shared memory, and the block of 64 words that it points to. */

import type { Address } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import type { BenchDomain } from "./flavors.js";

/** Words of a block, less one. */
const MASK = 63;

/** A pointer to a new block. It is never given back: the memory is a benchmark's own. */
export function newBlock(domain: BenchDomain): Address {
  const { heap, memory } = domain.arena;
  const pointer = heap.kmalloc(128);
  const block = heap.kmalloc((MASK + 1) * 4);
  for (let i = 0; i <= MASK; i++) memory.write((block + i) as Address, i + 1);
  memory.store(pointer, 0);
  domain.assignPointer(pointer, block);
  return pointer;
}

/** Read words of the block, round and round; so many reads take so long. */
export function readBlock(memory: Memory, block: Address, reads: number): number {
  let sum = 0;
  for (let i = 0; i < reads; i++) sum = (sum + memory.read((block + (i & MASK)) as Address)) | 0;
  return sum;
}
