/**
 * quiesce/memory: one shared memory and its allocators, for people who build their own structures.
 */
export { type Address, field, MAX_ORDER, NULL, type Order, PAGE_BYTES, WORD_BYTES } from "./address.js";
export { Arena, createArena, formatArena } from "./arena.js";
export { type BuddyInfo, formatBuddyInfo } from "./buddyinfo.js";
export type { Cache, CacheInfo } from "./cache.js";
export * from "./errors.js";
export { type CacheOptions, type Heap, KMALLOC_BYTES, MAX_KMALLOC_BYTES, type PageOptions } from "./heap.js";
export { ALLOCATORS, type AllocatorName, type ArenaOptions, FORMAT_VERSION, type Layout, leastBytes } from "./layout.js";
export { type AsyncWait, type Memory, SharedMemory, type WaitResult } from "./memory.js";
export type { Leak, LeakOptions, MemoryDebug, MemoryFault, MemoryReport, ObjectHistory, Origin } from "./memory-report.js";
export {
  createMempool,
  type ElementAllocator,
  type Elements,
  Mempool,
  type MempoolAsyncWait,
  type MempoolOptions,
  type MempoolTake,
  type MempoolWait,
} from "./mempool.js";
export { LOCK_TIMEOUT, RobustMutex } from "./robust-mutex.js";
export { LockReadersError, RW_LOCK_BYTES, RwLock } from "./rw-lock.js";
export { SEQ_LOCK_BYTES, SeqLock } from "./seqlock.js";
export { formatSlabInfo } from "./slabinfo.js";
export type { Slot } from "./slot.js";
export { SpinLock } from "./spin-lock.js";
export type { AreaInfo } from "./vmalloc/report.js";
export { type BackingStore, FileStore } from "./vmalloc/store.js";
export type { AreaView } from "./vmalloc/view.js";
export { isVirtual, VIRTUAL_BASE, type VirtualAddress, virtualField } from "./vmalloc/virtual.js";
export { Vmalloc, type VmallocOptions, type VmallocView } from "./vmalloc/vmalloc.js";
