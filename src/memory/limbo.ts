/**
 * Limbo: what is retired and waits for its grace period (the "limbo lists" of Fraser 2004; the batches
 * of Linux's kfree_rcu).
 *
 * A slot has four segments in each domain; each is a list linked through the objects' side words, so retiring allocates nothing and
 * cannot fail. Which segment collects, and which grace period each waits for, is rcu/'s business
 * (its four segments are those of the kernel's rcu_segcblist). When it is over, the segment's
 * objects go back into their slabs together, a few hundred to each taking of the arena lock.
 *
 * Law table
 *   word                    class
 *   segment HEAD, COUNT     private to the slot (see slot.ts)
 *   link of a retired object   private to the slot whose limbo it is in
 *   INTENT, INTENT_SEGMENT  private to the slot
 *
 * Where the thread may die, and what is left:
 *   push       after the live bit is cleared: INTENT names the object, `finishPush` links it
 *   release    after an object is put back, before HEAD moves on: `skipReleased` moves it (the arena lock
 *              is still held, so the object is nobody else's yet, and its link still stands)
 */

import { type Address, field } from "./address.js";
import { DoubleFreeError } from "./errors.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import { RecordWord, recordAddress, SlotWord, slotAddress } from "./slot.js";

/** Segments of a slot. */
export const LIMBO_SEGMENTS = 4;
const SEGMENT_WORDS = 3;

/** Objects put back for each taking of the arena lock. */
export const RELEASE_CHUNK = 256;

/** What limbo asks of whatever an address may be: an object of a slab, or a block of pages. */
export interface Objects {
  isLive(address: Address): boolean;
  /** Gives whether it was live. */
  clearLive(address: Address): boolean;
  /** The word that links it in limbo. */
  linkOf(address: Address): Address;
  /** Put it back, with the arena lock. */
  putBack(address: Address): void;
  /** Whether it has been put back, with the arena lock. */
  isPutBack(address: Address): boolean;
  withArenaLock<T>(fn: () => T, timeout?: number): T;
}

/** Where an interrupted push went: its domain, and its segment there. */
export const domainOfIntent = (segment: number): number => Math.floor(segment / LIMBO_SEGMENTS);

/** The limbo of one slot in one domain. */
export class Limbo {
  /** The slot's record in the domain. */
  readonly record: Address;
  readonly #memory: Memory;
  readonly #slot: Address;
  readonly #domain: number;
  readonly #objects: Objects;

  constructor(memory: Memory, layout: Layout, slot: number, domain: number, objects: Objects) {
    this.#memory = memory;
    this.#slot = slotAddress(layout, slot);
    this.record = recordAddress(layout, slot, domain);
    this.#domain = domain;
    this.#objects = objects;
  }

  #head(segment: number): Address {
    return field(this.record, RecordWord.LIMBO + segment * SEGMENT_WORDS);
  }

  #count(segment: number): Address {
    return field(this.#head(segment), 1);
  }

  /** The cookie of the grace period that the segment waits for; the caller's. */
  cookie(segment: number): Address {
    return field(this.#head(segment), 2);
  }

  /** Objects in the segment. */
  count(segment: number): number {
    return this.#memory.read(this.#count(segment));
  }

  /** Objects in all segments. */
  get size(): number {
    let size = 0;
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) size += this.count(segment);
    return size;
  }

  /** Whether nothing is in any segment. */
  get empty(): boolean {
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) if (this.#memory.read(this.#head(segment)) !== 0) return false;
    return true;
  }

  /** The objects of a segment. */
  *objects(segment: number): Generator<Address> {
    for (let object = this.#memory.read(this.#head(segment)) as Address; object !== 0; ) {
      yield object;
      object = this.#memory.load(this.#objects.linkOf(object)) as Address;
    }
  }

  /**
   * Put an object that no new reader can reach into a segment.
   * @throws DoubleFreeError (code ERR_DOUBLE_RETIRE) when it is not live
   */
  push(segment: number, object: Address): void {
    const memory = this.#memory;
    if (!this.#objects.isLive(object)) throw new DoubleFreeError(object, "retire");
    memory.write(field(this.#slot, SlotWord.INTENT_SEGMENT), this.#domain * LIMBO_SEGMENTS + segment);
    memory.write(field(this.#slot, SlotWord.INTENT), object);
    const mine = this.#objects.clearLive(object);
    if (mine) this.#link(segment, object);
    memory.write(field(this.#slot, SlotWord.INTENT), 0);
    if (!mine) throw new DoubleFreeError(object, "retire");
  }

  #link(segment: number, object: Address): void {
    const memory = this.#memory;
    memory.store(this.#objects.linkOf(object), memory.read(this.#head(segment)));
    memory.write(this.#head(segment), object);
    memory.write(this.#count(segment), memory.read(this.#count(segment)) + 1);
  }

  /**
   * Give all objects of a segment whose grace period is over back to the allocator.
   * @param timeout ms to wait for the arena lock at most, each time
   * @throws LockTimeoutError: the rest is still in the segment
   */
  release(segment: number, timeout?: number): void {
    while (this.#memory.read(this.#head(segment)) !== 0) {
      this.#objects.withArenaLock(() => this.releaseSome(segment, RELEASE_CHUNK), timeout);
    }
    this.#memory.write(this.#count(segment), 0);
  }

  /** As `release`, at most `most` objects, with the arena lock held by the caller. */
  releaseSome(segment: number, most: number): void {
    const memory = this.#memory;
    const head = this.#head(segment);
    let object = memory.read(head) as Address;
    for (let released = 0; object !== 0 && released < most; released++) {
      const next = memory.load(this.#objects.linkOf(object)) as Address;
      this.#objects.putBack(object);
      memory.write(head, next);
      memory.write(this.#count(segment), this.count(segment) - 1);
      object = next;
    }
  }

  // For the reaper of a dead slot, with the arena lock ---------------------------------------------

  /** Finish the push that the slot's thread died in. */
  finishPush(object: Address): void {
    const segment = this.#memory.read(field(this.#slot, SlotWord.INTENT_SEGMENT)) % LIMBO_SEGMENTS;
    if (!this.#objects.isLive(object) && this.#memory.read(this.#head(segment)) !== object) this.#link(segment, object);
    this.#memory.write(field(this.#slot, SlotWord.INTENT), 0);
  }

  /** Step over objects that were put back already by a release that the thread died in. */
  skipReleased(): void {
    const memory = this.#memory;
    for (let segment = 0; segment < LIMBO_SEGMENTS; segment++) {
      const object = memory.read(this.#head(segment)) as Address;
      if (object !== 0 && this.#objects.isPutBack(object)) memory.write(this.#head(segment), memory.load(this.#objects.linkOf(object)));
    }
  }
}
