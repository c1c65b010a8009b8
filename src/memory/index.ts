/**
 * quiesce/memory: one shared memory and its allocators, for people who build their own structures.
 */
export { type Address, field, MAX_ORDER, NULL, type Order, PAGE_BYTES, WORD_BYTES } from "./address.js";
export { Arena, createArena, formatArena } from "./arena.js";
export type { Cache, CacheInfo } from "./cache.js";
export * from "./errors.js";
export { type Heap, KMALLOC_BYTES, MAX_KMALLOC_BYTES } from "./heap.js";
export { ALLOCATORS, type AllocatorName, type ArenaOptions, FORMAT_VERSION, type Layout, leastBytes } from "./layout.js";
export { type AsyncWait, type Memory, SharedMemory, type WaitResult } from "./memory.js";
export { LOCK_TIMEOUT, RobustMutex } from "./robust-mutex.js";
export type { Slot } from "./slot.js";
export { SpinLock } from "./spin-lock.js";
