/**
 * The heap: what one thread allocates with. Pages, caches and kmalloc over one arena lock.
 *
 *   kmalloc -> cache of its size class -> objects cut from pages (slab, slub or slob)
 *           -> (above 8 KiB) whole pages
 *   a page  -> the slot's own list -> buddies
 *
 * Law table: this file owns no word; ARENA_LOCK protects those that the files of the allocators call locked.
 *
 * Guarantees: what cannot be had is NULL, and nothing has changed; freeing needs no size; at most half of
 * what kmalloc gives is waste (sizes are powers of two, 96 and 192; larger ones whole orders of pages).
 */

import { type Address, field, MAX_ORDER, NULL, type Order, PAGE_BYTES, PAGE_SHIFT, PAGE_WORDS, wordsFor } from "./address.js";
import { type BuddyInfo, buddyInfo } from "./buddyinfo.js";
import type { ArenaLock, Cache, CacheInfo } from "./cache.js";
import { DeadlockError, DoubleFreeError, InvalidAddressError, InvalidSizeError, QuiesceError, TooManyCachesError } from "./errors.js";
import { CacheFlag, Descriptor, descriptorAt, geometryFor, isReady, type Shape, writeDescriptor } from "./geometry.js";
import { shapeIn } from "./history.js";
import { Header, type Layout } from "./layout.js";
import { Limbo, type Objects } from "./limbo.js";
import type { Memory } from "./memory.js";
import type { MemoryDebug } from "./memory-report.js";
import { LIST_CAPACITY, PageList } from "./page-list.js";
import { PageKind, Pages } from "./pages.js";
import { Reserve } from "./reserve.js";
import { RobustMutex } from "./robust-mutex.js";
import { Sheaves } from "./sheaf.js";
import { type SlabHooks, Slabs } from "./slab.js";
import { SlabCache } from "./slab-cache.js";
import { NOT_LIVE } from "./slab-places.js";
import { SlobCache } from "./slob-cache.js";
import { SlobRegions } from "./slob-regions.js";
import { type Slot, SlotWord, slotAddress } from "./slot.js";
import { SlubCache } from "./slub-cache.js";
import { SlubSlabs } from "./slub-slabs.js";

/** Sizes of the kmalloc caches, in bytes; their descriptors are the first in the table. */
export const KMALLOC_BYTES: readonly number[] = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192];

const KMALLOC_MOST_WORDS = 2048;

/** Class of each size in words. */
const classOf: Uint8Array = Uint8Array.from({ length: KMALLOC_MOST_WORDS + 1 }, (_, words) => KMALLOC_BYTES.findIndex((bytes) => bytes >= words * 4));

/** The cache that `kmalloc` with a tag takes so many bytes from. */
export const taggedCacheFor = (bytes: number): number => FIRST_TAGGED + (classOf[wordsFor(bytes)] as number);

/** Tag of what a slot's thread has taken and not published: below every other. */
const unpublishedTag = (slot: number): number => MOST_UNPUBLISHED - slot;
const MOST_UNPUBLISHED = -0x40000000;

/** Largest block that can be had, in bytes: 4 MiB. */
export const MAX_KMALLOC_BYTES: number = PAGE_BYTES << MAX_ORDER;

/**
 * Where the caches for kmalloc with a tag begin: objects that recovery must find are in caches of their own, so that all others cost no atomic operation
 * (as the kernel's accounted objects are in kmalloc-cg caches of their own).
 */
const FIRST_TAGGED = KMALLOC_BYTES.length;
/** First cache of users. */
const FIRST_NAMED = 2 * KMALLOC_BYTES.length;

/** Whether the objects of a cache have their owner's tag in their side words. */
export const isTagged = (cache: number): boolean => cache >= FIRST_TAGGED && cache < FIRST_NAMED;

/** What an arena's allocator asks of every cache. A head before each object would waste half of it if objects were aligned to their size (mm/slob.c: likewise). */
const shapeFor = ({ allocator }: Layout): Partial<Shape> => ({ remote: allocator === "slub", ...(allocator === "slob" && { align: 2 }) });

/** Enter the kmalloc caches. Once, when the arena is formatted. */
export function formatHeap(memory: Memory, layout: Layout): void {
  for (const [index, bytes] of KMALLOC_BYTES.entries()) {
    const geometry = geometryFor(shapeIn(layout, { objectWords: bytes / 4, ...shapeFor(layout) }));
    writeDescriptor(memory, descriptorAt(layout, index), `kmalloc-${bytes}`, geometry);
    writeDescriptor(memory, descriptorAt(layout, FIRST_TAGGED + index), `kmalloc-tagged-${bytes}`, geometry, CacheFlag.TRACKED);
  }
}

/** What a cache of its own is to be like. */
export interface CacheOptions {
  /** Its objects are found by recovery while they are live (`liveObjects`), and each has a side word for its owner; default false. */
  readonly tracked?: boolean;
  /** Bytes; a power of two from 4 to 4096 that objects start at a multiple of. Default: the largest that divides the size, at most 64 (8 with slob). */
  readonly align?: number;
  /** Slabs start their objects at different offsets, so that those of equal number do not fall on the same sets of a processor's cache; default false. */
  readonly colour?: boolean;
  /**
   * Makes an object ready, once, when its slab is made: whoever frees it must leave it so. It may not allocate. Every thread that takes objects
   * must give it (`openCache`), since functions cannot be shared.
   */
  readonly construct?: (object: Address) => void;
  /**
   * An object may be used anew at once, but its memory stays of this type until a grace period of the main domain is over (SLAB_TYPESAFE_BY_RCU): a
   * reader may look at an object that it finds, and must then check that it is still the one it looked for.
   */
  readonly typesafeByRcu?: boolean;
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

/** Pages that shrinkers are asked for when a cache finds none for a new slab. */
const SHRINK_PAGES = 8;

/** One thread's allocator. */
export class Heap implements ArenaLock, Objects {
  readonly memory: Memory;
  readonly layout: Layout;
  readonly slot: Slot;
  readonly pages: Pages;
  readonly sheaves: Sheaves;
  /** Of an arena made with `debugMemory`. */
  readonly debug: MemoryDebug | undefined = undefined;
  /** Asked, where waiting is allowed, to make pages free when none are left; each gives how many it made (the kernel's shrinkers; vmalloc/ evicts cold pages). */
  readonly shrinkers: Set<(pages: number) => number> = new Set();
  #reclaiming = false;
  readonly #lock: RobustMutex;
  /** Whether something runs with the lock. */
  #isRunning = false;
  readonly #pageList: PageList;
  readonly #reserve: Reserve;
  readonly #caches: (Cache | undefined)[] = [];
  readonly #constructors = new Map<number, (object: Address) => void>();
  /** Of slob: all its caches'. */
  #regions: SlobRegions | undefined;
  readonly #repair: () => void;
  readonly #firstPage: number;
  readonly #endPage: number;

  /**
   * @param repair makes the arena whole after a thread died with the arena lock, which is held
   * @param makePages its page allocator, if it is not the usual one
   */
  constructor(memory: Memory, layout: Layout, slot: Slot, repair: (heap: Heap) => void, makePages?: (reserve: Reserve) => Pages) {
    this.memory = memory;
    this.layout = layout;
    this.slot = slot;
    this.#reserve = new Reserve(layout.pages - layout.firstPage, () => this.#namedCaches());
    this.pages = makePages?.(this.#reserve) ?? new Pages(memory, layout, this.#reserve);
    this.sheaves = new Sheaves(memory, this.pages);
    this.#lock = new RobustMutex(memory, Header.ARENA_LOCK, slot);
    this.#pageList = this.pageListOf(slot.index);
    this.#repair = () => repair(this);
    this.#firstPage = layout.firstPage;
    this.#endPage = layout.pages;
  }

  // The arena lock -----------------------------------------------------------------------------------

  lockArena(timeout?: number): void {
    this.slot.mustBeAttached();
    try {
      this.#lock.lockRepaired(this.#repair, timeout);
    } catch (error) {
      if (!this.#isLeftLocked(error)) throw error;
      this.#repair();
    }
  }

  /** Run `fn` with the arena lock. */
  withArenaLock<T>(fn: () => T, timeout?: number): T {
    this.lockArena(timeout);
    return this.#runLocked(fn);
  }

  /** Whether this thread has the arena lock because a stack overflow came after it was taken, or before it was let go: then what it protects must be mended. */
  #isLeftLocked(error: unknown): boolean {
    return error instanceof DeadlockError && !this.#isRunning && this.#lock.held; // and not another one, which who waited for it took
  }

  /**
   * As `withArenaLock`, without ever sleeping.
   * @returns undefined, and nothing has run, when another thread holds the lock, or died with it and left something to mend; or this one holds as many locks as it may
   */
  tryWithArenaLock<T>(fn: () => T): T | undefined {
    this.slot.mustBeAttached();
    if (this.slot.holdsMost) return undefined;
    let died: boolean | undefined;
    try {
      died = this.#lock.tryLock();
    } catch (error) {
      if (!this.#isLeftLocked(error)) throw error;
      died = true;
    }
    if (died === undefined) return undefined;
    if (!died) return this.#runLocked(fn);
    this.#lock.unlock(true); // mending walks the whole arena: that is for a caller who has the time
    return undefined;
  }

  #runLocked<T>(fn: () => T): T {
    let failed = true;
    try {
      this.#isRunning = true;
      const result = fn();
      failed = false;
      return result;
    } catch (error) {
      // Our own refusals leave everything whole. Anything else (a stack overflow) may have come in the middle of an update: then
      // the next owner rebuilds what is derived, as if this one had died.
      failed = !(error instanceof QuiesceError);
      throw error;
    } finally {
      this.#isRunning = false;
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
      const hooks: SlabHooks = { construct: this.#constructors.get(index), retirePages: (page) => this.#retireSlab(page) };
      cache = this.makeCache(index, hooks);
      this.#caches[index] = cache;
    }
    return cache;
  }

  /** This thread's view of a cache; a debug heap puts its own around it. */
  protected makeCache(index: number, hooks: SlabHooks): Cache {
    const { memory, layout, slot, pages, sheaves } = this;
    const descriptor = descriptorAt(layout, index);
    if (layout.allocator === "slub")
      return new SlubCache(memory, this, slot, layout, pages, new SlubSlabs(memory, layout, pages, descriptor, index, hooks), sheaves);
    if (layout.allocator === "slob") {
      this.#regions ??= new SlobRegions(memory, layout, pages);
      return new SlobCache(memory, this, slot, pages, descriptor, index, this.#regions, sheaves);
    }
    return new SlabCache(memory, this, slot, new Slabs(memory, pages, descriptor, index, hooks), sheaves);
  }

  /** Indexes of the caches in use. */
  *cacheIndexes(): Generator<number> {
    for (let index = 0; index < this.layout.caches; index++) {
      if (isReady(this.memory, descriptorAt(this.layout, index))) yield index;
    }
  }

  #namedCaches(): number {
    let named = 0;
    for (let index = FIRST_NAMED; index < this.layout.caches; index++) if (isReady(this.memory, descriptorAt(this.layout, index))) named++;
    return named;
  }

  /**
   * Make a cache of objects of one size.
   * @param name shown in reports; at most 48 bytes of it are kept
   * @param bytes size of an object, up to 8192
   * @returns its index, the same in every thread
   * @throws TooManyCachesError, InvalidSizeError; QuiesceError (ERR_CACHE_OPTION) when the arena's allocator cannot have it so
   */
  createCache(name: string, bytes: number, options: CacheOptions = {}): number {
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > KMALLOC_MOST_WORDS * 4) {
      throw new InvalidSizeError("the object size of a cache", bytes, `a whole number of bytes from 1 to ${KMALLOC_MOST_WORDS * 4}`);
    }
    const { tracked = false, align, colour = false, construct, typesafeByRcu = false } = options;
    if (align !== undefined && !(align >= 4 && align <= PAGE_BYTES && Number.isInteger(Math.log2(align))))
      throw new InvalidSizeError("the alignment of a cache", align, `a power of two from 4 to ${PAGE_BYTES}`);
    if (this.layout.allocator === "slob" && (construct !== undefined || typesafeByRcu))
      throw new QuiesceError(
        "ERR_CACHE_OPTION",
        'a cache of an arena with the allocator "slob" has neither `construct` nor `typesafeByRcu`: its memory does not stay of one type. Use "slab" or "slub".',
      );
    const geometry = geometryFor(
      shapeIn(this.layout, {
        objectWords: wordsFor(bytes),
        colour,
        ...shapeFor(this.layout),
        ...(align === undefined ? {} : { align: align / 4 }),
      }),
    );
    const flags = (tracked ? CacheFlag.TRACKED : 0) | (construct === undefined ? 0 : CacheFlag.CONSTRUCTED) | (typesafeByRcu ? CacheFlag.TYPESAFE : 0);
    return this.withArenaLock(() => {
      for (let index = FIRST_NAMED; index < this.layout.caches; index++) {
        const descriptor = descriptorAt(this.layout, index);
        if (isReady(this.memory, descriptor)) continue;
        if (construct !== undefined) this.#constructors.set(index, construct);
        writeDescriptor(this.memory, descriptor, name, geometry, flags);
        return index;
      }
      throw new TooManyCachesError(this.layout.caches);
    });
  }

  /**
   * Open a cache that another thread made.
   * @param construct the constructor it was made with, if it has one
   * @throws QuiesceError (ERR_NO_CACHE, ERR_NO_CONSTRUCTOR)
   */
  openCache(index: number, construct?: (object: Address) => void): Cache {
    const descriptor = descriptorAt(this.layout, index);
    if (!(index >= 0 && index < this.layout.caches && isReady(this.memory, descriptor)))
      throw new QuiesceError("ERR_NO_CACHE", `there is no cache ${index}: createCache() gives the number.`);
    const isConstructed = (this.memory.read(field(descriptor, Descriptor.FLAGS)) & CacheFlag.CONSTRUCTED) !== 0;
    if (isConstructed && construct === undefined && !this.#constructors.has(index))
      throw new QuiesceError("ERR_NO_CONSTRUCTOR", `cache ${index} was made with a constructor, which functions of other threads cannot be: give it here too.`);
    if (construct !== undefined && !this.#constructors.has(index)) {
      this.#constructors.set(index, construct);
      // Slabs that this thread makes from now on are constructed; what it has of older ones is as good.
      this.withArenaLock(() => this.#caches[index]?.shrink());
      this.#caches[index] = undefined;
    }
    return this.cache(index);
  }

  // A slab of a typesafe cache waits for a grace period of the main domain, like what a thread retires.
  #retireSlab(page: number): void {
    this.limboOf(this.slot.index, 0).pushPages((page << PAGE_SHIFT) as Address, () => this.pages.retireSlab(page));
  }

  /** With the arena lock: give back what is kept only for speed: this thread's pages, every cache's spare slabs and depot. */
  shrink(): void {
    this.#pageList.flush(0);
    for (const index of this.cacheIndexes()) this.cache(index).shrink();
    this.sheaves.shrink();
  }

  /** Give back all pages that this thread, and the depots that all share, keep for speed. */
  trim(): void {
    this.withArenaLock(() => this.shrink());
  }

  /** This thread has left: its caches take and give nothing any more. */
  forget(): void {
    for (const cache of this.#caches) cache?.forget();
  }

  /** What each cache holds (the kernel's /proc/slabinfo). */
  slabinfo(): CacheInfo[] {
    return this.withArenaLock(() => [...this.cacheIndexes()].map((index) => this.cache(index).info()));
  }

  // Pages --------------------------------------------------------------------------------------------

  /**
   * Take 2^order contiguous pages.
   * @returns address of the first, NULL when no block is large enough
   */
  allocPages(order: Order, options: PageOptions = NO_OPTIONS): Address {
    if (!Number.isInteger(order) || order < 0 || order > MAX_ORDER) throw new InvalidSizeError("the order", order, `a whole number from 0 to ${MAX_ORDER}`);
    const take = (): Address | undefined => (order === 0 ? this.#takePage(options) : this.#takePages(options, () => this.#takeBlock(order, options)));
    const address = take() ?? (options.atomic !== true && this.#reclaim(1 << order) ? take() : undefined);
    if (address === undefined) return NULL;
    if (options.zero === true) this.memory.fill(address, PAGE_WORDS << order, 0);
    return address;
  }

  /** Take one page. @returns its address, NULL when there is none */
  allocPage(options: PageOptions = NO_OPTIONS): Address {
    return this.allocPages(0 as Order, options);
  }

  #takeBlock(order: Order, options: PageOptions): Address | undefined {
    let page = this.pages.alloc(order);
    if (page === 0) {
      this.shrink();
      page = this.pages.alloc(order);
    }
    return page === 0 ? undefined : this.#claimPages(page, options);
  }

  // One page comes from the slot's own list, but of the reserve just what is asked for.
  #takePage(options: PageOptions): Address | undefined {
    this.slot.mustBeAttached();
    if (this.#pageList.isEmpty) {
      if (this.pages.reserveOpen) return this.#takePages(options, () => this.#takeBlock(0 as Order, options));
      this.#takePages(options, () => this.#refillPages());
    }
    const page = this.#pageList.take(options.tag ?? 0);
    return page === 0 ? undefined : ((page << PAGE_SHIFT) as Address);
  }

  #refillPages(): void {
    this.#pageList.refill();
    if (!this.#pageList.isEmpty) return;
    this.shrink();
    this.#pageList.refill();
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

  /** Run `fn`, in which nothing that is short of memory waits for others to give some up. */
  withoutReclaim<T>(fn: () => T): T {
    const before = this.#reclaiming;
    this.#reclaiming = true;
    try {
      return fn();
    } finally {
      this.#reclaiming = before;
    }
  }

  /** Ask for pages to come free, where waiting is allowed. Gives whether any did. */
  #reclaim(pages: number): boolean {
    if (this.#reclaiming || this.slot.mayNotBlock() !== undefined) return false;
    return this.withoutReclaim(() => {
      let freed = 0;
      for (const shrinker of this.shrinkers) freed += shrinker(pages);
      return freed > 0;
    });
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
    this.slot.mustBeAttached();
    const page = this.#pageBlock(address);
    if (this.pages.kind(page) !== PageKind.PAGES) throw new DoubleFreeError(address, "free");
    // While some of the reserve is in use, nothing is kept for speed.
    if (this.pages.order(page) > 0 || this.pages.isShort) {
      this.withArenaLock(() => {
        if (this.pages.kind(page) !== PageKind.PAGES) throw new DoubleFreeError(address, "free");
        this.pages.release(page);
      });
      return;
    }
    if (this.#pageList.isFull) this.withArenaLock(() => this.#pageList.flush(LIST_CAPACITY >>> 1));
    this.#pageList.give(page);
  }

  // kmalloc ------------------------------------------------------------------------------------------

  /**
   * Take memory for at least `bytes` contiguous bytes; 0 bytes give a block too, that can be freed.
   * @param tag whom it belongs to, for `ownedBy`; 0 is nobody
   * @returns its address, NULL when there is no contiguous block of that size (so above 4 MiB always)
   */
  kmalloc(bytes: number, tag = 0): Address {
    const words = (bytes + 3) >>> 2;
    if (words > KMALLOC_MOST_WORDS || bytes >>> 0 !== bytes) return this.#kmallocPages(bytes, tag);
    const index = tag === 0 ? (classOf[words] as number) : FIRST_TAGGED + (classOf[words] as number);
    const cache = this.#caches[index] ?? this.cache(index);
    const object = cache.alloc(tag);
    return object === NULL && this.#reclaim(SHRINK_PAGES) ? cache.alloc(tag) : object;
  }

  #kmallocPages(bytes: number, tag: number): Address {
    if (!Number.isInteger(bytes) || bytes < 0) throw new InvalidSizeError("the size", bytes, "a whole number of bytes, not negative");
    if (bytes > MAX_KMALLOC_BYTES) return NULL;
    return this.allocPages(Math.ceil(Math.log2(wordsFor(bytes) / PAGE_WORDS)) as Order, { tag });
  }

  /**
   * Give back what `kmalloc`, or a cache, gave, when no reader can reach it.
   * @param _bytes what was asked for; a debug arena checks it
   * @throws DoubleFreeError, InvalidAddressError; WrongSizeError in a debug arena
   */
  kfree(address: Address, _bytes?: number): void {
    const page = address >>> PAGE_SHIFT;
    const index = page < this.#firstPage || page >= this.#endPage ? -1 : this.pages.cacheIndex(page);
    if (index < 0) this.freePages(address);
    else (this.#caches[index] ?? this.cache(index)).free(address);
  }

  /** Bytes that can be used at an address that `kmalloc` or a cache gave. */
  usableBytes(address: Address): number {
    const cache = this.cacheOf(address);
    return cache === undefined ? PAGE_BYTES << this.pages.order(this.#pageBlock(address)) : cache.objectWords * 4;
  }

  // What an address is -------------------------------------------------------------------------------

  #pageOf(address: Address): number {
    const page = address >>> PAGE_SHIFT;
    if (page < this.layout.firstPage || page >= this.layout.pages) throw new InvalidAddressError(address, "is outside the arena's pages");
    return page;
  }

  cacheOf(address: Address): Cache | undefined {
    const index = this.pages.cacheIndex(this.#pageOf(address));
    if (index < 0) return undefined;
    const cache = this.cache(index);
    cache.checkAddress(address);
    const own = cache.cacheIndexOf(address);
    return own === index ? cache : this.cache(own);
  }

  #pageBlock(address: Address): number {
    const page = this.#pageOf(address);
    const kind = this.pages.kind(page);
    if (address % PAGE_WORDS !== 0 || kind === PageKind.TAIL || kind === PageKind.SLAB || kind === PageKind.SHEAVES)
      throw new InvalidAddressError(address, "is not the start of anything that was allocated");
    return page;
  }

  isLive(address: Address): boolean {
    const page = this.#pageOf(address);
    if (address % PAGE_WORDS === 0 && this.pages.kind(page) === PageKind.SLAB) return true; // a slab on its way to limbo
    const cache = this.cacheOf(address);
    return cache === undefined ? this.pages.kind(this.#pageBlock(address)) === PageKind.PAGES : cache.isLive(address);
  }

  clearLive(address: Address): boolean {
    const cache = this.cacheOf(address);
    return cache === undefined ? this.pages.exchangeKind(this.#pageBlock(address), PageKind.PAGES, PageKind.RETIRED) : cache.retire(address, NOT_LIVE);
  }

  linkOf(address: Address): Address {
    return this.cacheOf(address)?.sideOf(address) ?? this.pages.link(address >>> PAGE_SHIFT);
  }

  putBack(address: Address): void {
    const cache = this.cacheOf(address);
    if (cache === undefined) this.pages.release(this.#pageBlock(address));
    else cache.putBack(address);
  }

  doubleFree(address: Address, operation: "free" | "retire"): DoubleFreeError {
    return new DoubleFreeError(address, operation);
  }

  isPutBack(address: Address): boolean {
    const page = address >>> PAGE_SHIFT;
    const index = this.pages.cacheIndex(page);
    return index < 0 ? address % PAGE_WORDS !== 0 || this.pages.kind(page) !== PageKind.RETIRED : this.cache(index).isPutBack(address);
  }

  // Owners -------------------------------------------------------------------------------------------

  /**
   * A tag of this thread's own, for blocks that nobody else knows of yet: those that still have it when the thread dies, or leaves, are freed by whoever reaps it
   * (or by itself, in leaving). `publish` takes it off.
   */
  get unpublished(): number {
    this.slot.mustBeAttached();
    this.memory.write(field(this.slot.address, SlotWord.UNPUBLISHED), 1);
    return unpublishedTag(this.slot.index);
  }

  /**
   * A block that was taken with the tag `unpublished` becomes everybody's, or its structure's, and is not freed with this thread. Before it is linked where others find it:
   * a thread that dies in between leaves it to the recovery of the structure whose tag it has, and with no tag to nobody.
   * @param tag as in `kmalloc`
   * @throws InvalidAddressError when the block is not one of this thread's unpublished ones
   */
  publish(address: Address, tag = 0): void {
    const cache = this.cacheOf(address);
    const page = address >>> PAGE_SHIFT;
    const owner = cache === undefined ? this.pages.owner(this.#pageBlock(address)) : isTagged(cache.index) ? this.memory.load(cache.sideOf(address)) : 0;
    if (owner !== unpublishedTag(this.slot.index) || !this.isLive(address))
      throw new InvalidAddressError(address, "was not taken with this thread's `unpublished` tag, or was published or freed since");
    if (cache === undefined) this.pages.setOwner(page, tag);
    else this.memory.store(cache.sideOf(address), tag);
  }

  /** Whether a tag says that its slot has not published the block. */
  isUnpublishedTag(tag: number): boolean {
    return tag <= MOST_UNPUBLISHED;
  }

  /** With the arena lock: whether an address, whatever has become of it, is a block that a slot has not published. */
  isUnpublished(address: Address, slot: number): boolean {
    return this.#ownedBy(unpublishedTag(slot)).includes(address);
  }

  /** With the arena lock: free what a slot's thread had and never published. May be repeated. */
  freeUnpublished(slot: number): void {
    const address = slotAddress(this.layout, slot);
    const word = field(address, SlotWord.UNPUBLISHED);
    if (this.memory.read(word) === 0) return;
    for (const block of this.#ownedBy(unpublishedTag(slot))) {
      // A reaper that dies in it has taken the tag off already: this tells the next one of the block.
      this.memory.write(field(address, SlotWord.INTENT), -block);
      this.putBack(block);
      this.memory.write(field(address, SlotWord.INTENT), 0);
    }
    this.memory.write(word, 0);
  }

  /** Live kmalloc objects and blocks of pages with this tag: for finding what a dead owner's thread left. */
  ownedBy(tag: number): Address[] {
    return this.withArenaLock(() => this.#ownedBy(tag));
  }

  #ownedBy(tag: number): Address[] {
    const owned: Address[] = [];
    for (const { page, kind, owner } of this.pages.walk()) {
      if (kind === PageKind.PAGES && owner === tag) owned.push((page << PAGE_SHIFT) as Address);
      if (kind !== PageKind.SLAB) continue;
      for (const index of this.#cachesIn(owner)) {
        if (!isTagged(index)) continue;
        const cache = this.cache(index);
        for (const object of cache.live(page)) if (this.memory.load(cache.sideOf(object)) === tag) owned.push(object);
      }
    }
    return owned;
  }

  // The caches whose objects may be in a block of pages of a cache: slob's are shared by all.
  #cachesIn(owner: number): Iterable<number> {
    return this.layout.allocator === "slob" ? this.cacheIndexes() : [owner];
  }

  /** Live objects of a tracked cache; of another, while nobody else takes or gives any. */
  liveObjects(index: number): Address[] {
    const live: Address[] = [];
    const cache = this.cache(index);
    this.withArenaLock(() => {
      for (const { page, kind, owner } of this.pages.walk()) {
        if (kind === PageKind.SLAB && (owner === index || this.layout.allocator === "slob")) live.push(...cache.live(page));
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

  /** A slot's own list of pages, likewise. */
  pageListOf(slot: number): PageList {
    return new PageList(this.memory, this.layout, this.pages, slot);
  }

  /** Whether the address is a block of pages in limbo. */
  isRetiredPages(address: Address): boolean {
    return this.pages.kind(address >>> PAGE_SHIFT) === PageKind.RETIRED;
  }
}
