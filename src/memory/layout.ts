/**
 * The arena's header and the tables behind it: where everything stands.
 *
 *   page 0      header: identity, geometry, arena lock, free lists
 *   then        root area: words that belong to the rooms above (grace periods, directory)
 *   then        cache table: one descriptor for each slab cache
 *   then        slot table: one record for each thread
 *   then        page table: four words for each page of the arena
 *   then        of a debug arena: a history for each page, and the call log
 *   firstPage.. pages, handed out by the buddy allocator
 *
 * Law table
 *   word                          class
 *   MAGIC .. CHECKSUM             immutable once the arena is formatted (before its first handle leaves)
 *   ARENA_LOCK                    atomic (robust mutex)
 *   SLOTS_USED, NEXT_THREAD       atomic
 *   FREE_LISTS, LEAST_FREE_PAGES, SHEAF_PAGES, FREE_SHEAVES   locked by ARENA_LOCK
 *   FREE_PAGES                    atomic; written only with ARENA_LOCK held
 *   VM_LOCK .. VM_HAND            see vmalloc/
 *
 * Guarantee: `openLayout` accepts exactly the buffers that `formatArena` of the same format
 * version made, whole; anything else is refused with a precise error and nothing is written.
 */

import { type Address, PAGE_BYTES, PAGE_WORDS } from "./address.js";
import { ArenaFormatError, ArenaOptionsError } from "./errors.js";
import type { Memory } from "./memory.js";

/** "QSCE" */
const MAGIC = 0x51534345;
/** Raised whenever a word of the layout changes its place or meaning. */
export const FORMAT_VERSION = 3;

const at = (word: number): Address => word as Address;

/** Addresses of the header's words. */
export const Header = {
  MAGIC: 0 as Address,
  VERSION: 1 as Address,
  PAGES: 2 as Address,
  SLOTS: 3 as Address,
  CACHES: 4 as Address,
  ROOT_WORDS: 5 as Address,
  ID: 6 as Address, // two words, random: the same arena in two threads, though their buffer objects differ
  DOMAINS: 8 as Address,
  DEBUG_WORDS: 9 as Address,
  ALLOCATOR: 10 as Address,
  DEBUG_MEMORY: 11 as Address, // 1: the allocators check their users (guard.ts)
  CHECKSUM: 12 as Address,
  ARENA_LOCK: 32 as Address,
  SLOTS_USED: 64 as Address, // one more than the highest slot ever claimed: bounds every scan
  NEXT_THREAD: 65 as Address, // thread numbers where the platform has none
  FREE_LISTS: 96 as Address, // a page number for each of the 11 orders
  FREE_PAGES: 107 as Address,
  LEAST_FREE_PAGES: 108 as Address, // low-water mark
  SHEAF_PAGES: 109 as Address, // list of the pages that sheaves are cut from
  FREE_SHEAVES: 110 as Address, // list of the free ones
  VM_LOCK: 112 as Address, // words 112 to 118: the virtual space (vmalloc/)
  SWAP_LOCK: 113 as Address,
  VM_DIRECTORY: 114 as Address, // its page table
  VM_AREAS: 115 as Address, // its areas, by address
  VM_GENERATION: 116 as Address, // compared by every thread's translations
  VM_LAZY: 117 as Address, // weight of the freed ranges that are not purged
  VM_HAND: 118 as Address, // where the clock looks next for a cold page
} as const;

const HEADER_WORDS = 128;
/** Words of a cache descriptor. */
export const CACHE_WORDS = 32;
/** Words of a page's entry in the page table. */
export const PAGE_ENTRY_WORDS = 4;
/** Words of a slot's own list of pages: a count and the pages. */
export const PAGE_LIST_WORDS = 32;
/** Words of a slot for each cache: what its allocator keeps there. */
export const CACHE_SLOT_WORDS = 2;
/** Words of a slot before its records: two cache lines of 128 bytes. */
export const SLOT_HEAD_WORDS = 64;
/** Words of a slot's record in one grace-period domain, without those for debugging: two cache lines. */
export const RECORD_WORDS = 64;

/** Words of a page's, or an object's, history in a debug arena (history.ts). */
export const HISTORY_WORDS = 10;
/** Words of the call log of a debug arena: a share of the arena, from `least` to `most`. */
const CALL_LOG = { share: 16, least: 16384, most: 1 << 20 } as const;

/** The interchangeable page-based allocators (L8), in the numbers of the header's ALLOCATOR word. */
export const ALLOCATORS = ["slab", "slub", "slob"] as const;
/** Which allocator cuts objects from pages. */
export type AllocatorName = (typeof ALLOCATORS)[number];

const LIMITS = { slots: 4096, caches: 1024, domains: 16, debugWords: 1024, bytes: 2 ** 32 } as const;

/** Words of the largest arena: every address has fewer bits. */
export const MOST_WORDS: number = LIMITS.bytes / 4;

/** Geometry of an arena; sizes in words unless the name says otherwise. */
export interface Layout {
  readonly allocator: AllocatorName;
  /** Whether the allocators check their users. */
  readonly debugMemory: boolean;
  readonly pages: number;
  readonly slots: number;
  readonly caches: number;
  readonly root: Address;
  readonly rootWords: number;
  readonly cacheTable: Address;
  readonly slotTable: Address;
  readonly slotWords: number;
  /** Grace-period domains that each slot has a record for. */
  readonly domains: number;
  /** Words of such a record. */
  readonly recordWords: number;
  /** Words for debugging at its end. */
  readonly debugWords: number;
  readonly pageTable: Address;
  /** Of a debug arena: a history for each page (history.ts), and the call log (call-log.ts) with its words. */
  readonly pageHistories: Address;
  readonly callLog: Address;
  readonly callLogWords: number;
  /** First page that the buddy allocator hands out. */
  readonly firstPage: number;
}

/** What `formatArena` needs to know. */
export interface ArenaOptions {
  /** Most threads attached at once; default 32, at most 4096. */
  readonly slots?: number;
  /** Most grace-period domains; default 4, at most 16. */
  readonly domains?: number;
  /** Words for debugging in each slot and domain, a multiple of 32; default 0. */
  readonly debugWords?: number;
  /** Most slab caches, 26 of them kmalloc's; default 64, at least 32, at most 1024. */
  readonly caches?: number;
  /** Words of the root area, zeroed, for the rooms above; default 0. */
  readonly rootWords?: number;
  /** What cuts objects from pages; default "slab" (docs/memory.md compares them). */
  readonly allocator?: AllocatorName;
  /** The allocators check their users: red zones, poison, who took and who freed; default false. */
  readonly debugMemory?: boolean;
}

function layoutFor(pages: number, { slots, caches, domains, debugWords, rootWords, allocator, debugMemory }: Required<ArenaOptions>): Layout {
  const line = (words: number): number => Math.ceil(words / 32) * 32;
  const root = HEADER_WORDS;
  const cacheTable = line(root + rootWords);
  const slotTable = line(cacheTable + caches * CACHE_WORDS);
  const recordWords = RECORD_WORDS + debugWords;
  const slotWords = line(SLOT_HEAD_WORDS + domains * recordWords + PAGE_LIST_WORDS + caches * (CACHE_SLOT_WORDS + domains));
  const pageTable = line(slotTable + slots * slotWords);
  const pageHistories = line(pageTable + pages * PAGE_ENTRY_WORDS);
  const callLog = line(pageHistories + (debugMemory ? pages * HISTORY_WORDS : 0));
  const callLogWords = debugMemory ? Math.min(CALL_LOG.most, Math.max(CALL_LOG.least, (pages * PAGE_WORDS) / CALL_LOG.share)) : 0;
  const firstPage = Math.ceil((debugMemory ? callLog + callLogWords : pageTable + pages * PAGE_ENTRY_WORDS) / PAGE_WORDS);
  return {
    allocator,
    debugMemory,
    pages,
    slots,
    caches,
    root: at(root),
    rootWords,
    cacheTable: at(cacheTable),
    slotTable: at(slotTable),
    slotWords,
    domains,
    recordWords,
    debugWords,
    pageTable: at(pageTable),
    pageHistories: at(pageHistories),
    callLog: at(callLog),
    callLogWords,
    firstPage,
  };
}

function withDefaults(options: ArenaOptions): Required<ArenaOptions> {
  const { slots = 32, caches = 64, domains = 4, debugWords = 0, rootWords = 0, allocator = "slab", debugMemory = false } = options;
  return { slots, caches, domains, debugWords, rootWords, allocator, debugMemory };
}

function wholeNumber(name: string, value: number, low: number, high: number): number {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new ArenaOptionsError(`${name} must be a whole number from ${low} to ${high}; got ${String(value)}.`);
  }
  return value;
}

/** Smallest arena, in bytes, that these options can be given. */
export function leastBytes(options: ArenaOptions = {}): number {
  const whole = withDefaults(options);
  // The page table grows with the arena; 64 pages are left for the heap.
  let pages = 64;
  while (layoutFor(pages, whole).firstPage + 64 > pages) pages += 16;
  return pages * PAGE_BYTES;
}

/**
 * Check the size and options of a new arena before its buffer exists.
 * @param bytes size of the arena, in bytes; rounded down to whole pages
 * @throws ArenaOptionsError when no arena can be made of these
 */
export function checkOptions(bytes: number, options: ArenaOptions = {}): void {
  const { slots, caches, domains, debugWords, allocator, debugMemory } = withDefaults(options);
  if (debugMemory && allocator === "slob")
    throw new ArenaOptionsError(
      'debugMemory needs the allocator "slab" or "slub": in "slob" freed objects melt into their neighbours, and nothing can be told of them.',
    );
  if (!ALLOCATORS.includes(allocator)) throw new ArenaOptionsError(`allocator must be one of ${ALLOCATORS.join(", ")}; got ${String(allocator)}.`);
  wholeNumber("slots", slots, 1, LIMITS.slots);
  wholeNumber("caches", caches, 32, LIMITS.caches);
  wholeNumber("domains", domains, 1, LIMITS.domains);
  wholeNumber("debugWords", debugWords, 0, LIMITS.debugWords);
  wholeNumber("bytes", bytes, leastBytes(options), LIMITS.bytes);
}

function checksum(memory: Memory): number {
  let hash = 0x811c9dc5;
  for (let word = 0; word < Header.CHECKSUM; word++) hash = Math.imul(hash ^ memory.read(at(word)), 0x01000193);
  return hash | 0;
}

/**
 * Write the header of a new arena into zeroed memory. The free lists are left to the buddy allocator.
 * @throws ArenaOptionsError
 */
export function formatLayout(memory: Memory, options: ArenaOptions, id: readonly [number, number]): Layout {
  const whole = withDefaults(options);
  checkOptions(memory.words * 4, options);
  const pages = Math.floor(memory.words / PAGE_WORDS);
  memory.write(Header.VERSION, FORMAT_VERSION);
  memory.write(Header.PAGES, pages);
  memory.write(Header.SLOTS, whole.slots);
  memory.write(Header.CACHES, whole.caches);
  memory.write(Header.ROOT_WORDS, whole.rootWords);
  memory.write(Header.DOMAINS, whole.domains);
  memory.write(Header.DEBUG_WORDS, whole.debugWords);
  memory.write(Header.ALLOCATOR, ALLOCATORS.indexOf(whole.allocator));
  memory.write(Header.DEBUG_MEMORY, whole.debugMemory ? 1 : 0);
  memory.write(Header.ID, id[0]);
  memory.write(at(Header.ID + 1), id[1]);
  memory.write(Header.MAGIC, MAGIC);
  memory.write(Header.CHECKSUM, checksum(memory));
  return layoutFor(pages, whole);
}

/**
 * Read the header of an arena.
 * @throws ArenaFormatError when the memory does not hold a whole arena of this format version
 */
export function openLayout(memory: Memory): Layout {
  if (memory.words < HEADER_WORDS || memory.read(Header.MAGIC) !== MAGIC) {
    throw new ArenaFormatError(
      "ERR_FOREIGN_BUFFER",
      `this buffer of ${memory.words * 4} bytes was not made by quiesce (no magic word at its start); give the handle that Shared.create made.`,
    );
  }
  const version = memory.read(Header.VERSION);
  if (version !== FORMAT_VERSION) {
    throw new ArenaFormatError(
      "ERR_FORMAT_VERSION",
      `the arena has format ${version}, this version of quiesce reads format ${FORMAT_VERSION}: use one version in every thread.`,
    );
  }
  if (memory.read(Header.CHECKSUM) !== checksum(memory)) {
    throw new ArenaFormatError("ERR_CORRUPT_HEADER", "the arena's header does not match its checksum: something wrote over it.");
  }
  const pages = memory.read(Header.PAGES);
  if (pages * PAGE_WORDS > memory.words) {
    throw new ArenaFormatError("ERR_TRUNCATED_BUFFER", `the arena has ${pages * PAGE_BYTES} bytes, the buffer only ${memory.words * 4}.`);
  }
  return layoutFor(pages, {
    slots: memory.read(Header.SLOTS),
    caches: memory.read(Header.CACHES),
    domains: memory.read(Header.DOMAINS),
    debugWords: memory.read(Header.DEBUG_WORDS),
    rootWords: memory.read(Header.ROOT_WORDS),
    allocator: ALLOCATORS[memory.read(Header.ALLOCATOR)] as AllocatorName,
    debugMemory: memory.read(Header.DEBUG_MEMORY) === 1,
  });
}

/** The arena's random identity, as text. */
export function arenaId(memory: Memory): string {
  const hex = (word: number): string => (memory.read(at(Header.ID + word)) >>> 0).toString(16).padStart(8, "0");
  return hex(0) + hex(1);
}
