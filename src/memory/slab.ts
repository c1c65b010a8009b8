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

import { type Address, field, type Order, PAGE_SHIFT, PAGE_WORDS } from "./address.js";
import { InvalidAddressError } from "./errors.js";
import { CacheFlag, cacheName, colourStep, Descriptor, type Geometry, readGeometry, SlabWord } from "./geometry.js";
import type { Memory } from "./memory.js";
import type { Pages } from "./pages.js";

/** Side word of a live object that is not tracked. */
export const LIVE = -1;
/** Side word of an object that is in a sheaf, or in its slab. */
export const NOT_LIVE = 0;

/** What slabs ask of whoever makes them. */
export interface SlabHooks {
  /** Makes an object of a new slab ready, once. */
  construct?: ((object: Address) => void) | undefined;
  /** Gives back the pages of a slab after a grace period (typesafe caches). With the arena lock. */
  retirePages(page: number): void;
}

/** The slabs of one cache. Methods need the arena lock unless they say otherwise. */
export class Slabs implements Geometry {
  readonly index: number;
  readonly descriptor: Address;
  readonly objectWords: number;
  readonly stride: number;
  readonly order: Order;
  readonly capacity: number;
  readonly bitmapWords: number;
  readonly side: number;
  readonly objects: number;
  readonly align: number;
  readonly colours: number;
  readonly flags: number;
  readonly isTracked: boolean;
  readonly #memory: Memory;
  readonly #pages: Pages;
  readonly #hooks: SlabHooks;
  /** The bits of an address that are its offset in its slab. */
  readonly offsetMask: number;
  /** offset * reciprocal >>> shift is offset / stride, for every offset in a slab. */
  readonly reciprocal: number;
  readonly shift: number;

  constructor(memory: Memory, pages: Pages, descriptor: Address, index: number, hooks: SlabHooks) {
    this.#memory = memory;
    this.#pages = pages;
    this.#hooks = hooks;
    this.index = index;
    this.descriptor = descriptor;
    const geometry = readGeometry(memory, descriptor);
    this.objectWords = geometry.objectWords;
    this.stride = geometry.stride;
    this.order = geometry.order;
    this.capacity = geometry.capacity;
    this.bitmapWords = geometry.bitmapWords;
    this.side = geometry.side;
    this.objects = geometry.objects;
    this.align = geometry.align;
    this.colours = geometry.colours;
    this.flags = geometry.flags;
    this.isTracked = (geometry.flags & CacheFlag.TRACKED) !== 0;
    this.offsetMask = (PAGE_WORDS << this.order) - 1;
    // Exact for offsets below 2^15 (Granlund and Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994).
    this.shift = 15 + Math.ceil(Math.log2(this.stride));
    this.reciprocal = Math.ceil(2 ** this.shift / this.stride);
  }

  // Places: no lock ------------------------------------------------------------------------------

  /** Start of the slab that the object lies in. */
  slabOf(object: Address): Address {
    return (object & ~this.offsetMask) as Address;
  }

  // A slab of another colour starts its objects elsewhere.
  #objectsOf(object: Address): number {
    return this.colours === 1 ? this.objects : this.#memory.read(field(this.slabOf(object), SlabWord.OBJECTS));
  }

  /** Number of the object in its slab. */
  indexOf(object: Address): number {
    return Math.imul((object & this.offsetMask) - this.#objectsOf(object), this.reciprocal) >>> this.shift;
  }

  /** The object's side word. */
  sideOf(object: Address): Address {
    return ((object & ~this.offsetMask) + this.side + this.indexOf(object)) as Address;
  }

  /** @throws InvalidAddressError when an address in a slab is not the start of an object */
  checkAddress(object: Address): void {
    const index = this.indexOf(object);
    const isBefore = (object & this.offsetMask) < this.#objectsOf(object);
    if (isBefore || index >= this.capacity || this.objectAt(this.slabOf(object), index) !== object)
      throw new InvalidAddressError(object, `is not the start of an object of ${this.objectWords * 4} bytes`);
  }

  #outWord(slab: Address, index: number): Address {
    return field(slab, SlabWord.BITMAPS + (index >>> 5));
  }

  #trackedWord(slab: Address, index: number): Address {
    return field(slab, SlabWord.BITMAPS + this.bitmapWords + (index >>> 5));
  }

  /** Address of an object by its number. */
  objectAt(slab: Address, index: number): Address {
    const objects = this.colours === 1 ? this.objects : this.#memory.read(field(slab, SlabWord.OBJECTS));
    return field(slab, objects + index * this.stride);
  }

  // Live objects: no lock --------------------------------------------------------------------------

  #isTrackedLive(object: Address): boolean {
    const index = this.indexOf(object);
    return ((this.#memory.load(this.#trackedWord(this.slabOf(object), index)) >>> (index & 31)) & 1) === 1;
  }

  /** Whether an object is live: for its owner to ask, and for anyone in a tracked cache. */
  isLive(object: Address): boolean {
    return this.isTracked ? this.#isTrackedLive(object) : this.#memory.load(this.sideOf(object)) === LIVE;
  }

  /** Give an object to its user. Of a tracked cache its side word becomes `tag`. */
  setLive(object: Address, tag: number): void {
    if (this.isTracked) {
      this.#memory.store(this.sideOf(object), tag);
      const index = this.indexOf(object);
      this.#memory.or(this.#trackedWord(this.slabOf(object), index), 1 << (index & 31));
    } else this.#memory.write(this.sideOf(object), LIVE);
  }

  /** Take a live object from its users: its side word becomes `side`. Gives whether it was live; of several who try, one is told so. */
  retire(object: Address, side: number): boolean {
    const word = this.sideOf(object);
    if (!this.isTracked) return this.#memory.compareExchange(word, LIVE, side) === LIVE;
    if (!this.#isTrackedLive(object)) return false;
    // The side word first: of a thread that dies in between it is told by that.
    this.#memory.store(word, side);
    return this.#untrack(object);
  }

  #untrack(object: Address): boolean {
    const index = this.indexOf(object);
    const bit = 1 << (index & 31);
    return (this.#memory.and(this.#trackedWord(this.slabOf(object), index), ~bit) & bit) !== 0;
  }

  // Objects in and out of their slabs ------------------------------------------------------------

  #word(word: number): Address {
    return field(this.descriptor, word);
  }

  #count(word: number, by: number): number {
    const value = this.#memory.read(this.#word(word)) + by;
    this.#memory.write(this.#word(word), value);
    return value;
  }

  isOut(object: Address): boolean {
    const index = this.indexOf(object);
    return ((this.#memory.read(this.#outWord(this.slabOf(object), index)) >>> (index & 31)) & 1) === 1;
  }

  /** Bits of a bitmap word that stand for objects. */
  #validBits(word: number): number {
    const left = this.capacity - word * 32;
    return left >= 32 ? -1 : (1 << left) - 1;
  }

  /** Make a slab; false when there are no pages. */
  #grow(): boolean {
    const memory = this.#memory;
    const page = this.#pages.alloc(this.order);
    if (page === 0) return false;
    if (this.#pages.isShort) memory.write(this.#word(Descriptor.OVERDRAWN), 1);
    const slab = (page << PAGE_SHIFT) as Address;
    memory.write(field(slab, SlabWord.FREE), this.capacity);
    memory.write(field(slab, SlabWord.OBJECTS), this.objects + this.#nextColour() * colourStep(this));
    for (let word = 0; word < this.bitmapWords; word++) {
      memory.write(field(slab, SlabWord.BITMAPS + word), 0);
      memory.store(field(slab, SlabWord.BITMAPS + this.bitmapWords + word), 0);
    }
    memory.fill(field(slab, this.side), this.capacity, 0);
    if (this.#hooks.construct !== undefined) this.#construct(page, this.#hooks.construct);
    this.#pages.claimSlab(page, this.index);
    this.#pages.push(this.#word(Descriptor.PARTIAL), page);
    this.#count(Descriptor.SLABS, 1);
    this.#count(Descriptor.EMPTY, 1);
    return true;
  }

  #nextColour(): number {
    if (this.colours === 1) return 0;
    const colour = this.#memory.read(this.#word(Descriptor.NEXT_COLOUR));
    this.#memory.write(this.#word(Descriptor.NEXT_COLOUR), (colour + 1) % this.colours);
    return colour;
  }

  #construct(page: number, construct: (object: Address) => void): void {
    try {
      for (let index = 0; index < this.capacity; index++) construct(this.objectAt((page << PAGE_SHIFT) as Address, index));
    } catch (error) {
      this.#pages.release(page); // still UNCLAIMED
      throw error;
    }
  }

  /** Whether some of the reserve is in use, so that nothing is kept for speed. */
  get isShort(): boolean {
    return this.#pages.isShort;
  }

  /** Whether the cache has a page of the reserve: its objects are for `withReserve` then. */
  get overdrawn(): boolean {
    const word = this.#word(Descriptor.OVERDRAWN);
    if (this.#memory.read(word) === 0) return false;
    if (this.#pages.isShort) return true;
    this.#memory.write(word, 0);
    return false;
  }

  /**
   * A bitmap word with objects that can be taken, in the first partial slab (a new one if need be).
   * @returns undefined when there are no pages for a new slab, or the cache is overdrawn and the reserve not open
   */
  findFree(): { slab: Address; word: Address; free: number; firstIndex: number } | undefined {
    const memory = this.#memory;
    if (this.overdrawn && !this.#pages.reserveOpen) return undefined;
    let page = memory.read(this.#word(Descriptor.PARTIAL));
    if (page === 0) {
      if (!this.#grow()) return undefined;
      page = memory.read(this.#word(Descriptor.PARTIAL));
    }
    const slab = (page << PAGE_SHIFT) as Address;
    for (let i = 0; i < this.bitmapWords; i++) {
      const word = field(slab, SlabWord.BITMAPS + i);
      const free = ~memory.read(word) & this.#validBits(i);
      if (free !== 0) return { slab, word, free, firstIndex: i * 32 };
    }
    throw new Error(`slab ${slab} is in its cache's partial list but has no free object`);
  }

  /** Take the objects in `mask` out of a bitmap word that `findFree` gave: one store, then the derived counts. */
  take(slab: Address, word: Address, mask: number, count: number): void {
    const memory = this.#memory;
    memory.write(word, memory.read(word) | mask); // commit
    const free = memory.read(field(slab, SlabWord.FREE));
    if (free === this.capacity) this.#count(Descriptor.EMPTY, -1);
    memory.write(field(slab, SlabWord.FREE), free - count);
    if (free === count) this.#pages.remove(this.#word(Descriptor.PARTIAL), slab >>> PAGE_SHIFT);
  }

  /** Put an object back into its slab. Nothing happens when it is there already, so it may be repeated. */
  putBack(object: Address): void {
    const memory = this.#memory;
    const slab = this.slabOf(object);
    const index = this.indexOf(object);
    const word = this.#outWord(slab, index);
    const out = memory.read(word);
    const bit = 1 << (index & 31);
    if ((out & bit) === 0) return;
    if (this.isTracked) this.#untrack(object); // a thread may have died taking it
    memory.write(field(slab, this.side + index), NOT_LIVE);
    memory.write(word, out & ~bit); // commit
    const page = slab >>> PAGE_SHIFT;
    const free = memory.read(field(slab, SlabWord.FREE)) + 1;
    memory.write(field(slab, SlabWord.FREE), free);
    if (free === 1) this.#pages.push(this.#word(Descriptor.PARTIAL), page);
    // One is kept for speed, unless the reserve is waiting for it.
    if (free === this.capacity && (this.#count(Descriptor.EMPTY, 1) > 1 || this.#pages.isShort)) this.#release(page);
  }

  #release(page: number): void {
    this.#pages.remove(this.#word(Descriptor.PARTIAL), page);
    this.#count(Descriptor.EMPTY, -1);
    this.#count(Descriptor.SLABS, -1);
    if ((this.flags & CacheFlag.TYPESAFE) === 0) this.#pages.release(page);
    else this.#hooks.retirePages(page);
  }

  /** Give every slab without an object out back to the pages. */
  shrink(): void {
    for (const page of [...this.#pages.list(this.#word(Descriptor.PARTIAL))]) {
      if (this.#memory.read(field((page << PAGE_SHIFT) as Address, SlabWord.FREE)) === this.capacity) this.#release(page);
    }
  }

  /** Slabs of this cache. */
  get slabs(): number {
    return this.#memory.read(this.#word(Descriptor.SLABS));
  }

  /** Slabs that have a free object. */
  partialPages(): Iterable<number> {
    return this.#pages.list(this.#word(Descriptor.PARTIAL));
  }

  // Recovery and checks --------------------------------------------------------------------------

  /** Objects that are in a slab. */
  countFree(page: number): number {
    const slab = (page << PAGE_SHIFT) as Address;
    let free = 0;
    for (let i = 0; i < this.bitmapWords; i++) {
      free += popCount(~this.#memory.read(field(slab, SlabWord.BITMAPS + i)) & this.#validBits(i));
    }
    return free;
  }

  /** Forget what is derived, before `recoverSlab` of each slab. */
  recoverCounts(): void {
    for (const word of [Descriptor.PARTIAL, Descriptor.SLABS, Descriptor.EMPTY]) this.#memory.write(this.#word(word), 0);
  }

  /** Rebuild what is derived from one slab's bitmaps. */
  recoverSlab(page: number): void {
    const free = this.countFree(page);
    this.#memory.write(field((page << PAGE_SHIFT) as Address, SlabWord.FREE), free);
    this.#count(Descriptor.SLABS, 1);
    if (free === this.capacity) this.#count(Descriptor.EMPTY, 1);
    if (free > 0) this.#pages.push(this.#word(Descriptor.PARTIAL), page);
  }

  *#all(page: number): Generator<Address> {
    for (let index = 0; index < this.capacity; index++) yield this.objectAt((page << PAGE_SHIFT) as Address, index);
  }

  /** Live objects of a slab; of a cache that is not tracked, while nobody else takes or gives any. */
  *live(page: number): Generator<Address> {
    for (const object of this.#all(page)) if (this.isLive(object)) yield object;
  }

  /** Objects that are out of a slab and not live, likewise: in a magazine, a depot or in limbo. */
  *outNotLive(page: number): Generator<Address> {
    for (const object of this.#all(page)) if (this.isOut(object) && !this.isLive(object)) yield object;
  }

  /** Violated invariants of one slab. */
  checkSlab(page: number): string[] {
    const memory = this.#memory;
    const slab = (page << PAGE_SHIFT) as Address;
    const violations: string[] = [];
    const free = this.countFree(page);
    const counted = memory.read(field(slab, SlabWord.FREE));
    if (free !== counted) violations.push(`slab ${page}: ${free} objects are in it, its header counts ${counted}`);
    for (let i = 0; i < this.bitmapWords; i++) {
      const out = memory.read(field(slab, SlabWord.BITMAPS + i));
      const tracked = memory.load(field(slab, SlabWord.BITMAPS + this.bitmapWords + i));
      if ((tracked & ~out) !== 0) violations.push(`slab ${page}: an object is live but not out of the slab (bitmap word ${i})`);
      if ((out & ~this.#validBits(i)) !== 0) violations.push(`slab ${page}: bits beyond the last object are set (bitmap word ${i})`);
    }
    return violations;
  }

  /** Violated invariants of the cache's list and counts, given its slabs. */
  checkCache(slabPages: readonly number[]): string[] {
    const violations: string[] = [];
    const say = (what: string): void => void violations.push(`cache ${cacheName(this.#memory, this.descriptor)}: ${what}`);
    const partial = new Set<number>();
    for (const page of this.#pages.list(this.#word(Descriptor.PARTIAL))) {
      if (partial.has(page)) {
        say(`slab ${page} is in its partial list twice`);
        return violations;
      }
      partial.add(page);
    }
    let empty = 0;
    for (const page of slabPages) {
      const free = this.countFree(page);
      if (free === this.capacity) empty++;
      if (partial.has(page) !== free > 0) say(`slab ${page} has ${free} free objects and is ${partial.has(page) ? "" : "not "}in the partial list`);
      partial.delete(page);
    }
    for (const page of partial) say(`page ${page} is in the partial list but is no slab of it`);
    if (this.slabs !== slabPages.length) say(`has ${slabPages.length} slabs, counts ${this.slabs}`);
    const counted = this.#memory.read(this.#word(Descriptor.EMPTY));
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
