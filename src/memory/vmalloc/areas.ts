/**
 * The areas of the virtual space: a list by address, first fit (as mm/vmalloc.c had it before its trees).
 *
 *   VM_AREAS -> [ pages | guard ] -> [ pages | guard ] -> ... -> 0
 *
 * A range belongs to its area from the store that links it to the store that takes it out, so it is handed out once, whoever dies where.
 *
 * Law table
 *   word                  class
 *   VM_AREAS, VM_LAZY     locked by VM_LOCK
 *   words of an area      locked by VM_LOCK (START, PAGES, SWAP never change while it is listed)
 *
 * Guarantees: areas do not overlap, and behind each lies one page that is never mapped; O(areas).
 */

import { type Address, field, NULL } from "../address.js";
import { Header } from "../layout.js";
import type { Memory } from "../memory.js";
import { VIRTUAL_PAGES } from "./virtual.js";

const AreaWord = { NEXT: 0, START: 1, PAGES: 2, BYTES: 3, STATE: 4, SWAP: 5, TAG: 6, THREAD: 7 } as const;

/** Bytes of an area's words. */
export const AREA_BYTES = 32;

/** What an area is. */
export const AreaState = {
  /** Being made: its thread has VM_LOCK, or died. */
  MAKING: 1,
  LIVE: 2,
  /** Freed; its range is not to be used again before a purge. */
  LAZY: 3,
} as const;

/** An area, as it is while VM_LOCK is held. */
export interface Area {
  /** Where its words are. */
  readonly at: Address;
  /** First virtual page. */
  readonly start: number;
  /** Pages, without the guard. */
  readonly pages: number;
  /** Bytes that were asked for. */
  readonly bytes: number;
  readonly state: number;
  readonly swap: boolean;
  readonly tag: number;
  /** Thread that made it. */
  readonly thread: number;
}

/** Where a range of free pages is. */
export interface Gap {
  readonly start: number;
  /** The word that the list goes on from. */
  readonly link: Address;
}

/** The list. Every method needs VM_LOCK. */
export class Areas {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  #read(at: Address): Area {
    const word = (offset: number): number => this.#memory.read(field(at, offset));
    return {
      at,
      start: word(AreaWord.START),
      pages: word(AreaWord.PAGES),
      bytes: word(AreaWord.BYTES) >>> 0,
      state: word(AreaWord.STATE),
      swap: word(AreaWord.SWAP) !== 0,
      tag: word(AreaWord.TAG),
      thread: word(AreaWord.THREAD),
    };
  }

  /** All of them, by address. */
  *list(): Generator<Area> {
    for (let at = this.#memory.read(Header.VM_AREAS) as Address; at !== NULL; ) {
      const area = this.#read(at);
      const next = this.#memory.read(field(at, AreaWord.NEXT)) as Address; // before its user takes it out
      yield area;
      at = next;
    }
  }

  /** The first area, by address, of which this is true, and the word that leads to it. No generator: every vmalloc and vfree comes here. */
  #find(isIt: (start: number, pages: number) => boolean): { readonly at: Address; readonly link: Address } {
    const memory = this.#memory;
    let link: Address = Header.VM_AREAS;
    let at = memory.read(link) as Address;
    while (at !== NULL && !isIt(memory.read(field(at, AreaWord.START)), memory.read(field(at, AreaWord.PAGES)))) {
      link = field(at, AreaWord.NEXT);
      at = memory.read(link) as Address;
    }
    return { at, link };
  }

  /** The area whose pages, or guard page, a page is. */
  at(page: number): Area | undefined {
    const { at } = this.#find((start, pages) => page <= start + pages);
    if (at === NULL) return undefined;
    const area = this.#read(at);
    return page < area.start ? undefined : area;
  }

  /** Whether any area lies over a range of pages. */
  isUsed(first: number, pages: number): boolean {
    const { at } = this.#find((start, length) => start + length > first);
    return at !== NULL && this.#memory.read(field(at, AreaWord.START)) < first + pages;
  }

  /** The first gap of so many pages and a guard. */
  firstFit(pages: number): Gap | undefined {
    let free = 1;
    const { at, link } = this.#find((start, length) => {
      if (start - free > pages) return true;
      free = start + length + 1;
      return false;
    });
    return at !== NULL || VIRTUAL_PAGES - free > pages ? { start: free, link } : undefined;
  }

  /** Enter an area that is being made into a gap; `at` is its words. */
  insert(at: Address, { start, link }: Gap, { pages, bytes, swap, tag, thread }: Omit<Area, "at" | "start" | "state">): Area {
    const words = [this.#memory.read(link), start, pages, bytes | 0, AreaState.MAKING, swap ? 1 : 0, tag, thread];
    for (const [offset, word] of words.entries()) this.#memory.write(field(at, offset), word);
    this.#memory.write(link, at); // commit
    return this.#read(at);
  }

  setState(area: Area, state: number): void {
    this.#memory.write(field(area.at, AreaWord.STATE), state);
  }

  /** Take an area out. Its words are the caller's then. */
  remove(area: Area): void {
    let link: Address = Header.VM_AREAS;
    for (let at = this.#memory.read(link) as Address; at !== area.at; at = this.#memory.read(link) as Address) link = field(at, AreaWord.NEXT);
    this.#memory.write(link, this.#memory.read(field(area.at, AreaWord.NEXT))); // commit
  }
}
