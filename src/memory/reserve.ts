/**
 * The reserve: a few pages that only freeing operations may take (Linux: the min watermark and PF_MEMALLOC, mm/page_alloc.c; a slab cut from
 * the reserve serves nobody else, SLUB's pfmemalloc_match).
 *
 * To delete from a tree that readers walk, its writer copies nodes. In an arena that is full to the last byte nothing could be deleted, so nothing would ever
 * get better. Therefore
 *
 *   free pages   0 ........ size ......................................... all
 *                | reserve  |   anybody's                                   |
 *                  withReserve only
 *
 * - An ordinary allocation must leave `size` pages free; one inside `withReserve(fn)` may take the last.
 * - A cache that grew by a page of the reserve is overdrawn: while free pages are fewer than `size`, only `withReserve` gets objects of it, one at a time,
 *   so that none is left in a magazine. Else each deletion would bring in a page, and whatever comes next would use it up.
 * - Nothing refills it: it is a count of free pages, not certain pages. What a deletion frees comes back to it first: while free pages are fewer
 *   than `size`, no page goes to a slot's own list, no sheaf to a depot, and no slab is kept spare.
 * - Never from it: pages of sheaves, and a slot's own list of pages.
 *
 * `size` is 1/256 of the pages, from 2 to 16, and one more for each cache beside those of kmalloc, since each such structure may have to grow by a
 * slab; in all at most a quarter of the pages.
 *
 * Whoever calls `withReserve` gives back, in the end, at least as much as it takes. So a range that is split, though the call be a `delete`, is no such operation.
 *
 * Law table: this file owns no word; FREE_PAGES is written with the arena lock, a descriptor's OVERDRAWN locked by it. Whether a thread is in `withReserve` is its own.
 *
 * Guarantees
 *   A  an ordinary allocation never makes free pages fewer than `size`.
 *   B  in `withReserve` objects whose slabs are single pages (up to about 450 bytes) can be had until the reserve is used up. Of larger ones no more is
 *      promised than that the pages are there: they may be scattered.
 *      And what is retired while a reader holds up its grace period comes back only after that.
 *   C  a thread that dies in `withReserve` leaves nothing but what any allocation leaves; OVERDRAWN is a hint, which the next one who finds pages enough clears.
 */

/** Pages of the smallest and the largest reserve, without those for caches. */
const LEAST_PAGES = 2;
const MOST_PAGES = 16;
/** Share of the pages between these. */
const SHARE = 1 / 256;
/** The most it ever is. */
const MOST_SHARE = 1 / 4;

/** One thread's use of the reserve. */
export class Reserve {
  readonly #base: number;
  readonly #limit: number;
  readonly #caches: () => number;
  #depth = 0;

  /**
   * @param pages that can ever be handed out
   * @param caches how many there are beside kmalloc's; asked only when memory is short
   */
  constructor(pages: number, caches: () => number) {
    this.#base = Math.max(LEAST_PAGES, Math.min(MOST_PAGES, Math.floor(pages * SHARE)));
    this.#limit = Math.max(LEAST_PAGES, Math.floor(pages * MOST_SHARE));
    this.#caches = caches;
  }

  /** Pages that ordinary allocations leave. */
  get size(): number {
    return Math.min(this.#limit, this.#base + this.#caches());
  }

  /** Whether this thread may take them. */
  get open(): boolean {
    return this.#depth > 0;
  }

  /** Run `fn` with the reserve open; calls nest. */
  use<T>(fn: () => T): T {
    this.#depth++;
    try {
      return fn();
    } finally {
      this.#depth--;
    }
  }

  /** How many of the free pages this thread may take. */
  available(free: number): number {
    return this.open ? free : Math.max(0, free - this.size);
  }

  /** Whether this thread may take so many of the free pages. */
  allows(free: number, pages: number): boolean {
    return this.open || free - pages >= this.#limit || free - pages >= this.size;
  }

  /** Whether some of the reserve is in use. */
  isShort(free: number): boolean {
    return free < this.#limit && free < this.size;
  }
}
