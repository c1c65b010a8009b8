/**
 * Addresses of the virtual space, and what a page-table entry says.
 *
 *   0 ............ 2^30 - 1    words of the arena                    (Address)
 *   2^30 ... 2^31 - 1          words of the virtual space, 4 GiB     (VirtualAddress)
 *
 * So one number tells which it is, and both fit a shared word.
 *
 *   entry   frame's page number << 7 | STORED BUSY DIRTY ACCESSED | kind (3 bits)
 *
 * Law table: this file owns no word.
 */

import { type Address, PAGE_SHIFT } from "../address.js";

declare const brand: unique symbol;

/** Index of a 32-bit word in the arena's virtual space; 0 is null. */
export type VirtualAddress = number & { readonly [brand]: "virtual address" };

/** First word of the virtual space. */
export const VIRTUAL_BASE: number = 2 ** 30;
/** Pages of the virtual space; the first is never handed out, so that a page's number is never 0. */
export const VIRTUAL_PAGES: number = 2 ** 20;

/** Whether an address is one of the virtual space. */
export const isVirtual = (address: number): address is VirtualAddress => address >= VIRTUAL_BASE;

/** The word `words` words after `base`. */
export const virtualField = (base: VirtualAddress, words: number): VirtualAddress => (base + words) as VirtualAddress;

/** First word of a virtual page. */
export const addressOfPage = (page: number): VirtualAddress => (VIRTUAL_BASE + (page << PAGE_SHIFT)) as VirtualAddress;

/** The virtual page that an address lies in. */
export const pageOfAddress = (address: VirtualAddress): number => (address - VIRTUAL_BASE) >>> PAGE_SHIFT;

/** What an entry is. */
export const EntryKind = {
  /** Nothing is mapped. */
  NONE: 0,
  /** A page that stays. */
  MAPPED: 1,
  /** A swappable page that is in memory. */
  RESIDENT: 2,
  /** A swappable page that was never written: it is all zero, and takes no memory. */
  EMPTY: 3,
  /** A swappable page that is in the backing store only, in the slot of its own number. */
  SWAPPED: 4,
} as const;

/** Touched since the clock's hand went by. */
export const ACCESSED = 8;
/** Written since it came into memory. */
export const DIRTY = 16;
/** Being evicted by the owner of SWAP_LOCK. */
export const BUSY = 32;
/** The backing store has what the page held when it last came into memory. */
export const STORED = 64;

const FRAME_SHIFT = 7;

/** The kind in an entry. */
export const kindOfEntry = (entry: number): number => entry & 7;
/** The page of the arena that an entry maps. */
export const frameOf = (entry: number): Address => ((entry >>> FRAME_SHIFT) << PAGE_SHIFT) as Address;
/** An entry. */
export const entryOf = (kind: number, frame: Address, flags = 0): number => ((frame >>> PAGE_SHIFT) << FRAME_SHIFT) | flags | kind;
