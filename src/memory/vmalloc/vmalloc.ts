/**
 * vmalloc and kvmalloc (L7): memory that is contiguous in addresses and scattered in pages, which every thread of the arena translates.
 *
 *   address -> page, word -> translations.ts -> page-table.ts -> frame -> Memory
 *                                            -> (swappable) swap.ts, pinned while it is copied
 *
 * Source: mm/vmalloc.c and kvmalloc of mm/util.c of Linux; swapping is what the sources say of vmalloc's memory: a touch may wait, so it is refused
 * where waiting is not allowed, even when the page happens to be there, as might_sleep() does.
 *
 * Law table: this file owns no word; see areas.ts, page-table.ts, space.ts, swap.ts. The words of an area are its users', by whatever they agree on,
 * among threads that have the address; those of a swappable one are plain words (locked, or one thread's).
 *
 * Guarantees
 *   A  what cannot be had is 0, and nothing has changed.
 *   B  a touch of a guard page, of a freed area or of no area is a PageFaultError, in every thread, from when vfree has returned; it reads and changes nothing.
 *   C  a range is not given out again before a purge.
 *   D  with `atomic` nothing waits, is evicted, read or written: 0 instead.
 *   E  when everything is freed the arena is as it was, but for VM_GENERATION.
 */

import { type Address, NULL, PAGE_BYTES, PAGE_WORDS, WORD_BYTES } from "../address.js";
import { InvalidAddressError, InvalidSizeError, LockTimeoutError, NoBackingStoreError } from "../errors.js";
import type { Heap } from "../heap.js";
import { type AreaInfo, areaInfos, checkSpace } from "./report.js";
import { VirtualSpace } from "./space.js";
import type { BackingStore } from "./store.js";
import { Swap } from "./swap.js";
import { Touches } from "./touches.js";
import { AreaView } from "./view.js";
import { addressOfPage, isVirtual, pageOfAddress, VIRTUAL_PAGES, type VirtualAddress } from "./virtual.js";

/** How an area is to be made. */
export interface VmallocOptions {
  /** All zero; swappable areas are in any case. */
  readonly zero?: boolean;
  /** Its pages come at their first touch, and may be swapped out. */
  readonly swap?: boolean;
  /** Wait for nothing, evict nothing. */
  readonly atomic?: boolean;
  /** Whom it belongs to, for `ownedBy`. */
  readonly tag?: number;
}

/** What this thread brings. */
export interface VmallocView {
  /** Where swappable pages go; without one this thread can neither make nor evict any. */
  readonly store?: BackingStore;
}

const NOT_A_START = "is not the start of an area that vmalloc gave";
/** Times that an allocation evicts before it gives up. */
const ROUNDS = 64;
const MOST_BYTES = VIRTUAL_PAGES * PAGE_BYTES;

/** One thread's view of the virtual space. An arena's threads have one each; they need no closing. */
export class Vmalloc extends Touches {
  readonly #heap: Heap;
  readonly #space: VirtualSpace;
  readonly #swap: Swap;

  constructor(heap: Heap, { store }: VmallocView = {}) {
    const space = new VirtualSpace(heap);
    const swap = new Swap(heap, space, store);
    super(heap, space, swap);
    this.#heap = heap;
    this.#space = space;
    this.#swap = swap;
    if (store !== undefined) heap.shrinkers.add((pages) => this.#shrink(pages));
  }

  // Whoever asks may be vmalloc itself, in the middle of something: it looks after itself.
  #shrink(pages: number): number {
    if (this.#swap.isLocked || this.#space.isLocked) return 0;
    try {
      return this.#swap.reclaim(pages);
    } catch {
      return 0; // the store failed: the page stays where it was, and who asked has no memory
    }
  }

  // Areas --------------------------------------------------------------------------------------------

  /**
   * Take virtually contiguous memory for at least `bytes` bytes; 0 bytes give a page too.
   * @returns its address, 0 when there are not enough pages, also after evicting what is cold, or no range
   * @throws AtomicContextError without `atomic`, where waiting is not allowed; NoBackingStoreError; InvalidSizeError; what the store throws
   */
  vmalloc(bytes: number, { zero = false, swap = false, atomic = false, tag = 0 }: VmallocOptions = {}): VirtualAddress {
    if (!Number.isInteger(bytes) || bytes < 0) throw new InvalidSizeError("the size", bytes, "a whole number of bytes, not negative");
    if (!atomic) this.mayWait("vmalloc()");
    if (swap && this.#swap.store === undefined) throw new NoBackingStoreError("vmalloc() of a swappable area");
    if (bytes >= MOST_BYTES) return 0 as VirtualAddress;
    const pages = Math.max(1, Math.ceil(bytes / PAGE_BYTES));
    const wish = { pages, bytes, swap, tag };
    const start = atomic ? this.#makeNow(wish) : this.#makeInTime(wish);
    if (start === 0) return 0 as VirtualAddress;
    // Nobody else has the address yet.
    if (zero && !swap) for (let page = start; page < start + pages; page++) this.#heap.memory.fill(this.translate(addressOfPage(page)), PAGE_WORDS, 0);
    return addressOfPage(start);
  }

  #makeNow(wish: Parameters<VirtualSpace["make"]>[0]): number {
    try {
      return this.#space.make(wish, 0);
    } catch (error) {
      if (error instanceof LockTimeoutError) return 0;
      throw error;
    }
  }

  #makeInTime(wish: Parameters<VirtualSpace["make"]>[0]): number {
    // What is evicted for it others may take; then it is tried again, but not for ever.
    for (let round = 0; ; round++) {
      const start = this.#space.make(wish);
      if (start !== 0 || round === ROUNDS || !this.#canMakeRoom(wish)) return start;
    }
  }

  /** Evict what is missing, if so much can come of it. Gives whether anything came free. */
  #canMakeRoom({ pages, swap }: Parameters<VirtualSpace["make"]>[0]): boolean {
    const needed = swap ? 1 : pages;
    const { total, used } = this.#heap.bytes();
    const free = (total - used) / PAGE_BYTES;
    const isEnough = this.#space.withLock(() => this.#space.areas.firstFit(pages) !== undefined && free + this.#swap.frames().size >= needed);
    return isEnough && this.#swap.reclaim(Math.max(1, needed - free)) > 0;
  }

  /**
   * Give an area back, that nobody touches any more.
   * @throws InvalidAddressError, DoubleFreeError; AtomicContextError for a swappable area where waiting is not allowed
   */
  vfree(address: VirtualAddress): void {
    if (!isVirtual(address) || address % PAGE_WORDS !== 0) throw new InvalidAddressError(address, NOT_A_START);
    const page = pageOfAddress(address);
    const { swap } = this.#space.withLock(() => this.#space.liveAt(page));
    if (swap) this.mayWait("vfree() of a swappable area");
    if (swap) this.#swap.withLock(() => this.#space.free(page));
    else this.#space.free(page);
  }

  /** kmalloc, and where there is no such contiguous block vmalloc. @throws as `vmalloc` */
  kvmalloc(bytes: number, options: Omit<VmallocOptions, "swap"> = {}): Address | VirtualAddress {
    if (options.atomic !== true) this.mayWait("kvmalloc()");
    const take = (): Address => this.#heap.kmalloc(bytes, options.tag);
    const block = options.atomic === true ? this.#heap.withoutReclaim(take) : take();
    if (block === NULL) return this.vmalloc(bytes, options);
    if (options.zero === true) this.#heap.memory.fill(block, this.#heap.usableBytes(block) / WORD_BYTES, 0);
    return block;
  }

  /** Give back what kvmalloc, kmalloc or vmalloc gave. */
  kvfree(address: Address | VirtualAddress): void {
    if (isVirtual(address)) this.vfree(address);
    else this.#heap.kfree(address);
  }

  /** Bytes that can be used at an address that vmalloc or kvmalloc gave. @throws InvalidAddressError, DoubleFreeError */
  usableBytes(address: Address | VirtualAddress): number {
    if (!isVirtual(address)) return this.#heap.usableBytes(address);
    if (address % PAGE_WORDS !== 0) throw new InvalidAddressError(address, NOT_A_START);
    return this.#space.withLock(() => this.#space.liveAt(pageOfAddress(address)).pages) * PAGE_BYTES;
  }

  /** An accessor for what vmalloc or kvmalloc gave. @throws InvalidAddressError, DoubleFreeError */
  area(address: Address | VirtualAddress): AreaView {
    return new AreaView(this, address, this.usableBytes(address));
  }

  /** Freed ranges may be given out again from now on, and their tables go back. */
  purge(): void {
    this.#space.purge();
  }

  /** Write up to so many cold pages out and free them; gives how many. @throws AtomicContextError; what the store throws */
  reclaim(pages: number): number {
    this.mayWait("reclaim()");
    return this.#swap.reclaim(pages);
  }

  /** Live areas with this tag: for finding what a dead owner's thread left. */
  ownedBy(tag: number): VirtualAddress[] {
    return this.info()
      .filter((area) => area.tag === tag && area.state === "live")
      .map(({ address }) => address);
  }

  /** The areas, by address (/proc/vmallocinfo). */
  info(): AreaInfo[] {
    return areaInfos(this.#space);
  }

  /** Every violated invariant; none is good. */
  check(): string[] {
    return this.#swap.withLock(() => checkSpace(this.#heap, this.#space, this.#swap));
  }
}
