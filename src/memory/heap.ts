/**
 * The heap: what one thread allocates with. Pages, slab caches and kmalloc over one arena lock.
 *
 *   kmalloc -> size-class cache -> magazine -> slab -> pages
 *           -> (above 8 KiB) whole pages
 *
 * Law table: this file owns no word; ARENA_LOCK protects those that pages.ts and slab.ts call locked.
 *
 * Guarantees: what cannot be had is NULL, and nothing has changed; freeing needs no size; at most half of
 * what kmalloc gives is waste (sizes are powers of two, 96 and 192; larger ones whole orders of pages).
 */

import { type Address, field, MAX_ORDER, NULL, type Order, PAGE_BYTES, PAGE_SHIFT, PAGE_WORDS, wordsFor } from "./address.js";
import { type BuddyInfo, buddyInfo } from "./buddyinfo.js";
import { type ArenaLock, Cache } from "./cache.js";
import { DoubleFreeError, InvalidAddressError, InvalidSizeError, QuiesceError, TooManyCachesError } from "./errors.js";
import { CACHE_WORDS, Header, type Layout, MAGAZINE_WORDS } from "./layout.js";
import { Limbo, type Objects } from "./limbo.js";
import type { Memory } from "./memory.js";
import { PageKind, Pages } from "./pages.js";
import { Reserve } from "./reserve.js";
import { RobustMutex } from "./robust-mutex.js";
import { descriptorAt, geometryFor, isReady, Slabs, writeDescriptor } from "./slab.js";
import { magazinesOf, type Slot } from "./slot.js";

/** Sizes of the kmalloc caches, in bytes; their descriptors are the first in the table. */
export const KMALLOC_BYTES: readonly number[] = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192];

const KMALLOC_MOST_WORDS = 2048;

/** Class of each size in words. */
const classOf: Uint8Array = Uint8Array.from({ length: KMALLOC_MOST_WORDS + 1 }, (_, words) => KMALLOC_BYTES.findIndex((bytes) => bytes >= words * 4));

/** Largest block that can be had, in bytes: 4 MiB. */
export const MAX_KMALLOC_BYTES: number = PAGE_BYTES << MAX_ORDER;

/** Enter the kmalloc caches. Once, when the arena is formatted. */
export function formatHeap(memory: Memory, layout: Layout): void {
  for (const [index, bytes] of KMALLOC_BYTES.entries()) {
    writeDescriptor(memory, descriptorAt(layout, index), `kmalloc-${bytes}`, geometryFor(bytes / 4));
  }
}

/** How pages are wanted. */
export interface PageOptions {
  /** Whom they belong to, for `ownedBy`; 0, the default, is nobody. */
  readonly tag?: number;
  /** Zeroed; else they hold anything. */
  readonly zero?: boolean;
  /**
   * Never sleep (L5: the caller holds a spin lock): when the arena lock cannot be had within a hundred looks, or what it protects must be mended
   * first because a thread died with it, there are no pages.
   */
  readonly atomic?: boolean;
}

const NO_OPTIONS: PageOptions = {};

/** One thread's allocator. */
export class Heap implements ArenaLock, Objects {
  readonly memory: Memory;
  readonly layout: Layout;
  readonly slot: Slot;
  readonly pages: Pages;
  readonly #lock: RobustMutex;
  readonly #reserve: Reserve;
  readonly #caches: (Cache | undefined)[] = [];
  readonly #repair: () => void;

  /** @param repair makes the arena whole after a thread died with the arena lock, which is held */
  constructor(memory: Memory, layout: Layout, slot: Slot, repair: (heap: Heap) => void) {
    this.memory = memory;
    this.layout = layout;
    this.slot = slot;
    this.#reserve = new Reserve(layout.pages - layout.firstPage, () => this.#namedCaches());
    this.pages = new Pages(memory, layout, this.#reserve);
    this.#lock = new RobustMutex(memory, Header.ARENA_LOCK, slot);
    this.#repair = () => repair(this);
  }

  // The arena lock -----------------------------------------------------------------------------------

  lockArena(timeout?: number): void {
    this.slot.mustBeAttached();
    this.#lock.lockRepaired(this.#repair, timeout);
  }

  /** Run `fn` with the arena lock. */
  withArenaLock<T>(fn: () => T, timeout?: number): T {
    this.lockArena(timeout);
    return this.#runLocked(fn);
  }

  /**
   * As `withArenaLock`, without ever sleeping.
   * @returns undefined, and nothing has run, when another thread holds the lock, or died with it and left something to mend
   */
  tryWithArenaLock<T>(fn: () => T): T | undefined {
    this.slot.mustBeAttached();
    const died = this.#lock.tryLock();
    if (died === undefined) return undefined;
    if (!died) return this.#runLocked(fn);
    this.#lock.unlock(true); // mending walks the whole arena: that is for a caller who has the time
    return undefined;
  }

  #runLocked<T>(fn: () => T): T {
    let failed = true;
    try {
      const result = fn();
      failed = false;
      return result;
    } catch (error) {
      // Our own refusals leave everything whole. Anything else (a stack overflow) may have come in the middle of an update: then
      // the next owner rebuilds what is derived, as if this one had died.
      failed = !(error instanceof QuiesceError);
      throw error;
    } finally {
      this.#lock.unlock(failed);
    }
  }

  /**
   * Run `fn`, which in the end gives back at least what it takes, with the pages that are kept for such: see reserve.ts. For this thread only, until `fn` returns.
   */
  withReserve<T>(fn: () => T): T {
    return this.#reserve.use(fn);
  }

  /** Pages that are kept for `withReserve`. */
  get reservePages(): number {
    return this.#reserve.size;
  }

  // Caches -------------------------------------------------------------------------------------------

  /** The cache of an index of the cache table. */
  cache(index: number): Cache {
    let cache = this.#caches[index];
    if (cache === undefined) {
      const slabs = new Slabs(this.memory, this.pages, descriptorAt(this.layout, index));
      cache = new Cache(this.memory, this, this.slot, slabs, index);
      this.#caches[index] = cache;
    }
    return cache;
  }

  /** Indexes of the caches in use. */
  *cacheIndexes(): Generator<number> {
    for (let index = 0; index < this.layout.caches; index++) {
      if (isReady(this.memory, descriptorAt(this.layout, index))) yield index;
    }
  }

  #namedCaches(): number {
    let named = 0;
    for (let index = KMALLOC_BYTES.length; index < this.layout.caches; index++) if (isReady(this.memory, descriptorAt(this.layout, index))) named++;
    return named;
  }

  /**
   * Make a cache of objects of one size.
   * @param name shown in reports; at most 40 bytes of it are kept
   * @param bytes size of an object, up to 8192
   * @returns its index, the same in every thread
   * @throws TooManyCachesError, InvalidSizeError
   */
  createCache(name: string, bytes: number): number {
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > KMALLOC_MOST_WORDS * 4) {
      throw new InvalidSizeError("the object size of a cache", bytes, `a whole number of bytes from 1 to ${KMALLOC_MOST_WORDS * 4}`);
    }
    return this.withArenaLock(() => {
      for (let index = KMALLOC_BYTES.length; index < this.layout.caches; index++) {
        const descriptor = descriptorAt(this.layout, index);
        if (isReady(this.memory, descriptor)) continue;
        writeDescriptor(this.memory, descriptor, name, geometryFor(wordsFor(bytes)));
        return index;
      }
      throw new TooManyCachesError(this.layout.caches);
    });
  }

  /** With the arena lock: give every cache's spare slabs back to the pages. */
  shrink(): void {
    for (const index of this.cacheIndexes()) this.cache(index).slabs.shrink();
  }

  // Pages --------------------------------------------------------------------------------------------

  /**
   * Take 2^order contiguous pages.
   * @returns address of the first, NULL when no block is large enough
   */
  allocPages(order: Order, options: PageOptions = NO_OPTIONS): Address {
    if (!Number.isInteger(order) || order < 0 || order > MAX_ORDER) throw new InvalidSizeError("the order", order, `a whole number from 0 to ${MAX_ORDER}`);
    const address = this.#takePages(options, () => {
      let page = this.pages.alloc(order);
      if (page === 0) {
        this.shrink();
        page = this.pages.alloc(order);
      }
      return page === 0 ? undefined : this.#claimPages(page, options);
    });
    if (address === undefined) return NULL;
    if (options.zero === true) this.memory.fill(address, PAGE_WORDS << order, 0);
    return address;
  }

  /**
   * Take `count` separate pages, wherever they are: all of them or none.
   * @returns their addresses, or undefined when there are not so many
   */
  allocPagesBulk(count: number, options: PageOptions = NO_OPTIONS): Address[] | undefined {
    if (!Number.isInteger(count) || count < 0) throw new InvalidSizeError("the number of pages", count, "a whole number, not negative");
    const addresses = this.#takePages(options, () => {
      if (this.pages.available < count) this.shrink();
      if (this.pages.available < count) return undefined;
      return Array.from({ length: count }, () => this.#claimPages(this.pages.alloc(0 as Order), options));
    });
    if (options.zero === true) for (const address of addresses ?? []) this.memory.fill(address, PAGE_WORDS, 0);
    return addresses;
  }

  // Zeroing comes after the lock is let go: a large block takes long, and is private by then.
  #takePages<T>({ atomic = false }: PageOptions, take: () => T | undefined): T | undefined {
    return atomic ? this.tryWithArenaLock(take) : this.withArenaLock(take);
  }

  #claimPages(page: number, { tag = 0 }: PageOptions): Address {
    this.pages.claim(page, PageKind.PAGES, tag);
    return (page << PAGE_SHIFT) as Address;
  }

  /**
   * Give back a block that `allocPages` or `allocPagesBulk` gave.
   * @throws DoubleFreeError, InvalidAddressError
   */
  freePages(address: Address): void {
    this.withArenaLock(() => {
      const page = this.#pageBlock(address);
      if (this.pages.kind(page) === PageKind.RETIRED) throw new DoubleFreeError(address, "free");
      this.pages.release(page);
    });
  }

  // kmalloc ------------------------------------------------------------------------------------------

  /**
   * Take memory for at least `bytes` contiguous bytes; 0 bytes give a block too, that can be freed.
   * @param tag whom it belongs to, for `ownedBy`; 0 is nobody
   * @returns its address, NULL when there is no contiguous block of that size (so above 4 MiB always)
   */
  kmalloc(bytes: number, tag = 0): Address {
    if (!Number.isInteger(bytes) || bytes < 0) throw new InvalidSizeError("the size", bytes, "a whole number of bytes, not negative");
    const words = wordsFor(bytes);
    if (words <= KMALLOC_MOST_WORDS) return this.cache(classOf[words] as number).alloc(tag);
    if (bytes > MAX_KMALLOC_BYTES) return NULL;
    return this.allocPages(Math.ceil(Math.log2(words / PAGE_WORDS)) as Order, { tag });
  }

  /**
   * Give back what `kmalloc`, or a cache, gave, when no reader can reach it.
   * @throws DoubleFreeError, InvalidAddressError
   */
  kfree(address: Address): void {
    const cache = this.#cacheOf(address);
    if (cache === undefined) this.freePages(address);
    else cache.free(address);
  }

  /** Bytes that can be used at an address that `kmalloc` or a cache gave. */
  usableBytes(address: Address): number {
    const cache = this.#cacheOf(address);
    return cache === undefined ? PAGE_BYTES << this.pages.order(this.#pageBlock(address)) : cache.objectWords * 4;
  }

  // What an address is -------------------------------------------------------------------------------

  #pageOf(address: Address): number {
    const page = address >>> PAGE_SHIFT;
    if (page < this.layout.firstPage || page >= this.layout.pages) throw new InvalidAddressError(address, "is outside the arena's pages");
    return page;
  }

  /** First page of the slab an address lies in, 0 when it lies in none. */
  #slabPage(address: Address): number {
    const page = this.#pageOf(address);
    const order = this.pages.order(page);
    if (order > MAX_ORDER) return 0;
    const head = page & ~((1 << order) - 1);
    return head >= this.layout.firstPage && this.pages.kind(head) === PageKind.SLAB && this.pages.order(head) === order ? head : 0;
  }

  /** The cache whose descriptor is at this address. */
  cacheAt(descriptor: number): Cache {
    return this.cache((descriptor - this.layout.cacheTable) / CACHE_WORDS);
  }

  #cacheOf(address: Address): Cache | undefined {
    const page = this.#slabPage(address);
    if (page === 0) return undefined;
    const cache = this.cacheAt(this.pages.owner(page));
    cache.checkAddress(address);
    return cache;
  }

  #pageBlock(address: Address): number {
    const page = this.#pageOf(address);
    const kind = this.pages.kind(page);
    if (address % PAGE_WORDS !== 0 || kind === PageKind.TAIL || kind === PageKind.SLAB)
      throw new InvalidAddressError(address, "is not the start of anything that was allocated");
    return page;
  }

  isLive(address: Address): boolean {
    const cache = this.#cacheOf(address);
    return cache === undefined ? this.pages.kind(this.#pageBlock(address)) === PageKind.PAGES : cache.slabs.isLive(address);
  }

  clearLive(address: Address): boolean {
    const cache = this.#cacheOf(address);
    return cache === undefined ? this.pages.exchangeKind(this.#pageBlock(address), PageKind.PAGES, PageKind.RETIRED) : cache.slabs.clearLive(address);
  }

  // An object that was put back may have taken its slab's pages with it; what the page table and the slab's
  // bytes say of its cache still stands while the arena lock has not been let go.
  linkOf(address: Address): Address {
    const page = address >>> PAGE_SHIFT;
    const owner = this.pages.owner(page & ~((1 << this.pages.order(page)) - 1));
    const inTable = owner >= this.layout.cacheTable && owner < this.layout.slotTable;
    return inTable && this.pages.kind(page) !== PageKind.RETIRED ? this.cacheAt(owner).slabs.sideOf(address) : this.pages.link(page);
  }

  putBack(address: Address): void {
    const cache = this.#cacheOf(address);
    if (cache === undefined) this.pages.release(this.#pageBlock(address));
    else cache.slabs.putBack(address);
  }

  isPutBack(address: Address): boolean {
    const page = this.#slabPage(address);
    if (page === 0) return this.pages.kind(address >>> PAGE_SHIFT) !== PageKind.RETIRED;
    return !this.cacheAt(this.pages.owner(page)).slabs.isOut(address);
  }

  // Owners -------------------------------------------------------------------------------------------

  /** Live kmalloc objects and blocks of pages with this tag: for finding what a dead owner's thread left. */
  ownedBy(tag: number): Address[] {
    const owned: Address[] = [];
    const lastKmalloc = descriptorAt(this.layout, KMALLOC_BYTES.length);
    this.withArenaLock(() => {
      for (const { page, kind, owner } of this.pages.walk()) {
        if (kind === PageKind.PAGES && owner === tag) owned.push((page << PAGE_SHIFT) as Address);
        if (kind !== PageKind.SLAB || owner >= lastKmalloc) continue;
        const { slabs } = this.cacheAt(owner);
        for (const object of slabs.live(page)) if (this.memory.load(slabs.sideOf(object)) === tag) owned.push(object);
      }
    });
    return owned;
  }

  /** Live objects of a cache. */
  liveObjects(index: number): Address[] {
    const live: Address[] = [];
    const { slabs } = this.cache(index);
    this.withArenaLock(() => {
      for (const { page, kind, owner } of this.pages.walk()) {
        if (kind === PageKind.SLAB && owner === slabs.descriptor) live.push(...slabs.live(page));
      }
    });
    return live;
  }

  /** Bytes of the arena, and those handed out by the page allocator or taken by the header and tables. */
  bytes(): { total: number; used: number } {
    const free = this.withArenaLock(() => this.pages.free);
    return { total: this.layout.pages * PAGE_BYTES, used: (this.layout.pages - free) * PAGE_BYTES };
  }

  /** How the free pages lie; `formatBuddyInfo` makes text of it. */
  buddyinfo(): BuddyInfo {
    return buddyInfo(
      this.withArenaLock(() => this.pages.freeBlocks()),
      this.pages.all,
    );
  }

  /** A slot's limbo in a domain: its own thread's, or with the arena lock a reaper's. */
  limboOf(slot: number, domain: number): Limbo {
    return new Limbo(this.memory, this.layout, slot, domain, this);
  }

  /** A slot's limbos, likewise. */
  limbosOf(slot: number): Limbo[] {
    return Array.from({ length: this.layout.domains }, (_, domain) => this.limboOf(slot, domain));
  }

  /** Magazine of another slot, likewise. */
  magazineOf(slot: number, cache: number): Address {
    return field(magazinesOf(this.layout, slot), cache * MAGAZINE_WORDS);
  }

  isSlab(kind: number): boolean {
    return kind === PageKind.SLAB;
  }

  /** Whether the address is a block of pages in limbo. */
  isRetiredPages(address: Address): boolean {
    return this.pages.kind(address >>> PAGE_SHIFT) === PageKind.RETIRED;
  }

  /** Slabs of the cache that a word in a slab belongs to. */
  slabsAround(word: Address): { slabs: Slabs; slab: Address } {
    const page = this.#slabPage(word);
    return { slabs: this.cacheAt(this.pages.owner(page)).slabs, slab: (page << PAGE_SHIFT) as Address };
  }
}
