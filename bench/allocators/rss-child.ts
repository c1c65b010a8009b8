/** `node rss-child.js BYTES ALLOCATOR`: makes an arena, writes to a tenth of it, and prints its resident memory at each step. */

import { Arena, createArena, NULL, type Order, PAGE_BYTES, SharedMemory } from "../../src/memory/index.js";
import { optionsFor } from "./names.js";

/** Resident bytes of the process. */
export interface Resident {
  readonly before: number;
  readonly made: number;
  readonly touched: number;
}

/** Blocks of 1 MiB. */
const ORDER = 8 as Order;
const BLOCK = PAGE_BYTES << ORDER;

const bytes = Number(process.argv[2]);
const resident = (): number => process.memoryUsage.rss();
resident();
const before = resident();
const memory = new SharedMemory(createArena(bytes, optionsFor(process.argv[3] ?? "")));
const { heap } = new Arena(memory, 1);
const made = resident();
for (let used = 0; used < bytes / 10; used += BLOCK) {
  const block = heap.allocPages(ORDER);
  if (block === NULL) throw new Error(`no block of ${BLOCK} bytes after ${used}`);
  memory.fill(block, BLOCK / 4, 1);
}
console.log(JSON.stringify({ before, made, touched: resident() } satisfies Resident));
