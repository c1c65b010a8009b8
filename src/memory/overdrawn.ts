/**
 * Caches that have cut objects from pages of the reserve (reserve.ts): what is left of those pages is for `withReserve` too.
 *
 * Law table
 *   word                     class
 *   descriptor's OVERDRAWN   locked by the arena lock
 */

import { type Address, field } from "./address.js";
import { Descriptor } from "./geometry.js";
import type { Memory } from "./memory.js";
import type { Pages } from "./pages.js";

/** A cache has just taken pages: remember it if they were of the reserve. */
export function noteTaken(memory: Memory, pages: Pages, descriptor: Address): void {
  if (pages.isShort) memory.write(field(descriptor, Descriptor.OVERDRAWN), 1);
}

/** Whether a cache has a page of the reserve: its objects are for `withReserve` then. */
export function isOverdrawn(memory: Memory, pages: Pages, descriptor: Address): boolean {
  const word = field(descriptor, Descriptor.OVERDRAWN);
  if (memory.read(word) === 0) return false;
  if (pages.isShort) return true;
  memory.write(word, 0);
  return false;
}
