/**
 * Sheaves: small arrays of objects that move between slots, limbo and depots as one (the magazines of Bonwick and Adams, "Magazines and
 * Vmem", USENIX 2001; Linux's sheaves, mm/slub.c).
 *
 *   sheaf   | OWNER | LINK+COUNT | object | object | ... 30        one line of 128 bytes
 *
 * Behind the last entry stand zeros. An object that is found there was being put in, or taken out, when a thread died: an entry is written before
 * COUNT takes it in, and emptied after COUNT has left it out.
 *
 * Law table
 *   word                    class
 *   OWNER                   locked by the arena lock: 0 when free, slot + 1, or ~cache for one in that cache's depot
 *   LINK+COUNT, entries     private to the slot that owns it; locked by the arena lock when free or in a depot
 *
 * Guarantees: taking and giving back never loses a sheaf, wherever a thread dies: OWNER is the truth, one store commits, and the list of
 * free ones is rebuilt from it. Pages without a sheaf in use go back when the arena shrinks.
 */

import { type Address, field, NULL, type Order, PAGE_SHIFT, PAGE_WORDS } from "./address.js";
import { Header } from "./layout.js";
import type { Memory } from "./memory.js";
import { PageKind, type Pages } from "./pages.js";

/** Words of a sheaf. */
export const SHEAF_WORDS = 32;
const OWNER = 0;
const LINK_COUNT = 1;
const FIRST = 2;
/** Objects that a sheaf holds at most. */
export const SHEAF_CAPACITY: number = SHEAF_WORDS - FIRST;
const COUNT_MASK = SHEAF_WORDS - 1;

/** What OWNER says of a sheaf of a slot. */
export const ownedBySlot = (slot: number): number => slot + 1;
/** What OWNER says of a sheaf in the depot of a cache. */
export const inDepotOf = (cache: number): number => ~cache;
/** The word of the last entry of a sheaf that holds `count`; that of the next is one further. */
export const lastEntry = (sheaf: Address, count: number): Address => field(sheaf, FIRST - 1 + count);
/** The word that holds a sheaf's count, and its link while it is in a list. */
export const countWord = (sheaf: Address): Address => field(sheaf, LINK_COUNT);

/** The sheaves of an arena. */
export class Sheaves {
  readonly #memory: Memory;
  readonly #pages: Pages;

  constructor(memory: Memory, pages: Pages) {
    this.#memory = memory;
    this.#pages = pages;
  }

  /** Objects in a sheaf. */
  count(sheaf: Address): number {
    return this.#memory.read(countWord(sheaf)) & COUNT_MASK;
  }

  /** The next of the list that a sheaf is in. */
  next(sheaf: Address): Address {
    return (this.#memory.read(countWord(sheaf)) & ~COUNT_MASK) as Address;
  }

  /** Put a sheaf at the front of the list whose head is in the word `list`. */
  push(list: Address, sheaf: Address): void {
    this.#memory.write(countWord(sheaf), this.#memory.read(list) | this.count(sheaf));
    this.#memory.write(list, sheaf);
  }

  /** Take the first sheaf out of a list; NULL when there is none. */
  pop(list: Address): Address {
    const sheaf = this.#memory.read(list) as Address;
    if (sheaf === NULL) return NULL;
    this.#memory.write(list, this.next(sheaf));
    this.#memory.write(countWord(sheaf), this.count(sheaf));
    return sheaf;
  }

  /** The sheaves of a list. */
  *list(list: Address): Generator<Address> {
    for (let sheaf = this.#memory.read(list) as Address; sheaf !== NULL; sheaf = this.next(sheaf)) yield sheaf;
  }

  /** The objects in a sheaf. */
  *objects(sheaf: Address): Generator<Address> {
    for (let i = this.count(sheaf); i > 0; i--) yield this.#memory.read(lastEntry(sheaf, i)) as Address;
  }

  /** Take in the objects that were on their way into a sheaf, or out of it, when its thread died. */
  finish(sheaf: Address): void {
    const memory = this.#memory;
    let count = this.count(sheaf);
    for (let i = count + 1; i <= SHEAF_CAPACITY; i++) {
      const object = memory.read(lastEntry(sheaf, i));
      if (object === 0) continue;
      memory.write(lastEntry(sheaf, ++count), object);
      memory.write(countWord(sheaf), this.next(sheaf) | count);
      if (i !== count) memory.write(lastEntry(sheaf, i), 0);
    }
  }

  /** Take the last entry out of a sheaf that is not empty; whoever has done with the object says so by `taken`. */
  last(sheaf: Address): Address {
    return this.#memory.read(lastEntry(sheaf, this.count(sheaf))) as Address;
  }

  /** The last entry is no longer in the sheaf. */
  taken(sheaf: Address): void {
    const word = this.#memory.read(countWord(sheaf));
    this.#memory.write(countWord(sheaf), word - 1);
    this.#memory.write(lastEntry(sheaf, word & COUNT_MASK), 0);
  }

  /** Give the last objects of a sheaf to `putBack`, one by one, until `left` are in it. */
  flush(sheaf: Address, left: number, putBack: (object: Address) => void): void {
    for (let count = this.count(sheaf); count > left; count--) {
      putBack(this.last(sheaf));
      this.taken(sheaf);
    }
  }

  /** Give all objects of a sheaf to `putBack`, and the sheaf back. With the arena lock. */
  dissolve(sheaf: Address, putBack: (object: Address) => void): void {
    this.flush(sheaf, 0, putBack);
    this.give(sheaf);
  }

  /** Whose a sheaf is: 0 when it is free. With the arena lock. */
  owner(sheaf: Address): number {
    return this.#memory.read(field(sheaf, OWNER));
  }

  /** Say whose it is. With the arena lock. */
  setOwner(sheaf: Address, owner: number): void {
    this.#memory.write(field(sheaf, OWNER), owner);
  }

  /** Take an empty sheaf, NULL when there is no page for one. With the arena lock. */
  take(owner: number): Address {
    if (this.#memory.read(Header.FREE_SHEAVES) === 0) this.#grow();
    const sheaf = this.pop(Header.FREE_SHEAVES);
    if (sheaf !== NULL) this.setOwner(sheaf, owner); // commit
    return sheaf;
  }

  /** Give back an empty sheaf. With the arena lock. */
  give(sheaf: Address): void {
    this.#memory.write(countWord(sheaf), 0);
    this.setOwner(sheaf, 0); // commit
    this.push(Header.FREE_SHEAVES, sheaf);
  }

  #grow(): void {
    if (!this.#pages.hasSpare) return; // the reserve is for what users ask for
    const page = this.#pages.alloc(0 as Order);
    if (page === 0) return;
    const first = (page << PAGE_SHIFT) as Address;
    this.#memory.fill(first, PAGE_WORDS, 0);
    this.#pages.claim(page, PageKind.SHEAVES, 0);
    this.#pages.push(Header.SHEAF_PAGES, page);
    for (const sheaf of sheavesOf(page)) this.push(Header.FREE_SHEAVES, sheaf);
  }

  /** Every sheaf, free or not. With the arena lock. */
  *all(): Generator<Address> {
    for (const page of this.#pages.list(Header.SHEAF_PAGES)) yield* sheavesOf(page);
  }

  /** Pages of sheaves. With the arena lock. */
  get pages(): number {
    return [...this.#pages.list(Header.SHEAF_PAGES)].length;
  }

  /** Give back pages none of whose sheaves is in use. With the arena lock. */
  shrink(): void {
    const idle = [...this.#pages.list(Header.SHEAF_PAGES)].filter((page) => [...sheavesOf(page)].every((sheaf) => this.owner(sheaf) === 0));
    if (idle.length === 0) return;
    for (const page of idle) {
      this.#pages.remove(Header.SHEAF_PAGES, page);
      this.#pages.release(page);
    }
    this.#relist();
  }

  #relist(): void {
    this.#memory.write(Header.FREE_SHEAVES, 0);
    for (const sheaf of this.all()) {
      if (this.owner(sheaf) !== 0) continue;
      this.#memory.write(countWord(sheaf), 0);
      this.push(Header.FREE_SHEAVES, sheaf);
    }
  }

  /** Rebuild what is derived, given all pages of sheaves, after a thread died with the arena lock. */
  recover(pages: Iterable<number>): void {
    this.#memory.write(Header.SHEAF_PAGES, 0);
    for (const page of pages) this.#pages.push(Header.SHEAF_PAGES, page);
    this.#relist();
  }

  /** Violated invariants, given all pages of sheaves. With the arena lock. */
  check(pages: readonly number[]): string[] {
    const violations: string[] = [];
    const listed = [...this.#pages.list(Header.SHEAF_PAGES)];
    if (listed.length !== pages.length || !pages.every((page) => listed.includes(page)))
      violations.push(`sheaves: pages ${pages.join(", ")} hold sheaves, ${listed.join(", ")} are listed`);
    const free = new Set(this.list(Header.FREE_SHEAVES));
    for (const page of pages) {
      for (const sheaf of sheavesOf(page)) {
        if (free.has(sheaf) !== (this.owner(sheaf) === 0))
          violations.push(`sheaf ${sheaf} belongs to ${this.owner(sheaf)} and is ${free.has(sheaf) ? "" : "not "}in the free list`);
      }
    }
    return violations;
  }
}

function* sheavesOf(page: number): Generator<Address> {
  const first = (page << PAGE_SHIFT) as Address;
  for (let word = 0; word < PAGE_WORDS; word += SHEAF_WORDS) yield field(first, word);
}
