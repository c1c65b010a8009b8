/**
 * Fragmentation: how the free pages lie (Linux mm/vmstat.c: /proc/buddyinfo, and unusable_index and extfrag_index of debugfs).
 *
 *   pages      [F F . F F F F . . F F F F F F F F]     F free, . in use
 *   blocks      order 0    1    2    3     a block is 2^order pages, at a multiple of its size
 *               count 1    1    1    1
 *   unusable    order 2: (1 + 2) of 15 free pages lie in blocks too small, 0.200
 *
 * For each order two figures, as the kernel's:
 *   unusable   share of the free pages that no block of this order can use: 0 when all can, 1 when none can. (Gorman and Whitcroft,
 *              "The What, The Why and the Where To of Anti-Fragmentation", OLS 2006.)
 *   extfrag    why a block of this order cannot be had: towards 0 for want of memory, towards 1 because it is scattered; -1 when it can
 *
 * Law table: this file owns no word; it reads the free lists, which are locked by the arena lock.
 *
 * Guarantees: taken at one instant; the sum over `blocks` is `freePages`; allocates nothing in the arena and changes nothing there.
 */

import { MAX_ORDER, PAGE_BYTES } from "./address.js";

/** How the free pages lie. */
export interface BuddyInfo {
  /** Free blocks of each order, 0 to 10. */
  readonly blocks: readonly number[];
  /** Pages that can ever be handed out. */
  readonly pages: number;
  /** Pages in free blocks. */
  readonly freePages: number;
  /** Order of the largest free block; -1 when there is none. */
  readonly largestOrder: number;
  /** For each order, the share of the free pages in blocks too small for it, 0 to 1; 1 when no page is free. */
  readonly unusable: readonly number[];
  /** For each order, -1 when a block of it can be had; else 0 (want of memory) to 1 (fragmentation); 0 when no page is free. */
  readonly extfrag: readonly number[];
}

/** The figures of these free blocks. @param pages that can ever be handed out */
export function buddyInfo(blocks: readonly number[], pages: number): BuddyInfo {
  const freePages = blocks.reduce((sum, count, order) => sum + count * 2 ** order, 0);
  const freeBlocks = blocks.reduce((sum, count) => sum + count, 0);
  const pagesUsableAt = (order: number): number => blocks.reduce((sum, count, its) => sum + (its < order ? 0 : count * 2 ** its), 0);
  const ofEach = (figure: (usable: number, order: number) => number): number[] =>
    Array.from({ length: MAX_ORDER + 1 }, (_, order) => figure(pagesUsableAt(order), order));
  return {
    blocks: [...blocks],
    pages,
    freePages,
    largestOrder: blocks.findLastIndex((count) => count > 0),
    unusable: ofEach((usable) => (freePages === 0 ? 1 : (freePages - usable) / freePages)),
    // Not below 0: the kernel's formula has a 1 for rounding, which one lone page would make negative.
    extfrag: ofEach((usable, order) => {
      if (freeBlocks === 0) return 0;
      return usable > 0 ? -1 : Math.max(0, 1 - (1 + freePages / 2 ** order) / freeBlocks);
    }),
  };
}

/** As text: the line of /proc/buddyinfo, then the two figures of each order as debugfs prints them. */
export function formatBuddyInfo({ blocks, pages, freePages, unusable, extfrag }: BuddyInfo): string {
  const line = (name: string, cells: readonly string[]): string => name.padEnd(10) + cells.map((cell) => cell.padStart(7)).join("");
  return [
    line(
      "order",
      blocks.map((_, order) => String(order)),
    ),
    line(
      "free",
      blocks.map((count) => String(count)),
    ),
    line(
      "unusable",
      unusable.map((share) => share.toFixed(3)),
    ),
    line(
      "extfrag",
      extfrag.map((index) => index.toFixed(3)),
    ),
    `${freePages} of ${pages} pages of ${PAGE_BYTES} bytes free`,
  ].join("\n");
}
