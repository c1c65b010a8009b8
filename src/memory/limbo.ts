/**
 * Limbo: what is retired and waits for its grace period (the "limbo lists" of Fraser 2004; the batches of Linux's kfree_rcu, and its sheaves).
 *
 *   retire -> open sheaf of its cache -> (full, or sealed) -> segment  ...grace period...  -> the cache's depot, whole
 *   retire -> list of the segment: blocks of pages, and what finds no sheaf                -> its slab
 *
 * A slot has four segments in each domain. Which one collects, and which grace period each waits for, is rcu/'s business (its four segments
 * are those of the kernel's rcu_segcblist). Listed objects are linked through their side words, so retiring cannot fail for want of memory.
 *
 * Law table
 *   word                         class
 *   segment HEAD, SHEAVES, COUNT private to the slot (see slot.ts)
 *   open sheaves                 private to the slot
 *   link of a listed object      private to the slot whose limbo it is in
 *   INTENT, INTENT_SEGMENT       private to the slot
 *
 * Where the thread may die, and what is left:
 *   retire     before the sheaf's COUNT: the object stands behind the last entry, and `finish` takes it in
 *   close      between SHEAVES and the open sheaf's word: both name it
 *   list       after the object stopped being live: INTENT names it, `finish` links it
 *   release    after HEAD has moved on, before an object is put back: INTENT names it; a sheaf that is in no segment is the reaper's
 */

import { type Address, field, NULL } from "./address.js";
import type { Cache } from "./cache.js";
import type { DoubleFreeError } from "./errors.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import { countWord, lastEntry, ownedBySlot, SHEAF_CAPACITY, type Sheaves } from "./sheaf.js";
import { NOT_LIVE } from "./slab-places.js";
import { openSheafOf, RecordWord, recordAddress, SlotWord, slotAddress } from "./slot.js";

/** Segments of a slot. */
export const LIMBO_SEGMENTS = 4;
const SegmentWord = { HEAD: 0, SHEAVES: 1, COUNT: 2, COOKIE: 3 } as const;
const SEGMENT_WORDS = 4;

/** Objects given back for each taking of the arena lock. */
export const RELEASE_CHUNK = 256;

/** What limbo asks of whatever an address may be: an object of a cache, or a block of pages. */
export interface Objects {
  readonly sheaves: Sheaves;
  /** The cache of an object, undefined for a block of pages. @throws InvalidAddressError */
  cacheOf(address: Address): Cache | undefined;
  /** Bytes of an object or block. */
  usableBytes(address: Address): number;
  isLive(address: Address): boolean;
  /** Takes it from its users; gives whether it was live. */
  clearLive(address: Address): boolean;
  /** The word that links it in limbo. */
  linkOf(address: Address): Address;
  /** Put it back, with the arena lock. */
  putBack(address: Address): void;
  /** Whether it has been put back, with the arena lock. */
  isPutBack(address: Address): boolean;
  /** What is thrown when it is given back, or retired, and is not live. */
  doubleFree(address: Address, operation: "free" | "retire"): DoubleFreeError;
  withArenaLock<T>(fn: () => T, timeout?: number): T;
  /** As `withArenaLock`, without ever sleeping; undefined, and nothing has run, when the lock cannot be had. */
  tryWithArenaLock<T>(fn: () => T): T | undefined;
}

/** Where an interrupted push went: its domain, and its segment there. */
export const domainOfIntent = (segment: number): number => Math.floor(segment / LIMBO_SEGMENTS);

/** The limbo of one slot in one domain. */
export class Limbo {
  /** The slot's record in the domain. */
  readonly record: Address;
  readonly #memory: Memory;
  readonly #layout: Layout;
  readonly #index: number;
  readonly #slot: Address;
  readonly #domain: number;
  readonly #objects: Objects;
  /** The word of the open sheaf that is being closed, and the segment that it goes into; NULL for none. */
  #closing: Address = NULL;
  #closingInto = 0;

  constructor(memory: Memory, layout: Layout, slot: number, domain: number, objects: Objects) {
    this.#memory = memory;
    this.#layout = layout;
    this.#index = slot;
    this.#slot = slotAddress(layout, slot);
    this.record = recordAddress(layout, slot, domain);
    this.#domain = domain;
    this.#objects = objects;
  }

  #word(segment: number, word: number): Address {
    return field(this.record, RecordWord.LIMBO + segment * SEGMENT_WORDS + word);
  }

  #openSheaf(cache: number): Address {
    return openSheafOf(this.#layout, this.#index, cache, this.#domain);
  }

  /** The cookie of the grace period that the segment waits for; the caller's. */
  cookie(segment: number): Address {
    return this.#word(segment, SegmentWord.COOKIE);
  }

  /** Objects in the segment, those in open sheaves with it if it collects. */
  count(segment: number): number {
    return this.#memory.read(this.#word(segment, SegmentWord.COUNT));
  }

  #addCount(segment: number, by: number): void {
    this.#memory.write(this.#word(segment, SegmentWord.COUNT), this.count(segment) + by);
  }

  /** Objects in all segments. */
  get size(): number {
    let size = 0;
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) size += this.count(segment);
    return size;
  }

  /** Whether nothing is in any segment. */
  get empty(): boolean {
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) if (this.count(segment) !== 0 || !this.#isReleased(segment)) return false;
    return true;
  }

  #isReleased(segment: number): boolean {
    return this.#memory.read(this.#word(segment, SegmentWord.HEAD)) === 0 && this.#memory.read(this.#word(segment, SegmentWord.SHEAVES)) === 0;
  }

  *#listed(segment: number): Generator<Address> {
    for (let object = this.#memory.read(this.#word(segment, SegmentWord.HEAD)) as Address; object !== 0; ) {
      yield object;
      object = this.#memory.load(this.#objects.linkOf(object)) as Address;
    }
  }

  /** Sheaves that are closed. */
  *sheaves(): Generator<Address> {
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) yield* this.#objects.sheaves.list(this.#word(segment, SegmentWord.SHEAVES));
  }

  /** Open sheaves. */
  *openSheaves(): Generator<Address> {
    for (let cache = 0; cache < this.#layout.caches; cache++) {
      const sheaf = this.#memory.read(this.#openSheaf(cache)) as Address;
      if (sheaf !== NULL) yield sheaf;
    }
  }

  /** The objects of all segments. */
  *objects(): Generator<Address> {
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) yield* this.#listed(segment);
    for (const sheaf of this.sheaves()) yield* this.#objects.sheaves.objects(sheaf);
    for (const sheaf of this.openSheaves()) yield* this.#objects.sheaves.objects(sheaf);
  }

  // Retire -----------------------------------------------------------------------------------------

  /**
   * Put an object that no new reader can reach into the segment that collects.
   * @returns its bytes
   * @throws InvalidAddressError; DoubleFreeError (code ERR_DOUBLE_RETIRE) when it is not live
   */
  push(segment: number, object: Address): number {
    const cache = this.#objects.cacheOf(object);
    if (!(cache ?? this.#objects).isLive(object)) throw this.#objects.doubleFree(object, "retire");
    const bytes = cache === undefined ? this.#objects.usableBytes(object) : cache.objectWords * 4;
    const sheaf = cache === undefined ? NULL : this.#sheafFor(segment, cache);
    if (cache === undefined || sheaf === NULL) this.list(segment, object);
    else this.#putIn(segment, sheaf, cache, object);
    return bytes;
  }

  #sheafFor(segment: number, cache: Cache): Address {
    if (this.#closing !== NULL) this.#endClosing();
    const word = this.#openSheaf(cache.index);
    const open = this.#memory.read(word) as Address;
    if (open === NULL) return this.#open(cache);
    if (this.#memory.read(countWord(open)) < SHEAF_CAPACITY) return open;
    this.#close(segment, word); // a stack overflow kept it from that
    return this.#open(cache);
  }

  // Retiring never waits: where the lock cannot be had at once the object is listed instead.
  #open(cache: Cache): Address {
    const { sheaves } = this.#objects;
    return (
      this.#objects.tryWithArenaLock(() => {
        const sheaf = sheaves.take(ownedBySlot(this.#index));
        this.#memory.write(this.#openSheaf(cache.index), sheaf);
        return sheaf;
      }) ?? NULL
    );
  }

  #putIn(segment: number, sheaf: Address, cache: Cache, object: Address): void {
    const memory = this.#memory;
    const count = memory.read(countWord(sheaf));
    memory.write(lastEntry(sheaf, count + 1), object);
    if (!cache.retire(object, NOT_LIVE)) {
      memory.write(lastEntry(sheaf, count + 1), 0); // another thread was faster
      throw this.#objects.doubleFree(object, "retire");
    }
    memory.write(countWord(sheaf), count + 1);
    this.#addCount(segment, 1);
    if (count + 1 === SHEAF_CAPACITY) this.#close(segment, this.#openSheaf(cache.index));
  }

  #close(segment: number, open: Address): void {
    this.#closingInto = segment;
    this.#closing = open;
    this.#objects.sheaves.push(this.#word(segment, SegmentWord.SHEAVES), this.#memory.read(open) as Address);
    this.#memory.write(open, 0);
    this.#closing = NULL;
  }

  /** A stack overflow came in the midst of closing a sheaf, which may be in its segment. Before any other is closed, or this one filled. */
  #endClosing(): void {
    const [open, segment] = [this.#closing, this.#closingInto];
    const closed = [...this.#objects.sheaves.list(this.#word(segment, SegmentWord.SHEAVES))];
    if (closed.includes(this.#memory.read(open) as Address)) {
      this.#memory.write(open, 0);
      this.#closing = NULL;
    } else this.#close(segment, open);
  }

  /** Put an object into a segment's list, without a sheaf. @throws DoubleFreeError (code ERR_DOUBLE_RETIRE) when it is not live */
  list(segment: number, object: Address): void {
    const memory = this.#memory;
    memory.write(field(this.#slot, SlotWord.INTENT_SEGMENT), this.#domain * LIMBO_SEGMENTS + segment);
    memory.write(field(this.#slot, SlotWord.INTENT), object);
    const mine = this.#objects.clearLive(object);
    if (mine) this.#link(segment, object);
    memory.write(field(this.#slot, SlotWord.INTENT), 0);
    if (!mine) throw this.#objects.doubleFree(object, "retire");
  }

  #link(segment: number, object: Address): void {
    const memory = this.#memory;
    const head = this.#word(segment, SegmentWord.HEAD);
    memory.store(this.#objects.linkOf(object), memory.read(head));
    memory.write(head, object);
    this.#addCount(segment, 1);
  }

  /** Take a block of pages into the segment that collects; `leave` takes it from its users. */
  pushPages(address: Address, leave: () => void): void {
    const memory = this.#memory;
    const segment = memory.read(field(this.record, RecordWord.COLLECTING));
    memory.write(field(this.#slot, SlotWord.INTENT_SEGMENT), this.#domain * LIMBO_SEGMENTS + segment);
    memory.write(field(this.#slot, SlotWord.INTENT), address);
    leave();
    this.#link(segment, address);
    memory.write(field(this.#slot, SlotWord.INTENT), 0);
  }

  /** Close the open sheaves into the segment that has collected them: before its grace period begins. */
  seal(segment: number): void {
    if (this.#closing !== NULL) this.#endClosing();
    for (let cache = 0; cache < this.#layout.caches; cache++) {
      const open = this.#openSheaf(cache);
      const sheaf = this.#memory.read(open) as Address;
      if (sheaf !== NULL && this.#memory.read(countWord(sheaf)) > 0) this.#close(segment, open);
    }
  }

  // Release ----------------------------------------------------------------------------------------

  /**
   * Give all objects of a segment whose grace period is over back to the allocator.
   * @param timeout ms to wait for the arena lock at most, each time
   * @throws LockTimeoutError: the rest is still in the segment
   */
  release(segment: number, timeout?: number): void {
    while (!this.#isReleased(segment)) this.#objects.withArenaLock(() => this.releaseSome(segment, RELEASE_CHUNK), timeout);
    this.#memory.write(this.#word(segment, SegmentWord.COUNT), 0);
  }

  /** As `release`, about `most` objects, with the arena lock held by the caller. */
  releaseSome(segment: number, most: number): void {
    let released = 0;
    const { sheaves } = this.#objects;
    while (released < most) {
      const sheaf = sheaves.pop(this.#word(segment, SegmentWord.SHEAVES));
      if (sheaf === NULL) break;
      const count = sheaves.count(sheaf);
      this.#objects.cacheOf(sheaves.last(sheaf))?.adopt(sheaf);
      this.#addCount(segment, -count);
      released += count;
    }
    const head = this.#word(segment, SegmentWord.HEAD);
    const intent = field(this.#slot, SlotWord.INTENT);
    for (let object = this.#memory.read(head) as Address; object !== 0 && released < most; released++) {
      const next = this.#memory.load(this.#objects.linkOf(object)) as Address;
      this.#memory.write(intent, -object);
      this.#memory.write(head, next);
      this.#objects.putBack(object);
      this.#memory.write(intent, 0);
      this.#addCount(segment, -1);
      object = next;
    }
  }

  // For the reaper of a dead slot, with the arena lock ---------------------------------------------

  /** Whether an object is the first of a segment's list. */
  isFirst(object: Address): boolean {
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) if (this.#memory.read(this.#word(segment, SegmentWord.HEAD)) === object) return true;
    return false;
  }

  /** Finish what the slot's thread, or whoever was releasing its limbo, died in. May be repeated. */
  finish(): void {
    const memory = this.#memory;
    const intent = memory.read(field(this.#slot, SlotWord.INTENT)) as Address;
    const target = memory.read(field(this.#slot, SlotWord.INTENT_SEGMENT));
    if (intent > 0 && domainOfIntent(target) === this.#domain) {
      const segment = target % LIMBO_SEGMENTS;
      if (!this.#objects.isLive(intent) && memory.read(this.#word(segment, SegmentWord.HEAD)) !== intent) this.#link(segment, intent);
      memory.write(field(this.#slot, SlotWord.INTENT), 0);
    }
    this.#finishSheaves(memory.read(field(this.record, RecordWord.COLLECTING)));
    this.#recount();
  }

  #finishSheaves(collecting: number): void {
    const { sheaves } = this.#objects;
    const closed = new Set(this.sheaves());
    for (let cache = 0; cache < this.#layout.caches; cache++) {
      const open = this.#openSheaf(cache);
      const sheaf = this.#memory.read(open) as Address;
      if (sheaf === NULL) continue;
      // Else its thread, or a reaper, died closing it.
      if (!closed.has(sheaf)) {
        sheaves.finish(sheaf);
        // Whoever died retiring it had unlinked it, and meant to.
        for (const object of sheaves.objects(sheaf)) if (this.#objects.isLive(object)) this.#objects.clearLive(object);
        if (sheaves.count(sheaf) > 0) this.#close(collecting, open);
      }
      this.#memory.write(open, 0); // an empty one is in no segment, and so the reaper's
    }
  }

  #recount(): void {
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) {
      let count = [...this.#listed(segment)].length;
      for (const sheaf of this.#objects.sheaves.list(this.#word(segment, SegmentWord.SHEAVES))) count += this.#objects.sheaves.count(sheaf);
      this.#memory.write(this.#word(segment, SegmentWord.COUNT), count);
    }
  }
}
