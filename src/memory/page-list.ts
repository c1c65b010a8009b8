/**
 * A slot's own list of single pages (the kernel's per-cpu page lists, mm/page_alloc.c), so that taking and giving back one page takes no lock.
 *
 *   alloc  <- list <- refill of BATCH, under the arena lock, <- buddies
 *   free   -> list -> flush of half,   under the arena lock, -> buddies
 *
 * Law table
 *   word                 class
 *   COUNT, entries       private to the slot (see slot.ts)
 *   STATE of a page in the list   as pages.ts says: LISTED
 * Behind the last entry stand zeros, as in a sheaf.
 *
 * Guarantees: at most LIST_CAPACITY pages are kept; a page freed twice is refused.
 *
 * Where the thread may die, and what is left (`drain` gives all of it back; the page table is the truth):
 *   alloc   before its entry is emptied: the page is in the list or just behind its last, and its user never had it
 *   free    before COUNT: the page is just behind the last entry; its user has given it up
 *   flush   between release and COUNT: the page is free already (the arena lock is still held, so nobody can have taken it)
 */

import { type Address, field, type Order, PAGE_SHIFT } from "./address.js";
import { DoubleFreeError } from "./errors.js";
import { type Layout, PAGE_LIST_WORDS } from "./layout.js";
import type { Memory } from "./memory.js";
import { PageKind, type Pages } from "./pages.js";
import { pageListOf } from "./slot.js";

/** Pages that a list holds at most. */
export const LIST_CAPACITY: number = PAGE_LIST_WORDS - 2;
/** Pages of a refill. */
const BATCH = 8;

/** The list of one slot: its own thread's, or with the arena lock a reaper's. */
export class PageList {
  readonly #memory: Memory;
  readonly #pages: Pages;
  readonly #count: Address;

  constructor(memory: Memory, layout: Layout, pages: Pages, slot: number) {
    this.#memory = memory;
    this.#pages = pages;
    this.#count = pageListOf(layout, slot);
  }

  #entry(index: number): Address {
    return field(this.#count, index);
  }

  /** The pages in the list. */
  *[Symbol.iterator](): Generator<number> {
    for (let i = this.#memory.read(this.#count); i > 0; i--) yield this.#memory.read(this.#entry(i));
  }

  get isEmpty(): boolean {
    return this.#memory.read(this.#count) === 0;
  }

  get isFull(): boolean {
    return this.#memory.read(this.#count) === LIST_CAPACITY;
  }

  /** Take a page, if there is one; it is PAGES. */
  take(tag: number): number {
    const memory = this.#memory;
    const count = memory.read(this.#count);
    if (count === 0) return 0;
    const page = memory.read(this.#entry(count));
    this.#pages.exchangeKind(page, PageKind.LISTED, PageKind.PAGES);
    this.#pages.setOwner(page, tag);
    memory.write(this.#count, count - 1);
    memory.write(this.#entry(count), 0);
    return page;
  }

  /**
   * Put a page that was handed out into the list, which is not full.
   * @throws DoubleFreeError when it is not handed out
   */
  give(page: number): void {
    const memory = this.#memory;
    if (this.#pages.kind(page) !== PageKind.PAGES) throw new DoubleFreeError(page << PAGE_SHIFT, "free");
    const count = memory.read(this.#count);
    memory.write(this.#entry(count + 1), page);
    if (!this.#pages.exchangeKind(page, PageKind.PAGES, PageKind.LISTED)) {
      memory.write(this.#entry(count + 1), 0); // another thread was faster
      throw new DoubleFreeError(page << PAGE_SHIFT, "free");
    }
    memory.write(this.#count, count + 1);
  }

  /** Take pages from the buddies. With the arena lock. */
  refill(): void {
    const memory = this.#memory;
    for (let count = memory.read(this.#count); count < BATCH; count++) {
      const page = this.#pages.alloc(0 as Order);
      if (page === 0) return;
      memory.write(this.#entry(count + 1), page);
      this.#pages.claim(page, PageKind.LISTED, 0);
      memory.write(this.#count, count + 1);
    }
  }

  /** Give pages back to the buddies until `left` are in the list. With the arena lock. */
  flush(left: number): void {
    const memory = this.#memory;
    for (let count = memory.read(this.#count); count > left; count--) {
      this.#release(memory.read(this.#entry(count)));
      memory.write(this.#count, count - 1);
      memory.write(this.#entry(count), 0);
    }
  }

  /** Give back all that the slot's thread had, or was about to take or give. With the arena lock; may be repeated. */
  drain(): void {
    const memory = this.#memory;
    const next = memory.read(this.#count) + 1;
    this.flush(0);
    const page = next > LIST_CAPACITY ? 0 : memory.read(this.#entry(next));
    if (page === 0) return;
    this.#release(page);
    memory.write(this.#entry(next), 0);
  }

  // Of a thread that died in `flush` it is free already: perhaps joined with its buddy, so that it is no block's head any more.
  #release(page: number): void {
    const kind = this.#pages.kind(page);
    if (kind === PageKind.LISTED || kind === PageKind.PAGES) this.#pages.release(page);
  }
}
