/**
 * Where the objects of a slab are, and who has them: what the slab allocator and slub share.
 *
 * Any object's slab is found from its address, its number from its offset by a multiplication, and its side word and bits from its number.
 *
 * Law table
 *   word                      class
 *   slab OBJECTS              immutable while the block is a slab
 *   tracked bits              atomic
 *   side word                 as the object, and of a tracked one its owner's; its retirement is atomic. Of the caches whose owners are found by
 *                             it (kmalloc with a tag) it is atomic, or locked by the arena lock
 *
 * Guarantees: of two who retire an object at the same instant one is told that it did.
 *
 * Where the thread may die, and what is left: between a tracked object's side word and its bit it is live, and its side word says what it is on its way to;
 * whoever retires it has noted it (a sheaf, INTENT, slub's note).
 */

import { type Address, field, type Order, PAGE_WORDS } from "./address.js";
import { InvalidAddressError } from "./errors.js";
import { CacheFlag, type Geometry, readGeometry, SlabWord } from "./geometry.js";
import type { Memory } from "./memory.js";

/** Side word of a live object that is not tracked. */
export const LIVE = -1;
/** Side word of an object that is in a sheaf, or in its slab. */
export const NOT_LIVE = 0;

/** The places of one cache's objects. No method needs a lock. */
export class SlabPlaces implements Geometry {
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
  protected readonly memory: Memory;
  /** The bits of an address that are its offset in its slab. */
  readonly offsetMask: number;
  /** offset * reciprocal >>> shift is offset / stride, for every offset in a slab. */
  readonly reciprocal: number;
  readonly shift: number;

  constructor(memory: Memory, descriptor: Address, index: number) {
    this.memory = memory;
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

  /** Start of the slab that the object lies in. */
  slabOf(object: Address): Address {
    return (object & ~this.offsetMask) as Address;
  }

  // A slab of another colour starts its objects elsewhere.
  #objectsOf(object: Address): number {
    return this.colours === 1 ? this.objects : this.memory.read(field(this.slabOf(object), SlabWord.OBJECTS));
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
    if (!this.isStart(object)) throw new InvalidAddressError(object, `is not the start of an object of ${this.objectWords * 4} bytes`);
  }

  /** Whether an address in a slab is the start of an object. */
  isStart(object: Address): boolean {
    const index = this.indexOf(object);
    const isBefore = (object & this.offsetMask) < this.#objectsOf(object);
    return !isBefore && index < this.capacity && this.objectAt(this.slabOf(object), index) === object;
  }

  #trackedWord(slab: Address, index: number): Address {
    return field(slab, SlabWord.BITMAPS + this.bitmapWords + (index >>> 5));
  }

  /** Address of an object by its number. */
  objectAt(slab: Address, index: number): Address {
    const objects = this.colours === 1 ? this.objects : this.memory.read(field(slab, SlabWord.OBJECTS));
    return field(slab, objects + index * this.stride);
  }

  // Live objects --------------------------------------------------------------------------

  protected isTrackedLive(object: Address): boolean {
    const index = this.indexOf(object);
    return ((this.memory.load(this.#trackedWord(this.slabOf(object), index)) >>> (index & 31)) & 1) === 1;
  }

  /** Whether an object is live: for its owner to ask, and for anyone in a tracked cache. */
  isLive(object: Address): boolean {
    return this.isTracked ? this.isTrackedLive(object) : this.memory.load(this.sideOf(object)) === LIVE;
  }

  /** Give an object to its user. Of a tracked cache its side word becomes `tag`. */
  setLive(object: Address, tag: number): void {
    if (this.isTracked) {
      this.memory.store(this.sideOf(object), tag);
      const index = this.indexOf(object);
      this.memory.or(this.#trackedWord(this.slabOf(object), index), 1 << (index & 31));
    } else this.memory.write(this.sideOf(object), LIVE);
  }

  /** Take a live object from its users: its side word becomes `side`. Gives whether it was live; of several who try, one is told so. */
  retire(object: Address, side: number): boolean {
    const word = this.sideOf(object);
    if (!this.isTracked) return this.memory.compareExchange(word, LIVE, side) === LIVE;
    const before = this.memory.load(word);
    if (!this.isTrackedLive(object)) return false;
    // The side word first: of a thread that dies in between it is told by that. By compareExchange, since it may be another's by now, and link a list.
    return this.memory.compareExchange(word, before, side) === before && this.untrack(object);
  }

  /** Finish what a thread died in that may have been retiring an object. Gives whether it was, and had begun. May be repeated. */
  finishRetire(object: Address, side: number): boolean {
    if (this.memory.load(this.sideOf(object)) !== side) return false;
    if (this.isTracked) this.untrack(object);
    return true;
  }

  protected untrack(object: Address): boolean {
    const index = this.indexOf(object);
    const bit = 1 << (index & 31);
    return (this.memory.and(this.#trackedWord(this.slabOf(object), index), ~bit) & bit) !== 0;
  }
}
