/**
 * slob as one thread sees it: the baseline that the other allocators are measured against (Linux's mm/slob.c). Every call takes the arena
 * lock and walks; objects of all caches share regions, so little is wasted but a head of two words for each object.
 *
 *   alloc  <- first block that fits         free  -> joined with its neighbours         both under the arena lock
 *
 * Not honoured here: `colour`, since where an object falls depends on its neighbours anyway. Refused: `construct` and `typesafeByRcu`, since memory does not
 * stay of one type between two uses.
 *
 * Law table: this file owns no word; see slob-regions.ts.
 *
 * Guarantees: every object is found by recovery while it is live, tracked or not.
 *
 * Where the thread may die, and what is left:
 *   alloc   until the object is its user's: INTENT names it, and it is put back
 *   free    after it stopped being live: likewise
 */

import { type Address, field, NULL } from "./address.js";
import type { ArenaLock, Cache, CacheInfo } from "./cache.js";
import { DoubleFreeError, InvalidAddressError } from "./errors.js";
import { CacheFlag, cacheName, readGeometry } from "./geometry.js";
import type { Memory } from "./memory.js";
import { PageKind, type Pages } from "./pages.js";
import type { Sheaves } from "./sheaf.js";
import { NOT_LIVE } from "./slab-places.js";
import { SLOB_LISTS, type SlobRegions } from "./slob-regions.js";
import { type Slot, SlotWord } from "./slot.js";

/** Objects of one size, from regions that all caches share. */
export class SlobCache implements Cache {
  readonly index: number;
  readonly objectWords: number;
  readonly isTracked: boolean;
  readonly #align: number;
  readonly #descriptor: Address;
  readonly #memory: Memory;
  readonly #arena: ArenaLock;
  readonly #pages: Pages;
  readonly #regions: SlobRegions;
  readonly #sheaves: Sheaves;
  readonly #intent: Address;

  constructor(memory: Memory, arena: ArenaLock, slot: Slot, pages: Pages, descriptor: Address, index: number, regions: SlobRegions, sheaves: Sheaves) {
    const { objectWords, align, flags } = readGeometry(memory, descriptor);
    this.index = index;
    this.objectWords = objectWords;
    this.isTracked = (flags & CacheFlag.TRACKED) !== 0;
    this.#align = align;
    this.#descriptor = descriptor;
    this.#memory = memory;
    this.#arena = arena;
    this.#pages = pages;
    this.#regions = regions;
    this.#sheaves = sheaves;
    this.#intent = field(slot.address, SlotWord.INTENT);
  }

  alloc(tag = 0): Address {
    const object = this.#arena.withArenaLock(() => {
      const taken = this.#take();
      if (taken !== NULL) return taken;
      this.#arena.shrink();
      return this.#take();
    });
    if (object === NULL) return NULL;
    this.#regions.setLive(object, tag);
    this.#memory.write(this.#intent, 0);
    return object;
  }

  #take(): Address {
    return this.#regions.take(this.index, this.objectWords, this.#align, (object) => this.#memory.write(this.#intent, -object));
  }

  free(object: Address): void {
    this.checkAddress(object);
    this.#arena.withArenaLock(() => {
      if (!this.#regions.isStart(object)) throw new DoubleFreeError(object, "free");
      this.#memory.write(this.#intent, -object);
      const mine = this.#regions.retire(object, NOT_LIVE);
      if (mine) this.#regions.putBack(object);
      this.#memory.write(this.#intent, 0); // with the lock still: what INTENT names is nobody's
      if (!mine) throw new DoubleFreeError(object, "free");
    });
  }

  checkAddress(object: Address): void {
    if (!this.#regions.mayHaveStarted(object)) throw new InvalidAddressError(object, "is not the start of an object");
  }

  cacheIndexOf(object: Address): number {
    return this.#regions.isStart(object) ? this.#regions.cacheIndexOf(object) : this.index;
  }

  sideOf(object: Address): Address {
    return this.#regions.sideOf(object);
  }

  isLive(object: Address): boolean {
    return this.#regions.isLive(object);
  }

  retire(object: Address, side: number): boolean {
    return this.#regions.retire(object, side);
  }

  // With the arena lock -------------------------------------------------------------------------------

  putBack(object: Address): void {
    this.#regions.putBack(object);
  }

  isPutBack(object: Address): boolean {
    return !this.#regions.isStart(object);
  }

  adopt(sheaf: Address): void {
    this.#sheaves.dissolve(sheaf, (object) => this.#regions.putBack(object));
  }

  forget(): void {
    // A thread keeps nothing here; the arena lock refuses one that has left.
  }

  drain(): void {
    // A slot has nothing here but what INTENT names.
  }

  shrink(): void {
    // Regions go back as soon as they are empty.
  }

  recoverCounts(): void {
    if (this.index < SLOB_LISTS) this.#regions.recoverCounts(this.index);
  }

  recoverBlock(page: number): void {
    this.#regions.recover(page);
  }

  *objects(page: number): Generator<Address> {
    for (const object of this.#regions.objects(page)) if (this.#regions.cacheIndexOf(object) === this.index) yield object;
  }

  *live(page: number): Iterable<Address> {
    for (const object of this.#regions.objects(page)) if (this.#regions.cacheIndexOf(object) === this.index && this.#regions.isLive(object)) yield object;
  }

  /** Of all caches: the block is theirs too. */
  *outNotLive(page: number): Iterable<Address> {
    for (const object of this.#regions.objects(page)) if (!this.#regions.isLive(object)) yield object;
  }

  check(pages: readonly number[]): string[] {
    return this.index < SLOB_LISTS ? this.#regions.check(this.index, pages) : pages.map((page) => `slob: region ${page} is in no list (${this.index})`);
  }

  /** What it holds. Its blocks are those of the list that is in its descriptor: objects of any cache are in them. */
  info(): CacheInfo {
    let out = 0;
    for (const { page, kind } of this.#pages.walk()) {
      if (kind !== PageKind.SLAB) continue;
      for (const object of this.#regions.objects(page)) if (this.#regions.cacheIndexOf(object) === this.index) out++;
    }
    return {
      name: cacheName(this.#memory, this.#descriptor),
      objectBytes: this.objectWords * 4,
      out,
      objects: out,
      objectsPerBlock: 0,
      pagesPerBlock: 1,
      blocks: this.index < SLOB_LISTS ? this.#regions.regions(this.index) : 0,
      inDepot: 0,
    };
  }
}
