/**
 * slub as one thread sees it: no magazines; a slab that the slot holds for itself, and a list of its free objects (Linux's mm/slub.c; mimalloc's sharding:
 * Leijen, Zorn and de Moura, APLAS 2019).
 *
 *   alloc  <- list of the held slab  <- what others freed of it       <- another slab: partial, or new
 *   free   -> list of the held slab  -> (of another slab) side word FREED, and its remote bit
 *             no lock, no atomics       no lock                          under the arena lock
 *
 * The list is linked through the objects' side words, and only its holder knows its head: a side word that is a link says all that a reaper must know.
 * What comes out of limbo goes into its slab, under the arena lock.
 *
 * Law table
 *   word of the slot for the cache   class
 *   HELD                             locked by the arena lock: the slab that the slot holds, 0 for none
 *   NOTE                             private to the slot: an object that is given back (+), given back and to be announced (+, ANNOUNCING), or taken (-)
 *   slab words, side words           see slub-slabs.ts, slab-places.ts
 *
 * Where the thread may die, and what is left (`drain` finishes or undoes it):
 *   alloc, free of the held slab   one store of the side word commits
 *   alloc of a tracked object      between its side word and its bit: NOTE names it, and it goes back
 *   free of a tracked object, or of another slab   before it is FREED: nothing is done. After that NOTE names it, until it is announced, and the reaper
 *                                  announces it again
 *   hold       between HELD and HOLDER: the slab is in the partial list, and nothing is out of it
 *   takeAll    an object is in its slab until its out bit is set, in the list from then on
 *   letting go                     what is in the list goes back
 */

import { type Address, field, NULL, PAGE_SHIFT } from "./address.js";
import type { ArenaLock, Cache, CacheInfo } from "./cache.js";
import { DoubleFreeError, LockTimeoutError } from "./errors.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import type { Pages } from "./pages.js";
import type { Sheaves } from "./sheaf.js";
import { LIVE } from "./slab-places.js";
import { SlabsCache } from "./slabs-cache.js";
import { cacheWordsOf, type Slot } from "./slot.js";
import { FREED, linkTo, nextOf, type SlubSlabs } from "./slub-slabs.js";

/** Words of a slot for a cache. */
const SlotCacheWord = { HELD: 0, NOTE: 1 } as const;
/** In NOTE: the object is FREED, if it is not another's already, and to be announced. Above every address. */
const ANNOUNCING = 0x40000000;

/** Objects of one size, from slabs that a slot holds. */
export class SlubCache extends SlabsCache<SlubSlabs> implements Cache {
  readonly #memory: Memory;
  readonly #arena: ArenaLock;
  readonly #slot: Slot;
  readonly #layout: Layout;
  readonly #pages: Pages;
  readonly #sheaves: Sheaves;
  readonly #held: Address;
  readonly #note: Address;
  /** The slab that the slot holds. */
  #slab: Address = NULL;
  /** First of its free objects. */
  #first: Address = NULL;
  /** NOTE names an object whose slab could not be settled: the arena lock was not to be had. */
  #isLate = false;

  constructor(memory: Memory, arena: ArenaLock, slot: Slot, layout: Layout, pages: Pages, slabs: SlubSlabs, sheaves: Sheaves) {
    super(slabs);
    this.#memory = memory;
    this.#arena = arena;
    this.#slot = slot;
    this.#layout = layout;
    this.#pages = pages;
    this.#sheaves = sheaves;
    this.#held = this.#word(slot.index, SlotCacheWord.HELD);
    this.#note = this.#word(slot.index, SlotCacheWord.NOTE);
  }

  #word(slot: number, word: number): Address {
    return field(cacheWordsOf(this.#layout, slot, this.index), word);
  }

  // As in slab-cache.ts, the common path of these two calls nothing but reads and writes.

  alloc(tag = 0): Address {
    const object = this.#first;
    if (object === NULL) return this.#refill() ? this.alloc(tag) : NULL;
    if (!this.isPlain) return this.#allocSlowly(object, tag);
    const index = Math.imul((object & this.offsetMask) - this.firstObject, this.reciprocal) >>> this.shift;
    const side = ((object & ~this.offsetMask) + this.side + index) as Address;
    this.#first = nextOf(this.#memory.read(side));
    this.#memory.write(side, LIVE);
    return object;
  }

  free(object: Address): void {
    if (this.#slab === NULL || (object & ~this.offsetMask) !== this.#slab || !this.isPlain) {
      this.#freeSlowly(object);
      return;
    }
    const offset = (object & this.offsetMask) - this.firstObject;
    const index = Math.imul(offset, this.reciprocal) >>> this.shift;
    const side = ((object & ~this.offsetMask) + this.side + index) as Address;
    if (index >= this.slabCapacity || index * this.stride !== offset || this.#memory.read(side) !== LIVE) {
      this.#freeSlowly(object);
      return;
    }
    this.#memory.write(side, linkTo(this.#first));
    this.#first = object;
  }

  #allocSlowly(object: Address, tag: number): Address {
    const memory = this.#memory;
    if (this.isTracked) {
      this.#finishLate();
      memory.write(this.#note, -object);
    }
    this.#first = nextOf(memory.read(this.slabs.sideOf(object)));
    this.slabs.setLive(object, tag);
    if (this.isTracked) memory.write(this.#note, 0);
    return object;
  }

  #freeSlowly(object: Address): void {
    this.#slot.mustBeAttached();
    this.checkAddress(object);
    if (!this.slabs.isLive(object)) refuse(object);
    this.#finishLate();
    const memory = this.#memory;
    memory.write(this.#note, object);
    if (!this.slabs.retire(object, FREED)) {
      memory.write(this.#note, 0);
      refuse(object);
    }
    if (this.slabs.slabOf(object) === this.#slab) {
      memory.write(this.slabs.sideOf(object), linkTo(this.#first));
      this.#first = object;
    } else {
      memory.write(this.#note, object | ANNOUNCING);
      if (this.slabs.announce(object) && !this.#settleFull(object)) return;
    }
    memory.write(this.#note, 0);
  }

  // The free is done, whether or not the lock can be had. If it cannot, the slab waits for this thread's next remote free, or its reaper.
  #settleFull(object: Address): boolean {
    try {
      this.#arena.withArenaLock(() => this.#settleSlabOf(object));
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
      this.#isLate = true;
    }
    return !this.#isLate;
  }

  #finishLate(): void {
    if (!this.#isLate) return;
    const object = (this.#memory.read(this.#note) & ~ANNOUNCING) as Address;
    this.#arena.withArenaLock(() => this.#settleSlabOf(object));
    this.#isLate = false;
    this.#memory.write(this.#note, 0);
  }

  // From when it was announced the object is nobody's, and its slab may have been given back.
  #settleSlabOf(object: Address): void {
    if (this.#isOurs(object)) this.slabs.settle(this.slabs.slabOf(object));
  }

  #isOurs(object: Address): boolean {
    return this.#pages.cacheIndex(object >>> PAGE_SHIFT) === this.index && this.slabs.isStart(object);
  }

  // The held slab --------------------------------------------------------------------------------------

  /** See to it that the list has an object. Gives whether it has. */
  #refill(): boolean {
    this.#slot.mustBeAttached();
    if (this.#slab !== NULL) this.#collect();
    if (this.#first === NULL) this.#arena.withArenaLock(() => this.#holdAnother());
    return this.#first !== NULL;
  }

  #collect(): void {
    this.slabs.collect(this.#slab, (object) => {
      this.#memory.write(this.slabs.sideOf(object), linkTo(this.#first));
      this.#first = object;
    });
  }

  #holdAnother(): void {
    this.#letGo(); // if others gave it objects meanwhile, it is the first of the partial list now
    let slab = this.#hold();
    if (slab === NULL) {
      this.#arena.shrink();
      slab = this.#hold();
    }
    if (slab === NULL) return;
    const first = this.slabs.takeAll(slab);
    this.#slab = slab;
    this.#first = first;
  }

  #hold(): Address {
    return this.slabs.hold(this.#slot.index, (slab) => this.#memory.write(this.#held, slab));
  }

  /** Let go of the held slab, and of one that the slot's record names and this thread does not know. */
  #letGo(): void {
    const { slabs } = this;
    const slab = this.#memory.read(this.#held) as Address;
    if (slab === NULL) return;
    for (let object = this.#first; object !== NULL; ) {
      const next = nextOf(this.#memory.read(slabs.sideOf(object)));
      slabs.putBack(object);
      object = next;
    }
    const isKnown = this.#slab === slab;
    this.forget();
    if (!isKnown) slabs.putBackList(slab);
    slabs.letGo(slab);
    this.#memory.write(this.#held, 0);
  }

  // With the arena lock -------------------------------------------------------------------------------

  adopt(sheaf: Address): void {
    this.#sheaves.dissolve(sheaf, (object) => this.putBack(object));
  }

  forget(): void {
    this.#slab = NULL;
    this.#first = NULL;
  }

  drain(slot: number): void {
    const memory = this.#memory;
    if (slot === this.#slot.index) {
      this.forget();
      this.#isLate = false;
    }
    const held = this.#word(slot, SlotCacheWord.HELD);
    const slab = memory.read(held) as Address;
    this.#finish(slab, this.#word(slot, SlotCacheWord.NOTE));
    if (slab === NULL) return;
    if (this.#pages.cacheIndex(slab >>> PAGE_SHIFT) === this.index && this.slabs.isHeldBy(slab, slot)) {
      this.slabs.putBackList(slab);
      this.slabs.letGo(slab);
    }
    memory.write(held, 0);
  }

  /** Finish or undo what a slot's NOTE names. */
  #finish(held: Address, note: Address): void {
    const noted = this.#memory.read(note);
    const object = (Math.abs(noted) & ~ANNOUNCING) as Address;
    if (object !== NULL && this.#isOurs(object)) {
      if (noted < 0) this.slabs.putBack(object);
      else if ((noted & ANNOUNCING) !== 0 || this.slabs.finishRetire(object, FREED)) {
        this.slabs.announce(object);
        if (this.slabs.slabOf(object) !== held) this.slabs.settle(this.slabs.slabOf(object));
      }
    }
    this.#memory.write(note, 0);
  }

  shrink(): void {
    this.#letGo();
    this.slabs.shrink();
  }

  recoverCounts(): void {
    this.slabs.recoverCounts();
  }

  *outNotLive(page: number): Iterable<Address> {
    const listed = new Set(this.#list());
    for (const object of this.slabs.outNotLive(page)) if (!listed.has(object)) yield object;
  }

  *#list(): Generator<Address> {
    for (let object = this.#first; object !== NULL; object = nextOf(this.#memory.read(this.slabs.sideOf(object)))) yield object;
  }

  check(pages: readonly number[]): string[] {
    const violations = pages.flatMap((page) => this.slabs.checkSlab(page));
    violations.push(...this.slabs.checkCache(pages));
    return violations;
  }

  info(): CacheInfo {
    return { ...this.slabs.info(), inDepot: 0 };
  }
}

function refuse(object: Address): never {
  throw new DoubleFreeError(object, "free");
}
