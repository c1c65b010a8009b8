/** Memory in which every word can be seen to have been written; for tests of codecs. */

import type { Address } from "../../src/memory/address.js";
import { SharedMemory } from "../../src/memory/memory.js";

/** Where a value is written. */
export const AT = 3 as Address;
const WORDS = 4096;
/** What stands in words that nobody wrote. */
export const GUARD = 0x5a5a5a5a;

export function guardedMemory(): SharedMemory {
  const memory = new SharedMemory(new SharedArrayBuffer(WORDS * 4));
  memory.fill(0 as Address, WORDS, GUARD);
  return memory;
}
