/**
 * The drain of a torture of the allocators: what is left when all threads have ended is found, accounted for and freed, and the arena compared with its start.
 *
 * By a thread that is alone; between two steps everything in limbo is given back (support/settle.ts).
 */

import type { Shared } from "../../src/index.js";
import type { Address } from "../../src/memory/address.js";
import type { Heap } from "../../src/memory/heap.js";
import { PageKind } from "../../src/memory/pages.js";
import { drained, liveIn } from "../support/settle.js";
import type { Allocators } from "./allocator-job.js";
import type { LastWords } from "./calls.js";
import { Contents } from "./contents.js";
import type { ErrorKind } from "./tally.js";

/** What must be the same after each drain. */
export interface AtRest {
  readonly used: number;
  /** First pages of the free blocks and their orders: lists compared as sets. */
  readonly free: readonly string[];
  /** All other blocks of pages: first page, order, kind, owner. */
  readonly taken: readonly string[];
}

export function atRest(shared: Shared): AtRest {
  const { used } = drained(shared);
  const { heap } = shared.domain.arena;
  const blocks = heap.withArenaLock(() => [...heap.pages.walk()]);
  const free = blocks.filter(({ kind }) => kind === PageKind.FREE).map(({ page, order }) => `${page} (order ${order})`);
  const taken = blocks.filter(({ kind }) => kind !== PageKind.FREE);
  return { used, free, taken: taken.map(({ page, order, kind, owner }) => `${page} (order ${order}, kind ${kind}, owner ${owner})`) };
}

/** What is not as it was; undefined when all is. */
export function difference(now: AtRest, start: AtRest): string | undefined {
  const taken = now.taken.filter((block) => !start.taken.includes(block)).join(", ");
  if (now.used !== start.used) return `${now.used - start.used} bytes more are in use than at the start: pages ${taken}`;
  return now.free.join() === start.free.join() ? undefined : `other pages are free than at the start; in use are ${taken}`;
}

/** Free what is in the cells, if it holds what was written. */
export function emptyCells({ heap, vm }: Allocators, cells: Int32Array, fail: (kind: ErrorKind, what: string) => void): void {
  const contents = new Contents(heap.memory, vm);
  for (const block of cells as Iterable<Address>) {
    if (block === 0) continue;
    const wrong = contents.wrong(block, heap.usableBytes(block));
    if (wrong !== undefined) fail("torn", `of a cell: ${wrong}`);
    heap.kfree(block);
  }
}

/**
 * What still lives, only the dead knew of: each block must be one that somebody's last words name, or of a size that somebody was taking.
 * @returns how many there were
 */
export function freeInDoubt(heap: Heap, dead: readonly LastWords[], fail: (kind: ErrorKind, what: string) => void): number {
  const hands = new Set(dead.flatMap((words) => words.hands));
  const asked = dead.filter((words) => words.asked > 0).map((words) => ({ bytes: words.asked, left: words.count }));
  asked.sort((a, b) => b.bytes - a.bytes);
  const live = liveIn(heap);
  for (const block of live) {
    const bytes = heap.usableBytes(block);
    if (!hands.has(block)) {
      // At most half of a block is waste; of those whose it may be, whoever asked for the most: smaller ones cannot be his.
      const asker = asked.find((one) => one.left > 0 && one.bytes <= bytes && bytes <= Math.max(8, 2 * one.bytes));
      if (asker === undefined) fail("not back", `the block ${block} of ${bytes} bytes lives, and nobody who died had it in hand`);
      else asker.left--;
    }
    heap.kfree(block);
  }
  return live.length;
}
