/**
 * A cache of a debug arena: another allocator's, with a guard around each object, and quarantine behind it.
 *
 *   alloc  <- the allocator's `handOut`: poison is looked at, zones and history are entered    <- depot, slabs
 *   free   -> zones are looked at, poison -> this thread's quarantine, poison is looked at     -> depot, slabs
 *   retire -> zones are looked at -> limbo ... grace period ... -> poison -> quarantine        -> depot, slabs
 *
 * What its users do wrong is refused by an error that tells the object's history; what they have damaged is reported.
 *
 * Law table: this file owns no word; see poison.ts, sheaf.ts.
 *
 * Where the thread may die, and what is left:
 *   alloc   in `handOut`: the object is still in its magazine, and is put back (putBack poisons what is not)
 *   free    before the sheaf's COUNT: the object is poisoned and live, or behind the last entry of a sheaf, from where the reaper takes it
 */

import { type Address, field, NULL, PAGE_SHIFT } from "./address.js";
import type { Cache, CacheInfo } from "./cache.js";
import { InvalidAddressError, WrongCacheError } from "./errors.js";
import { CacheFlag, cacheName, Descriptor, descriptorAt, readGeometry } from "./geometry.js";
import type { Guard } from "./guard.js";
import { HistoryState, type Place, ZONE_WORDS } from "./history.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import type { MemoryReport } from "./memory-report.js";
import { type Extent, objectExtent } from "./poison.js";
import type { Quarantine, Quarantined } from "./quarantine.js";
import { countWord, lastEntry, type Sheaves } from "./sheaf.js";
import { NOT_LIVE } from "./slab-places.js";

/** What a debug cache asks of its heap. */
export interface DebugArena {
  readonly memory: Memory;
  readonly layout: Layout;
  readonly sheaves: Sheaves;
  readonly pages: { cacheIndex(page: number): number };
  readonly guard: Guard;
  readonly quarantine: Quarantine;
  doubleFree(address: Address, operation: "free" | "retire"): Error;
}

const NOWHERE: Place = { site: 0, name: 0 };

/** Objects of one size, guarded. */
export class DebugCache implements Cache, Quarantined {
  readonly index: number;
  readonly objectWords: number;
  readonly isTracked: boolean;
  readonly bytesEach: number;
  readonly name: string;
  readonly #inner: Cache;
  readonly #arena: DebugArena;
  readonly #guard: Guard;
  readonly #isPoisoned: boolean;
  #place: Place = NOWHERE;

  /** @param inner whose `handOut` hook calls this one's, and `construct` its `begin` */
  constructor(arena: DebugArena, index: number, make: (cache: DebugCache) => Cache) {
    const descriptor = descriptorAt(arena.layout, index);
    const geometry = readGeometry(arena.memory, descriptor);
    this.#arena = arena;
    this.#guard = arena.guard;
    this.index = index;
    this.bytesEach = geometry.stride * 4;
    this.name = cacheName(arena.memory, descriptor);
    this.objectWords = arena.memory.read(field(descriptor, Descriptor.OBJECT_WORDS));
    this.#isPoisoned = (geometry.flags & (CacheFlag.CONSTRUCTED | CacheFlag.TYPESAFE)) === 0;
    this.#inner = make(this);
    this.isTracked = this.#inner.isTracked;
  }

  /** An object as the guard sees it. */
  extentOf(object: Address): Extent {
    return objectExtent(object, this.objectWords, this.#isPoisoned, this.name);
  }

  /** Bytes that were asked for, in whole words: what may be used. */
  usableBytes(object: Address): number {
    return Math.max(4, (this.#guard.histories.bytes(this.extentOf(object).history) + 3) & ~3);
  }

  // Hooks of the allocator --------------------------------------------------------------------------------

  /** Of a new block: what stands there says nothing. */
  begin(object: Address): void {
    this.#guard.histories.begin(this.extentOf(object).history);
  }

  /** An object on its way to its user. */
  handOut(object: Address): void {
    const extent = this.extentOf(object);
    this.#guard.inspect(extent, "alloc");
    this.#guard.open(extent, this.#guard.asked ?? this.objectWords * 4, this.#place);
  }

  // Users --------------------------------------------------------------------------------------------------

  alloc(tag?: number): Address {
    this.#guard.begin();
    try {
      this.#place = this.#guard.here();
      return this.#inner.alloc(tag);
    } finally {
      this.#guard.end();
    }
  }

  free(object: Address): void {
    this.#guard.begin();
    try {
      this.#free(object);
    } finally {
      this.#guard.end();
    }
  }

  #free(object: Address): void {
    this.checkAddress(object);
    if (!this.#inner.isLive(object)) throw this.#arena.doubleFree(object, "free");
    const place = this.#guard.here();
    const { quarantine } = this.#arena;
    const sheaf = quarantine.sheafFor(this);
    const extent = this.extentOf(object);
    this.#guard.inspect(extent, "free");
    this.#guard.given(extent, place);
    this.#guard.close(extent);
    if (sheaf === NULL) this.#inner.free(object);
    else this.#putIn(sheaf, object);
  }

  #putIn(sheaf: Address, object: Address): void {
    const { memory, sheaves, quarantine } = this.#arena;
    const count = sheaves.count(sheaf);
    const entry = lastEntry(sheaf, count + 1);
    memory.write(entry, object);
    if (!this.#inner.retire(object, NOT_LIVE)) {
      memory.write(entry, 0); // another thread was faster
      throw this.#arena.doubleFree(object, "free");
    }
    memory.write(countWord(sheaf), count + 1);
    quarantine.added(this);
  }

  checkAddress(object: Address): void {
    const index = this.#arena.pages.cacheIndex(object >>> PAGE_SHIFT);
    if (index !== this.index) {
      if (index < 0) throw new InvalidAddressError(object, `was given to cache ${this.name}, and lies in no cache`);
      throw new WrongCacheError(object, this.name, `cache ${cacheName(this.#arena.memory, descriptorAt(this.#arena.layout, index))}`);
    }
    try {
      this.#inner.checkAddress(object);
    } catch (error) {
      if (error instanceof InvalidAddressError) throw this.#insideError(object);
      throw error;
    }
  }

  #insideError(address: Address): InvalidAddressError {
    const object = this.objectBelow(address);
    const what = `is not the start of an object of ${this.objectWords * 4} bytes`;
    if (object === undefined) return new InvalidAddressError(address, what);
    return new InvalidAddressError(
      address,
      `${what}; that begins ${(address - object) * 4} bytes before it, at ${object}.${this.#guard.textOf(this.extentOf(object))}`,
    );
  }

  /** The object whose words, zones or history an address lies in; by a search of its block. */
  objectBelow(address: Address): Address | undefined {
    const { order } = readGeometry(this.#arena.memory, descriptorAt(this.#arena.layout, this.index));
    let best: Address | undefined;
    for (const object of this.#inner.objects((address >>> PAGE_SHIFT) & (-1 << order))) {
      if (object - ZONE_WORDS <= address && (best === undefined || object > best)) best = object;
    }
    return best;
  }

  cacheIndexOf(object: Address): number {
    return this.#inner.cacheIndexOf(object);
  }

  sideOf(object: Address): Address {
    return this.#inner.sideOf(object);
  }

  isLive(object: Address): boolean {
    return this.#inner.isLive(object);
  }

  // Limbo -----------------------------------------------------------------------------------------------------

  retire(object: Address, side: number): boolean {
    const place = this.#guard.here();
    if (!this.#inner.retire(object, side)) return false;
    const extent = this.extentOf(object);
    this.#guard.inspectLive(extent, "retire");
    this.#guard.given(extent, place);
    this.#guard.flushSoon(); // limbo is not done with it
    return true;
  }

  adopt(sheaf: Address): void {
    for (const object of this.#arena.sheaves.objects(sheaf)) this.#settle(object, "quarantine");
    if (this.#arena.quarantine.limit === 0) this.endQuarantine(sheaf);
    else this.#arena.quarantine.adopt(this, sheaf);
  }

  /** See to it that an object that is nobody's is poisoned. */
  #settle(object: Address, during: string): void {
    const extent = this.extentOf(object);
    const isFreed = this.#guard.histories.state(extent.history) === HistoryState.FREED;
    if (this.#guard.inspect(extent, during) || !isFreed) this.#guard.close(extent);
  }

  endQuarantine(sheaf: Address): void {
    for (const object of this.#arena.sheaves.objects(sheaf)) this.#release(object);
    this.#inner.adopt(sheaf);
  }

  #release(object: Address): void {
    this.#settle(object, "quarantine");
    if (this.#inner.writesFreeObjects === true) this.#guard.histories.enter(this.extentOf(object).history, HistoryState.CHANGING);
  }

  // With the arena lock ---------------------------------------------------------------------------------------

  putBack(object: Address): void {
    if (this.#inner.isPutBack(object)) return;
    this.#release(object);
    this.#inner.putBack(object);
  }

  isPutBack(object: Address): boolean {
    return this.#inner.isPutBack(object);
  }

  forget(): void {
    this.#arena.quarantine.forget();
    this.#inner.forget();
  }

  drain(slot: number): void {
    this.#inner.drain(slot);
  }

  shrink(): void {
    this.#arena.quarantine.drain(this);
    this.#inner.shrink();
  }

  recoverCounts(): void {
    this.#inner.recoverCounts();
  }

  recoverBlock(page: number): void {
    this.#inner.recoverBlock(page);
  }

  objects(page: number): Iterable<Address> {
    return this.#inner.objects(page);
  }

  live(page: number): Iterable<Address> {
    return this.#inner.live(page);
  }

  outNotLive(page: number): Iterable<Address> {
    return this.#inner.outNotLive(page);
  }

  check(pages: readonly number[]): string[] {
    return [...this.#inner.check(pages), ...this.validate(pages).map(({ message }) => message)];
  }

  /** What is damaged in its blocks of pages. */
  validate(pages: readonly number[]): MemoryReport[] {
    return pages.flatMap((page) => [...this.objects(page)].flatMap((object) => this.#guard.examine(this.extentOf(object), "check")));
  }

  info(): CacheInfo {
    return this.#inner.info();
  }
}
