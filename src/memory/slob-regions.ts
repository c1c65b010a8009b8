/**
 * Regions: blocks of pages that objects of all sizes share, first fit (K&R's allocator; Linux's mm/slob.c, until 6.4).
 *
 *   region   | FREE | starts | [head side object.....] [head  free...........] [head side object..] ...
 *                     a bit for each two words where an object starts
 *
 * Each block says in its head what it is, whose, and how long; the next one follows at once, and of two neighbours one at most is free. There
 * are three lists of regions with room, for objects below 256 bytes, below 1 KiB and above, so that small ones do not fill the gaps that large ones
 * need. Blocks are even numbers of words; an object is aligned as its cache says.
 *
 * Starts and the heads of blocks with an object are the truth; free blocks, FREE and the lists are derived, and rebuilt when a thread died in here.
 *
 * Law table
 *   word                  class
 *   FREE                  locked by the arena lock: words in free blocks
 *   starts                atomic; written with the arena lock
 *   head                  atomic; written with the arena lock, but from LIVE to OUT by whoever retires the object, by compareExchange
 *   side                  as the object's: its owner's while live (then atomic in caches whose objects are found by it), the next of the list in limbo
 *   object                of its user, from when it was given to when it is put back
 * The lists' heads are in the first three descriptors, whose caches are the regions' in the page table.
 *
 * Guarantees: the first block that fits is taken; free neighbours are joined; a region without an object goes back to the pages at once.
 *
 * Where the thread may die, and what is left: one store to starts gives an object out, one takes it back; before and after it the heads around it are wrong,
 * and rebuilt from the gaps.
 */

import { type Address, field, NULL, type Order, PAGE_SHIFT, PAGE_WORDS } from "./address.js";
import { Descriptor, descriptorAt } from "./geometry.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import { isOverdrawn, noteTaken } from "./overdrawn.js";
import type { Pages } from "./pages.js";

/** What a block is. */
const State = { FREE: 1, LIVE: 2, OUT: 3 } as const;
// A head: state in bits 0-1, cache in 2-11, size in pairs of words above.
const STATE_MASK = 3;
const CACHE_SHIFT = 2;
const CACHE_MASK = 1023;
const SIZE_SHIFT = 12;
const head = (state: number, words: number, cache = 0): number => ((words >>> 1) << SIZE_SHIFT) | (cache << CACHE_SHIFT) | state;
const sizeIn = (word: number): number => (word >>> SIZE_SHIFT) << 1;

/** Words of a block before its object, and of the smallest block. */
const BEFORE = 2;
const LEAST = 4;
/** Words of a region before its starts. */
const STARTS = 2;

/** Words of an object from which on it is in the second and the third list. */
const LIST_BOUNDS = [64, 256] as const;
/** Lists of regions. */
export const SLOB_LISTS: number = LIST_BOUNDS.length + 1;

const startsWords = (order: number): number => (PAGE_WORDS << order) / 64;
const firstBlock = (order: number): number => STARTS + startsWords(order);

/** The regions of an arena. Methods need the arena lock unless they say otherwise. */
export class SlobRegions {
  readonly #memory: Memory;
  readonly #layout: Layout;
  readonly #pages: Pages;

  constructor(memory: Memory, layout: Layout, pages: Pages) {
    this.#memory = memory;
    this.#layout = layout;
    this.#pages = pages;
  }

  // Places: no lock ------------------------------------------------------------------------------

  #orderOf(address: Address): Order {
    return this.#pages.order(address >>> PAGE_SHIFT);
  }

  /** Start of the region that an address lies in. */
  #regionOf(address: Address): Address {
    return (((address >>> PAGE_SHIFT) & (-1 << this.#orderOf(address))) << PAGE_SHIFT) as Address;
  }

  // The starts word of an object, and its bit there.
  #startOf(object: Address): { word: Address; bit: number } {
    const region = this.#regionOf(object);
    const pair = (object - region) >>> 1;
    return { word: field(region, STARTS + (pair >>> 5)), bit: 1 << (pair & 31) };
  }

  #head(object: Address): number {
    return this.#memory.load(field(object, -BEFORE));
  }

  /** The object's side word. */
  sideOf(object: Address): Address {
    return field(object, -1);
  }

  /** Whether an object starts at an address in a region. */
  isStart(address: Address): boolean {
    if (address % 2 !== 0) return false;
    const { word, bit } = this.#startOf(address);
    return (this.#memory.load(word) & bit) !== 0;
  }

  /** Whether an object may have started at an address in a region: it does, or the address is in what is free now. */
  mayHaveStarted(address: Address): boolean {
    if (this.isStart(address)) return true;
    const region = this.#regionOf(address);
    const order = this.#orderOf(address);
    const first = field(region, firstBlock(order) + BEFORE);
    if (address % 2 !== 0 || address < first) return false;
    const after = field(address, BEFORE); // beyond the region no object starts, and what lies there is another's
    if (after < field(region, PAGE_WORDS << order) && this.isStart(after)) return false;
    let before = (address - 2) as Address;
    while (before >= first && !this.isStart(before)) before = (before - 2) as Address;
    return before < first || address >= before - BEFORE + sizeIn(this.#head(before));
  }

  /** Index of the cache of an object. */
  cacheIndexOf(object: Address): number {
    return (this.#head(object) >>> CACHE_SHIFT) & CACHE_MASK;
  }

  isLive(object: Address): boolean {
    return this.isStart(object) && (this.#head(object) & STATE_MASK) === State.LIVE;
  }

  /** Give an object to its user; its side word becomes `tag`. */
  setLive(object: Address, tag: number): void {
    this.#memory.store(this.sideOf(object), tag);
    this.#memory.store(field(object, -BEFORE), (this.#head(object) & ~STATE_MASK) | State.LIVE);
  }

  /** Take a live object from its users: its side word becomes `side`. Gives whether it was live; of several who try, one is told so. */
  retire(object: Address, side: number): boolean {
    const live = this.#head(object);
    if (!this.isLive(object) || this.#memory.compareExchange(field(object, -BEFORE), live, (live & ~STATE_MASK) | State.OUT) !== live) return false;
    this.#memory.store(this.sideOf(object), side);
    return true;
  }

  // Lists ----------------------------------------------------------------------------------------------

  #list(list: number): Address {
    return field(descriptorAt(this.#layout, list), Descriptor.PARTIAL);
  }

  #countRegions(list: number, by: number): void {
    const word = field(descriptorAt(this.#layout, list), Descriptor.SLABS);
    this.#memory.write(word, this.#memory.read(word) + by);
  }

  /** Regions of a list, with room or without. */
  regions(list: number): number {
    return this.#memory.read(field(descriptorAt(this.#layout, list), Descriptor.SLABS));
  }

  /** The list that a region belongs to: its cache in the page table. */
  #listOf(region: Address): number {
    return this.#pages.cacheIndex(region >>> PAGE_SHIFT);
  }

  #addFree(region: Address, words: number): number {
    const free = this.#memory.read(region) + words;
    this.#memory.write(region, free);
    return free;
  }

  // Blocks -----------------------------------------------------------------------------------------------

  #end(region: Address): Address {
    return field(region, PAGE_WORDS << this.#orderOf(region));
  }

  #first(region: Address): Address {
    return field(region, firstBlock(this.#orderOf(region)));
  }

  /** Words that blocks may have. */
  #room(region: Address): number {
    return this.#end(region) - this.#first(region);
  }

  #setHead(block: Address, word: number): void {
    this.#memory.store(block, word);
  }

  // Where in a free block an object of this alignment would have its own block: with nothing before it, or a block that can be free.
  #place(block: Address, align: number): Address {
    let place = Math.ceil((block + BEFORE) / align) * align - BEFORE;
    while (place !== block && place - block < LEAST) place += align;
    return place as Address;
  }

  /**
   * Take an object: the first block that fits, in the first region that has one.
   * @param cache its cache
   * @param words of it
   * @param align words
   * @param note told of the object before it is out
   * @returns NULL when there are no pages for a new region, or the list is overdrawn and the reserve not open
   */
  take(cache: number, words: number, align: number, note: (object: Address) => void): Address {
    const size = Math.max(LEAST, BEFORE + words + (words & 1));
    const step = Math.max(2, align);
    const list = LIST_BOUNDS.filter((bound) => words >= bound).length;
    if (isOverdrawn(this.#memory, this.#pages, descriptorAt(this.#layout, list)) && !this.#pages.reserveOpen) return NULL;
    for (const page of this.#pages.list(this.#list(list))) {
      const region = (page << PAGE_SHIFT) as Address;
      if (this.#memory.read(region) < size) continue;
      const object = this.#takeFrom(region, cache, size, step, note);
      if (object !== NULL) return object;
    }
    const region = this.#grow(list, size, step);
    return region === NULL ? NULL : this.#takeFrom(region, cache, size, step, note);
  }

  #takeFrom(region: Address, cache: number, size: number, step: number, note: (object: Address) => void): Address {
    const end = this.#end(region);
    for (let block = this.#first(region); block < end; ) {
      const word = this.#memory.load(block);
      const next = field(block, sizeIn(word));
      if ((word & STATE_MASK) === State.FREE) {
        const place = this.#place(block, step);
        if (place + size <= next) return this.#carve(region, block, next, place, size, cache, note);
      }
      block = next;
    }
    return NULL;
  }

  #carve(region: Address, block: Address, end: Address, place: Address, least: number, cache: number, note: (object: Address) => void): Address {
    const rest = end - place - least;
    const size = rest < LEAST ? least + rest : least;
    if (place > block) this.#setHead(block, head(State.FREE, place - block));
    if (size === least && rest > 0) this.#setHead(field(place, size), head(State.FREE, rest));
    this.#setHead(place, head(State.OUT, size, cache));
    const object = field(place, BEFORE);
    note(object);
    const { word, bit } = this.#startOf(object);
    this.#memory.or(word, bit); // commit
    if (this.#addFree(region, -size) === 0) this.#pages.remove(this.#list(this.#listOf(region)), region >>> PAGE_SHIFT);
    return object;
  }

  #grow(list: number, size: number, step: number): Address {
    let order = 0;
    while (this.#place(firstBlock(order) as Address, step) + size > PAGE_WORDS << order) order++;
    const page = this.#pages.alloc(order as Order);
    if (page === 0) return NULL;
    noteTaken(this.#memory, this.#pages, descriptorAt(this.#layout, list));
    const region = (page << PAGE_SHIFT) as Address;
    const room = (PAGE_WORDS << order) - firstBlock(order);
    this.#memory.write(region, room);
    for (let word = 0; word < startsWords(order); word++) this.#memory.store(field(region, STARTS + word), 0);
    this.#setHead(field(region, firstBlock(order)), head(State.FREE, room));
    this.#pages.claimSlab(page, list); // commit
    this.#pages.push(this.#list(list), page);
    this.#countRegions(list, 1);
    return region;
  }

  /** Put an object back. Nothing happens when that was done before. */
  putBack(object: Address): void {
    if (!this.isStart(object)) return;
    const region = this.#regionOf(object);
    const { word, bit } = this.#startOf(object);
    const size = sizeIn(this.#head(object));
    this.#memory.and(word, ~bit); // commit
    this.#setHead(field(object, -BEFORE), head(State.FREE, size));
    this.#join(region);
    const free = this.#addFree(region, size);
    if (free === size) this.#pages.push(this.#list(this.#listOf(region)), region >>> PAGE_SHIFT);
    if (free === this.#room(region)) this.#release(region);
  }

  #release(region: Address): void {
    const list = this.#listOf(region);
    this.#pages.remove(this.#list(list), region >>> PAGE_SHIFT);
    this.#countRegions(list, -1);
    this.#pages.release(region >>> PAGE_SHIFT);
  }

  #join(region: Address): void {
    const end = this.#end(region);
    let before: Address = NULL;
    for (let block = this.#first(region); block < end; ) {
      const word = this.#memory.load(block);
      const next = field(block, sizeIn(word));
      if ((word & STATE_MASK) !== State.FREE) before = NULL;
      else if (before === NULL) before = block;
      else this.#setHead(before, head(State.FREE, next - before));
      block = next;
    }
  }

  // Recovery and checks ----------------------------------------------------------------------------------

  /** Objects of a region. */
  *objects(page: number): Generator<Address> {
    const region = (page << PAGE_SHIFT) as Address;
    for (let word = 0; word < startsWords(this.#orderOf(region)); word++) {
      for (let left = this.#memory.load(field(region, STARTS + word)); left !== 0; left &= left - 1)
        yield field(region, (word * 32 + (31 - Math.clz32(left & -left))) * 2);
    }
  }

  /** Forget what is derived of a list, before `recover` of each of its regions. */
  recoverCounts(list: number): void {
    for (const word of [Descriptor.PARTIAL, Descriptor.SLABS]) this.#memory.write(field(descriptorAt(this.#layout, list), word), 0);
  }

  /** Rebuild what is derived of a region: its free blocks are the gaps between its objects. */
  recover(page: number): void {
    const region = (page << PAGE_SHIFT) as Address;
    let free = 0;
    let block = this.#first(region);
    const gapUntil = (end: Address): void => {
      if (end > block) this.#setHead(block, head(State.FREE, end - block));
      free += end - block;
    };
    for (const object of this.objects(page)) {
      gapUntil(field(object, -BEFORE));
      block = field(object, sizeIn(this.#head(object)) - BEFORE);
    }
    gapUntil(this.#end(region));
    this.#memory.write(region, free);
    const list = this.#listOf(region);
    this.#countRegions(list, 1);
    if (free > 0) this.#pages.push(this.#list(list), page);
    if (free === this.#room(region)) this.#release(region);
  }

  /** Violated invariants of a list, given its regions. */
  check(list: number, pages: readonly number[]): string[] {
    const violations = pages.flatMap((page) => this.#checkRegion(page));
    const listed = new Set<number>();
    for (const page of this.#pages.list(this.#list(list))) {
      if (listed.has(page)) return [...violations, `slob: region ${page} is in list ${list} twice`];
      listed.add(page);
    }
    for (const page of pages) {
      const free = this.#memory.read((page << PAGE_SHIFT) as Address);
      if (listed.has(page) !== free > 0) violations.push(`slob: region ${page} has ${free} free words and is ${listed.has(page) ? "" : "not "}in list ${list}`);
      listed.delete(page);
    }
    for (const page of listed) violations.push(`slob: page ${page} is in list ${list} but is no region of it`);
    if (this.regions(list) !== pages.length) violations.push(`slob: list ${list} has ${pages.length} regions, counts ${this.regions(list)}`);
    return violations;
  }

  #checkRegion(page: number): string[] {
    const region = (page << PAGE_SHIFT) as Address;
    const end = this.#end(region);
    const objects = new Set(this.objects(page));
    const violations: string[] = [];
    let free = 0;
    let wasFree = false;
    for (let block = this.#first(region); block < end; ) {
      const word = this.#memory.load(block);
      const state = word & STATE_MASK;
      const size = sizeIn(word);
      if (size < LEAST || block + size > end || state === 0) return [...violations, `slob: region ${page} has no block at its word ${block - region}`];
      if (objects.delete(field(block, BEFORE)) === (state === State.FREE))
        violations.push(`slob: the block at word ${block - region} of region ${page} is in state ${state}, its start bit says otherwise`);
      if (wasFree && state === State.FREE) violations.push(`slob: free neighbours at word ${block - region} of region ${page} were not joined`);
      wasFree = state === State.FREE;
      if (wasFree) free += size;
      block = field(block, size);
    }
    for (const object of objects) violations.push(`slob: object ${object} starts where no block of region ${page} does`);
    const counted = this.#memory.read(region);
    if (free !== counted) violations.push(`slob: region ${page} has ${free} free words, counts ${counted}`);
    if (free === this.#room(region)) violations.push(`slob: region ${page} is empty and was not given back`);
    return violations;
  }
}
