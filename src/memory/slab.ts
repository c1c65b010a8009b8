/**
 * Slabs: objects of one size cut from blocks of pages (Bonwick, "The Slab Allocator", USENIX 1994).
 *
 *   slab   | FREE OBJECTS | out bits | tracked bits | side words | pad | object 0 | object 1 | ...
 *          ^ start of its block of pages: found from any object's address
 *
 * An object is in one of four places, and its side word says which:
 *                     out   side word
 *   in its slab        0     0
 *   in a sheaf         1     0: in a slot's magazine, in a depot, or in limbo until its grace period is over
 *   live               1     LIVE; in a tracked cache its owner's
 *   listed in limbo    1     the next of the list
 * The out bits and the sheaves are the truth of who has it; counts and lists of partial slabs are derived, and rebuilt when a thread
 * died in here. Bits and side words live apart from the objects, so that readers of objects never share a line with either.
 *
 * In a tracked cache an object has a bit that is set while it is live, by which recovery finds it, and its side word is its owner's meanwhile (a tree
 * keeps a size there that its readers never touch; kmalloc keeps the owner's tag). In any other, taking an object and giving it back
 * costs no atomic operation, and nobody finds it but whoever has its address.
 *
 * Law table
 *   word                      class
 *   slab FREE, out bits       locked by the arena lock
 *   slab OBJECTS              immutable while the block is a slab
 *   tracked bits              atomic
 *   side word                 as the object, and of a tracked one its owner's; its retirement is atomic. Of the caches whose owners are found by
 *                             it (kmalloc with a tag) it is atomic, or locked by the arena lock
 *   object                    of its user while live; of whoever has the sheaf it is in, or the arena lock, otherwise
 *
 * Guarantees: an object is given to one owner at a time; freeing or retiring one that is not live is
 * refused at once, and of two who retire an object at the same instant one is, as of two who free a tracked one; a slab with no object out goes back to the
 * pages, but for one spare a cache.
 */

import { type Address, field, PAGE_SHIFT } from "./address.js";
import type { CacheInfo } from "./cache.js";
import { QuiesceError } from "./errors.js";
import { CacheFlag, cacheName, colourStep, Descriptor, SlabWord } from "./geometry.js";
import type { Memory } from "./memory.js";
import { isOverdrawn, noteTaken } from "./overdrawn.js";
import type { Pages } from "./pages.js";
import { NOT_LIVE, SlabPlaces } from "./slab-places.js";

/** What slabs ask of whoever makes them. */
export interface SlabHooks {
  /** Makes an object of a new slab ready, once. */
  construct?: ((object: Address) => void) | undefined;
  /** Sees each object before its user has it, while it is still given back if the thread dies (debug mode). */
  handOut?: ((object: Address) => void) | undefined;
  /** Gives back the pages of a slab after a grace period (typesafe caches). With the arena lock. */
  retirePages(page: number): void;
}

/** The slabs of one cache. Methods need the arena lock unless they say otherwise. */
export class Slabs extends SlabPlaces {
  /** Whether somebody sees each object that is handed out. */
  readonly isWatched: boolean;
  protected readonly pages: Pages;
  readonly #hooks: SlabHooks;

  constructor(memory: Memory, pages: Pages, descriptor: Address, index: number, hooks: SlabHooks) {
    super(memory, descriptor, index);
    this.pages = pages;
    this.#hooks = hooks;
    this.isWatched = hooks.handOut !== undefined;
  }

  override setLive(object: Address, tag: number): void {
    this.#hooks.handOut?.(object);
    super.setLive(object, tag);
  }

  #outWord(slab: Address, index: number): Address {
    return field(slab, SlabWord.BITMAPS + (index >>> 5));
  }

  // Objects in and out of their slabs ------------------------------------------------------------

  #word(word: number): Address {
    return field(this.descriptor, word);
  }

  #count(word: number, by: number): number {
    const value = this.memory.read(this.#word(word)) + by;
    this.memory.write(this.#word(word), value);
    return value;
  }

  isOut(object: Address): boolean {
    const index = this.indexOf(object);
    return ((this.memory.read(this.#outWord(this.slabOf(object), index)) >>> (index & 31)) & 1) === 1;
  }

  /** Bits of a bitmap word that stand for objects. */
  protected validBits(word: number): number {
    const left = this.capacity - word * 32;
    return left >= 32 ? -1 : (1 << left) - 1;
  }

  /** Make a slab; false when there are no pages. */
  #grow(): boolean {
    const memory = this.memory;
    if ((this.flags & CacheFlag.CONSTRUCTED) !== 0 && this.#hooks.construct === undefined)
      throw new QuiesceError(
        "ERR_NO_CONSTRUCTOR",
        `cache ${this.index} was made with a constructor: give it to openCache() in every thread that takes its objects.`,
      );
    const page = this.pages.alloc(this.order);
    if (page === 0) return false;
    noteTaken(memory, this.pages, this.descriptor);
    const slab = (page << PAGE_SHIFT) as Address;
    memory.write(field(slab, SlabWord.FREE), this.capacity);
    memory.write(field(slab, SlabWord.OBJECTS), this.objects + this.#nextColour() * colourStep(this));
    for (let word = 0; word < this.bitmapWords; word++) {
      memory.write(field(slab, SlabWord.BITMAPS + word), 0);
      memory.store(field(slab, SlabWord.BITMAPS + this.bitmapWords + word), 0);
    }
    this.format(slab);
    if (this.#hooks.construct !== undefined) this.#construct(page, this.#hooks.construct);
    this.pages.claimSlab(page, this.index);
    this.pages.push(this.#word(Descriptor.PARTIAL), page);
    this.#count(Descriptor.SLABS, 1);
    this.#count(Descriptor.EMPTY, 1);
    return true;
  }

  /** Write what stands between the bitmaps and the objects. */
  protected format(slab: Address): void {
    this.memory.fill(field(slab, this.side), this.capacity, 0);
  }

  #nextColour(): number {
    if (this.colours === 1) return 0;
    const colour = this.memory.read(this.#word(Descriptor.NEXT_COLOUR));
    this.memory.write(this.#word(Descriptor.NEXT_COLOUR), (colour + 1) % this.colours);
    return colour;
  }

  #construct(page: number, construct: (object: Address) => void): void {
    try {
      for (let index = 0; index < this.capacity; index++) construct(this.objectAt((page << PAGE_SHIFT) as Address, index));
    } catch (error) {
      this.pages.release(page); // still UNCLAIMED
      throw error;
    }
  }

  /** Whether some of the reserve is in use, so that nothing is kept for speed. */
  get isShort(): boolean {
    return this.pages.isShort;
  }

  /** Whether the cache has a page of the reserve: its objects are for `withReserve` then. */
  get overdrawn(): boolean {
    return isOverdrawn(this.memory, this.pages, this.descriptor);
  }

  /**
   * A bitmap word with objects that can be taken, in the first partial slab (a new one if need be).
   * @returns undefined when there are no pages for a new slab, or the cache is overdrawn and the reserve not open
   */
  findFree(): { slab: Address; word: Address; free: number; firstIndex: number } | undefined {
    const memory = this.memory;
    if (this.overdrawn && !this.pages.reserveOpen) return undefined;
    let page = memory.read(this.#word(Descriptor.PARTIAL));
    if (page === 0) {
      if (!this.#grow()) return undefined;
      page = memory.read(this.#word(Descriptor.PARTIAL));
    }
    const slab = (page << PAGE_SHIFT) as Address;
    for (let i = 0; i < this.bitmapWords; i++) {
      const word = field(slab, SlabWord.BITMAPS + i);
      const free = ~memory.read(word) & this.validBits(i);
      if (free !== 0) return { slab, word, free, firstIndex: i * 32 };
    }
    throw new Error(`slab ${slab} is in its cache's partial list but has no free object`);
  }

  /** Take the objects in `mask` out of a bitmap word that `findFree` gave: one store, then the derived counts. */
  take(slab: Address, word: Address, mask: number, count: number): void {
    const memory = this.memory;
    memory.write(word, memory.read(word) | mask); // commit
    const free = memory.read(field(slab, SlabWord.FREE));
    memory.write(field(slab, SlabWord.FREE), free - count);
    if (!this.isListed(slab)) return;
    if (free === this.capacity) this.#count(Descriptor.EMPTY, -1);
    if (free === count) this.pages.remove(this.#word(Descriptor.PARTIAL), slab >>> PAGE_SHIFT);
  }

  /** Put an object back into its slab. Nothing happens when it is there already, so it may be repeated. */
  putBack(object: Address): void {
    const memory = this.memory;
    const slab = this.slabOf(object);
    const index = this.indexOf(object);
    const word = this.#outWord(slab, index);
    const out = memory.read(word);
    const bit = 1 << (index & 31);
    if ((out & bit) === 0) return;
    if (this.isTracked) this.untrack(object); // a thread may have died taking it
    this.enter(field(slab, this.side + index), word, out & ~bit);
    const free = memory.read(field(slab, SlabWord.FREE)) + 1;
    memory.write(field(slab, SlabWord.FREE), free);
    if (!this.isListed(slab)) return;
    if (free === 1) this.pages.push(this.#word(Descriptor.PARTIAL), slab >>> PAGE_SHIFT);
    if (free === this.capacity) this.#keepOrRelease(slab >>> PAGE_SHIFT);
  }

  /** Write the side word of an object that goes into its slab, and the out bits that say it is there. */
  protected enter(side: Address, word: Address, out: number): void {
    this.memory.write(side, NOT_LIVE);
    this.memory.write(word, out); // commit
  }

  /** Whether the slab is in the partial list when it has a free object, and given back when it has no other. */
  protected isListed(_slab: Address): boolean {
    return true;
  }

  /** Enter a slab that is in no list. */
  protected list(slab: Address): void {
    const free = this.countedFree(slab);
    if (free > 0) this.pages.push(this.#word(Descriptor.PARTIAL), slab >>> PAGE_SHIFT);
    if (free === this.capacity) this.#keepOrRelease(slab >>> PAGE_SHIFT);
  }

  /** Take a slab out of the list it may be in. */
  protected unlist(slab: Address): void {
    const free = this.countedFree(slab);
    if (free > 0) this.pages.remove(this.#word(Descriptor.PARTIAL), slab >>> PAGE_SHIFT);
    if (free === this.capacity) this.#count(Descriptor.EMPTY, -1);
  }

  /** Objects that a slab counts as being in it. */
  protected countedFree(slab: Address): number {
    return this.memory.read(field(slab, SlabWord.FREE));
  }

  // One is kept for speed, unless the reserve is waiting for it.
  #keepOrRelease(page: number): void {
    if (this.#count(Descriptor.EMPTY, 1) > 1 || this.pages.isShort) this.#release(page);
  }

  #release(page: number): void {
    this.pages.remove(this.#word(Descriptor.PARTIAL), page);
    this.#count(Descriptor.EMPTY, -1);
    this.#count(Descriptor.SLABS, -1);
    if ((this.flags & CacheFlag.TYPESAFE) === 0) this.pages.release(page);
    else this.#hooks.retirePages(page);
  }

  /** Give every slab without an object out back to the pages. */
  shrink(): void {
    for (const page of [...this.pages.list(this.#word(Descriptor.PARTIAL))]) {
      if (this.memory.read(field((page << PAGE_SHIFT) as Address, SlabWord.FREE)) === this.capacity) this.#release(page);
    }
  }

  /** Slabs of this cache. */
  get slabs(): number {
    return this.memory.read(this.#word(Descriptor.SLABS));
  }

  /** Slabs that have a free object. */
  partialPages(): Iterable<number> {
    return this.pages.list(this.#word(Descriptor.PARTIAL));
  }

  // Recovery and checks --------------------------------------------------------------------------

  /** Objects that are in a slab. */
  countFree(page: number): number {
    const slab = (page << PAGE_SHIFT) as Address;
    let free = 0;
    for (let i = 0; i < this.bitmapWords; i++) {
      free += popCount(~this.memory.read(field(slab, SlabWord.BITMAPS + i)) & this.validBits(i));
    }
    return free;
  }

  /** Forget what is derived, before `recoverSlab` of each slab. */
  recoverCounts(): void {
    for (const word of [Descriptor.PARTIAL, Descriptor.SLABS, Descriptor.EMPTY]) this.memory.write(this.#word(word), 0);
  }

  /** Count the objects that are in a slab. */
  protected countAnew(slab: Address): number {
    const free = this.countFree(slab >>> PAGE_SHIFT);
    this.memory.write(field(slab, SlabWord.FREE), free);
    return free;
  }

  /** Rebuild what is derived from one slab's bitmaps. */
  recoverSlab(page: number): void {
    const free = this.countAnew((page << PAGE_SHIFT) as Address);
    this.#count(Descriptor.SLABS, 1);
    if (!this.isListed((page << PAGE_SHIFT) as Address)) return;
    if (free === this.capacity) this.#count(Descriptor.EMPTY, 1);
    if (free > 0) this.pages.push(this.#word(Descriptor.PARTIAL), page);
  }

  /** Every object of a slab. */
  *all(page: number): Generator<Address> {
    for (let index = 0; index < this.capacity; index++) yield this.objectAt((page << PAGE_SHIFT) as Address, index);
  }

  /** Live objects of a slab; of a cache that is not tracked, while nobody else takes or gives any. */
  *live(page: number): Generator<Address> {
    for (const object of this.all(page)) if (this.isLive(object)) yield object;
  }

  /** Objects that are out of a slab and not live, likewise: in a magazine, a depot or in limbo. */
  *outNotLive(page: number): Generator<Address> {
    for (const object of this.all(page)) if (this.isOut(object) && !this.isLive(object)) yield object;
  }

  /** What the slabs hold. */
  info(): Omit<CacheInfo, "inDepot"> {
    let free = 0;
    for (const page of this.partialPages()) free += this.countFree(page);
    const objects = this.slabs * this.capacity;
    return {
      name: cacheName(this.memory, this.descriptor),
      objectBytes: this.objectWords * 4,
      out: objects - free,
      objects,
      objectsPerBlock: this.capacity,
      pagesPerBlock: 1 << this.order,
      blocks: this.slabs,
    };
  }

  /** Violated invariants of one slab. */
  checkSlab(page: number): string[] {
    const memory = this.memory;
    const slab = (page << PAGE_SHIFT) as Address;
    const violations: string[] = [];
    const free = this.countFree(page);
    const counted = memory.read(field(slab, SlabWord.FREE));
    if (free !== counted) violations.push(`slab ${page}: ${free} objects are in it, its header counts ${counted}`);
    for (let i = 0; i < this.bitmapWords; i++) {
      const out = memory.read(field(slab, SlabWord.BITMAPS + i));
      const tracked = memory.load(field(slab, SlabWord.BITMAPS + this.bitmapWords + i));
      if ((tracked & ~out) !== 0) violations.push(`slab ${page}: an object is live but not out of the slab (bitmap word ${i})`);
      if ((out & ~this.validBits(i)) !== 0) violations.push(`slab ${page}: bits beyond the last object are set (bitmap word ${i})`);
    }
    return violations;
  }

  /** Violated invariants of the cache's list and counts, given its slabs. */
  checkCache(slabPages: readonly number[]): string[] {
    const violations: string[] = [];
    const say = (what: string): void => void violations.push(`cache ${cacheName(this.memory, this.descriptor)}: ${what}`);
    const partial = new Set<number>();
    for (const page of this.pages.list(this.#word(Descriptor.PARTIAL))) {
      if (partial.has(page)) {
        say(`slab ${page} is in its partial list twice`);
        return violations;
      }
      partial.add(page);
    }
    let empty = 0;
    for (const page of slabPages) {
      const free = this.isListed((page << PAGE_SHIFT) as Address) ? this.countFree(page) : 0;
      if (free === this.capacity) empty++;
      if (partial.has(page) !== free > 0) say(`slab ${page} has ${free} free objects and is ${partial.has(page) ? "" : "not "}in the partial list`);
      partial.delete(page);
    }
    for (const page of partial) say(`page ${page} is in the partial list but is no slab of it`);
    if (this.slabs !== slabPages.length) say(`has ${slabPages.length} slabs, counts ${this.slabs}`);
    const counted = this.memory.read(this.#word(Descriptor.EMPTY));
    if (counted !== empty) say(`${empty} slabs are empty, it counts ${counted}`);
    return violations;
  }
}

/** Number of bits set. */
export function popCount(bits: number): number {
  let v = bits - ((bits >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
