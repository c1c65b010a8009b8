/**
 * The words of a map: its header, its tables, and what a bucket's word says.
 *
 *   header   ROOT --> table   BITS GENERATION NEXT BASE SEGMENTS...   segment   [bucket][bucket][bucket] ...
 *                              |      (while it is moved)                          |
 *                              +--> the next table                                 +--> block of entries (bucket.ts)
 *
 * A bucket's word is the address of its block, with a mark in its two highest bits:
 *
 *   00 block    the bucket is there, and may be changed by compareExchange; EMPTY when it has no block, UNMADE in a table that entries are still moved to
 *   01 block    HELD: nobody may change it while the map's lock is held (clear, snapshot, repair); readers may read it
 *   10 block    MOVING: it is being copied to the next table, by whoever comes by; readers still read it here
 *   11 slot     MOVED: it is in the next table; the thread of that slot marked it
 *
 * Law table
 *   word                           class
 *   header ROOT                    atomic; stored with LOCK held
 *   header LOCK                    atomic (robust mutex)
 *   header CREATED                 immutable once ROOT is not NULL; locked by LOCK before
 *   header GENERATIONS             locked by LOCK
 *   header HAND                    atomic
 *   header WATCHERS, CHANGES       atomic (changes.ts)
 *   header REGIONS                 atomic (watching.ts)
 *   header COUNTS                  atomic; a line for each slot, stored by its own thread only (and of a dead one by its reaper)
 *   table NEXT                     atomic; stored with LOCK held
 *   table BASE                     atomic; only ever raised
 *   table BITS, GENERATION, SEGMENTS  immutable
 *   bucket                         atomic
 */

import { type Address, field } from "../../memory/address.js";

/** Words of a header; each group on lines of its own. */
export const MapWord = { ROOT: 0, CREATED: 1, LOCK: 16, GENERATIONS: 17, WATCHERS: 32, CHANGES: 33, HAND: 48, REGIONS: 64, COUNTS: 128 } as const;

/** Regions of the hash space, for those who watch; a power of two. */
export const REGIONS = 64;
/** Words between two slots' counts: a line. */
const COUNT_WORDS = 16;

/** Bytes of a map's header. */
export const headerBytes = (slots: number): number => (MapWord.COUNTS + slots * COUNT_WORDS) * 4;

/** Where a slot counts what it has put in, less what it has taken out. */
export const countOf = (header: Address, slot: number): Address => field(header, MapWord.COUNTS + slot * COUNT_WORDS);

export const TableWord = { BITS: 0, GENERATION: 1, NEXT: 2, BASE: 3, SEGMENTS: 4 } as const;

/** Log2 of the most buckets a segment has: 256 KiB, which even a fragmented arena can give. */
export const SEGMENT_BITS = 16;
export const SEGMENT_MASK: number = (1 << SEGMENT_BITS) - 1;
/** Log2 of the fewest and the most buckets. */
export const LEAST_BITS = 2;
export const MOST_BITS = 26;

/** What a bucket's word says, in its two highest bits. */
export const Mark = { NONE: 0, HELD: 1, MOVING: 2, MOVED: 3 } as const;

/** In place of a block. */
export const UNMADE = 0;
export const EMPTY = 1;

export const MARK_SHIFT = 30;
const BLOCK_MASK = (1 << MARK_SHIFT) - 1;

/** The mark of a bucket's word. */
export const markOf = (word: number): number => word >>> MARK_SHIFT;
/** The block of a bucket's word, or EMPTY. */
export const blockOf = (word: number): Address => (word & BLOCK_MASK) as Address;
/** The word of a block with a mark. */
export const marked = (mark: number, block: number): number => (mark << MARK_SHIFT) | block;
