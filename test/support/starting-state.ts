/** The pages of an arena, as they must be again once all is given back: every free block of each order, every page's kind. */

import assert from "node:assert/strict";
import { MAX_ORDER } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { PageKind } from "../../src/memory/pages.js";

export interface StartingState {
  readonly freePages: number;
  /** For each order, the first pages of the free blocks, ascending: lists compared as sets. */
  readonly freeBlocks: readonly (readonly number[])[];
  /** What every page is. */
  readonly kinds: Uint8Array;
}

/**
 * By a thread that is alone, and takes nothing itself. `check()` compares the free lists with the page table, so that what is told here of the one holds of both.
 */
export function startingState(arena: Arena): StartingState {
  const { heap, layout } = arena;
  heap.trim();
  assert.deepEqual(arena.check(), []);
  const freeBlocks: number[][] = Array.from({ length: MAX_ORDER + 1 }, () => []);
  const kinds = new Uint8Array(layout.pages);
  heap.withArenaLock(() => {
    for (const { page, kind, order } of heap.pages.walk()) {
      if (kind === PageKind.FREE) freeBlocks[order]?.push(page);
      for (let i = 0; i < 1 << order; i++) kinds[page + i] = heap.pages.kind(page + i);
    }
  });
  const counts = heap.pages.freeBlocks();
  assert.deepEqual(
    freeBlocks.map(({ length }) => length),
    counts,
  );
  return { freePages: heap.pages.free, freeBlocks, kinds };
}

/** Fails where they differ, and says how. (`deepEqual` of a million pages would take minutes to say it.) */
export function sameState(now: StartingState, start: StartingState, when: string): void {
  assert.equal(now.freePages, start.freePages, `${when}: free pages`);
  for (const [order, blocks] of start.freeBlocks.entries()) {
    assert.equal(now.freeBlocks[order]?.join(" "), blocks.join(" "), `${when}: free blocks of order ${order}`);
  }
  const other = start.kinds.findIndex((kind, page) => kind !== now.kinds[page]);
  assert.equal(other, -1, `${when}: page ${other} is of kind ${now.kinds[other]}, was ${start.kinds[other]}`);
}
