/**
 * Slabs: objects of one size cut from blocks of pages (Bonwick, "The Slab Allocator", USENIX 1994).
 *
 *   slab   | CACHE FREE | out bits | live bits | side words | pad | object 0 | object 1 | ...
 *          ^ start of its block of pages: found from any object's address
 *
 * An object is in one of four places:
 *                     out  live
 *   in its slab        0    0
 *   in a magazine      1    0     of some slot
 *   live               1    1     given to the user
 *   in limbo           1    0     of some slot, until its grace period is over
 * The two bitmaps and the magazines and limbos of the slots are the truth; counts and lists of partial
 * slabs are derived, and rebuilt when a thread died in here. Bits live apart from the objects, and
 * so does each object's side word, so that readers of objects never share a line with either.
 *
 * The side word belongs to the object's owner while it is live (a tree keeps a size there that its
 * readers never touch; kmalloc keeps the owner's tag) and links the object in limbo after that,
 * so that retiring never allocates.
 *
 * Law table
 *   word                      class
 *   cache descriptor          immutable once its STATE (atomic) says so; PARTIAL, SLABS, EMPTY, OVERDRAWN locked by the arena lock
 *   slab CACHE                immutable while the block is a slab
 *   slab FREE, out bits       locked by the arena lock
 *   live bits                 atomic
 *   side word                 of the object's owner while live (kmalloc: atomic), then of the limbo it is in
 *   object                    of its user while live; nobody's otherwise
 *
 * Guarantees: an object is given to one owner at a time; freeing or retiring one that is not live is
 * refused at once; a slab with no object out goes back to the pages, but for one spare a cache.
 */

import { type Address, field, MAX_ORDER, type Order, PAGE_SHIFT, PAGE_WORDS } from "./address.js";
import { CACHE_WORDS, type Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import { PageKind, type Pages } from "./pages.js";

/** Offsets of a cache descriptor's words. */
const Descriptor = {
  STATE: 0,
  OBJECT_WORDS: 1,
  ORDER: 2,
  CAPACITY: 3,
  BITMAP_WORDS: 4,
  SIDE: 5,
  OBJECTS: 6,
  PARTIAL: 7,
  SLABS: 8,
  EMPTY: 9,
  /** 1 when the cache has a page of the reserve (reserve.ts). */
  OVERDRAWN: 10,
  NAME: 12,
} as const;

const READY = 1;
/** Bytes of a cache's name that are kept. */
const NAME_BYTES = 40;

/** Offsets of a slab's words. */
const SlabWord = { CACHE: 0, FREE: 1, BITMAPS: 4 } as const;

/** Shape of a cache's slabs; all in words but `order`, `capacity`. */
export interface Geometry {
  readonly objectWords: number;
  readonly order: Order;
  /** Objects in a slab. */
  readonly capacity: number;
  /** Words of one bitmap. */
  readonly bitmapWords: number;
  /** Offset of the side words. */
  readonly side: number;
  /** Offset of the first object. */
  readonly objects: number;
}

function geometryAt(order: number, objectWords: number): Geometry {
  const words = PAGE_WORDS << order;
  // Objects start at a multiple of the largest power of two that divides their size, at most a
  // 64-byte line, so that one of 16, 32 or 64 bytes never straddles two lines.
  const align = Math.min(16, objectWords & -objectWords);
  let capacity = Math.floor((words - SlabWord.BITMAPS) / (objectWords + 1));
  for (; ; capacity--) {
    const bitmapWords = Math.ceil(capacity / 32);
    const side = SlabWord.BITMAPS + 2 * bitmapWords;
    const objects = Math.ceil((side + capacity) / align) * align;
    if (objects + capacity * objectWords <= words) return { objectWords, order: order as Order, capacity, bitmapWords, side, objects };
  }
}

/** The smallest slab that holds 8 objects with at most an eighth wasted, or else the least wasteful one. */
export function geometryFor(objectWords: number): Geometry {
  let best: Geometry | undefined;
  let bestWaste = 1;
  for (let order = 0; order <= MAX_ORDER; order++) {
    const geometry = geometryAt(order, objectWords);
    const words = PAGE_WORDS << order;
    const waste = (words - geometry.capacity * (objectWords + 1)) / words;
    if (geometry.capacity >= 8 && waste <= 1 / 8) return geometry;
    if (waste < bestWaste) {
      best = geometry;
      bestWaste = waste;
    }
    if (order >= 5 && best !== undefined && best.capacity >= 7) break;
  }
  return best as Geometry;
}

/** Where an object is: its slab and its bit there. */
export interface Place {
  readonly slab: Address;
  readonly page: number;
  readonly index: number;
}

/** Writes a new cache's descriptor. With the arena lock held; `descriptor` is unused. */
export function writeDescriptor(memory: Memory, descriptor: Address, name: string, geometry: Geometry): void {
  const set = (word: number, value: number): void => memory.write(field(descriptor, word), value);
  set(Descriptor.OBJECT_WORDS, geometry.objectWords);
  set(Descriptor.ORDER, geometry.order);
  set(Descriptor.CAPACITY, geometry.capacity);
  set(Descriptor.BITMAP_WORDS, geometry.bitmapWords);
  set(Descriptor.SIDE, geometry.side);
  set(Descriptor.OBJECTS, geometry.objects);
  set(Descriptor.PARTIAL, 0);
  set(Descriptor.SLABS, 0);
  set(Descriptor.EMPTY, 0);
  set(Descriptor.OVERDRAWN, 0);
  const bytes = new Uint8Array(NAME_BYTES);
  new TextEncoder().encodeInto(name, bytes);
  memory.writeBytes(field(descriptor, Descriptor.NAME), bytes);
  memory.store(field(descriptor, Descriptor.STATE), READY); // commit
}

/** The descriptor of the cache of this index. */
export function descriptorAt(layout: Layout, index: number): Address {
  return field(layout.cacheTable, index * CACHE_WORDS);
}

/** Whether a descriptor is in use. */
export function isReady(memory: Memory, descriptor: Address): boolean {
  return memory.load(field(descriptor, Descriptor.STATE)) === READY;
}

/** Name of the cache of a descriptor. */
export function cacheName(memory: Memory, descriptor: Address): string {
  const bytes = new Uint8Array(NAME_BYTES);
  memory.readBytes(field(descriptor, Descriptor.NAME), bytes);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? NAME_BYTES : end));
}

/** The slabs of one cache. Methods need the arena lock unless they say otherwise. */
export class Slabs implements Geometry {
  readonly descriptor: Address;
  readonly objectWords: number;
  readonly order: Order;
  readonly capacity: number;
  readonly bitmapWords: number;
  readonly side: number;
  readonly objects: number;
  readonly #memory: Memory;
  readonly #pages: Pages;
  readonly #slabMask: number;

  constructor(memory: Memory, pages: Pages, descriptor: Address) {
    const get = (word: number): number => memory.read(field(descriptor, word));
    this.#memory = memory;
    this.#pages = pages;
    this.descriptor = descriptor;
    this.objectWords = get(Descriptor.OBJECT_WORDS);
    this.order = get(Descriptor.ORDER) as Order;
    this.capacity = get(Descriptor.CAPACITY);
    this.bitmapWords = get(Descriptor.BITMAP_WORDS);
    this.side = get(Descriptor.SIDE);
    this.objects = get(Descriptor.OBJECTS);
    this.#slabMask = ~((PAGE_WORDS << this.order) - 1);
  }

  // Places: no lock ------------------------------------------------------------------------------

  /** Start of the slab that the object lies in. No lock. */
  slabOf(object: Address): Address {
    return (object & this.#slabMask) as Address;
  }

  /** Number of the object in its slab; a fraction when the address is not the start of one. No lock. */
  indexOf(object: Address): number {
    return ((object & ~this.#slabMask) - this.objects) / this.objectWords;
  }

  /** The object's side word. No lock. */
  sideOf(object: Address): Address {
    return field(this.slabOf(object), this.side + this.indexOf(object));
  }

  #outWord(slab: Address, index: number): Address {
    return field(slab, SlabWord.BITMAPS + (index >>> 5));
  }

  #liveWord(slab: Address, index: number): Address {
    return field(slab, SlabWord.BITMAPS + this.bitmapWords + (index >>> 5));
  }

  /** Number of the first object that a word of a slab's `out` bitmap stands for. */
  firstIndexOf(slab: Address, word: Address): number {
    return (word - slab - SlabWord.BITMAPS) * 32;
  }

  objectAt(slab: Address, index: number): Address {
    return field(slab, this.objects + index * this.objectWords);
  }

  // Live bits: no lock ---------------------------------------------------------------------------

  isLive(object: Address): boolean {
    const index = this.indexOf(object);
    return ((this.#memory.load(this.#liveWord(this.slabOf(object), index)) >>> (index & 31)) & 1) === 1;
  }

  setLive(object: Address): void {
    const index = this.indexOf(object);
    this.#memory.or(this.#liveWord(this.slabOf(object), index), 1 << (index & 31));
  }

  /** Gives whether the object was live. Of several who try, one is told so. */
  clearLive(object: Address): boolean {
    const index = this.indexOf(object);
    const bit = 1 << (index & 31);
    return (this.#memory.and(this.#liveWord(this.slabOf(object), index), ~bit) & bit) !== 0;
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
    memory.write(field(slab, SlabWord.CACHE), this.descriptor);
    memory.write(field(slab, SlabWord.FREE), this.capacity);
    for (let word = 0; word < this.bitmapWords; word++) {
      memory.write(field(slab, SlabWord.BITMAPS + word), 0);
      memory.store(field(slab, SlabWord.BITMAPS + this.bitmapWords + word), 0);
    }
    this.#pages.claim(page, PageKind.SLAB, this.descriptor);
    this.#pages.push(this.#word(Descriptor.PARTIAL), page);
    this.#count(Descriptor.SLABS, 1);
    this.#count(Descriptor.EMPTY, 1);
    return true;
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
    this.clearLive(object);
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
    this.#pages.release(page);
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

  // Recovery and checks --------------------------------------------------------------------------

  #countFree(slab: Address): number {
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
    const slab = (page << PAGE_SHIFT) as Address;
    const free = this.#countFree(slab);
    this.#memory.write(field(slab, SlabWord.FREE), free);
    this.#count(Descriptor.SLABS, 1);
    if (free === this.capacity) this.#count(Descriptor.EMPTY, 1);
    if (free > 0) this.#pages.push(this.#word(Descriptor.PARTIAL), page);
  }

  /** Live objects of a slab. Needs no lock if the caller's own object keeps the slab in place. */
  *live(page: number): Generator<Address> {
    const slab = (page << PAGE_SHIFT) as Address;
    for (let index = 0; index < this.capacity; index++) {
      const object = this.objectAt(slab, index);
      if (this.isLive(object)) yield object;
    }
  }

  /** Objects that are out of a slab and not live: in a magazine or in limbo. */
  *outNotLive(page: number): Generator<Address> {
    const slab = (page << PAGE_SHIFT) as Address;
    for (let index = 0; index < this.capacity; index++) {
      const object = this.objectAt(slab, index);
      if (this.isOut(object) && !this.isLive(object)) yield object;
    }
  }

  /** Violated invariants of one slab. */
  checkSlab(page: number): string[] {
    const memory = this.#memory;
    const slab = (page << PAGE_SHIFT) as Address;
    const violations: string[] = [];
    if (memory.read(field(slab, SlabWord.CACHE)) !== this.descriptor) violations.push(`slab ${page}: its header names another cache than the page table`);
    const free = this.#countFree(slab);
    const counted = memory.read(field(slab, SlabWord.FREE));
    if (free !== counted) violations.push(`slab ${page}: ${free} objects are in it, its header counts ${counted}`);
    for (let i = 0; i < this.bitmapWords; i++) {
      const out = memory.read(field(slab, SlabWord.BITMAPS + i));
      const live = memory.load(field(slab, SlabWord.BITMAPS + this.bitmapWords + i));
      if ((live & ~out) !== 0) violations.push(`slab ${page}: an object is live but not out of the slab (bitmap word ${i})`);
      if ((out & ~this.#validBits(i)) !== 0) violations.push(`slab ${page}: bits beyond the last object are set (bitmap word ${i})`);
    }
    return violations;
  }

  /** Violated invariants of the cache's list and counts, given its slabs. */
  checkCache(slabPages: readonly number[]): string[] {
    const name = cacheName(this.#memory, this.descriptor);
    const violations: string[] = [];
    const partial = new Set<number>();
    for (const page of this.#pages.list(this.#word(Descriptor.PARTIAL))) {
      if (partial.has(page)) return [`cache ${name}: slab ${page} is in its partial list twice`];
      partial.add(page);
    }
    let empty = 0;
    for (const page of slabPages) {
      const free = this.#countFree((page << PAGE_SHIFT) as Address);
      if (free === this.capacity) empty++;
      if (partial.has(page) !== free > 0)
        violations.push(`cache ${name}: slab ${page} has ${free} free objects and is ${partial.has(page) ? "" : "not "}in the partial list`);
      partial.delete(page);
    }
    for (const page of partial) violations.push(`cache ${name}: page ${page} is in the partial list but is no slab of it`);
    if (this.slabs !== slabPages.length) violations.push(`cache ${name}: has ${slabPages.length} slabs, counts ${this.slabs}`);
    const counted = this.#memory.read(this.#word(Descriptor.EMPTY));
    if (counted !== empty) violations.push(`cache ${name}: ${empty} slabs are empty, it counts ${counted}`);
    return violations;
  }
}

/** Number of bits set. */
export function popCount(bits: number): number {
  let v = bits - ((bits >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
