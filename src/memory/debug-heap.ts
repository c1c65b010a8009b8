/**
 * The heap of a debug arena (`debugMemory`): as any, with a guard around all it gives out, and quarantine behind it. See guard.ts, debug-cache.ts,
 * debug-pages.ts, quarantine.ts; debug-tools.ts is what people ask it.
 *
 * Law table: this file owns no word.
 */

import { type Address, NULL, type Order, PAGE_BYTES, PAGE_SHIFT, wordsFor } from "./address.js";
import type { Cache } from "./cache.js";
import { type DebugArena, DebugCache } from "./debug-cache.js";
import { DebugPages } from "./debug-pages.js";
import { DebugTools } from "./debug-tools.js";
import { DoubleFreeError, InvalidSizeError, WrongSizeError } from "./errors.js";
import { Guard } from "./guard.js";
import { Heap, type PageOptions } from "./heap.js";
import { HistoryState, type Place } from "./history.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import { PageKind } from "./pages.js";
import { type Extent, pageExtent } from "./poison.js";
import { Quarantine } from "./quarantine.js";
import type { SlabHooks } from "./slab.js";
import type { Slot } from "./slot.js";

/** Most that a thread's quarantine keeps unless told otherwise: a share of the arena, and no more bytes than this. */
const QUARANTINE = { share: 64, most: 1 << 20 } as const;
/** Less than this share of all pages free is too little to keep anything back. */
const SHORT_SHARE = 16;

/** One thread's allocator in a debug arena. */
export class DebugHeap extends Heap implements DebugArena {
  override readonly debug: DebugTools;
  readonly guard: Guard;
  readonly quarantine: Quarantine;
  readonly #pages: DebugPages;

  constructor(memory: Memory, layout: Layout, slot: Slot, repair: (heap: Heap) => void) {
    const guard = new Guard(memory, layout, slot);
    super(memory, layout, slot, repair, (reserve) => new DebugPages(memory, layout, reserve, guard));
    this.guard = guard;
    this.#pages = this.pages as DebugPages;
    guard.withArenaLock = (fn) => this.withArenaLock(fn);
    guard.tryWithArenaLock = (fn) => this.tryWithArenaLock(fn);
    this.quarantine = new Quarantine(this, Math.min(QUARANTINE.most, (layout.pages * PAGE_BYTES) / QUARANTINE.share));
    this.debug = new DebugTools(this);
  }

  protected override makeCache(index: number, hooks: SlabHooks): Cache {
    return new DebugCache(this, index, (cache) => {
      const construct = (object: Address): void => {
        cache.begin(object);
        hooks.construct?.(object);
      };
      return super.makeCache(index, { ...hooks, construct, handOut: (object) => cache.handOut(object) });
    });
  }

  override cacheOf(address: Address): DebugCache | undefined {
    return super.cacheOf(address) as DebugCache | undefined;
  }

  override withArenaLock<T>(fn: () => T, timeout?: number): T {
    try {
      return super.withArenaLock(fn, timeout);
    } finally {
      this.guard.flush();
    }
  }

  /** With the arena lock: whether so little is free that nothing should be kept back. */
  isShort(): boolean {
    return this.pages.free < this.pages.all / SHORT_SHARE;
  }

  /** A block of pages as the guard sees it. */
  blockExtent(address: Address): Extent {
    const page = address >>> PAGE_SHIFT;
    return pageExtent(this.guard.histories, page, this.pages.order(page));
  }

  // Take -----------------------------------------------------------------------------------------------------

  override kmalloc(bytes: number, tag = 0): Address {
    if (!Number.isInteger(bytes) || bytes < 0) throw new InvalidSizeError("the size", bytes, "a whole number of bytes, not negative");
    this.guard.begin();
    this.guard.asked = bytes;
    try {
      return super.kmalloc(bytes, tag);
    } finally {
      this.guard.asked = undefined;
      this.guard.end();
    }
  }

  override allocPages(order: Order, options: PageOptions = {}): Address {
    return (
      this.#takePages(options, PAGE_BYTES << order, () => {
        const address = super.allocPages(order, options);
        return address === NULL ? [] : [address];
      })[0] ?? NULL
    );
  }

  override allocPagesBulk(count: number, options: PageOptions = {}): Address[] | undefined {
    let addresses: Address[] | undefined;
    this.#takePages(options, PAGE_BYTES, () => {
      addresses = super.allocPagesBulk(count, options);
      return addresses ?? [];
    });
    return addresses;
  }

  #takePages({ atomic = false, zero = false }: PageOptions, bytes: number, take: () => readonly Address[]): readonly Address[] {
    this.guard.begin();
    try {
      const place = this.guard.here(atomic);
      const blocks = take();
      for (const address of blocks) {
        this.#openBlock(address, this.guard.asked ?? bytes, place);
        if (zero) this.memory.fill(address, bytes / 4, 0);
      }
      return blocks;
    } finally {
      this.guard.end();
    }
  }

  #openBlock(address: Address, bytes: number, place: Place): void {
    const extent = this.blockExtent(address);
    this.#pages.unpoison(address >>> PAGE_SHIFT, this.pages.order(address >>> PAGE_SHIFT)); // of a page from the slot's own list
    this.guard.open(extent, bytes, place);
  }

  // Give back ------------------------------------------------------------------------------------------------

  override kfree(address: Address, bytes?: number): void {
    if (bytes !== undefined) this.#checkSize(address, bytes);
    super.kfree(address);
  }

  #checkSize(address: Address, bytes: number): void {
    if (!this.isLive(address)) return; // refused as what it is
    const extent = this.extentOf(address);
    const allocated = this.guard.histories.bytes(extent.history);
    if (Math.max(1, wordsFor(bytes)) !== Math.max(1, wordsFor(allocated))) throw new WrongSizeError(address, bytes, allocated, this.guard.textOf(extent));
  }

  override freePages(address: Address): void {
    const page = address >>> PAGE_SHIFT;
    this.guard.begin();
    try {
      if (this.#isHandedOut(address)) this.#closeBlock(address);
      super.freePages(address);
    } catch (error) {
      throw error instanceof DoubleFreeError ? this.doubleFree((page << PAGE_SHIFT) as Address, "free") : error;
    } finally {
      this.guard.end();
    }
  }

  #isHandedOut(address: Address): boolean {
    const page = address >>> PAGE_SHIFT;
    return page >= this.layout.firstPage && page < this.layout.pages && this.pages.kind(page) === PageKind.PAGES && page << PAGE_SHIFT === address;
  }

  #closeBlock(address: Address): void {
    const page = address >>> PAGE_SHIFT;
    const place = this.guard.here();
    this.#examineBlock(address, "free");
    this.guard.given(this.blockExtent(address), place);
    // A page that goes to the slot's own list is poisoned here; others when the page table says that they are free.
    if (this.pages.order(page) === 0) this.#pages.poison(page, 0 as Order);
  }

  #examineBlock(address: Address, during: string): void {
    const extent = this.blockExtent(address);
    if (this.guard.histories.state(extent.history) === HistoryState.LIVE) this.guard.inspectLive(extent, during);
  }

  override clearLive(address: Address): boolean {
    if (this.cacheOf(address) !== undefined) return super.clearLive(address);
    const place = this.guard.here();
    if (!super.clearLive(address)) return false;
    this.#examineBlock(address, "retire");
    this.guard.given(this.blockExtent(address), place);
    this.guard.flushSoon();
    return true;
  }

  // What an address is ---------------------------------------------------------------------------------------

  /** A live object or block as the guard sees it. */
  extentOf(address: Address): Extent {
    return this.cacheOf(address)?.extentOf(address) ?? this.blockExtent(address);
  }

  override usableBytes(address: Address): number {
    const cache = this.cacheOf(address);
    if (cache !== undefined) return cache.usableBytes(address);
    const most = super.usableBytes(address);
    const bytes = this.guard.histories.bytes(this.blockExtent(address).history);
    return bytes > 0 && bytes <= most ? (bytes + 3) & ~3 : most;
  }

  override doubleFree(address: Address, operation: "free" | "retire"): DoubleFreeError {
    return new DoubleFreeError(address, operation, this.guard.textOf(this.extentOf(address)));
  }
}
