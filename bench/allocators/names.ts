/** What is compared: this build's page-based allocators, two C allocators, and one for typed arrays. */

import { type AllocatorName, type ArenaOptions, ALLOCATORS as NAMES } from "../../src/memory/index.js";

/** The allocators of `createArena(bytes, { allocator })`, the default one first. */
export const ALLOCATORS: readonly string[] = NAMES;

/** Peers in C: the library that the program is linked with. */
export const NATIVE = ["glibc", "mimalloc"] as const;
export type NativeName = (typeof NATIVE)[number];

/** The peer in JavaScript; it has no threads. */
export const THING = "@thi.ng/malloc";

/** Options that make an arena with this allocator. */
export function optionsFor(allocator: string, more: ArenaOptions = {}): ArenaOptions {
  return { ...more, allocator: allocator as AllocatorName };
}
