/**
 * Pages: the buddy allocator (Knowlton 1965; Linux mm/page_alloc.c).
 *
 * A block of order n is 2^n pages and starts at a multiple of its size; its buddy is its page
 * number XOR its size. A request is rounded up to an order; a larger free block is halved until it
 * fits; a freed block is joined with its buddy for as long as the buddy is free too.
 *
 *   order 3   [       free        ]           alloc(1):   [used][free][   free  ]
 *             0 1 2 3 4 5 6 7                             0 1   2 3   4 5 6 7
 *
 * The page table is the truth: walking it from the first page, block by block, each head's STATE says what the
 * block is and how long. The free lists are derived from it, and rebuilt from it when a thread
 * died in here. So each operation is arranged such that one store to STATE commits it, and the
 * walk is whole before and after that store:
 *   alloc   halves are entered first, while the old head still spans them; then the head becomes UNCLAIMED
 *   claim   UNCLAIMED becomes what it is for; a block still UNCLAIMED when its thread dies is freed
 *   free    the head becomes FREE; each join is one store that lets the lower buddy span both
 *
 * Law table (a page table entry)
 *   word     class
 *   STATE    atomic; written only with the arena lock held (to and from RETIRED and LISTED: by the block's owner, by compareExchange); immutable
 *            for whoever owns the block, or an object in it
 *   OWNER    atomic; written by the arena lock's holder before STATE commits the block; of a RETIRED or LISTED block, by
 *            the slot whose limbo or list it is in
 *   NEXT, PREV   of a listed block (free blocks, partial slabs): locked by the arena lock
 *
 * Guarantees: blocks are aligned to their size; no two free buddies coexist while the lock is free; free +
 * handed out = all; less than half of a block is waste; a block freed twice is refused; O(log n).
 */

import { type Address, field, MAX_ORDER, type Order, PAGE_SHIFT } from "./address.js";
import { DoubleFreeError, InvalidAddressError } from "./errors.js";
import { Header, type Layout, PAGE_ENTRY_WORDS } from "./layout.js";
import type { Memory } from "./memory.js";
import type { Reserve } from "./reserve.js";

/** What a block is. */
export const PageKind = {
  /** Inside a block; its order and cache are told too when that is a slab. */
  TAIL: 0,
  FREE: 1,
  /** Just taken, still under the lock. */
  UNCLAIMED: 2,
  /** Handed out as pages. */
  PAGES: 3,
  /** Pages in limbo. */
  RETIRED: 4,
  /** A slab of the cache in OWNER. */
  SLAB: 5,
  /** A page in a slot's own list (page-list.ts). */
  LISTED: 6,
  /** A page of sheaves (sheaf.ts). */
  SHEAVES: 7,
} as const;

const STATE = 0;
const OWNER = 1;
const NEXT = 2;
const PREV = 3;

// STATE: kind in bits 0-3, order in 4-7, for slabs the index of the cache above.
const KIND_MASK = 15;
const ORDER_SHIFT = 4;
const CACHE_SHIFT = 8;
const state = (kind: number, order: number, cache = 0): number => (cache << CACHE_SHIFT) | (order << ORDER_SHIFT) | kind;
const orderIn = (word: number): number => (word >>> ORDER_SHIFT) & 15;

/** A list of pages, doubly linked through the page table; `head` is the word of its first page. */
export type PageList = Address;

/** The page table, its lists and the buddy allocator on them. Every method needs the arena lock unless it says otherwise. */
export class Pages {
  readonly #memory: Memory;
  readonly #layout: Layout;
  readonly #table: Address;
  readonly #reserve: Reserve | undefined;

  /** @param reserve what ordinary allocations leave; without one, all can be had */
  constructor(memory: Memory, layout: Layout, reserve?: Reserve) {
    this.#memory = memory;
    this.#layout = layout;
    this.#table = layout.pageTable;
    this.#reserve = reserve;
  }

  #entry(page: number, word: number): Address {
    return field(this.#layout.pageTable, page * PAGE_ENTRY_WORDS + word);
  }

  /** Kind of the page. Needs no lock for a page whose state the caller's own object holds in place. */
  kind(page: number): number {
    return this.#memory.load(this.#entry(page, STATE)) & KIND_MASK;
  }

  /** Order of the block that the page is the head of (or, in a slab, lies in). Lock: as `kind`. */
  order(page: number): Order {
    return orderIn(this.#memory.load(this.#entry(page, STATE))) as Order;
  }

  /**
   * Index of the cache in whose slab the page lies, -1 when it lies in none. For whoever owns an object or block there, which keeps STATE as it
   * is, or with the lock; so a plain read will do, at a tenth of the price.
   */
  cacheIndex(page: number): number {
    const word = this.#memory.read((this.#table + page * PAGE_ENTRY_WORDS) as Address);
    return (word & KIND_MASK) === PageKind.SLAB ? word >>> CACHE_SHIFT : this.#cacheIndexOfTail(page, word);
  }

  #cacheIndexOfTail(page: number, word: number): number {
    if ((word & KIND_MASK) !== PageKind.TAIL || word === 0) return -1;
    // What a tail says is as old as the slab it was entered for: the head knows whether that still stands.
    const head = page & (-1 << orderIn(word));
    return this.#memory.read(this.#entry(head, STATE)) === word + PageKind.SLAB ? word >>> CACHE_SHIFT : -1;
  }

  /** Owner of a block: index of a slab's cache, the tag of what the pages belong to, or the list they are in. Lock: as `kind`. */
  owner(page: number): number {
    return this.#memory.load(this.#entry(page, OWNER));
  }

  /** The word that links a retired block in its limbo: OWNER, which nobody asks for any more and `release` leaves alone. */
  link(page: number): Address {
    return this.#entry(page, OWNER);
  }

  /** Pages in free blocks; without the lock, a moment ago. */
  get free(): number {
    return this.#memory.load(Header.FREE_PAGES);
  }

  /** Free pages that this thread may take: without the reserve, unless it is open to it. */
  get available(): number {
    return this.#reserve?.available(this.free) ?? this.free;
  }

  /** Whether some of the reserve is in use; without the lock, a moment ago. */
  get isShort(): boolean {
    return this.#reserve?.isShort(this.free) ?? false;
  }

  /** Whether there is a page that is not of the reserve, whoever asks. */
  get hasSpare(): boolean {
    return this.free > 0 && this.#reserve?.isShort(this.free - 1) !== true;
  }

  /** Whether this thread may use the reserve. */
  get reserveOpen(): boolean {
    return this.#reserve?.open ?? false;
  }

  /** Pages that can ever be handed out. */
  get all(): number {
    return this.#layout.pages - this.#layout.firstPage;
  }

  /** First page that can be handed out. */
  get first(): number {
    return this.#layout.firstPage;
  }

  /** Free blocks of each order. */
  freeBlocks(): number[] {
    const counts: number[] = [];
    for (let order = 0; order <= MAX_ORDER; order++) counts.push([...this.list(this.#freeList(order))].length);
    return counts;
  }

  // Lists ------------------------------------------------------------------------------------

  #freeList(order: number): PageList {
    return field(Header.FREE_LISTS, order);
  }

  /** Put a page at the front of a list. */
  push(list: PageList, page: number): void {
    const memory = this.#memory;
    const next = memory.read(list);
    memory.write(this.#entry(page, NEXT), next);
    memory.write(this.#entry(page, PREV), 0);
    if (next !== 0) memory.write(this.#entry(next, PREV), page);
    memory.write(list, page);
  }

  /** Take a page out of a list. */
  remove(list: PageList, page: number): void {
    const memory = this.#memory;
    const next = memory.read(this.#entry(page, NEXT));
    const prev = memory.read(this.#entry(page, PREV));
    if (prev === 0) memory.write(list, next);
    else memory.write(this.#entry(prev, NEXT), next);
    if (next !== 0) memory.write(this.#entry(next, PREV), prev);
  }

  /** The pages of a list. */
  *list(list: PageList): Generator<number> {
    for (let page = this.#memory.read(list); page !== 0; page = this.#memory.read(this.#entry(page, NEXT))) yield page;
  }

  // Buddies ----------------------------------------------------------------------------------

  #addFree(pages: number): void {
    const free = this.free + pages;
    this.#memory.store(Header.FREE_PAGES, free);
    if (free < this.#memory.read(Header.LEAST_FREE_PAGES)) this.#memory.write(Header.LEAST_FREE_PAGES, free);
  }

  /** Enter all pages as free. Once, when the arena is formatted. */
  format(): void {
    const { firstPage, pages } = this.#layout;
    for (let page = firstPage; page < pages; ) {
      let order = 0;
      while (order < MAX_ORDER && page % (2 << order) === 0 && page + (2 << order) <= pages) order++;
      this.#memory.store(this.#entry(page, STATE), state(PageKind.FREE, order));
      this.push(this.#freeList(order), page);
      page += 1 << order;
    }
    this.#memory.store(Header.FREE_PAGES, this.all);
    this.#memory.write(Header.LEAST_FREE_PAGES, this.all);
  }

  /** Take a block of 2^order pages; it is UNCLAIMED. Gives its first page, 0 when no free block is large enough, or only the reserve is left. */
  alloc(order: Order): number {
    const memory = this.#memory;
    if (this.#reserve?.allows(this.free, 1 << order) === false) return 0;
    let have: number = order;
    while (have <= MAX_ORDER && memory.read(this.#freeList(have)) === 0) have++;
    if (have > MAX_ORDER) return 0;
    const page = memory.read(this.#freeList(have));
    this.remove(this.#freeList(have), page);
    for (let half = have - 1; half >= order; half--) {
      memory.store(this.#entry(page + (1 << half), STATE), state(PageKind.FREE, half));
      this.push(this.#freeList(half), page + (1 << half));
    }
    memory.store(this.#entry(page, STATE), state(PageKind.UNCLAIMED, order)); // commit
    this.#addFree(-(1 << order));
    return page;
  }

  /** Say what an UNCLAIMED block is for. Before the lock is let go. */
  claim(page: number, kind: number, owner: number): void {
    this.#memory.store(this.#entry(page, OWNER), owner);
    this.#memory.store(this.#entry(page, STATE), state(kind, this.order(page))); // commit
  }

  /** Make an UNCLAIMED block a slab of a cache. Before the lock is let go. */
  claimSlab(page: number, cache: number): void {
    const order = this.order(page);
    this.#memory.store(this.#entry(page, OWNER), cache);
    // Any page of a slab tells its order and cache, so that an object's slab is found from its address.
    for (let tail = 1; tail < 1 << order; tail++) this.#memory.store(this.#entry(page + tail, STATE), state(PageKind.TAIL, order, cache));
    this.#memory.store(this.#entry(page, STATE), state(PageKind.SLAB, order, cache)); // commit
  }

  /** Make a slab that nobody has an object of a block in limbo, which nobody takes for a slab any more. With the lock. */
  retireSlab(page: number): void {
    this.#memory.store(this.#entry(page, STATE), state(PageKind.RETIRED, this.order(page)));
  }

  /** Say who owns a block: a tag, or the list it goes to. Lock: as `kind`. */
  setOwner(page: number, owner: number): void {
    this.#memory.store(this.#entry(page, OWNER), owner);
  }

  /**
   * Give a block back.
   * @throws DoubleFreeError, InvalidAddressError when the page is not the head of a block that is handed out
   */
  release(page: number): void {
    const memory = this.#memory;
    const kind = this.kind(page);
    if (kind === PageKind.FREE) throw new DoubleFreeError(page << PAGE_SHIFT, "free");
    if (kind === PageKind.TAIL) throw new InvalidAddressError(page << PAGE_SHIFT, "is not the start of a block of pages");
    const order = this.order(page);
    memory.store(this.#entry(page, STATE), state(PageKind.FREE, order)); // commit
    this.#addFree(1 << order);
    this.push(this.#freeList(order), page);
    this.#join(page);
  }

  /** Join a listed free block with its buddy while that is free too. Gives whether it joined any. */
  #join(start: number): boolean {
    const memory = this.#memory;
    let page = start;
    let joined = false;
    for (let order: number = this.order(page); order < MAX_ORDER; order++) {
      const buddy = page ^ (1 << order);
      if (buddy < this.#layout.firstPage || buddy >= this.#layout.pages) break;
      if (memory.load(this.#entry(buddy, STATE)) !== state(PageKind.FREE, order)) break;
      this.remove(this.#freeList(order), page);
      this.remove(this.#freeList(order), buddy);
      const upper = Math.max(page, buddy);
      page = Math.min(page, buddy);
      memory.store(this.#entry(page, STATE), state(PageKind.FREE, order + 1)); // commit
      memory.store(this.#entry(upper, STATE), state(PageKind.TAIL, 0));
      this.push(this.#freeList(order + 1), page);
      joined = true;
    }
    return joined;
  }

  /** Move a block of pages to or from limbo. Needs no lock: its owner does it. Gives whether it was in `from`. */
  exchangeKind(page: number, from: number, to: number): boolean {
    const order = this.order(page);
    const entry = this.#entry(page, STATE);
    return this.#memory.compareExchange(entry, state(from, order), state(to, order)) === state(from, order);
  }

  /** Every block of the arena, in order. */
  *walk(): Generator<{ page: number; kind: number; order: Order; owner: number }> {
    for (let page = this.#layout.firstPage; page < this.#layout.pages; ) {
      const order = this.order(page);
      yield { page, kind: this.kind(page), order, owner: this.owner(page) };
      page += 1 << order;
    }
  }

  /** Rebuild what is derived from the page table, after a thread died with the arena lock. */
  recover(): void {
    const memory = this.#memory;
    for (let order = 0; order <= MAX_ORDER; order++) memory.write(this.#freeList(order), 0);
    let free = 0;
    for (const { page, kind, order } of this.walk()) {
      if (kind === PageKind.UNCLAIMED) memory.store(this.#entry(page, STATE), state(PageKind.FREE, order));
      if (kind !== PageKind.UNCLAIMED && kind !== PageKind.FREE) continue;
      this.push(this.#freeList(order), page);
      free += 1 << order;
    }
    memory.store(Header.FREE_PAGES, free);
    // The dead thread may have stopped half-way up a chain of joins.
    for (let joined = true; joined; ) {
      joined = false;
      for (const { page, kind } of [...this.walk()]) {
        if (kind === PageKind.FREE && this.kind(page) === PageKind.FREE && this.#join(page)) joined = true;
      }
    }
  }

  /** Violated invariants of the page table and the free lists. */
  check(): string[] {
    const violations: string[] = [];
    const listed = new Map<number, number>();
    for (let order = 0; order <= MAX_ORDER; order++) {
      for (const page of this.list(this.#freeList(order))) {
        if (listed.has(page) || listed.size > this.all) {
          violations.push(`pages: block ${page} is in the free lists twice`);
          return violations;
        }
        listed.set(page, order);
      }
    }
    let free = 0;
    let end = this.#layout.firstPage;
    for (const { page, kind, order } of this.walk()) {
      end = page + (1 << order);
      if (order > MAX_ORDER || page % (1 << order) !== 0) violations.push(`pages: block ${page} of order ${order} is not aligned to its size`);
      if (kind === PageKind.TAIL) {
        violations.push(`pages: page ${page} should be the head of a block`);
        return violations;
      }
      if (kind === PageKind.UNCLAIMED) violations.push(`pages: block ${page} was taken and never claimed`);
      if (kind !== PageKind.FREE) continue;
      free += 1 << order;
      if (listed.get(page) !== order) violations.push(`pages: free block ${page} of order ${order} is not in the free list of its order`);
      listed.delete(page);
      const buddy = page ^ (1 << order);
      if (
        order < MAX_ORDER &&
        buddy >= this.#layout.firstPage &&
        buddy < this.#layout.pages &&
        this.#memory.load(this.#entry(buddy, STATE)) === state(PageKind.FREE, order)
      ) {
        violations.push(`pages: free buddies ${page} and ${buddy} of order ${order} were not joined`);
      }
    }
    if (end !== this.#layout.pages) violations.push(`pages: the last block ends at page ${end}, the arena at ${this.#layout.pages}`);
    for (const [page, order] of listed) violations.push(`pages: block ${page} is in the free list of order ${order} but is not free`);
    if (free !== this.free) violations.push(`pages: ${free} pages are free, the header counts ${this.free}`);
    return violations;
  }
}
