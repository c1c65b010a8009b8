/**
 * A slab cache as one thread sees it: its slot's magazine in front of the shared slabs
 * (Bonwick and Adams, "Magazines and Vmem", USENIX 2001, with one magazine a thread).
 *
 *   alloc  <- magazine (this slot's) <- refill, under the arena lock, <- slabs
 *   free   -> magazine               -> flush half                    -> slabs
 *
 * Law table
 *   word                       class
 *   magazine count, entries    private to the slot (see slot.ts)
 *   INTENT, REFILL_*           private to the slot; say what a reaper must finish or undo
 *
 * Where the thread may die, and what is left (the reaper, `drainSlot`, puts all of it back):
 *   alloc   between live bit and count: the object is live and still in the magazine
 *   free    between live bit and count: INTENT names it
 *   refill  between taking bits and count: REFILL_WORD and REFILL_MASK name them (the arena lock is
 *           still held, so nobody else can have taken them)
 *   flush   between out bit and count: put back twice, which is once (the arena lock is still held)
 */

import { type Address, field, NULL } from "./address.js";
import { DoubleFreeError, InvalidAddressError } from "./errors.js";
import { MAGAZINE_WORDS } from "./layout.js";
import type { Memory } from "./memory.js";
import { popCount, type Slabs } from "./slab.js";
import { type Slot, SlotWord } from "./slot.js";

/** Objects a magazine holds. */
export const MAGAZINE_CAPACITY: number = MAGAZINE_WORDS - 2;
/** A refill goes on until it has this many. */
const REFILL_TARGET = 16;

/** What a cache needs of the arena it is in. */
export interface ArenaLock {
  /** Runs `fn` with the arena lock, after repairing the arena if the last owner died. */
  withArenaLock<T>(fn: () => T, timeout?: number): T;
  /** With the lock: give back pages that are kept only for speed. */
  shrink(): void;
}

/** Objects of one size. */
export class Cache {
  readonly slabs: Slabs;
  /** Words of an object. */
  readonly objectWords: number;
  readonly #memory: Memory;
  readonly #arena: ArenaLock;
  readonly #magazine: Address;
  readonly #slot: Slot;
  readonly #intent: Address;

  constructor(memory: Memory, arena: ArenaLock, slot: Slot, slabs: Slabs, index: number) {
    this.slabs = slabs;
    this.objectWords = slabs.objectWords;
    this.#memory = memory;
    this.#arena = arena;
    this.#magazine = slot.magazine(index);
    this.#slot = slot;
    this.#intent = field(slot.address, SlotWord.INTENT);
  }

  /**
   * Take an object; its words hold anything.
   * @param tag written to its side word first, for caches whose objects have several owners
   * @returns its address, NULL when the arena is full
   */
  alloc(tag?: number): Address {
    this.#slot.mustBeAttached();
    const memory = this.#memory;
    let count = memory.read(this.#magazine);
    if (count === 0) {
      this.#refill();
      count = memory.read(this.#magazine);
      if (count === 0) return NULL;
    }
    const object = memory.read(field(this.#magazine, count)) as Address;
    if (tag !== undefined) memory.store(this.slabs.sideOf(object), tag);
    this.slabs.setLive(object);
    memory.write(this.#magazine, count - 1);
    return object;
  }

  /**
   * Give a live object back at once: no reader can reach it (it was never published, or its grace period is over).
   * @throws DoubleFreeError, InvalidAddressError
   */
  free(object: Address): void {
    this.#slot.mustBeAttached();
    const memory = this.#memory;
    this.checkAddress(object);
    if (!this.slabs.isLive(object)) throw new DoubleFreeError(object, "free");
    if (memory.read(this.#magazine) === MAGAZINE_CAPACITY) this.#flushHalf();
    const count = memory.read(this.#magazine);
    memory.write(this.#intent, -object);
    if (this.slabs.clearLive(object)) {
      memory.write(field(this.#magazine, count + 1), object);
      memory.write(this.#magazine, count + 1);
      memory.write(this.#intent, 0);
    } else {
      memory.write(this.#intent, 0);
      throw new DoubleFreeError(object, "free");
    }
  }

  /** @throws InvalidAddressError when the address is not the start of an object of this cache's slab there */
  checkAddress(object: Address): void {
    const index = this.slabs.indexOf(object);
    if (!Number.isInteger(index) || index < 0 || index >= this.slabs.capacity) {
      throw new InvalidAddressError(object, `is not the start of an object of ${this.objectWords * 4} bytes`);
    }
  }

  /** Word that belongs to the object's owner while it is live, off the lines that readers touch. */
  sideOf(object: Address): Address {
    return this.slabs.sideOf(object);
  }

  #refill(): void {
    const memory = this.#memory;
    const { slabs } = this;
    this.#arena.withArenaLock(() => {
      for (let count = 0, target = REFILL_TARGET; count < target; ) {
        let found = slabs.findFree();
        if (found === undefined) {
          if (count > 0) break;
          this.#arena.shrink();
          found = slabs.findFree();
          if (found === undefined) break;
        }
        // Of the reserve just what is asked for: the rest would be left to whoever asks next.
        let room = MAGAZINE_CAPACITY - count;
        if (slabs.overdrawn) room = target = 1;
        let mask = found.free;
        while (popCount(mask) > room) mask &= ~(1 << (31 - Math.clz32(mask)));
        memory.write(field(this.#slot.address, SlotWord.REFILL_WORD), found.word);
        memory.write(field(this.#slot.address, SlotWord.REFILL_MASK), mask);
        slabs.take(found.slab, found.word, mask, popCount(mask));
        // The highest goes in first: objects taken one after the other then lie side by side.
        for (let left = mask; left !== 0; ) {
          const bit = 31 - Math.clz32(left);
          left &= ~(1 << bit);
          count++;
          memory.write(field(this.#magazine, count), slabs.objectAt(found.slab, found.firstIndex + bit));
        }
        memory.write(this.#magazine, count);
        memory.write(field(this.#slot.address, SlotWord.REFILL_MASK), 0);
      }
    });
  }

  #flushHalf(): void {
    this.#arena.withArenaLock(() => flushMagazine(this.#memory, this.slabs, this.#magazine, MAGAZINE_CAPACITY / 2));
  }
}

/** Put objects of a magazine back into their slabs until `left` are in it. With the arena lock. */
export function flushMagazine(memory: Memory, slabs: Slabs, magazine: Address, left: number): void {
  for (let count = memory.read(magazine); count > left; count--) {
    slabs.putBack(memory.read(field(magazine, count)) as Address);
    memory.write(magazine, count - 1);
  }
}
