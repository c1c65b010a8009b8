/**
 * The virtual space: ranges of pages that are handed out, freed and purged (mm/vmalloc.c; its lazily flushed areas).
 *
 *   make  -> MAKING -> tables, frames, entries -> LIVE
 *   free  LIVE -> LAZY -> entries cleared -> VM_GENERATION + 1 -> frames back        a touch throws from here on
 *   purge LAZY -> VM_GENERATION + 1 -> out of the list -> tables back                the range may be used again from here on
 *
 * A freed range rests until a purge, so that who still uses it meets nobody else's data but a PageFaultError. A purge comes when many pages rest,
 * when something cannot be had, and when nothing is live any more: then the arena is as it was before the first area.
 *
 * Law table
 *   word            class
 *   VM_LOCK         atomic (robust mutex); taken after SWAP_LOCK, before ARENA_LOCK
 *   VM_GENERATION   atomic; stored by VM_LOCK's owner; translations made before its change are not used after it
 *   VM_LAZY         locked by VM_LOCK
 *
 * Guarantees: all or nothing; whoever dies in here, the next owner of VM_LOCK (`#recover`) undoes what was being made, ends what was being freed, and
 * gives back what belongs to no area: every page and area of this space has the tag VM_TAG, so that they are found.
 */

import { type Address, NULL } from "../address.js";
import { DoubleFreeError, InvalidAddressError, LockTimeoutError, QuiesceError } from "../errors.js";
import type { Heap } from "../heap.js";
import { Header } from "../layout.js";
import type { Memory } from "../memory.js";
import { RobustMutex } from "../robust-mutex.js";
import { AREA_BYTES, type Area, AreaState, Areas } from "./areas.js";
import { PageTable } from "./page-table.js";
import { addressOfPage, EntryKind, entryOf, frameOf, kindOfEntry, VIRTUAL_PAGES } from "./virtual.js";

/** Whose the tables, the areas' words and the pages that stay are; no structure has this address. */
export const VM_TAG: number = Header.VM_LOCK;

/** Pages of freed ranges that may rest until a purge: 32 MiB (the kernel's lazy_max_pages for one processor). */
export const LAZY_PAGES = 8192;
/** Pages that a range counts for beside its own: the list is gone through by every vmalloc and vfree, so not many may rest in it. */
const RANGE_WEIGHT = 63;

/** What a freed range counts for. */
export const weightOf = ({ pages }: Pick<Area, "pages">): number => pages + RANGE_WEIGHT;

/** What an area is to be. */
export type Wish = Pick<Area, "pages" | "bytes" | "swap" | "tag">;

/**
 * Run `fn` with a lock. A refusal of ours leaves everything whole. Anything else (a stack overflow, an arena lock that cannot be had) may have come in the
 * middle of an update: then the next owner recovers, as if this one had died.
 */
export function withMutex<T>(mutex: RobustMutex, repair: () => void, fn: () => T, timeout?: number): T {
  mutex.lockRepaired(repair, timeout);
  let failed = true;
  try {
    const result = fn();
    failed = false;
    return result;
  } catch (error) {
    failed = !(error instanceof QuiesceError) || error instanceof LockTimeoutError;
    throw error;
  } finally {
    mutex.unlock(failed);
  }
}

/** One thread's view of the space. */
export class VirtualSpace {
  readonly memory: Memory;
  readonly table: PageTable;
  readonly areas: Areas;
  readonly #heap: Heap;
  readonly #lock: RobustMutex;

  constructor(heap: Heap) {
    this.#heap = heap;
    this.memory = heap.memory;
    this.table = new PageTable(heap, VM_TAG);
    this.areas = new Areas(heap.memory);
    this.#lock = new RobustMutex(heap.memory, Header.VM_LOCK, heap.slot);
  }

  /** Whether this thread holds the lock. */
  get isLocked(): boolean {
    return this.#lock.held;
  }

  /** Run `fn` with VM_LOCK, which is never held during input or output. */
  withLock<T>(fn: () => T, timeout?: number): T {
    return withMutex(this.#lock, () => this.#recover(), fn, timeout);
  }

  /**
   * Make an area.
   * @param timeout ms to wait for the lock at most
   * @returns its first page, 0 when there is no room, or not so many pages
   */
  make(wish: Wish, timeout?: number): number {
    return this.withLock(() => {
      const start = this.#tryMake(wish);
      if (start !== 0 || this.memory.read(Header.VM_LAZY) === 0) return start;
      this.#purge();
      return this.#tryMake(wish);
    }, timeout);
  }

  #tryMake(wish: Wish): number {
    const { areas, memory, table } = this;
    const { pages, swap } = wish;
    const gap = areas.firstFit(pages);
    if (gap === undefined) return 0;
    const at = this.#heap.kmalloc(AREA_BYTES, VM_TAG);
    if (at === NULL) return 0;
    const area = areas.insert(at, gap, { ...wish, thread: this.#heap.slot.thread });
    const frames = table.extend(gap.start, pages) && (swap ? [] : this.#heap.allocPagesBulk(pages, { tag: VM_TAG }));
    if (!frames) {
      this.#takeOut(area);
      return 0;
    }
    // Whoever learns of the address, by whatever store its maker publishes it with, finds the entries.
    for (let page = 0; page < pages; page++) {
      const entry = swap ? EntryKind.EMPTY : entryOf(EntryKind.MAPPED, frames[page] as Address);
      memory.store(table.entry(gap.start + page), entry);
    }
    areas.setState(area, AreaState.LIVE); // commit
    return gap.start;
  }

  /** The live area that begins at a page. @throws DoubleFreeError, InvalidAddressError */
  liveAt(page: number): Area {
    const area = this.areas.at(page);
    if (area === undefined || area.start !== page) throw new InvalidAddressError(addressOfPage(page), "is not the start of an area that vmalloc gave");
    if (area.state !== AreaState.LIVE) throw new DoubleFreeError(addressOfPage(page), "free");
    return area;
  }

  /**
   * Free the area that begins at a page; of a swappable one, with SWAP_LOCK.
   * @throws DoubleFreeError, InvalidAddressError; LockTimeoutError when the arena lock could not be had: the area is freed, and what it held is given
   * back by the next owner of the lock
   */
  free(page: number): void {
    this.withLock(() => {
      const area = this.liveAt(page);
      this.areas.setState(area, AreaState.LAZY); // commit
      const frames = this.#unmap(area);
      this.memory.add(Header.VM_GENERATION, 1); // pairs with the load of every touch (translations.ts): the frames are not touched any more
      for (const frame of frames) this.#heap.freePages(frame);
      const lazy = this.memory.read(Header.VM_LAZY) + weightOf(area);
      this.memory.write(Header.VM_LAZY, lazy);
      if (lazy > LAZY_PAGES || !this.#hasLive()) this.#purge();
    });
  }

  /** Give freed ranges out again from now on, and their tables back. */
  purge(): void {
    this.withLock(() => this.#purge());
  }

  #purge(): void {
    const { areas, memory } = this;
    memory.add(Header.VM_GENERATION, 1); // before any table goes: page-table.ts
    for (const area of areas.list()) if (area.state === AreaState.LAZY) this.#takeOut(area);
    memory.write(Header.VM_LAZY, 0);
    if (!this.#hasLive()) memory.write(Header.VM_HAND, 0);
  }

  #takeOut(area: Area): void {
    this.areas.remove(area);
    this.table.trim(area.start, area.pages, (first, pages) => this.areas.isUsed(first, pages));
    this.#heap.kfree(area.at);
  }

  #hasLive(): boolean {
    for (const { state } of this.areas.list()) if (state === AreaState.LIVE) return true;
    return false;
  }

  /** Clear an area's entries; gives the frames they mapped. */
  #unmap({ start, pages }: Area): Address[] {
    const frames: Address[] = [];
    for (let page = start; page < start + pages; page++) {
      const at = this.table.entry(page);
      if (at === NULL) continue; // of an area that never got all its tables
      const entry = this.memory.exchange(at, EntryKind.NONE);
      const kind = kindOfEntry(entry);
      if (kind === EntryKind.MAPPED || kind === EntryKind.RESIDENT) frames.push(frameOf(entry));
    }
    return frames;
  }

  /** The entries of an area that have a table, with where they are. */
  *entries({ start, pages }: Area): Generator<{ page: number; at: Address; entry: number }> {
    for (let page = start; page < start + pages; page++) {
      const at = this.table.entry(page);
      if (at !== NULL) yield { page, at, entry: this.memory.load(at) };
    }
  }

  /** What belongs to the space: tables, areas' words, and pages that stay. */
  held(): Set<Address> {
    const held = new Set(this.table.nodes());
    for (const area of this.areas.list()) {
      held.add(area.at);
      if (area.swap || area.state !== AreaState.LIVE) continue;
      for (const { entry } of this.entries(area)) held.add(frameOf(entry));
    }
    return held;
  }

  /** After an owner of VM_LOCK died. May be repeated. */
  #recover(): void {
    const { areas, memory, table } = this;
    memory.add(Header.VM_GENERATION, 1);
    let lazy = 0;
    for (const area of areas.list()) {
      if (area.state === AreaState.LIVE) continue;
      this.#unmap(area); // its frames are swept below, or by whoever has SWAP_LOCK next
      areas.setState(area, AreaState.LAZY);
      lazy += weightOf(area);
    }
    memory.write(Header.VM_LAZY, lazy);
    table.trim(0, VIRTUAL_PAGES, (first, pages) => areas.isUsed(first, pages));
    const held = this.held();
    for (const address of this.#heap.ownedBy(VM_TAG)) if (!held.has(address)) this.#heap.kfree(address);
    if (!this.#hasLive()) this.#purge();
  }

  /** For reports: what an address is, told with VM_LOCK. */
  describe(page: number): string {
    const area = this.areas.at(page);
    if (area === undefined) return "in no area";
    const name = `the area of ${area.bytes} bytes at ${addressOfPage(area.start)}`;
    if (area.state === AreaState.LAZY) return `in ${name}, which was freed`;
    return page === area.start + area.pages ? `in the guard page behind ${name}` : `in ${name}`;
  }
}
