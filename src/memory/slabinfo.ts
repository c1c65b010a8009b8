/**
 * What the caches hold, as text for people (the kernel's /proc/slabinfo).
 *
 * Law table: this file owns no word.
 */

import { PAGE_BYTES } from "./address.js";
import type { CacheInfo } from "./cache.js";

const COLUMNS: readonly (readonly [name: string, width: number, cell: (info: CacheInfo) => number])[] = [
  ["out", 10, ({ out }) => out],
  ["objects", 10, ({ objects }) => objects],
  ["in depot", 10, ({ inDepot }) => inDepot],
  ["bytes", 8, ({ objectBytes }) => objectBytes],
  ["per block", 11, ({ objectsPerBlock }) => objectsPerBlock],
  ["blocks", 9, ({ blocks }) => blocks],
  ["KiB", 10, ({ blocks, pagesPerBlock }) => (blocks * pagesPerBlock * PAGE_BYTES) / 1024],
];
/** Of the names, as `formatBuddyInfo` has them; longer ones push their line to the right. */
const NAME_WIDTH = 22;

/** A line for each cache that has pages or objects; what is unused is left out. */
export function formatSlabInfo(caches: readonly CacheInfo[]): string {
  const used = caches.filter(({ blocks, out }) => blocks > 0 || out > 0);
  const line = (name: string, cells: readonly string[]): string =>
    name.padEnd(NAME_WIDTH) + cells.map((cell, i) => cell.padStart(COLUMNS[i]?.[1] ?? 0)).join("");
  return [
    line(
      "cache",
      COLUMNS.map(([name]) => name),
    ),
    ...used.map((info) =>
      line(
        info.name,
        COLUMNS.map(([, , cell]) => String(cell(info))),
      ),
    ),
  ].join("\n");
}
